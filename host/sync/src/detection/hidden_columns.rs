//! What a change detector goes by, where columns are hidden from it.

use icehost_plan::{ColumnGrant, Probe};
use icehost_strategy::{Context, StrategyError};
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use crate::rows::column_rules::ColumnRules;
use crate::{Detection, SyncError};

/// The probes of a detector to which the columns that have a rule are hidden.
///
/// One that chooses by itself what it goes by cannot know that a better column is hidden from it, and takes another:
/// the only date that is left, which does not move when rows change. What it would go by it tells itself, asked once
/// more with every column. Nothing is read for that, and what it logs meanwhile may be about a run that is not done.
/// Columns that its section grants are another matter: the operator has named them.
///
/// # Errors
/// What the detector answers, and a choice that the rules would change.
pub(crate) async fn probes(
    rules: &ColumnRules,
    detection: &Detection,
    context: &Context<'_>,
) -> Result<Vec<Probe>, SyncError> {
    let detector = &detection.strategy;
    let guarded = rules.guard(detector);
    if rules.rules.is_empty() || *detector.strategy().column_grant() != ColumnGrant::All {
        return Ok(guarded.probes(context).await?);
    }
    // A watermark is that of a choice that was made before.
    let choice = Context {
        watermark: None,
        ..*context
    };
    let unheard = NoSubscriber::new();
    let whole = detector.probes(&choice).with_subscriber(unheard).await;
    let answer = guarded.probes(&choice).with_subscriber(unheard).await;
    let refused = |why: String| {
        let hint = format!(
            "say in the options of the strategy which column it is to go by; where values of {} may stand in the \
             watermark, grant it columns by name: columns = […] in its section of the configuration file",
            rules.columns().join(", ")
        );
        let name = &detector.strategy().description().name;
        let table = &context.table.name;
        Err(SyncError::settings(
            format!("strategy '{name}' is not to choose what it goes by in {table}: {why}"),
            hint,
        ))
    };
    let ruled = |probe: &Probe| {
        let mut names = probe.columns().into_iter().filter_map(|at| {
            let column = context.table.columns.get(at as usize)?;
            rules.concern(&column.name).then_some(&column.name)
        });
        names.next()
    };
    match (answer, whole) {
        // What it lacks it says, and its hint what is hidden from it.
        (Err(_), _) => {}
        (Ok(answer), Ok(whole)) if answer == whole => {}
        (Ok(_), Ok(whole)) => {
            return refused(match whole.iter().find_map(ruled) {
                Some(column) => {
                    format!("it would be '{column}', which has a column rule and is hidden from it")
                }
                None => "it would be another column if none were hidden".to_owned(),
            });
        }
        (Ok(_), Err(StrategyError::Failure { message, .. })) => {
            return refused(format!(
                "columns that have a rule are hidden from it, and without that {message}"
            ));
        }
        (Ok(_), Err(_)) => {}
    }
    Ok(guarded.probes(context).await?)
}

//! Rows of the source that are one for the target.
//!
//! A lake that keeps every row does not show whether two of them are versions of a row or two rows. The source does: it
//! has no versions.

use icehost_plan::Value;

use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::verify::compare::class::What;
use crate::verify::report::{Comparison, Difference};
use crate::verify::stops::Stop;
use crate::{SyncError, SyncJob};

/// Asks the source for two rows that have the columns in common which the target's merge knows a row by; its names are
/// the lake's. It reads the whole table, and is asked only where nothing keeps them apart.
///
/// # Errors
/// Those of the source.
pub(crate) async fn look(
    job: &SyncJob,
    keys: &[String],
    target: &mut Comparison,
    limit: usize,
) -> Result<Option<Stop>, SyncError> {
    let ruled = keys.iter().any(|key| job.source.rules.concern(key));
    if keys.is_empty() || ruled || !job.source.transforms.is_empty() {
        return Ok(None);
    }
    let mut source = OpenSource::open(&job.source).await?;
    let table = &source.table;
    let ordinals: Option<Vec<u32>> = keys
        .iter()
        .map(|key| u32::try_from(table.ordinal(key)?).ok())
        .collect();
    let Some(ordinals) = ordinals else {
        return Ok(None);
    };
    let enforced =
        |unique: &Vec<String>| !unique.is_empty() && unique.iter().all(|c| keys.contains(c));
    if table.unique_keys.iter().any(enforced) {
        return Ok(None);
    }
    let repeated = source.connection.repeated_key(table, &ordinals).await;
    let repeated = repeated.doing(|| format!("looking for rows of {} with one key", table.name))?;
    let Some(values) = repeated.filter(|values| !values.contains(&Value::Null)) else {
        return Ok(None);
    };
    let pairs = keys.iter().zip(&values);
    let pairs = pairs.map(|(key, value)| {
        let value = icehost_untrusted::shown_up_to(&value.text(), 100);
        format!("{key} = {value}")
    });
    let key = pairs.collect::<Vec<_>>().join(", ");
    let stop = Stop {
        error: format!(
            "several rows of source table {} have the key by which {} knows a row ({key}), and only one of them would stay",
            table.name, target.found
        ),
        hint: Some(icehost_untrusted::Hint::new(
            "give the target a key that tells them apart (the merge's option keys), say which row stays (its option \
             deduplicate-by), or keep every row (append-only)",
        )),
    };
    target.hold(limit);
    if target.wrong_rows() == 0 {
        target.wrong.count(What::Missing, 1);
        target.wrong.keys.push(Difference {
            key,
            what: What::Missing.word(),
            columns: Vec::new(),
        });
    }
    Ok(Some(stop))
}

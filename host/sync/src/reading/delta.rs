//! The delta of a run that reads in one piece, from the source into staged files.

use icehost_lake::{LakeTable, Look, StageOptions, Staged};
use icehost_plan::Coverage;
use icehost_sqlserver::{Extracted, RowMeaning, Way};

use crate::detection::detected::Detected;
use crate::reading::options::{extract_options, stage_options};
use crate::reading::preparation::Preparation;
use crate::reading::transfer::{Transfer, Transferred};
use crate::reading::{filled_in, moved_back, read_again};
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::{Event, SyncError};

/// A delta that was read in one piece.
pub(crate) struct Read {
    pub(crate) extracted: Extracted,
    pub(crate) staged: Staged,
    /// New rows that tell a detector nothing: they lie ahead of the clock, or were read by their keys.
    pub(crate) apart: u64,
    /// Rows that a transformer has left out.
    pub(crate) dropped: u64,
    /// What the user should know.
    pub(crate) told: Vec<String>,
}

/// What becomes of a delta.
pub(crate) enum Purpose {
    /// It is staged for a commit.
    Commit,
    /// It is looked at, each time that it is read anew: nothing is written.
    Look(Box<dyn Fn() -> Look + Send + Sync>),
}

/// Reads the delta in one piece; a second time, where rows turn out to have gone back behind what the detector wants.
pub(crate) async fn extract(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &LakeTable,
    detected: &Detected,
    purpose: Purpose,
) -> Result<Read, SyncError> {
    let (job, observer) = (run.job, run.observer);
    let is_whole = detected.plan.coverage == Coverage::Full;
    observer.event(Event::Extracting {
        row_estimate: source.table.table.row_estimate.filter(|_| is_whole),
    });
    let memory = source.memory(job)?;
    let held = read_again::held(run, source, lake, detected).await?;
    let preparation = Preparation::new(&job.source, &source.table.table, detected)?;
    let options = extract_options(job, memory, &detected.change.key_columns(&source.table));
    let also = filled_in::also_read(job, source, lake, detected, options.clone()).await?;
    let plan = also.as_ref().map_or(&detected.plan, |also| &also.plan);
    let table = source.table.clone();
    let transfer = |plan| Transfer {
        table: &table,
        plan,
        lake,
        change: &detected.change.rows,
        preparation: &preparation,
        extract: options.clone(),
        stage: StageOptions {
            unique_keys: detected.change.unique_keys,
            // A history of changes has a key as often as its row changed.
            refuse_repeats: Way::of(&detected.plan.source)
                .is_ok_and(|way| way.meaning == RowMeaning::Row)
                && !detected.change.key_is_enforced(&table),
            ..stage_options(memory)
        },
        run_id: run.id,
        look: match &purpose {
            Purpose::Commit => None,
            Purpose::Look(look) => Some(look()),
        },
    };
    let progress = |rows, bytes| observer.event(Event::Extracted { rows, bytes });
    let transferred = transfer(plan);
    let transferred = transferred.run(&mut source.connection, held, progress, run.cancel);
    let Transferred {
        mut extracted,
        mut staged,
        mut dropped,
    } = transferred.await?;
    let mut held = staged.take_held();
    let mut back = None;
    if let Some(met) = held.take_if(|held| held.has_unseen()) {
        let apart = met.rows_apart();
        let look = moved_back::look(job, source, lake, detected, plan, met, options.clone());
        back = look.await?;
        let Some(wider) = &back else {
            let told = also.and_then(|also| also.told).into_iter().collect();
            return Ok(Read {
                extracted,
                staged,
                apart,
                dropped,
                told,
            });
        };
        staged.discard();
        let again = read_again::held(run, source, lake, detected).await?;
        let transferred = transfer(&wider.plan);
        let transferred = transferred.run(&mut source.connection, again, progress, run.cancel);
        Transferred {
            extracted,
            staged,
            dropped,
        } = transferred.await?;
        held = staged.take_held();
    }
    let apart = held.map_or(0, |held| held.rows_apart());
    let by_key = back.as_ref().map_or(0, |back| back.rows);
    let told = [also, back].into_iter().flatten();
    Ok(Read {
        extracted,
        staged,
        apart: apart.saturating_add(by_key),
        dropped,
        told: told.filter_map(|also| also.told).collect(),
    })
}

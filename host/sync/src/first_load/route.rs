//! Whether a run reads its table in ranges, and which.

use icehost_lake::LakeTable;

use crate::SyncError;
use crate::detection::detect::detect;
use crate::detection::detected::Detected;
use crate::detection::repetition;
use crate::first_load::begin::{begin, refresh};
use crate::first_load::journal::Journal;
use crate::first_load::load::FirstLoad;
use crate::first_load::resume::go_on;
use crate::run::Run;
use crate::source::open::OpenSource;

/// Asks what changed, and decides how it is read: in ranges (`Some`), for a first load that is large enough
/// and for one that an earlier run has begun; or in one piece.
pub(crate) async fn route(
    run: &Run<'_>,
    source: &mut OpenSource,
    lake: &mut LakeTable,
) -> Result<(Detected, Option<FirstLoad>), SyncError> {
    let mut damaged = None;
    if lake.exists() && Journal::is_present(lake).await? {
        let journal = Journal::claim(lake).await?;
        // Whoever had claimed it may have committed meanwhile.
        refresh(lake).await?;
        match journal.read().await {
            Ok(Some(record)) => return go_on(run, source, lake, journal, record).await,
            Ok(None) => {}
            Err(error) if run.job.settings.first_load.restart => {
                run.warn(&format!(
                    "{error}: the first load of {} is started over, and the files of its ranges stay behind, referenced by nothing",
                    lake.name()
                ));
                damaged = Some(journal);
            }
            Err(error) => return Err(error),
        }
    }
    let detected = detect(run, source, lake, None).await?;
    repetition::refuse(lake, &detected).await?;
    if let Some(journal) = damaged {
        journal.remove().await?;
    }
    let load = begin(run, source, lake, &detected).await?;
    Ok((detected, load))
}

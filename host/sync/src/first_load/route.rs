//! Whether a run reads its table in ranges, and which.

use icehost_lake::LakeTable;

use crate::detection::detect::detect;
use crate::detection::detected::Detected;
use crate::detection::repetition;
use crate::first_load::begin::{begin, refresh};
use crate::first_load::journal::Journal;
use crate::first_load::load::FirstLoad;
use crate::first_load::resume::go_on;
use crate::source::open::OpenSource;
use crate::{Event, Observer, SyncError, SyncJob};

/// Asks what changed, and decides how it is read: in ranges (`Some`), for a first load that is large enough
/// and for one that an earlier run has begun; or in one piece.
pub(crate) async fn route(
    job: &SyncJob,
    source: &mut OpenSource,
    lake: &mut LakeTable,
    observer: &dyn Observer,
) -> Result<(Detected, Option<FirstLoad>), SyncError> {
    let mut damaged = None;
    if lake.exists() && Journal::is_present(lake).await? {
        let journal = Journal::claim(lake).await?;
        // Whoever had claimed it may have committed meanwhile.
        refresh(lake).await?;
        match journal.read().await {
            Ok(Some(record)) => return go_on(job, source, lake, observer, journal, record).await,
            Ok(None) => {}
            Err(error) if job.settings.first_load.restart => {
                observer.event(Event::Warning(&format!(
                    "{error}: the first load of {} is started over, and the files of its ranges stay behind, referenced by nothing",
                    lake.name()
                )));
                damaged = Some(journal);
            }
            Err(error) => return Err(error),
        }
    }
    let detected = detect(job, source, lake, observer, None).await?;
    repetition::refuse(lake, &detected).await?;
    if let Some(journal) = damaged {
        journal.remove().await?;
    }
    let load = begin(job, source, lake, &detected, observer).await?;
    Ok((detected, load))
}

//! The commit: staged files and the watermark that goes with them, or neither.

use std::sync::Arc;

use icehost_lake::{
    CommitRequest, Committed, Guard, LakeError, LakeErrorKind, LakeTable, SnapshotUpdates, Staged,
    TableUpdate,
};

use crate::SyncError;
use crate::bounds::stop::OfAttempt;
use crate::detection::keys::AskSource;
use crate::error::Doing;
use crate::failpoint::{self, stands};
use crate::run::Run;
use crate::watermark::place::is_at;
use crate::watermark::record::{
    SUMMARY_RUN_ID, SUMMARY_STRATEGY_DIGEST, SUMMARY_WATERMARK, StoredWatermark, WatermarkRecord,
};
use crate::watermark::stale_mark;
use crate::watermark::write::property;

/// A snapshot to be made.
pub(crate) struct Commit<'a> {
    pub(crate) staged: Staged,
    /// Where the source has been read up to with it.
    pub(crate) watermark: Option<&'a WatermarkRecord>,
    /// What else of the table changes with a watermark.
    pub(crate) update: Option<TableUpdate>,
    /// Further fields of its summary.
    pub(crate) summary: Vec<(&'static str, String)>,
    /// Make it although it has no rows.
    pub(crate) allow_empty: bool,
    /// What else may keep it from being made.
    pub(crate) guard: Guard,
    /// Who knows which keys are one; `None` where rows are not matched.
    pub(crate) server: Option<AskSource<'a>>,
}

/// Commits staged files with the watermark, provided that nobody moved the watermark meanwhile: their delta
/// would then hold rows of ours, and ours rows of theirs. `seen` is the watermark that the run went on from.
/// `None` where nothing changes and no empty snapshot is to be made.
pub(crate) async fn commit(
    run: &Run<'_>,
    lake: &LakeTable,
    commit: Commit<'_>,
    seen: Option<&StoredWatermark>,
) -> Result<Option<Committed>, SyncError> {
    let job = run.job;
    let doing = || format!("committing to lake table {}", job.lake.table);
    let digest = job.detection.strategy.strategy().digest();
    let mut summary = commit.summary;
    summary.push((SUMMARY_RUN_ID, run.id.to_string()));
    summary.push((SUMMARY_STRATEGY_DIGEST, digest));
    if let Some(record) = commit.watermark {
        summary.push((SUMMARY_WATERMARK, record.to_summary()?));
    }
    let guard = commit.guard;
    let seen = seen.cloned();
    let request = CommitRequest {
        staged: Some(commit.staged),
        summary: summary
            .into_iter()
            .map(|(field, value)| (field.to_owned(), value))
            .collect(),
        guard: Some(Box::new(move |table| {
            let unmoved =
                is_at(table, seen.as_ref()).map_err(|e| LakeError::guard(e.to_string()))?;
            match unmoved || !stands(failpoint::GUARD_WATERMARK) {
                true => {
                    stale_mark::check(table, seen.as_ref())
                        .map_err(|e| LakeError::guard(e.to_string()).transient())?;
                    guard(table)
                }
                false => Err(LakeError::guard(
                    "another sync of this table has moved the watermark meanwhile",
                )
                .transient()),
            }
        })),
        absence: Some(job.settings.deletions.of_lake(job.lake.table.to_string())),
        allow_empty: commit.allow_empty,
        clock_vouched: true,
        snapshot_updates: commit
            .watermark
            .map(|record| updates(record, commit.update)),
        stopping: Some(Arc::new(OfAttempt::new())),
        ..CommitRequest::default()
    };
    let committed = match commit.server {
        Some(mut server) => lake.commit_asking(request, &mut server).await,
        None => lake.commit(request).await,
    };
    match committed {
        Err(error) if error.kind() == LakeErrorKind::Stopped => Err(SyncError::cancelled()),
        committed => committed.doing(doing),
    }
}

/// The watermark, and what changes with it.
fn updates(record: &WatermarkRecord, update: Option<TableUpdate>) -> SnapshotUpdates {
    let watermark = property(Some(record));
    Box::new(move |snapshot| {
        let mut updates = watermark(snapshot)?;
        updates.extend(update.clone());
        Ok(updates)
    })
}

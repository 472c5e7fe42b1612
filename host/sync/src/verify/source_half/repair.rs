//! The lake's half of a repair.

use std::collections::HashSet;

use futures::TryStreamExt;
use icehost_lake::{LakeTable, RowChange, ScanRequest};
use icehost_plan::{Column, Contents, ValidExtractionPlan};
use icehost_sqlserver::ExtractOptions;

use crate::detection::change::plan_for_lake;
use crate::error::Doing;
use crate::landing::commit::{Commit, commit};
use crate::reading::options::stage_options;
use crate::reading::preparation::Preparation;
use crate::rows::withdrawals::Withdrawals;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::verify::compare::shape::Shape;
use crate::verify::compare::wrong_keys::{WrongKeys, broken, check_repairable};
use crate::{Memory, StoredWatermark, SyncError};

/// Field of a snapshot's summary that says that it is a repair: how many keys.
const SUMMARY_REPAIR: &str = "icehost.repair";

/// Keys of the lake that get the source's rows.
pub(crate) struct LakeRepair<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) lake: &'a LakeTable,
    /// The columns that go to the lake.
    pub(crate) columns: &'a [Column],
    /// Their ordinals there.
    pub(crate) lake_columns: Vec<u32>,
    pub(crate) shape: &'a Shape,
    pub(crate) wrong: &'a WrongKeys,
    pub(crate) stored: Option<&'a StoredWatermark>,
    pub(crate) share: Memory,
}

/// How the source is read: just as it was for the comparison.
pub(crate) struct SourceReading<'a> {
    pub(crate) preparation: &'a Preparation,
    pub(crate) all: &'a ValidExtractionPlan,
    pub(crate) options: ExtractOptions,
}

impl LakeRepair<'_> {
    /// Takes the keys out, puts the source's rows in, and commits. Gives the rows that were written or taken out.
    pub(crate) async fn run(
        &self,
        source: &mut OpenSource,
        reading: SourceReading<'_>,
    ) -> Result<u64, SyncError> {
        let name = self.lake.name();
        // As a delta, whatever the comparison took the source's rows for: a merge of all rows would take out those that
        // are not delivered.
        let landing = plan_for_lake(
            &self.run.job.lake_merge,
            &source.table.table,
            self.columns.to_vec(),
            Contents::Upserts,
            self.lake,
        )
        .await?;
        check_repairable(&landing.plan, &format!("lake table {name}"))?;
        let writing = || format!("writing files of lake table {name}");
        let change = RowChange::from_plan(&landing.plan, &landing.description, &landing.delta)
            .map(RowChange::replacing)
            .and_then(RowChange::with_withdrawals)
            .doing(|| format!("planning the repair of lake table {name}"))?;
        let withdrawals = Withdrawals::new(self.columns, &change.key_columns());
        let mut writer = self
            .lake
            .stage(self.run.id, change, stage_options(self.share))
            .await
            .doing(writing)?;
        let none = HashSet::new();
        let mut there = HashSet::new();
        let table = &source.table;
        let doing = || format!("reading source table {}", table.name);
        let mut preparing = reading.preparation.open().await?;
        let mut extraction = source
            .connection
            .extract(table, reading.all, reading.options)
            .await
            .doing(doing)?;
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(doing)?,
            () = self.run.cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            for batch in preparing.batch(batch).await? {
                let rows = self
                    .wrong
                    .filter(&batch, self.shape, batch.columns(), &none)?;
                if rows.num_rows() > 0 {
                    self.wrong.seen(self.shape, rows.columns(), &mut there)?;
                    let present = withdrawals.present(&rows).map_err(broken)?;
                    writer.write(present).await.doing(writing)?;
                }
            }
        }
        extraction.finish().doing(doing)?;

        // Of the others, the source has no row any more. A row of a key that it has would stand against the source's,
        // and by the merge's order it could win.
        let doing = || format!("reading lake table {name}");
        let request = ScanRequest {
            columns: Some(self.lake_columns.clone()),
            ..ScanRequest::default()
        };
        let mut batches = self.lake.scan(request).doing(doing)?;
        while let Some(batch) = tokio::select! {
            batch = batches.try_next() => batch.doing(doing)?,
            () = self.run.cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            let rows = self
                .wrong
                .filter(&batch, self.shape, batch.columns(), &there)?;
            if rows.num_rows() > 0 {
                let gone = withdrawals.gone(&rows).map_err(broken)?;
                writer.write(gone).await.doing(writing)?;
            }
        }
        let staged = writer.finish().await.doing(writing)?;
        let commit_of = Commit {
            staged,
            // It stays where it is: nothing that lies above it was written.
            watermark: None,
            update: None,
            summary: vec![(SUMMARY_REPAIR, self.wrong.len().to_string())],
            allow_empty: false,
            guard: Box::new(|_| Ok(())),
            // A key that only the server could tell from another is refused by name: sync brings it.
            server: None,
        };
        let committed = commit(self.run, self.lake, commit_of, self.stored).await?;
        // Where the lake was repaired by another run meanwhile, there is nothing left to change.
        Ok(committed.map_or(0, |_| self.wrong.len() as u64))
    }
}

//! The lake's half of a repair.

use arrow_array::RecordBatch;
use futures::TryStreamExt;
use icehost_lake::{LakeTable, RowChange, ScanRequest};
use icehost_plan::{Column, Contents, ValidExtractionPlan};
use icehost_sqlserver::ExtractOptions;

use crate::detection::change::plan_for_lake;
use crate::detection::keys::AskSource;
use crate::error::Doing;
use crate::landing::commit::{Commit, commit};
use crate::reading::options::stage_options;
use crate::reading::preparation::Preparation;
use crate::rows::withdrawals::Withdrawals;
use crate::run::Run;
use crate::source::open::OpenSource;
use crate::verify::compare::shape::Shape;
use crate::verify::compare::text::key_text;
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
        let (key, chosen) = (change.key_columns(), change.has_order());
        let withdrawals = Withdrawals::new(self.columns, &key);
        let mut writer = self
            .lake
            .stage(self.run.id, change, stage_options(self.share))
            .await
            .doing(writing)?;
        let mut there = self.wrong.none_seen();
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
                    .filter(&batch, self.shape, batch.columns(), None)?;
                if rows.num_rows() > 0 {
                    let places = self.wrong.places(self.shape, rows.columns())?;
                    for (row, place) in places.into_iter().enumerate() {
                        if !there.add(place) && !chosen {
                            return Err(self.repeated(&table.name.to_string(), &rows, row));
                        }
                    }
                    let present = withdrawals.present(&rows).map_err(broken)?;
                    writer.write(present).await.doing(writing)?;
                }
            }
        }
        extraction.finish().doing(doing)?;
        let ended = source.connection.end_read().await;
        ended.doing(|| format!("ending the read of source table {}", source.table.name))?;

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
                .filter(&batch, self.shape, batch.columns(), Some(&there))?;
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
            server: Some(AskSource::of(&mut source.connection, self.columns, &key)),
        };
        let committed = commit(self.run, self.lake, commit_of, self.stored).await?;
        // Where the lake was repaired by another run meanwhile, there is nothing left to change.
        let Some(committed) = committed else {
            return Ok(0);
        };
        if let Some(warning) = &committed.warning {
            self.run.warn(warning);
        }
        Ok(self.wrong.len() as u64)
    }

    /// One of two rows would take the place of the other, and the next repair would do the contrary.
    fn repeated(&self, source: &str, rows: &RecordBatch, row: usize) -> SyncError {
        SyncError::schema(
            format!(
                "lake table {} cannot be repaired: it has one row of a key, and several rows of source table {source} have the \
                 key {}",
                self.lake.name(),
                key_text(self.shape, rows.columns(), row)
            ),
            "choose columns that tell rows apart (the merge's option keys), keep one row of each key (its option \
             deduplicate-by), or read the source anew into a lake table of another name",
        )
    }
}

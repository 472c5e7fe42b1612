//! The rows of source, lake and target, read for a comparison.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use futures::TryStreamExt;
use icehost_lake::{LakeTable, ScanRequest, Turn};
use icehost_plan::{Expression, ValidExtractionPlan};
use icehost_sqlserver::{Checksum, Connection, ErrorKind, ExtractOptions, RowForm, SqlTable};
use tokio_util::sync::CancellationToken;

use crate::detection::context::context;
use crate::detection::detected::Detected;
use crate::error::Doing;
use crate::reading::preparation::Preparation;
use crate::source::ahead_of_clock;
use crate::source::open::OpenSource;
use crate::verify::compare::shape::absent;
use crate::verify::compare::states::States;
use crate::verify::plans::reading;
use crate::{ColumnRules, Detection, StoredWatermark, SyncError};

/// Most rows of the lake in a batch.
const BATCH_ROWS: usize = 8192;

/// Rows of one side that have been read.
pub(crate) struct Read {
    /// The compared columns, in the shape's order.
    pub(crate) arrays: Vec<ArrayRef>,
    /// The columns that a row is passed over by where one of them is NULL; none where no row is.
    pub(crate) cursor: Vec<ArrayRef>,
    /// When each row came to the lake; none where that is not asked for.
    pub(crate) turns: Vec<Turn>,
    /// Rows.
    pub(crate) rows: usize,
}

/// Takes rows as they are read.
pub(crate) type Sink<'a> = &'a mut (dyn FnMut(&Read) -> Result<(), SyncError> + Send);

/// One side of a comparison. It can be read again and again.
pub(crate) enum Rows<'a> {
    Source(Box<SourceRows<'a>>),
    Lake(LakeRows<'a>),
    Target(Box<TargetRows<'a>>),
    /// A table that is not there.
    None,
}

/// A source's rows as they would be written to the lake.
pub(crate) struct SourceRows<'a> {
    pub(crate) source: &'a mut OpenSource,
    pub(crate) preparation: Preparation,
    /// The same, with the keys of rows that a transformer drops.
    pub(crate) withdrawing: Preparation,
    /// Every row.
    pub(crate) all: ValidExtractionPlan,
    /// What tells which rows later runs read.
    pub(crate) next: Option<NextRun<'a>>,
    pub(crate) options: ExtractOptions,
    /// The compared columns.
    pub(crate) columns: Vec<String>,
    /// The strategy's cursor, where rows without one are never read.
    pub(crate) cursor: Vec<String>,
}

/// What later runs read.
pub(crate) struct NextRun<'a> {
    pub(crate) detection: &'a Detection,
    pub(crate) rules: &'a ColumnRules,
    pub(crate) stored: Option<StoredWatermark>,
}

/// A change detector's plan.
pub(crate) struct Planned {
    /// What the next run would read.
    pub(crate) plan: ValidExtractionPlan,
    /// What it or a later one would: rows that lie above its upper bound, too. `None` for every row.
    pub(crate) reach: Option<Expression>,
}

impl Planned {
    pub(crate) fn of(detected: &Detected) -> Planned {
        Planned {
            plan: detected.plan.clone(),
            reach: detected.plan.reach(&detected.probes, &detected.readings),
        }
    }
}

impl NextRun<'_> {
    /// The change detector's plan, as of now.
    ///
    /// # Errors
    /// What the detector or the source's server says.
    pub(crate) async fn plan(&self, source: &mut OpenSource) -> Result<Planned, SyncError> {
        let detector = self.rules.guard(&self.detection.strategy);
        let context = context(
            self.detection,
            &source.table.table,
            &source.identity,
            self.stored.as_ref(),
        )?;
        let probes =
            crate::detection::hidden_columns::probes(self.rules, self.detection, &context).await?;
        let (connection, table) = (&mut source.connection, &source.table);
        let mut readings = connection
            .probe(table, &probes)
            .await
            .doing(|| format!("probing source table {}", table.name))?;
        let _told_by_runs =
            ahead_of_clock::hold_back(connection, table, &probes, &mut readings).await?;
        let plan = detector.plan(&context, &readings).await?;
        let reach = plan.reach(&probes, &readings);
        Ok(Planned { plan, reach })
    }
}

/// The rows of a snapshot.
pub(crate) struct LakeRows<'a> {
    pub(crate) table: &'a LakeTable,
    /// `None` for a table without one.
    pub(crate) snapshot: Option<i64>,
    /// Ordinals of the compared columns.
    pub(crate) columns: Vec<u32>,
    /// What the target tells rows that count by, and has beside these columns.
    pub(crate) states: Option<&'a States>,
    /// Whether each row is read with the commit that it came with.
    pub(crate) turns: bool,
}

/// The rows of a target that its merge takes for those of the lake.
pub(crate) struct TargetRows<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) table: &'a SqlTable,
    /// The compared columns, those of `states` last.
    pub(crate) plan: ValidExtractionPlan,
    pub(crate) options: ExtractOptions,
    pub(crate) states: &'a States,
}

impl Rows<'_> {
    /// Counts and adds up the rows where they are, by buckets of the form's key. `None` where the server
    /// cannot.
    pub(crate) async fn checksums(
        &mut self,
        form: &RowForm,
        buckets: u32,
    ) -> Result<Option<Vec<(usize, Checksum)>>, SyncError> {
        let (connection, table, columns) = match self {
            Rows::Source(rows) => {
                let source = &mut *rows.source;
                (&mut source.connection, &source.table, &rows.all.columns)
            }
            Rows::Target(rows) => (&mut *rows.connection, rows.table, &rows.plan.columns),
            Rows::Lake(_) | Rows::None => return Ok(None),
        };
        let key = form.key().iter();
        let key: Vec<u32> = key.filter_map(|&at| columns.get(at).copied()).collect();
        let sums = connection.checksums(table, columns, &key, buckets, form.blanks());
        match sums.await {
            Ok(sums) => Ok(Some(sums)),
            // It lacks a function, say. The error may have ended the transaction.
            Err(error) if matches!(error.kind(), ErrorKind::Server(_)) && !error.is_transient() => {
                tracing::info!(table = %table.name, %error, "the rows are read, and added up here");
                let doing = || format!("starting to read {}", table.name);
                connection.end_read().await.doing(doing)?;
                connection.begin_read(table).await.doing(doing)?;
                Ok(None)
            }
            Err(error) => Err(error).doing(|| format!("adding up {}", table.name)),
        }
    }

    /// Reads all rows.
    pub(crate) async fn all(
        &mut self,
        cancel: &CancellationToken,
        sink: Sink<'_>,
    ) -> Result<(), SyncError> {
        match self {
            Rows::Source(rows) => {
                let (preparation, plan) = (rows.preparation.clone(), rows.all.clone());
                rows.read_as(&preparation, &plan, cancel, sink).await
            }
            Rows::Lake(rows) => rows.read(cancel, sink).await,
            Rows::Target(rows) => rows.read(cancel, sink).await,
            Rows::None => Ok(()),
        }
    }

    /// Whether what the next run reads is known.
    pub(crate) fn has_later_runs(&self) -> bool {
        match self {
            Rows::Source(rows) => rows.next.is_some(),
            _ => false,
        }
    }

    /// Reads the rows that later runs read. Of those that a transformer drops there is nothing but the key.
    pub(crate) async fn later_runs(
        &mut self,
        cancel: &CancellationToken,
        sink: Sink<'_>,
    ) -> Result<(), SyncError> {
        match self {
            Rows::Source(rows) => {
                let Some(next) = &rows.next else {
                    return Ok(());
                };
                // Asked for only now: without a snapshot, what came while all rows were read is among them.
                let planned = next.plan(rows.source).await?;
                let every = rows.all.columns.clone();
                let plan = reading(&rows.source.table.table, every, planned.reach)?;
                let preparation = rows.withdrawing.clone();
                rows.read_as(&preparation, &plan, cancel, sink).await
            }
            _ => Ok(()),
        }
    }
}

impl SourceRows<'_> {
    async fn read_as(
        &mut self,
        preparation: &Preparation,
        plan: &ValidExtractionPlan,
        cancel: &CancellationToken,
        sink: Sink<'_>,
    ) -> Result<(), SyncError> {
        let table = &self.source.table;
        let doing = || format!("reading source table {}", table.name);
        let mut preparing = preparation.open().await?;
        let mut extraction = self
            .source
            .connection
            .extract(table, plan, self.options.clone())
            .await
            .doing(doing)?;
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(doing)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            for batch in preparing.batch(batch).await? {
                sink(&Read {
                    arrays: named(&batch, &self.columns),
                    cursor: named(&batch, &self.cursor),
                    turns: Vec::new(),
                    rows: batch.num_rows(),
                })?;
            }
        }
        extraction.finish().doing(doing)?;
        Ok(())
    }
}

/// The columns with these names.
fn named(batch: &RecordBatch, names: &[String]) -> Vec<ArrayRef> {
    let column = |name: &String| match batch.column_by_name(name) {
        Some(array) => Arc::clone(array),
        None => absent(batch.num_rows()),
    };
    names.iter().map(column).collect()
}

impl LakeRows<'_> {
    async fn read(&self, cancel: &CancellationToken, sink: Sink<'_>) -> Result<(), SyncError> {
        let Some(snapshot) = self.snapshot else {
            return Ok(());
        };
        let doing = || format!("reading lake table {}", self.table.name());
        let request = ScanRequest {
            snapshot_id: Some(snapshot),
            columns: Some(self.columns.clone()),
            batch_rows: BATCH_ROWS,
        };
        let batches = match self.turns {
            true => self.table.scan_in_turn(request),
            false => self.table.scan(request),
        };
        let mut batches = batches.doing(doing)?;
        while let Some(batch) = tokio::select! {
            batch = batches.try_next() => batch.doing(doing)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            let mut arrays = batch.columns().to_vec();
            let turns = match self.turns {
                true => arrays.pop().map(|column| Turn::of(&column)),
                false => None,
            };
            if let Some(states) = self.states {
                arrays.extend(states.expected(batch.num_rows()));
            }
            sink(&Read {
                arrays,
                cursor: Vec::new(),
                turns: turns.unwrap_or_default(),
                rows: batch.num_rows(),
            })?;
        }
        Ok(())
    }
}

impl TargetRows<'_> {
    async fn read(&mut self, cancel: &CancellationToken, sink: Sink<'_>) -> Result<(), SyncError> {
        let doing = || format!("reading target table {}", self.table.name);
        let mut extraction = self
            .connection
            .extract(self.table, &self.plan, self.options.clone())
            .await
            .doing(doing)?;
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(doing)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            let batch = self
                .states
                .standing(batch)
                .map_err(|error| SyncError::internal(format!("{}: {error}", doing())))?;
            sink(&Read {
                arrays: batch.columns().to_vec(),
                cursor: Vec::new(),
                turns: Vec::new(),
                rows: batch.num_rows(),
            })?;
        }
        extraction.finish().doing(doing)?;
        Ok(())
    }
}

impl Read {
    /// Whether the strategy passes over a row.
    pub(crate) fn is_passed_over(&self, row: usize) -> bool {
        self.cursor.iter().any(|array| array.is_null(row))
    }
}

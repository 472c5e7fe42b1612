//! What becomes of rows between the source and the files: column rules, then transformers.

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use icehost_plan::{Column, Table};

use crate::detection::detected::Detected;
use crate::rows::column_rules::apply::BoundRules;
use crate::rows::transforms::OpenTransforms;
use crate::rows::withdrawals::Withdrawals;
use crate::{Source, SyncError, Transforms};

/// What becomes of the rows of one plan; the same for everyone who reads a part of them.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    table: Table,
    rules: BoundRules,
    transforms: Transforms,
    /// Columns that are read.
    read: Vec<Column>,
    /// Columns that the lake was told to expect.
    landing: Vec<Column>,
    withdrawals: Option<Withdrawals>,
}

impl Preparation {
    /// For what the change detector wants read.
    ///
    /// # Errors
    /// Rules that the table's columns cannot have.
    pub(crate) fn new(
        source: &Source,
        table: &Table,
        detected: &Detected,
    ) -> Result<Preparation, SyncError> {
        Ok(Preparation {
            table: table.clone(),
            rules: source.rules.bind(table, &detected.plan.columns)?,
            transforms: source.transforms.clone(),
            read: detected.plan.columns_of(table),
            landing: detected.change.columns.clone(),
            withdrawals: detected.change.withdrawals.clone(),
        })
    }

    /// For rows of these columns that are to be looked at: what is dropped is left out, unless `withdrawals` say how
    /// it is told.
    ///
    /// # Errors
    /// Rules that the table's columns cannot have.
    pub(crate) fn of_columns(
        source: &Source,
        table: &Table,
        columns: &[u32],
        landing: Vec<Column>,
        withdrawals: Option<Withdrawals>,
    ) -> Result<Preparation, SyncError> {
        let read = columns
            .iter()
            .filter_map(|&ordinal| table.columns.get(ordinal as usize).cloned());
        Ok(Preparation {
            table: table.clone(),
            rules: source.rules.bind(table, columns)?,
            transforms: source.transforms.clone(),
            read: read.collect(),
            landing,
            withdrawals,
        })
    }

    /// Opens what one reader needs for itself.
    ///
    /// # Errors
    /// Transformers that do not open, or declare other columns than the lake was told to expect.
    pub(crate) async fn open(&self) -> Result<Preparing<'_>, SyncError> {
        let transforms = self.transforms.open(&self.table).await?;
        if transforms.columns(&self.read) != self.landing {
            return Err(SyncError::schema(
                format!(
                    "the transformers of {} declare other columns each time they are opened",
                    self.table.name
                ),
                "report it to the author of the strategy, or use another one",
            ));
        }
        Ok(Preparing {
            with: self,
            transforms,
            dropped: 0,
        })
    }
}

/// A reader's own.
pub(crate) struct Preparing<'a> {
    with: &'a Preparation,
    transforms: OpenTransforms,
    dropped: u64,
}

impl Preparing<'_> {
    /// Rows so far that a transformer has left out.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// What is to be written of a batch.
    pub(crate) async fn batch(
        &mut self,
        batch: RecordBatch,
    ) -> Result<Vec<RecordBatch>, SyncError> {
        let broken = |error: ArrowError| {
            SyncError::schema(
                format!("preparing rows of {}: {error}", self.with.table.name),
                "please report this as a defect",
            )
        };
        let batch = self.with.rules.apply(batch).map_err(broken)?;
        if self.with.transforms.is_empty() {
            return Ok(vec![batch]);
        }
        let rows = batch.num_rows();
        let applied = self.transforms.apply(batch).await?;
        let kept: usize = applied.kept.iter().map(RecordBatch::num_rows).sum();
        self.dropped += rows.saturating_sub(kept) as u64;
        let Some(withdrawals) = &self.with.withdrawals else {
            return Ok(applied.kept);
        };
        let present = applied.kept.iter().map(|kept| withdrawals.present(kept));
        let gone = applied.dropped.iter().map(|gone| withdrawals.gone(gone));
        present
            .chain(gone)
            .collect::<Result<Vec<_>, _>>()
            .map_err(broken)
    }
}

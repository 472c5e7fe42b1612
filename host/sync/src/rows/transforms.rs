//! Transformers of batches between the source and the lake, one after the other.

use arrow_array::RecordBatch;
use icehost_plan::{Column, Table, ValidTransformation};
use icehost_strategy::{BatchTransformer, Options, StrategyError, Transform};

use crate::rows::fingerprint::strategy_text;

/// A transformer and its options.
#[derive(Debug, Clone)]
pub struct Transforming {
    /// The component.
    pub strategy: BatchTransformer,
    /// Its options, checked against its schema.
    pub options: Options,
}

/// The transformers of a pipeline, in the order in which they are applied. Each sees the columns as the one before
/// leaves them, and none of the rows that it drops.
#[derive(Debug, Clone, Default)]
pub struct Transforms(pub Vec<Transforming>);

impl Transforms {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens an instance of each.
    ///
    /// # Errors
    /// What a strategy says of the table or its options; a declaration that is not valid for the table.
    pub(crate) async fn open(&self, table: &Table) -> Result<OpenTransforms, StrategyError> {
        let mut stages = Vec::with_capacity(self.0.len());
        let mut table = table.clone();
        for transforming in &self.0 {
            let stage = transforming
                .strategy
                .open(&table, &transforming.options)
                .await?;
            table = stage.declared().table(&table);
            stages.push(stage);
        }
        Ok(OpenTransforms { stages })
    }

    /// What they read and write of the table. The instances that say so are let go.
    ///
    /// # Errors
    /// Those of [`Transforms::open`].
    pub(crate) async fn declare(&self, table: &Table) -> Result<Declared, StrategyError> {
        let stages = self.open(table).await?.stages;
        let declared = stages.iter().map(|stage| stage.declared().clone());
        Ok(Declared(declared.collect()))
    }

    /// What tells one set of transformers from another.
    pub(crate) fn fingerprint(&self) -> Vec<String> {
        let text = |t: &Transforming| strategy_text(t.strategy.strategy(), &t.options);
        self.0.iter().map(text).collect()
    }
}

/// What the transformers of a pipeline declare of a table, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared(Vec<ValidTransformation>);

impl Declared {
    /// Whether there is no transformer.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them writes a column.
    pub(crate) fn writes(&self, name: &str) -> bool {
        let mut outputs = self.0.iter().flat_map(ValidTransformation::outputs);
        outputs.any(|output| output.name == name)
    }

    /// What becomes of columns.
    pub(crate) fn columns(&self, before: &[Column]) -> Vec<Column> {
        let stages = self.0.iter();
        stages.fold(before.to_vec(), |columns, stage| stage.columns(&columns))
    }

    /// What becomes of a table.
    pub(crate) fn table(&self, before: &Table) -> Table {
        Table {
            columns: self.columns(&before.columns),
            ..before.clone()
        }
    }
}

/// Instances that have been opened on a table: those of one reader, which nobody else uses.
#[derive(Debug)]
pub(crate) struct OpenTransforms {
    stages: Vec<Transform>,
}

/// What becomes of a batch.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Rows that go on.
    pub(crate) kept: Vec<RecordBatch>,
    /// Rows that do not, with their keys at least.
    pub(crate) dropped: Vec<RecordBatch>,
}

impl OpenTransforms {
    /// What becomes of columns.
    pub(crate) fn columns(&self, before: &[Column]) -> Vec<Column> {
        self.stages.iter().fold(before.to_vec(), |columns, stage| {
            stage.declared().columns(&columns)
        })
    }

    pub(crate) async fn apply(&mut self, batch: RecordBatch) -> Result<Applied, StrategyError> {
        let mut applied = Applied {
            kept: vec![batch],
            dropped: Vec::new(),
        };
        for stage in &mut self.stages {
            for batch in std::mem::take(&mut applied.kept) {
                for transformed in stage.apply(&batch).await? {
                    if transformed.kept.num_rows() > 0 {
                        applied.kept.push(transformed.kept);
                    }
                    applied.dropped.extend(transformed.dropped);
                }
            }
        }
        Ok(applied)
    }
}

//! Transformers of batches: what becomes of rows between the source and the lake?

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};

use crate::adapter::{description, report_panics};
use crate::bindings::base::exports::icehost::strategy::metadata;
use crate::bindings::transform::exports::icehost::strategy::batch_transform as wit;
use crate::{Column, ColumnId, Error, Options, Table, Transformation, options};

/// Rewrites, adds and drops on the way to the lake.
///
/// An instance is opened once on a table, and applied to batch after batch. It sees only the columns that it
/// declared, and must not count on seeing all rows: several instances may share them.
pub trait BatchTransformer: Sized + 'static {
    /// What users call the strategy, for example `mask`.
    const NAME: &'static str;
    /// Usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What it does, in one line.
    const SUMMARY: &'static str;
    /// What users may set.
    type Options: Options;

    /// An instance for a table, and which columns it reads and writes.
    fn open(table: &Table, options: Self::Options) -> Result<(Self, Transformation), Error>;

    /// What becomes of a batch of the columns that it reads.
    fn apply(&mut self, batch: &RecordBatch) -> Result<Transformed, Error>;
}

/// What becomes of a batch.
#[derive(Debug, Clone, Default)]
pub struct Transformed {
    columns: Option<Vec<ArrayRef>>,
    keep: Option<BooleanArray>,
}

impl Transformed {
    /// Every row is kept as it is.
    pub fn unchanged() -> Self {
        Transformed::default()
    }

    /// The columns that are written, in the order in which they were declared, with a value for each row.
    pub fn columns(mut self, columns: Vec<ArrayRef>) -> Self {
        self.columns = Some(columns);
        self
    }

    /// Which rows are kept, where it says so; for tests.
    pub fn kept(&self) -> Option<&BooleanArray> {
        self.keep.as_ref()
    }

    /// Only the rows that are true are kept; NULL is not.
    pub fn keep(mut self, keep: BooleanArray) -> Self {
        self.keep = Some(keep);
        self
    }
}

impl Transformation {
    /// Reads these columns and writes those.
    pub fn new(inputs: Vec<ColumnId>, outputs: Vec<Column>) -> Self {
        Transformation { inputs, outputs }
    }
}

/// Exports a [`BatchTransformer`] from the crate, which makes the crate a strategy.
///
/// Nothing is exported in a native build, so that tests link like any other crate's.
#[macro_export]
macro_rules! export_batch_transformer {
    ($strategy:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            type Exported = $crate::__private::TransformerAdapter<$strategy>;
            $crate::__private::base::export_base_bindings!(
                Exported with_types_in $crate::__private::base
            );
            $crate::__private::transform::export_transform_bindings!(
                Exported with_types_in $crate::__private::transform
            );
        };
    };
}

#[doc(hidden)]
pub struct TransformerAdapter<T>(PhantomData<T>);

/// What is open in this instance: a transformer, and the columns that it writes.
struct Open {
    transformer: Box<dyn Any>,
    outputs: Vec<Column>,
}

thread_local! {
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

impl<T: BatchTransformer> metadata::Guest for TransformerAdapter<T> {
    fn describe() -> metadata::Description {
        description::<T::Options>(T::NAME, T::VERSION, T::SUMMARY)
    }
}

impl<T: BatchTransformer> wit::Guest for TransformerAdapter<T> {
    fn open(table: Table, options: String) -> Result<Transformation, Error> {
        report_panics();
        let (transformer, declared) = T::open(&table, options::parse(&options)?)?;
        OPEN.set(Some(Open {
            transformer: Box::new(transformer),
            outputs: declared.outputs.clone(),
        }));
        Ok(declared)
    }

    fn apply(batch: Vec<u8>) -> Result<wit::Transformed, Error> {
        OPEN.with_borrow_mut(|open| {
            let open = open.as_mut().ok_or_else(not_open)?;
            let transformer: &mut T = open.transformer.downcast_mut().ok_or_else(not_open)?;
            let batch = decode(&batch).map_err(arrow)?;
            let rows = batch.num_rows();
            let transformed = transformer.apply(&batch)?;
            Ok(wit::Transformed {
                columns: transformed
                    .columns
                    .map(|columns| encode(&open.outputs, columns, rows))
                    .transpose()
                    .map_err(arrow)?,
                keep: transformed.keep.as_ref().map(bits),
            })
        })
    }
}

fn not_open() -> Error {
    Error::internal("not-open", "the transformer has not been opened")
}

fn arrow(error: ArrowError) -> Error {
    Error::internal("arrow", error.to_string())
}

fn decode(stream: &[u8]) -> Result<RecordBatch, ArrowError> {
    StreamReader::try_new(stream, None)?
        .next()
        .unwrap_or_else(|| Err(ArrowError::IpcError("the stream has no batch".to_owned())))
}

/// The columns under their declared names.
fn encode(declared: &[Column], columns: Vec<ArrayRef>, rows: usize) -> Result<Vec<u8>, ArrowError> {
    let fields: Vec<Field> = declared
        .iter()
        .zip(&columns)
        .map(|(column, array)| Field::new(&column.name, array.data_type().clone(), column.nullable))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
    let mut bytes = Vec::with_capacity(batch.get_array_memory_size() + 1024);
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(&batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

/// One bit for each row, least significant first.
fn bits(keep: &BooleanArray) -> Vec<u8> {
    let mut bits = vec![0; keep.len().div_ceil(8)];
    for (row, kept) in keep.iter().enumerate() {
        if kept == Some(true) {
            bits[row / 8] |= 1 << (row % 8);
        }
    }
    bits
}

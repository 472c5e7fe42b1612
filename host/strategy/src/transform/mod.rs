//! Transformers of batches.

mod ipc;
mod slices;

#[cfg(feature = "fuzzing")]
pub(crate) use ipc::decode;

use std::sync::Arc;

use arrow_arith::boolean::not;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use icehost_plan::values::ArrowValue;
use icehost_plan::{Column, PlanError, Table, Transformation, ValidTransformation, View};
use wasmtime::component::TypedFunc;

use crate::bindings::transform as wit;
use crate::call::Session;
use crate::functions::{APPLY, OPEN, Returned};
use crate::{Operation, Options, Strategy, StrategyError, convert};

/// A strategy that rewrites, adds and drops on the way to the lake.
#[derive(Debug, Clone)]
pub struct BatchTransformer {
    strategy: Strategy,
}

impl BatchTransformer {
    pub(crate) fn new(strategy: Strategy) -> Self {
        BatchTransformer { strategy }
    }

    /// The strategy itself.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// Opens an instance on a table, in a sandbox of its own.
    ///
    /// # Errors
    /// What the strategy says of the table or its options; a declaration that is not valid for the table.
    pub async fn open(&self, table: &Table, options: &Options) -> Result<Transform, StrategyError> {
        let options = self.strategy.options_text(options)?;
        let sandbox = self.strategy.sandbox().clone();
        // A batch that comes back has been in the component's memory as a whole.
        let result_bytes = sandbox.shared.limits.memory_bytes;
        let mut session = Session::new(sandbox, result_bytes);
        let (declared, apply) = self.instance(&mut session, table, &options).await?;
        let view = View::new(self.strategy.column_grant(), &table.columns, None);
        let names = view.table(table).columns.into_iter().map(|c| c.name);
        Ok(Transform {
            outputs: schema(declared.outputs()),
            declared,
            transformer: self.clone(),
            names: names.collect(),
            table: table.clone(),
            options,
            opened_with: session.memory(),
            session,
            apply,
        })
    }

    /// A new instance in a sandbox that has none, opened on the table.
    async fn instance(
        &self,
        session: &mut Session,
        table: &Table,
        options: &str,
    ) -> Result<(ValidTransformation, Apply), StrategyError> {
        let strategy = &self.strategy;
        let (linked, version) = (strategy.linked().clone(), strategy.version());
        let view = View::new(strategy.column_grant(), &table.columns, None);
        let seen = view.table(table);
        let shown = (convert::table_to_guest(&seen), options.to_owned());
        let (declared, apply) = session
            .call(Operation::Open, move |store| {
                Box::pin(async move {
                    let instance = linked.instantiate_async(&mut *store).await?;
                    let open = OPEN.of(&instance, &mut *store, version)?;
                    let apply = APPLY.of(&instance, &mut *store, version)?;
                    let (declared,): (Returned<wit::Transformation>,) =
                        open.call_async(&mut *store, shown).await?;
                    Ok((declared, apply))
                })
            })
            .await?;
        let declared = declared.map_err(|error| {
            convert::failure(strategy, Operation::Open, error, |column| {
                let column = seen.columns.get(column as usize);
                column.map(|column| column.name.clone())
            })
        })?;
        let declared = convert::transformation(declared)
            .and_then(|declared: Transformation| declared.validate(table, &view))
            .map_err(|error| self.invalid(Operation::Open, error))?;
        Ok((declared, apply))
    }

    fn invalid(&self, operation: Operation, error: PlanError) -> StrategyError {
        StrategyError::InvalidPlan {
            strategy: self.strategy.name().to_owned(),
            operation,
            error: convert::shown_plan_error(error),
        }
    }
}

/// Columns in Arrow.
fn schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(Column::arrow_field).collect();
    Arc::new(Schema::new(fields))
}

/// What became of rows.
#[derive(Debug, Clone)]
pub struct Transformed {
    /// The rows that are kept, with the columns that were written.
    pub kept: RecordBatch,
    /// The rows that are not, as they came; `None` without any.
    pub dropped: Option<RecordBatch>,
}

/// An instance that has been opened on a table. Anything that goes wrong in it ends it; one that has taken much of
/// the memory that it may makes way for another, since runtimes of languages keep some of what they were given.
pub struct Transform {
    transformer: BatchTransformer,
    table: Table,
    options: String,
    /// The memory of an instance that has seen no batch.
    opened_with: usize,
    /// The columns that it is shown, for messages.
    names: Vec<String>,
    declared: ValidTransformation,
    /// What it declared to return.
    outputs: SchemaRef,
    session: Session,
    apply: Apply,
}

type Apply = TypedFunc<(Vec<u8>,), (Returned<wit::Transformed>,)>;

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transform")
            .field("transformer", &self.transformer)
            .field("declared", &self.declared)
            .finish_non_exhaustive()
    }
}

impl Transform {
    /// What it reads and writes.
    pub fn declared(&self) -> &ValidTransformation {
        &self.declared
    }

    /// Transforms a batch of the table's rows, which has the inputs among its columns; pieces of about 1 MiB of
    /// them are handed over, one after the other. Columns are replaced in their places or added as the last ones.
    ///
    /// # Errors
    /// What the strategy says of the rows; an answer that is not what it declared.
    pub async fn apply(&mut self, batch: &RecordBatch) -> Result<Vec<Transformed>, StrategyError> {
        let inputs = self.inputs(batch)?;
        let mut transformed = Vec::new();
        for (offset, length) in slices::of(&inputs) {
            let piece = batch.slice(offset, length);
            let answer = self.call(&inputs.slice(offset, length)).await?;
            transformed.push(self.combine(piece, answer)?);
            self.renew().await?;
        }
        Ok(transformed)
    }

    /// Opens another instance where this one has grown to half of what it may have.
    async fn renew(&mut self) -> Result<(), StrategyError> {
        let limit = self
            .transformer
            .strategy
            .sandbox()
            .shared
            .limits
            .memory_bytes;
        let memory = self.session.memory();
        if memory < limit / 2 || memory <= self.opened_with {
            return Ok(());
        }
        self.session.renew();
        let transformer = self.transformer.clone();
        let opened = transformer.instance(&mut self.session, &self.table, &self.options);
        let (declared, apply) = opened.await?;
        if declared != self.declared {
            let why = "it declares other columns each time it is opened";
            return Err(transformer.invalid(Operation::Open, PlanError::new(why)));
        }
        self.apply = apply;
        Ok(())
    }

    /// The columns that cross the boundary.
    fn inputs(&self, batch: &RecordBatch) -> Result<RecordBatch, StrategyError> {
        let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
        for input in self.declared.inputs() {
            let Some(column) = batch.column_by_name(&input.name) else {
                return Err(self.invalid(format!(
                    "it needs column '{}', which the change detector does not read",
                    input.name
                )));
            };
            let field = Field::new(&input.name, column.data_type().clone(), true);
            columns.push((field, Arc::clone(column)));
        }
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|error| self.invalid(error.to_string()))
    }

    async fn call(&mut self, inputs: &RecordBatch) -> Result<wit::Transformed, StrategyError> {
        let bytes = ipc::encode(inputs).map_err(|error| self.invalid(error.to_string()))?;
        let apply = self.apply;
        let returned = self
            .session
            .call(Operation::Apply, move |store| {
                Box::pin(async move { Ok(apply.call_async(store, (bytes,)).await?.0) })
            })
            .await?;
        returned.map_err(|error| {
            let strategy = &self.transformer.strategy;
            convert::failure(strategy, Operation::Apply, error, |column| {
                self.names.get(column as usize).cloned()
            })
        })
    }

    fn combine(
        &self,
        piece: RecordBatch,
        answer: wit::Transformed,
    ) -> Result<Transformed, StrategyError> {
        let rows = piece.num_rows();
        let keep = answer
            .keep
            .map(|bits| keep(bits, rows))
            .transpose()
            .map_err(|why| self.invalid(why))?;
        let changed = match answer.columns {
            None if self.declared.replaces_only() => None,
            None => {
                return Err(self.invalid(
                    "it returned no columns, and declared some that the table lacks".to_owned(),
                ));
            }
            Some(bytes) => Some(
                ipc::decode(bytes, &self.outputs, rows)
                    .map_err(|why| self.invalid(format!("columns: {why}")))?,
            ),
        };
        if let Some(changed) = &changed {
            self.check_values(&piece, changed, keep.as_ref())?;
        }
        let split = |batch: RecordBatch, original: &RecordBatch| match keep {
            None => Ok(Transformed {
                kept: batch,
                dropped: None,
            }),
            Some(keep) => Ok(Transformed {
                kept: filter_record_batch(&batch, &keep)?,
                dropped: match keep.false_count() {
                    0 => None,
                    _ => Some(filter_record_batch(original, &not(&keep)?)?),
                },
            }),
        };
        match changed {
            Some(changed) => replace(&piece, &changed).and_then(|batch| split(batch, &piece)),
            None => split(piece.clone(), &piece),
        }
        .map_err(|error| self.invalid(error.to_string()))
    }

    /// Refuses values that the declared types do not have, of rows that are kept.
    fn check_values(
        &self,
        piece: &RecordBatch,
        changed: &RecordBatch,
        keep: Option<&BooleanArray>,
    ) -> Result<(), StrategyError> {
        for (column, array) in self.declared.outputs().iter().zip(changed.columns()) {
            if let Some(misfit) = column.misfit(array, keep) {
                return Err(StrategyError::Value {
                    strategy: self.transformer.strategy.name().to_owned(),
                    column: column.name.clone(),
                    row: self.row(piece, misfit.row),
                    reason: misfit.reason,
                });
            }
        }
        Ok(())
    }

    /// What a row of a piece is called in a message. A key that is hidden from the strategy is told all the same:
    /// the message is for whoever runs it.
    fn row(&self, piece: &RecordBatch, row: usize) -> String {
        let key = self.table.key().into_iter().filter_map(|ordinal| {
            let column = self.table.columns.get(ordinal as usize)?;
            let value = ArrowValue::of(piece.column_by_name(&column.name)?, row)?;
            let shown = value.shown(column.column_type);
            Some(format!("{} = {shown}", column.name))
        });
        let key: Vec<String> = key.collect();
        match key.is_empty() {
            true => format!("row {} of a batch", row + 1),
            false => format!("row {}", key.join(", ")),
        }
    }

    fn invalid(&self, why: String) -> StrategyError {
        self.transformer
            .invalid(Operation::Apply, PlanError::new(why))
    }
}

/// One bit for each row, least significant first.
fn keep(bits: Vec<u8>, rows: usize) -> Result<BooleanArray, String> {
    let wanted = rows.div_ceil(8);
    if bits.len() != wanted {
        return Err(format!(
            "keep: it has {} bytes, and {rows} rows need {wanted}",
            bits.len()
        ));
    }
    Ok(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows).into())
}

/// The batch with columns replaced in their places or added.
fn replace(
    batch: &RecordBatch,
    changed: &RecordBatch,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut fields = batch.schema().fields().to_vec();
    let mut columns = batch.columns().to_vec();
    let schema = changed.schema();
    for (field, column) in schema.fields().iter().zip(changed.columns()) {
        let column = Arc::clone(column);
        match fields.iter().position(|known| known.name() == field.name()) {
            Some(position) => {
                if let (Some(known), Some(place)) =
                    (fields.get_mut(position), columns.get_mut(position))
                {
                    *known = Arc::clone(field);
                    *place = column;
                }
            }
            None => {
                fields.push(Arc::clone(field));
                columns.push(column);
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

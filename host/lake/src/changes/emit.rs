//! Changed rows in the shape of the delta that they make up.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{Int32Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema, SchemaRef};
use icehost_plan::{Delta, Operation};

use crate::changes::ChangePlan;
use crate::error::Result;
use crate::read::stream::Output;
use crate::schema;

/// Hands rows on in the delta's shape.
pub(super) struct Emit<'a> {
    output: &'a Output,
    schema: SchemaRef,
    wanted: usize,
    operation: bool,
}

impl<'a> Emit<'a> {
    pub(super) fn new(plan: &ChangePlan, output: &'a Output) -> Self {
        let wanted = plan.columns.get(..plan.wanted).unwrap_or(&plan.columns);
        let mut fields = schema::nullable_arrow_schema(wanted).fields().to_vec();
        if plan.has_operation() {
            let column = Delta::operation_column();
            let kind = column.column_type.lake().arrow();
            fields.push(Arc::new(Field::new(column.name, kind, column.nullable)));
        }
        Emit {
            output,
            schema: Arc::new(Schema::new(fields)),
            wanted: wanted.len(),
            operation: plan.has_operation(),
        }
    }

    pub(super) fn all(&self, rows: RecordBatch, operation: Operation) -> Result<ControlFlow<()>> {
        let operations = vec![operation as i32; rows.num_rows()];
        self.each(rows, operations)
    }

    pub(super) fn each(&self, rows: RecordBatch, operations: Vec<i32>) -> Result<ControlFlow<()>> {
        let mut columns = rows.columns().to_vec();
        columns.truncate(self.wanted);
        if self.operation {
            columns.push(Arc::new(Int32Array::from(operations)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(self.output.push(batch))
    }
}

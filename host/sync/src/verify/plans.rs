//! Plans by which rows are read to be compared.

use icehost_plan::{
    ChangeSource, Coverage, Expression, ExtractionPlan, Table, ValidExtractionPlan,
};

use crate::SyncError;

/// A plan that reads these columns of a table's rows.
pub(crate) fn reading(
    table: &Table,
    columns: Vec<u32>,
    filter: Option<Expression>,
) -> Result<ValidExtractionPlan, SyncError> {
    let plan = ExtractionPlan {
        source: ChangeSource::Rows,
        coverage: Coverage::Full,
        columns,
        filter,
        order_by: Vec::new(),
        split_on: None,
        observe: Vec::new(),
    };
    valid(plan, table)
}

pub(crate) fn valid(plan: ExtractionPlan, table: &Table) -> Result<ValidExtractionPlan, SyncError> {
    plan.validate(table).map_err(|error| SyncError::Plan {
        doing: format!("planning to compare {}", table.name),
        error,
        hint: "please report this as a defect".to_owned(),
    })
}

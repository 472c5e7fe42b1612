//! `append-only`: every row of the delta is added, nothing is changed.

use icehost_sdk::prelude::*;

/// The strategy.
pub struct AppendOnly;

/// What the operation column holds for a row that is gone.
const DELETE: i64 = 0;

impl Merger for AppendOnly {
    const NAME: &'static str = "append-only";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "adds every row that arrives and changes none, so that each version of a row stays";
    type Options = NoOptions;

    fn plan(context: &MergeContext<NoOptions>) -> Result<MergePlan, Error> {
        let add = Clause::not_matched(Action::WriteAll);
        Ok(MergePlan::append(vec![match context.delta.operation {
            Some(operation) => add.when(col(operation).ne(lit(DELETE))),
            None => add,
        }]))
    }
}

icehost_sdk::export_merger!(AppendOnly);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn plan(operation: Option<ColumnId>) -> MergePlan {
        let columns = || {
            vec![
                Column::new("Id", LogicalType::Integer, "int").key(0),
                Column::new("op", LogicalType::Integer, "int"),
            ]
        };
        let mut delta = Delta::new(columns(), Contents::Upserts);
        delta.operation = operation;
        AppendOnly::plan(&MergeContext {
            target: Table::new("demo.orders", columns()),
            delta,
            options: NoOptions,
        })
        .unwrap()
    }

    #[test]
    fn every_row_is_added_whatever_its_key() {
        let plan = plan(None);
        assert_eq!(plan.keys, []);
        assert_eq!(plan.clauses, [Clause::not_matched(Action::WriteAll)]);
        assert_eq!(plan.mode, WriteMode::Append);
    }

    #[test]
    fn deleted_rows_are_not_added() {
        let wanted = Clause::not_matched(Action::WriteAll).when(col(1).ne(lit(0)));
        assert_eq!(plan(Some(1)).clauses, [wanted]);
    }
}

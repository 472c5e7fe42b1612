//! `rowversion`: rows that were inserted or updated since the last run, by the number that the server gives
//! each change.

use icehost_sdk::prelude::*;

/// The strategy.
pub struct Rowversion;

/// The mark: every row with a lower number has been read.
const BELOW: &str = "below";

impl ChangeDetector for Rowversion {
    const NAME: &'static str = "rowversion";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "reads new and updated rows by the table's rowversion column, late commits too; does not see deletes";
    type Options = NoOptions;

    fn probes(context: &Context<NoOptions>) -> Result<Vec<Probe>, Error> {
        column(&context.table)?;
        Ok(vec![Probe::MinActiveRowversion])
    }

    /// A transaction that is still open has taken numbers that are lower than those of transactions that are
    /// committed. Below the lowest of them nothing can appear any more (T-SQL reference,
    /// `MIN_ACTIVE_ROWVERSION`).
    fn plan(context: &Context<NoOptions>, readings: &[Value]) -> Result<ExtractionPlan, Error> {
        let column = column(&context.table)?;
        let settled = settled(readings)?;
        let below = col(column).lt(lit(settled.clone()));
        let plan = ExtractionPlan::rows(&context.table);
        let Some(read) = context.mark(BELOW) else {
            return Ok(plan.filter(below).full());
        };
        if bytes(read) > bytes(&settled) {
            return Err(Error::stale_watermark(
                "went-back",
                format!(
                    "the rowversions of the database of {} have gone back since the last run, as after a restore",
                    context.table.name
                ),
            )
            .about(column));
        }
        Ok(plan.filter(col(column).ge(lit(read.clone())).and(below)))
    }

    fn advance(_: &Context<NoOptions>, outcome: &Outcome) -> Result<Watermark, Error> {
        Ok(Watermark::new(1).with(BELOW, settled(&outcome.readings)?))
    }
}

/// The lowest number that an open transaction may have.
fn settled(readings: &[Value]) -> Result<Value, Error> {
    match readings {
        [value @ Value::Binary(bytes)] if bytes.len() == 8 => Ok(value.clone()),
        _ => Err(Error::internal(
            "no-reading",
            "the host did not read MIN_ACTIVE_ROWVERSION()",
        )),
    }
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Binary(bytes) => bytes,
        _ => &[],
    }
}

/// The table's rowversion column; SQL Server allows one.
fn column(table: &Table) -> Result<ColumnId, Error> {
    let is_rowversion =
        |column: &Column| matches!(&*column.native_type, "rowversion" | "timestamp");
    match table.columns_where(is_rowversion).first() {
        Some(&column) => Ok(column),
        None => Err(Error::unsupported_table(
            "no-column",
            format!(
                "{} has no rowversion column, or it is left out; ALTER TABLE … ADD … rowversion adds one",
                table.name
            ),
        )),
    }
}

icehost_sdk::export_change_detector!(Rowversion);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn version(n: u64) -> Value {
        Value::Binary(n.to_be_bytes().to_vec())
    }

    fn context(read: Option<u64>) -> Context<NoOptions> {
        Context {
            table: Table::new(
                "dbo.Orders",
                vec![
                    Column::new("Id", LogicalType::Integer, "int").key(0),
                    Column::new("Version", LogicalType::Binary, "rowversion"),
                ],
            ),
            options: NoOptions,
            watermark: read.map(|n| Watermark::new(1).with(BELOW, version(n))),
        }
    }

    #[test]
    fn the_first_run_reads_all_that_is_settled() {
        let plan = Rowversion::plan(&context(None), &[version(2000)]).unwrap();
        assert_eq!(plan.coverage, Coverage::Full);
        assert_eq!(plan.filter, Some(col(1).lt(lit(version(2000))).into()));
    }

    #[test]
    fn later_runs_go_on_where_the_last_one_stopped() {
        let plan = Rowversion::plan(&context(Some(2000)), &[version(2500)]).unwrap();
        let wanted = col(1)
            .ge(lit(version(2000)))
            .and(col(1).lt(lit(version(2500))));
        assert_eq!(plan.filter, Some(wanted.into()));
        assert_eq!(plan.coverage, Coverage::Incremental);
    }

    #[test]
    fn the_watermark_is_what_was_settled_whatever_was_read() {
        let outcome = Outcome {
            rows: 0,
            readings: vec![version(2500)],
            observed: vec![],
        };
        let watermark = Rowversion::advance(&context(Some(2000)), &outcome).unwrap();
        assert_eq!(watermark, Watermark::new(1).with(BELOW, version(2500)));
    }

    #[test]
    fn numbers_that_went_back_are_refused() {
        let error = Rowversion::plan(&context(Some(2000)), &[version(1999)]).unwrap_err();
        assert_eq!(error.kind, Failure::StaleWatermark);
        assert_eq!(error.code, "went-back");
    }

    #[test]
    fn a_table_without_the_column_is_refused() {
        let mut context = context(None);
        context.table.columns.pop();
        assert_eq!(Rowversion::probes(&context).unwrap_err().code, "no-column");
    }
}

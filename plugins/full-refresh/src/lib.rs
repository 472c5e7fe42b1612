//! `full-refresh`: every row, in every run.

use icehost_sdk::prelude::*;

/// The strategy.
pub struct FullRefresh;

impl ChangeDetector for FullRefresh {
    const NAME: &'static str = "full-refresh";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "reads every row in every run, for tables that keep no trace of changes; with upsert and its delete-missing, deletes are seen";
    type Options = NoOptions;

    fn plan(context: &Context<NoOptions>, _: &[Value]) -> Result<ExtractionPlan, Error> {
        Ok(ExtractionPlan::rows(&context.table).full())
    }

    fn advance(_: &Context<NoOptions>, outcome: &Outcome) -> Result<Watermark, Error> {
        // For operators to see: nothing is read by it.
        let rows = i64::try_from(outcome.rows).unwrap_or(i64::MAX);
        Ok(Watermark::new(1).with("rows", Value::Integer(rows)))
    }
}

icehost_sdk::export_change_detector!(FullRefresh);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_run_reads_every_row() {
        let mut context = Context {
            table: Table::new(
                "dbo.Rates",
                vec![Column::new("Currency", LogicalType::Text, "char(3)").key(0)],
            ),
            options: NoOptions,
            watermark: None,
        };
        let first = FullRefresh::plan(&context, &[]).unwrap();
        assert_eq!(first, ExtractionPlan::rows(&context.table).full());
        let outcome = Outcome {
            rows: 3,
            readings: vec![],
            observed: vec![],
        };
        context.watermark = Some(FullRefresh::advance(&context, &outcome).unwrap());
        assert_eq!(FullRefresh::plan(&context, &[]).unwrap(), first);
    }
}

//! `{{name}}`: rows whose number grew since the last run.

use icehost_sdk::cursor::{Cursor, Nulls};
use icehost_sdk::prelude::*;

/// The strategy.
pub struct {{Type}};

icehost_sdk::options! {
    /// What users may set.
    pub struct {{Type}}Options {
        /// The column whose value grows with every change of a row.
        pub column: String,
    }
}

impl ChangeDetector for {{Type}} {
    const NAME: &'static str = "{{name}}";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "reads rows whose number grew since the last run";
    type Options = {{Type}}Options;

    /// What the host reads before it asks for the plan.
    fn probes(context: &Context<{{Type}}Options>) -> Result<Vec<Probe>, Error> {
        Ok(cursor(context)?.probes())
    }

    /// Which rows to read.
    fn plan(
        context: &Context<{{Type}}Options>,
        readings: &[Value],
    ) -> Result<ExtractionPlan, Error> {
        cursor(context)?.plan(readings, |mark, _| mark.clone())
    }

    /// How far the source has been read once those rows are committed.
    fn advance(
        context: &Context<{{Type}}Options>,
        outcome: &Outcome,
    ) -> Result<Watermark, Error> {
        cursor(context)?.advance(outcome)
    }
}

/// A cursor knows the traps: empty tables, NULLs, rows that are committed late or with the number at which the
/// last run stopped, numbers that start over or count down.
fn cursor(context: &Context<{{Type}}Options>) -> Result<Cursor<'_>, Error> {
    let table = &context.table;
    let column = table.require(&context.options.column)?;
    let numbers = table.columns_where(grows);
    if !numbers.contains(&column) {
        return Err(Error::invalid_options(
            "wrong-type",
            format!(
                "{} holds no numbers; columns that do: {}",
                table.names(&[column]),
                table.names(&numbers)
            ),
        )
        .about(column));
    }
    // Numbers do not tell how far back a minute lies: until a mark is as old as that, all rows are read again.
    let cursor = Cursor::new(table, column, Nulls::Refuse, context.watermark.as_ref())?;
    Ok(cursor.begin_at_least())
}

/// What all servers order alike, and no clock runs ahead of; the bytes are those of a `rowversion`.
fn grows(column: &Column) -> bool {
    matches!(
        column.kind,
        LogicalType::Integer | LogicalType::Decimal | LogicalType::Double | LogicalType::Binary
    )
}

icehost_sdk::export_change_detector!({{Type}});

//! `id`: rows whose number is higher than at the last run.

use icehost_sdk::cursor::{Cursor, LOOKBACK_SECONDS, Nulls, Past};
use icehost_sdk::info;
use icehost_sdk::prelude::*;

/// So many numbers are read again where no mark of an earlier run tells how far to go back: what was handed
/// out within a minute, say.
const LOOKBACK_NUMBERS: u32 = 10_000;

/// The strategy.
pub struct Id;

icehost_sdk::options! {
    /// What users may set.
    pub struct IdOptions {
        /// The column whose values grow with each new row: an integer, or a decimal without fraction. By
        /// default the identity column, else the primary key if it is one such column.
        pub column: Option<String>,
        /// Reads again what may have been committed this many seconds late: what the lake has of it is left
        /// out. Set it to the longest transaction that is to be expected.
        pub lookback_seconds: u32 = LOOKBACK_SECONDS,
        /// Reads again at least the rows whose number is up to this much below the watermark.
        pub lookback: u32 = 0,
        /// What happens to rows without a value in the column: refuse ends the run, every-run reads them in
        /// each run, skip leaves them out.
        pub nulls: Nulls = Nulls::Refuse,
    }
}

impl ChangeDetector for Id {
    const NAME: &'static str = "id";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "reads new rows by a number that grows; sees neither updates nor deletes";
    type Options = IdOptions;

    fn probes(context: &Context<IdOptions>) -> Result<Vec<Probe>, Error> {
        let column = column(&context.table, context.options.column.as_deref())?;
        if context.options.column.is_none() {
            let name = context.table.names(&[column]);
            info!("new rows of {} are found by {name}", context.table.name);
        }
        Ok(cursor(context, column)?.probes())
    }

    fn plan(context: &Context<IdOptions>, readings: &[Value]) -> Result<ExtractionPlan, Error> {
        let column = column(&context.table, context.options.column.as_deref())?;
        let lookback = context.options.lookback;
        let without_marks = match context.options.lookback_seconds {
            0 => lookback,
            _ => lookback.max(LOOKBACK_NUMBERS),
        };
        cursor(context, column)?.plan(readings, |read, past| match past {
            Past::Known => lower(read, lookback),
            Past::Unknown => lower(read, without_marks),
        })
    }

    fn advance(context: &Context<IdOptions>, outcome: &Outcome) -> Result<Watermark, Error> {
        let column = column(&context.table, context.options.column.as_deref())?;
        cursor(context, column)?.advance(outcome)
    }
}

fn cursor(context: &Context<IdOptions>, column: ColumnId) -> Result<Cursor<'_>, Error> {
    let watermark = context.watermark.as_ref();
    let cursor = Cursor::new(&context.table, column, context.options.nulls, watermark)?;
    Ok(cursor
        .lookback(context.options.lookback_seconds)
        .guard_least())
}

/// The column that the user named, or the one obvious candidate.
fn column(table: &Table, named: Option<&str>) -> Result<ColumnId, Error> {
    let numbers = table.columns_where(is_whole_number);
    if let Some(name) = named {
        let column = table.require(name)?;
        if numbers.contains(&column) {
            return Ok(column);
        }
        return Err(Error::invalid_options(
            "wrong-type",
            format!(
                "'{name}' does not hold whole numbers; columns that do: {}",
                table.names(&numbers)
            ),
        )
        .about(column));
    }
    let identity = table.columns_where(|column| column.identity && is_whole_number(column));
    match (identity.as_slice(), table.key().as_slice()) {
        ([only], _) => Ok(*only),
        (_, [only]) if numbers.contains(only) => Ok(*only),
        _ if numbers.is_empty() => Err(Error::unsupported_table(
            "no-column",
            format!("{} has no column of an integer type", table.name),
        )),
        _ => Err(Error::invalid_options(
            "ambiguous-column",
            format!(
                "{} has no identity column and no primary key of one integer column; set column to \
                 one of {}",
                table.name,
                table.names(&numbers)
            ),
        )),
    }
}

/// An integer, or a decimal whose type says that it has no digits behind the point.
fn is_whole_number(column: &Column) -> bool {
    let scale = || column.native_type.strip_suffix(')')?.rsplit_once(',');
    match column.kind {
        LogicalType::Integer => true,
        LogicalType::Decimal => scale().is_some_and(|(_, scale)| scale.trim() == "0"),
        _ => false,
    }
}

fn lower(number: &Value, by: u32) -> Value {
    match number {
        Value::Integer(value) => Value::Integer(value.saturating_sub(by.into())),
        Value::Decimal(value) => {
            let most = 10i128.pow(38) - 1;
            let lowered = value.unscaled().saturating_sub(by.into()).max(-most);
            Value::Decimal(Decimal::new(lowered, value.scale))
        }
        other => other.clone(),
    }
}

icehost_sdk::export_change_detector!(Id);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn integer(name: &str) -> Column {
        Column::new(name, LogicalType::Integer, "int")
    }

    fn decimal(name: &str, native_type: &str) -> Column {
        Column::new(name, LogicalType::Decimal, native_type)
    }

    fn table(columns: Vec<Column>) -> Table {
        Table::new("dbo.Orders", columns)
    }

    fn context(table: Table, options: &str, watermark: Option<Watermark>) -> Context<IdOptions> {
        Context {
            table,
            options: icehost_sdk::options::parse(options).unwrap(),
            watermark,
        }
    }

    #[test]
    fn the_identity_column_wins_over_the_key() {
        let mut number = integer("Number");
        number.identity = true;
        assert_eq!(
            column(&table(vec![integer("Id").key(0), number]), None),
            Ok(1)
        );
    }

    #[test]
    fn a_key_of_one_whole_number_is_obvious() {
        assert_eq!(
            column(&table(vec![integer("x"), integer("Id").key(0)]), None),
            Ok(1)
        );
        let key = decimal("Id", "decimal(18,0)").key(0);
        assert_eq!(column(&table(vec![key]), None), Ok(0));
        let key = decimal("Id", "decimal(18, 0)").key(0);
        assert_eq!(column(&table(vec![key]), None), Ok(0));
    }

    #[test]
    fn a_composite_key_or_a_fraction_is_not() {
        let composite = table(vec![integer("a").key(0), integer("b").key(1)]);
        let error = column(&composite, None).unwrap_err();
        assert_eq!(error.code, "ambiguous-column");
        assert!(
            error.message.ends_with("set column to one of 'a', 'b'"),
            "{error:?}"
        );
        let fraction = table(vec![decimal("Price", "decimal(18,10)").key(0)]);
        assert_eq!(column(&fraction, None).unwrap_err().code, "no-column");
        let error = column(&fraction, Some("Price")).unwrap_err();
        assert_eq!((error.code.as_str(), error.column), ("wrong-type", Some(0)));
    }

    #[test]
    fn a_named_column_is_taken() {
        let composite = table(vec![integer("a").key(0), integer("b").key(1)]);
        assert_eq!(column(&composite, Some("b")), Ok(1));
    }

    #[test]
    fn new_rows_lie_above_the_watermark_and_late_ones_below() {
        let table = || table(vec![integer("Id").key(0)]);
        let readings = [
            Value::Integer(250),
            Value::Timestamp(9_000_000_000),
            Value::Integer(1),
        ];
        let range = |from: i64| Some(col(0).ge(lit(from)).and(col(0).le(lit(250))).into());
        let plan = |options, watermark: Watermark| {
            let context = context(table(), options, Some(watermark));
            Id::plan(&context, &readings).unwrap().filter
        };
        let seen = || Watermark::new(1).with("Id", 100);
        assert_eq!(plan("{}", seen()), range(-9_900));
        assert_eq!(plan(r#"{"lookback": 20000}"#, seen()), range(-19_900));
        assert_eq!(plan(r#"{"lookback-seconds": 0}"#, seen()), range(100));
        let known = || {
            Watermark::new(2)
                .with("Id", 100)
                .with("Id read at", Value::Timestamp(8_000_000_000))
                .with("Id before 1", 90)
                .with("Id before 1 read at", Value::Timestamp(7_000_000_000))
        };
        assert_eq!(plan("{}", known()), range(90));
        assert_eq!(plan(r#"{"lookback": 50}"#, known()), range(50));
        assert_eq!(plan(r#"{"lookback-seconds": 200}"#, known()), range(-9_900));
    }

    #[test]
    fn lookback_stays_within_the_type() {
        assert_eq!(
            lower(&Value::Integer(i64::MIN + 1), 10),
            Value::Integer(i64::MIN)
        );
        let most = 10i128.pow(38) - 1;
        let smallest = Value::Decimal(Decimal::new(-most, 0));
        assert_eq!(lower(&smallest, 10), smallest);
    }
}

//! Probes into one SELECT.

use icehost_plan::{
    Aggregate, AggregateFunction, Expression, Extreme, Length, LogicalType, Probe, SqlType, Value,
};

use super::Lowering;
use super::extraction::{operands, readable};
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// The query that reads all probes: one row, one column per value, in their order, at full precision.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a probe that is not SQL Server's; filters that are
/// too large together.
pub fn probes(table: &SqlTable, probes: &[Probe]) -> Result<Statement> {
    let operands = operands(table);
    let mut parameters = Parameters::default();
    // One for all filters, since its bounds are a statement's.
    let mut lowering = Lowering::new(&operands, &[], &mut parameters);
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    for probe in probes {
        let condition = match probe.filter() {
            Some(filter) => format!(" WHERE {}", lowering.conjunct(filter)?),
            None => String::new(),
        };
        let (extreme, direction) = match probe {
            Probe::Greatest(extreme) => (extreme, "DESC"),
            Probe::Least(extreme) => (extreme, "ASC"),
            Probe::Aggregate { of, .. } => {
                values.push(aggregated(table, of, &condition)?);
                continue;
            }
            other => {
                values.push(of_server(table, other)?.to_owned());
                continue;
            }
        };
        let name = format!("[row{}]", rows.len() + 1);
        let row = first_row(table, extreme, direction, &condition)?;
        rows.push(format!("LEFT JOIN ({row}) AS {name} ON 1 = 1"));
        values.extend((1..=extreme.columns.len()).map(|at| format!("{name}.[value{at}]")));
    }
    let mut sql = format!("SELECT {}", values.join(",\n       "));
    if !rows.is_empty() {
        // A row that is not there is one of NULLs.
        sql.push_str("\nFROM (SELECT 1 AS [one]) AS [one]\n");
        sql.push_str(&rows.join("\n"));
    }
    sql.push(';');
    Ok(parameters.finish(sql))
}

/// The query for one row's values of several columns: an index over them finds it at its end.
fn first_row(
    table: &SqlTable,
    extreme: &Extreme,
    direction: &str,
    condition: &str,
) -> Result<String> {
    let (mut values, mut order, mut conditions) = (Vec::new(), Vec::new(), condition.to_owned());
    for (at, &ordinal) in (1..).zip(&extreme.columns) {
        let column = table.column(ordinal)?;
        let name = quote(&column.name);
        values.push(format!("{} AS [value{at}]", readable(&name, column)));
        order.push(format!("{name} {direction}"));
        if column.nullable {
            let word = if conditions.is_empty() {
                "WHERE"
            } else {
                "AND"
            };
            conditions.push_str(&format!(" {word} {name} IS NOT NULL"));
        }
    }
    Ok(format!(
        "SELECT TOP (1) {} FROM {}{conditions} ORDER BY {}",
        values.join(", "),
        table.name.sql(),
        order.join(", ")
    ))
}

/// Reads whether a database allows SNAPSHOT isolation: `snapshot_isolation_state`; no row for one that the login
/// does not see.
pub fn snapshot_isolation(database: &str) -> Statement {
    let mut parameters = Parameters::default();
    let name = SqlType::NVarChar(Length::Limited(128));
    let database = parameters.add(name, Value::Text(database.to_owned()));
    parameters.finish(format!(
        "SELECT d.snapshot_isolation_state FROM sys.databases AS d WHERE d.name = {database};"
    ))
}

/// Reads whether a database, by default the connection's, can be written to: `READ_WRITE`, `READ_ONLY`, or NULL where
/// a server cannot tell.
pub fn updateability(database: Option<&str>) -> Statement {
    let mut parameters = Parameters::default();
    let database = match database {
        None => "DB_NAME()".to_owned(),
        Some(name) => parameters.add(
            SqlType::NVarChar(Length::Limited(128)),
            Value::Text(name.to_owned()),
        ),
    };
    parameters.finish(format!(
        "SELECT CAST(DATABASEPROPERTYEX({database}, 'Updateability') AS nvarchar(128));"
    ))
}

/// Counts the rows that a filter lets through.
///
/// # Errors
/// A filter that is too large, or not one over the table.
pub fn count_of(table: &SqlTable, filter: &Expression) -> Result<Statement> {
    let operands = operands(table);
    let mut parameters = Parameters::default();
    let condition = Lowering::new(&operands, &[], &mut parameters).conjunct(filter)?;
    Ok(parameters.finish(format!(
        "SELECT COUNT_BIG(*) FROM {} WHERE {condition};",
        table.name.sql()
    )))
}

/// A value that is not read from the table's rows.
fn of_server(table: &SqlTable, probe: &Probe) -> Result<&'static str> {
    let what = match probe {
        // T-SQL reference, "MIN_ACTIVE_ROWVERSION"
        Probe::MinActiveRowversion => return Ok("MIN_ACTIVE_ROWVERSION()"),
        Probe::SourceTime => return Ok("SYSUTCDATETIME()"),
        Probe::ChangeTrackingCurrent
        | Probe::ChangeTrackingMinValid
        | Probe::CaptureMinLsn
        | Probe::CaptureMaxLsn => "Change Tracking and Change Data Capture cannot be read yet",
        Probe::CurrentSnapshot => "a SQL Server table has no Iceberg snapshots",
        Probe::Aggregate { .. } | Probe::Greatest(_) | Probe::Least(_) => {
            "rows are read by a query"
        }
    };
    Err(SqlServerError::unsupported(format!(
        "{}: {what}",
        table.name
    )))
}

/// One aggregate as a scalar expression over the rows that `condition`, a WHERE clause or nothing, lets through.
///
/// Each aggregate is a query of its own, so that each can use an index of its own.
pub(super) fn aggregated(
    table: &SqlTable,
    aggregate: &Aggregate,
    condition: &str,
) -> Result<String> {
    let column = table.column(aggregate.column)?;
    let (name, from) = (quote(&column.name), table.name.sql());
    let and = match condition {
        "" => " WHERE".to_owned(),
        condition => format!("{condition} AND"),
    };
    // MIN and MAX do not take every type that has an order.
    let by_order = matches!(
        column.sql_type.logical(),
        LogicalType::Binary | LogicalType::Uuid
    );
    let first = |direction: &str| {
        format!(
            "(SELECT TOP (1) {name} FROM {from}{and} {name} IS NOT NULL ORDER BY {name} {direction})"
        )
    };
    let over = |call: String| format!("(SELECT {call} FROM {from}{condition})");
    let extreme = |function: &str| {
        let call = format!("{function}({name})");
        // Babelfish gives the aggregate another scale than its column's.
        if let SqlType::Decimal { .. } = column.sql_type {
            format!("CAST({call} AS {})", column.sql_type)
        } else {
            readable(&call, column)
        }
    };
    Ok(match aggregate.function {
        AggregateFunction::Min if by_order => first("ASC"),
        AggregateFunction::Max if by_order => first("DESC"),
        AggregateFunction::Min => over(extreme("MIN")),
        AggregateFunction::Max => over(extreme("MAX")),
        AggregateFunction::Count => over(format!("COUNT_BIG({name})")),
        AggregateFunction::CountDistinct => over(format!("COUNT_BIG(DISTINCT {name})")),
        AggregateFunction::CountNull => {
            format!("(SELECT COUNT_BIG(*) FROM {from}{and} {name} IS NULL)")
        }
    })
}

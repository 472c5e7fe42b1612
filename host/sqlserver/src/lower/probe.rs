//! Probes into one SELECT.

use icehost_plan::{Aggregate, AggregateFunction, Length, LogicalType, Probe, SqlType, Value};

use super::extraction::readable;
use super::literal::bind_type;
use crate::error::{Result, SqlServerError};
use crate::introspect::SqlTable;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// The query that reads all probes: one row, one column per probe, in their order, at full precision.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a probe that is not SQL Server's.
pub fn probes(table: &SqlTable, probes: &[Probe]) -> Result<Statement> {
    let values = probes
        .iter()
        .map(|probe| expression(table, probe, ""))
        .collect::<Result<Vec<_>>>()?;
    Ok(Statement::plain(format!(
        "SELECT {};",
        values.join(",\n       ")
    )))
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

/// Reads a column's largest value that is not above a bound, and how many rows are.
///
/// # Errors
/// A column that the table does not have.
pub fn ahead_of(table: &SqlTable, column: u32, bound: &Value) -> Result<Statement> {
    let (name, sql_type) = {
        let column = table.column(column)?;
        (quote(&column.name), column.sql_type)
    };
    let mut parameters = Parameters::default();
    let bound = parameters.add(bind_type(bound, Some(sql_type)), bound.clone());
    let largest = Aggregate {
        function: AggregateFunction::Max,
        column,
    };
    let largest = aggregated(table, &largest, &format!("\nWHERE {name} <= {bound}"))?;
    Ok(parameters.finish(format!(
        "SELECT {largest},
       (SELECT COUNT_BIG(*) FROM {} WHERE {name} > {bound});",
        table.name.sql()
    )))
}

/// Counts the rows that have at most a value in a column.
///
/// # Errors
/// A column that the table does not have.
pub fn count_through(table: &SqlTable, column: u32, most: &Value) -> Result<Statement> {
    let column = table.column(column)?;
    let mut parameters = Parameters::default();
    let most = parameters.add(bind_type(most, Some(column.sql_type)), most.clone());
    Ok(parameters.finish(format!(
        "SELECT COUNT_BIG(*) FROM {} WHERE {} <= {most};",
        table.name.sql(),
        quote(&column.name)
    )))
}

/// One probe as a scalar expression over the rows that `condition`, a WHERE clause or nothing, lets through.
///
/// Each aggregate is a query of its own, so that each can use an index of its own.
pub(super) fn expression(table: &SqlTable, probe: &Probe, condition: &str) -> Result<String> {
    match probe {
        Probe::Aggregate(aggregate) => aggregated(table, aggregate, condition),
        // T-SQL reference, "MIN_ACTIVE_ROWVERSION"
        Probe::MinActiveRowversion => Ok("MIN_ACTIVE_ROWVERSION()".to_owned()),
        Probe::SourceTime => Ok("SYSUTCDATETIME()".to_owned()),
        Probe::ChangeTrackingCurrent
        | Probe::ChangeTrackingMinValid
        | Probe::CaptureMinLsn
        | Probe::CaptureMaxLsn => Err(SqlServerError::unsupported(format!(
            "{}: Change Tracking and Change Data Capture cannot be read yet",
            table.name
        ))),
        Probe::CurrentSnapshot => Err(SqlServerError::unsupported(format!(
            "{} is a SQL Server table, which has no Iceberg snapshots",
            table.name
        ))),
    }
}

fn aggregated(table: &SqlTable, aggregate: &Aggregate, condition: &str) -> Result<String> {
    let column = table.column(aggregate.column)?;
    let (name, from) = (quote(&column.name), table.name.sql());
    let and = match condition {
        "" => "\nWHERE".to_owned(),
        condition => format!("{condition} AND"),
    };
    // MIN and MAX do not take every type that has an order.
    let by_order = matches!(
        column.sql_type.logical(),
        LogicalType::Binary | LogicalType::Uuid
    );
    let first = |direction: &str| {
        format!(
            "(SELECT TOP (1) {name} FROM {from}{} {name} IS NOT NULL ORDER BY {name} {direction})",
            flat(&and)
        )
    };
    let over = |call: String| format!("(SELECT {} FROM {from}{})", call, flat(condition));
    let extreme = |function: &str| {
        let call = format!("{function}({name})");
        match column.sql_type {
            // Babelfish gives the aggregate another scale than its column's.
            SqlType::Decimal { .. } => format!("CAST({call} AS {})", column.sql_type),
            _ => readable(&call, column),
        }
    };
    Ok(match aggregate.function {
        AggregateFunction::Min if by_order => first("ASC"),
        AggregateFunction::Max if by_order => first("DESC"),
        AggregateFunction::Min => over(extreme("MIN")),
        AggregateFunction::Max => over(extreme("MAX")),
        AggregateFunction::Count => over(format!("COUNT_BIG({name})")),
        AggregateFunction::CountDistinct => over(format!("COUNT_BIG(DISTINCT {name})")),
        AggregateFunction::CountNull => format!(
            "(SELECT COUNT_BIG(*) FROM {from}{} {name} IS NULL)",
            flat(&and)
        ),
    })
}

fn flat(clause: &str) -> String {
    clause.replace('\n', " ")
}

//! Queries about the keys of a table's rows, by the server's own comparison.

use icehost_plan::{Column, ColumnType, LakeType};

use super::extraction::readable;
use super::staging::{StagedColumn, Staging};
use crate::error::Result;
use crate::introspect::SqlTable;
use crate::name::quote;
use crate::statement::Statement;

/// The query for one key that stands in several rows, or has NULL: one row or none, one column for each column of
/// the key. `key` are ordinals.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for an ordinal that is not in the table.
pub fn repeated_key(table: &SqlTable, key: &[u32]) -> Result<Statement> {
    let (mut read, mut names, mut having) = (Vec::new(), Vec::new(), Vec::new());
    for &ordinal in key {
        let column = table.column(ordinal)?;
        let name = quote(&column.name);
        read.push(readable(&name, column));
        if column.nullable {
            having.push(format!(" OR {name} IS NULL"));
        }
        names.push(name);
    }
    Ok(Statement::plain(format!(
        "SELECT TOP (1) {}\nFROM {}\nGROUP BY {}\nHAVING COUNT_BIG(*) > 1{};",
        read.join(", "),
        table.name.sql(),
        names.join(", "),
        having.concat(),
    )))
}

/// The column of a staging table of keys that says which set a key is of: 0 or 1.
pub(crate) const SIDE: &str = "icehost_side";
/// And its number there.
pub(crate) const NUMBER: &str = "icehost_number";

/// The query for the pairs of keys of two sets that are one: the numbers of both.
///
/// The staging table's columns have the collations of the key's, so that texts are compared by those.
pub(crate) fn pairs(staging: &Staging) -> Statement {
    let own = |column: &&StagedColumn| column.name != SIDE && column.name != NUMBER;
    let key: Vec<&StagedColumn> = staging.columns.iter().filter(own).collect();
    let side = |number: u8| {
        let parts: Vec<String> = (1..)
            .zip(&key)
            .map(|(at, column)| format!("{} AS k{at}", column.image()))
            .collect();
        format!(
            "SELECT S.{} AS n, {} FROM {} AS S WHERE S.{} = {number}",
            quote(NUMBER),
            parts.join(", "),
            quote(&staging.table),
            quote(SIDE),
        )
    };
    let equal: Vec<String> = (1..=key.len())
        .map(|at| format!("L.k{at} = R.k{at}"))
        .collect();
    Statement::plain(format!(
        "SELECT L.n, R.n\nFROM ({}) AS L\nJOIN ({}) AS R ON {};",
        side(0),
        side(1),
        equal.join(" AND "),
    ))
}

/// Takes the staging table away before its session ends.
pub(crate) fn drop_staging(staging: &Staging) -> String {
    format!("DROP TABLE {};", quote(&staging.table))
}

/// The query that [`Connection::same_keys`](crate::Connection::same_keys) sends for keys of these types and
/// collations; the staging table is called `#icehost_stage`.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for columns that cannot be staged.
pub fn same_keys(table: &SqlTable) -> Result<Statement> {
    let mut columns = table.table.columns.clone();
    for name in [SIDE, NUMBER] {
        columns.push(Column::new(name, ColumnType::Lake(LakeType::Int), false));
    }
    Staging::new("#icehost_stage", table, &columns, false).map(|staging| pairs(&staging))
}

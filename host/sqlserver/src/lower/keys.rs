//! Queries about the keys of a table's rows, by the server's own comparison.

use super::extraction::readable;
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

//! The query for the boundaries between ranges of a table's key.

use icehost_plan::{SqlType, Value};

use super::extraction::readable;
use crate::error::Result;
use crate::introspect::SqlTable;
use crate::name::quote;
use crate::statement::{Parameters, Statement};

/// The query that reads the key of each `step`-th row in the key's order: one row per boundary, ascending,
/// one column per key column. `key` are ordinals.
///
/// The server numbers the rows along an index and sends the boundaries only. So they are in its own order,
/// whatever the type or the collation, and ranges have the same number of rows however the keys lie.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for an ordinal that is not in the table.
pub fn range_boundaries(table: &SqlTable, key: &[u32], step: u64) -> Result<Statement> {
    let mut parameters = Parameters::default();
    let (mut read, mut inner, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for (at, &ordinal) in (1..).zip(key) {
        let column = table.column(ordinal)?;
        let name = quote(&column.name);
        read.push(readable(&format!("k{at}"), column));
        inner.push(format!("{name} AS k{at}"));
        order.push(name);
    }
    let step = i64::try_from(step).unwrap_or(i64::MAX).max(1);
    let step = parameters.add(SqlType::BigInt, Value::Integer(step));
    Ok(parameters.finish(format!(
        "SELECT {}\nFROM (SELECT {}, ROW_NUMBER() OVER (ORDER BY {}) AS n FROM {}) AS numbered\n\
         WHERE n % {step} = 0\nORDER BY n;",
        read.join(", "),
        inner.join(", "),
        order.join(", "),
        table.name.sql(),
    )))
}

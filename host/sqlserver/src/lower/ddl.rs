//! CREATE TABLE.

use icehost_plan::{LogicalType, SqlType};

use crate::error::{Result, SqlServerError};
use crate::name::{TableName, quote};
use crate::statement::Statement;

/// A column of a table to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type; a `rowversion` becomes `binary(8)`, since its values come with the rows.
    pub sql_type: SqlType,
    /// Whether NULL is allowed; a key column never is.
    pub nullable: bool,
    /// The collation of a text column; `None` is the database's.
    pub collation: Option<String>,
}

/// The statement that creates `name` with a clustered primary key over the columns called `key`; no key where
/// that is empty.
///
/// Identity is not carried over: the rows bring the values that the source gave them.
///
/// # Errors
/// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for a key that names no column, or a table without columns.
pub fn create_table(name: &TableName, columns: &[NewColumn], key: &[String]) -> Result<Statement> {
    if columns.is_empty() {
        return Err(SqlServerError::plan(format!(
            "table {name} cannot be created without columns"
        )));
    }
    if let Some(missing) = key
        .iter()
        .find(|key| !columns.iter().any(|column| column.name == **key))
    {
        return Err(SqlServerError::plan(format!(
            "table {name} cannot be created: its key column '{missing}' is not among its columns"
        )));
    }
    let mut lines: Vec<String> = columns
        .iter()
        .map(|column| {
            let sql_type = column.sql_type.of_values();
            let nullable = column.nullable && !key.contains(&column.name);
            format!(
                "    {} {sql_type}{}{}",
                quote(&column.name),
                collate(sql_type, column.collation.as_deref()),
                if nullable { " NULL" } else { " NOT NULL" }
            )
        })
        .collect();
    if !key.is_empty() {
        let key: Vec<String> = key.iter().map(|name| quote(name)).collect();
        lines.push(format!("    PRIMARY KEY CLUSTERED ({})", key.join(", ")));
    }
    Ok(Statement::plain(format!(
        "CREATE TABLE {} (\n{}\n);",
        name.sql(),
        lines.join(",\n")
    )))
}

/// ` COLLATE …` for text.
pub(super) fn collate(sql_type: SqlType, name: Option<&str>) -> String {
    match (sql_type.logical(), name.and_then(collation)) {
        (LogicalType::Text, Some(name)) => format!(" COLLATE {name}"),
        _ => String::new(),
    }
}

/// A collation's name, if it can be one: they are plain words (T-SQL reference, "COLLATE"), and stand in statements
/// without quotes.
pub(super) fn collation(name: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

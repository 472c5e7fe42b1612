//! What the login may do, asked before it is done.

use std::fmt;

use crate::driver::Client;
use crate::error::Result;
use crate::introspect::Fields;
use crate::name::{TableName, quote};

/// A permission on a table (T-SQL reference, "GRANT object permissions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // T-SQL's own four
pub enum Permission {
    Select,
    Insert,
    Update,
    Delete,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Permission::Select => "SELECT",
            Permission::Insert => "INSERT",
            Permission::Update => "UPDATE",
            Permission::Delete => "DELETE",
        })
    }
}

/// Those of the wanted permissions that the login does not have. Reading counts column by column.
pub(crate) async fn missing(
    client: &mut Client,
    table: &TableName,
    columns: &[&str],
    wanted: &[Permission],
) -> Result<Vec<Permission>> {
    let object = literal(&table.sql());
    let asked = wanted.iter().map(|permission| match permission {
        // Granted on the table, or on each column that is read. A column is named without brackets.
        Permission::Select if !columns.is_empty() => {
            let each = columns.iter().map(|column| {
                format!(
                    "HAS_PERMS_BY_NAME({object}, N'OBJECT', N'SELECT', {}, N'COLUMN')",
                    literal(column)
                )
            });
            each.collect::<Vec<_>>().join(" & ")
        }
        _ => format!("HAS_PERMS_BY_NAME({object}, N'OBJECT', N'{permission}')"),
    });
    let answers = answers(client, asked).await?;
    let without = wanted.iter().zip(answers);
    Ok(without
        .filter_map(|(permission, has)| (has == Some(false)).then_some(*permission))
        .collect())
}

/// Whether the login may create tables in the connection's database, in this schema.
pub(crate) async fn may_create_tables(client: &mut Client, schema: &str) -> Result<bool> {
    let schema = literal(&quote(schema));
    let asked = [
        "HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE')".to_owned(),
        format!("HAS_PERMS_BY_NAME({schema}, N'SCHEMA', N'ALTER')"),
    ];
    let answers = answers(client, asked.into_iter()).await?;
    Ok(answers.into_iter().all(|has| has != Some(false)))
}

/// Those of the columns whose values the login is shown although they are masked.
pub(crate) async fn unmasked(
    client: &mut Client,
    table: &TableName,
    columns: &[String],
) -> Result<Vec<String>> {
    let object = literal(&table.sql());
    let database = match table.database() {
        Some(database) => literal(&quote(database)),
        None => "DB_NAME()".to_owned(),
    };
    let in_database = format!("HAS_PERMS_BY_NAME({database}, N'DATABASE', N'UNMASK')");
    let each = columns.iter().map(|column| {
        format!(
            "HAS_PERMS_BY_NAME({object}, N'OBJECT', N'UNMASK', {}, N'COLUMN')",
            literal(column)
        )
    });
    let answers = answers(client, std::iter::once(in_database).chain(each)).await?;
    let everywhere = answers.first() == Some(&Some(true));
    let shown = columns.iter().zip(answers.into_iter().skip(1));
    Ok(shown
        .filter(|(_, has)| everywhere || *has == Some(true))
        .map(|(column, _)| column.clone())
        .collect())
}

/// NULL, of what the server does not know, is no answer (T-SQL reference, "HAS_PERMS_BY_NAME").
async fn answers(
    client: &mut Client,
    asked: impl Iterator<Item = String>,
) -> Result<Vec<Option<bool>>> {
    let asked: Vec<String> = asked.collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let answer = match client.batch(&format!("SELECT {};", asked.join(", "))).await {
        Ok(answer) => answer,
        // A server that only speaks like SQL Server may not know the question.
        Err(error) if error.number().is_some() => {
            tracing::debug!(%error, "the server does not tell permissions");
            return Ok(vec![None; asked.len()]);
        }
        Err(error) => return Err(error.context("asking for the login's permissions")),
    };
    let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
    asked
        .iter()
        .map(|_| Ok(fields.optional_integer()?.map(|has| has != 0)))
        .collect()
}

fn literal(text: &str) -> String {
    format!("N'{}'", text.replace('\'', "''"))
}

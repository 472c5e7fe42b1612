//! What the login may do, asked before it is done.

use std::fmt;

use crate::driver::Client;
use crate::error::Result;
use crate::introspect::Fields;
use crate::lower;
use crate::name::TableName;
use crate::statement::Statement;

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
    let asked = lower::table_permissions(table, columns, wanted);
    let answers = answers(client, &asked, wanted.len()).await?;
    let without = wanted.iter().zip(answers);
    Ok(without
        .filter_map(|(permission, has)| (has == Some(false)).then_some(*permission))
        .collect())
}

/// Whether the login may create tables in the connection's database, in this schema.
pub(crate) async fn may_create_tables(client: &mut Client, schema: &str) -> Result<bool> {
    let answers = answers(client, &lower::create_permissions(schema), 2).await?;
    Ok(answers.into_iter().all(|has| has != Some(false)))
}

/// Those of the columns whose values the login is shown although they are masked.
pub(crate) async fn unmasked(
    client: &mut Client,
    table: &TableName,
    columns: &[String],
) -> Result<Vec<String>> {
    let asked = lower::unmask_permissions(table, columns);
    let answers = answers(client, &asked, 1 + columns.len()).await?;
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
    asked: &Statement,
    questions: usize,
) -> Result<Vec<Option<bool>>> {
    if questions == 0 {
        return Ok(Vec::new());
    }
    let answer = match client.run(asked).await {
        Ok(answer) => answer,
        // A server that only speaks like SQL Server may not know the question.
        Err(error) if error.number().is_some() => {
            tracing::debug!(%error, "the server does not tell permissions");
            return Ok(vec![None; questions]);
        }
        Err(error) => return Err(error.context("asking for the login's permissions")),
    };
    let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
    (0..questions)
        .map(|_| Ok(fields.optional_integer()?.map(|has| has != 0)))
        .collect()
}

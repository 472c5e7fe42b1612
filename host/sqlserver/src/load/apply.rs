//! What happens within the transaction of a merge.

use super::merge::failpoint;
use super::{Loader, MergeCounts, Position, position};
use crate::error::{Result, SqlServerError};
use crate::introspect::Fields;
use crate::lower::merge::MergeStatements;
use crate::statement::Statement;

impl Loader<'_> {
    /// Merges, moves the position and commits.
    pub(super) async fn apply(
        &mut self,
        statements: &MergeStatements,
        position: &Position,
        mut counts: MergeCounts,
    ) -> Result<MergeCounts> {
        self.connection
            .claim_position(position, self.target)
            .await?;
        failpoint("sqlserver::before-merge")?;
        if self.rows > 0 {
            let merging =
                |error: SqlServerError| error.context(format!("merging into {}", self.target.name));
            let to_empty = match &statements.apply_to_empty {
                Some(insert) if self.finds_empty(position).await.map_err(merging)? => Some(insert),
                _ => None,
            };
            // Where there is no row, none is superseded.
            let successions = match to_empty {
                Some(_) => &[],
                None => statements.successions.as_slice(),
            };
            for succession in successions {
                let note = &succession.note;
                self.connection.client.run(note).await.map_err(merging)?;
            }
            let apply = to_empty.unwrap_or(&statements.apply);
            let mut fields = self
                .run_with_identity(apply, &statements.identity_insert)
                .await
                .map_err(merging)?;
            counts.inserted = count(fields.integer().map_err(merging)?)?;
            counts.updated = count(fields.integer().map_err(merging)?)?;
            counts.deleted = count(fields.integer().map_err(merging)?)?;
            failpoint("sqlserver::after-merge")?;
            for succession in successions {
                let mut fields = self
                    .run_with_identity(&succession.add, &succession.identity_insert)
                    .await
                    .map_err(merging)?;
                counts.inserted += count(fields.integer().map_err(merging)?)?;
            }
        }
        self.connection
            .client
            .run(&position::count(position, self.target, &counts))
            .await
            .map_err(|error| {
                error.context(format!("writing the position of {}", self.target.name))
            })?;
        failpoint("sqlserver::before-commit")?;
        self.connection
            .client
            .batch("COMMIT TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED;")
            .await
            .map_err(|error| {
                error.context(format!("committing the merge into {}", self.target.name))
            })?;
        Ok(counts)
    }

    /// Whether this is the first load into a table without rows, which then stays so until the transaction
    /// ends. A MERGE would look each row up in nothing and write its action into a table variable, which also
    /// keeps SQL Server from using several processors (T-SQL reference, "table").
    async fn finds_empty(&mut self, position: &Position) -> Result<bool> {
        // Where lock hints are not honoured, as on Babelfish, another session may still insert.
        if position.previous.is_some() || self.connection.server.is_babelfish {
            return Ok(false);
        }
        // Looks without a lock first: a table with rows is not to be locked as a whole.
        for lock in ["", " WITH (TABLOCKX, HOLDLOCK)"] {
            let sql = format!(
                "SELECT CASE WHEN EXISTS (SELECT 1 FROM {}{lock}) THEN 1 ELSE 0 END;",
                self.target.name.sql()
            );
            let answer = self.connection.client.batch(&sql).await?;
            let row = answer.rows().into_iter().next().unwrap_or_default();
            if Fields::of(row).flag()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs a statement, while the table's identity column takes values if it needs them, and gives its counts.
    async fn run_with_identity(
        &mut self,
        statement: &Statement,
        identity_insert: &Option<String>,
    ) -> Result<Fields> {
        self.set_identity_insert(identity_insert, "ON").await?;
        let answer = self.connection.client.run(statement).await?;
        self.set_identity_insert(identity_insert, "OFF").await?;
        // A trigger of the target may have results of its own; the counts come last.
        let rows = answer.results.into_iter().next_back().unwrap_or_default();
        Ok(Fields::of(rows.into_iter().next().unwrap_or_default()))
    }

    async fn set_identity_insert(&mut self, table: &Option<String>, on: &str) -> Result<()> {
        if let Some(table) = table {
            let setting = format!("SET IDENTITY_INSERT {table} {on};");
            self.connection.client.batch(&setting).await?;
        }
        Ok(())
    }

    /// Undoes what is not committed. Should that fail, the session's end does it.
    pub(super) async fn roll_back(&mut self, statements: &MergeStatements) {
        let undone = self
            .connection
            .client
            .batch(
                "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED;",
            )
            .await;
        if let Err(error) = undone {
            tracing::debug!(%error, "rolling back: the connection is gone, and the transaction with it");
        }
        let added = statements.successions.iter().map(|s| &s.identity_insert);
        let table = std::iter::once(&statements.identity_insert).chain(added);
        if let Some(table) = table.into_iter().find(|table| table.is_some())
            && let Err(error) = self.set_identity_insert(table, "OFF").await
        {
            tracing::debug!(%error, "IDENTITY_INSERT was off already");
        }
    }
}

pub(super) fn count(value: i64) -> Result<u64> {
    u64::try_from(value)
        .map_err(|_| SqlServerError::protocol(format!("the server counted {value} rows")))
}

//! The transaction in which a staged delta and its position land.

use icehost_plan::{Delta, ValidMergePlan};

use super::{Loader, Position, position};
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::introspect::Fields;
use crate::lower::merge::{self, MergeStatements};
use crate::name::quote;
use crate::statement::Statement;

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MergeCounts {
    /// Rows that are new in the target.
    pub inserted: u64,
    /// Rows of the target that were written again.
    pub updated: u64,
    /// Rows that are gone from the target.
    pub deleted: u64,
    /// Rows of the delta that gave way to another of the same key.
    pub duplicates_removed: u64,
}

impl Loader<'_> {
    /// Carries out the plan and moves the position, in one transaction, and drops the staging table. With
    /// no row staged, only the position moves.
    ///
    /// The plan must have been validated against `delta` and the target; `delta.columns` are those given to
    /// [`Loader::begin`].
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) where another run has moved the target, [`ErrorKind::Data`](crate::ErrorKind::Data) for a value that
    /// the target cannot hold, [`ErrorKind::Plan`](crate::ErrorKind::Plan) for a plan that SQL Server cannot carry out, and whatever
    /// the server reports. Nothing has changed then, unless the connection broke during the very commit:
    /// [`Connection::read_position`](crate::Connection::read_position) tells.
    pub async fn merge(
        mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
        position: &Position,
    ) -> Result<MergeCounts> {
        let result = self.prepare_and_apply(plan, delta, position).await;
        let dropped = self
            .connection
            .client
            .batch(&format!("DROP TABLE {};", quote(&self.staging.table)))
            .await;
        if let (Ok(_), Err(error)) = (&result, dropped) {
            // The merge is committed; the session's end drops the table as well.
            tracing::warn!(%error, table = self.staging.table, "a staging table could not be dropped");
        }
        result
    }

    async fn prepare_and_apply(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
        position: &Position,
    ) -> Result<MergeCounts> {
        self.end_load().await?;
        let has_merge = self.connection.server.has_merge;
        let statements = merge::lower(self.target, &self.staging, delta, plan, has_merge)?;
        self.warn_of_loose_key(plan);
        let mut counts = MergeCounts::default();
        if self.rows > 0 {
            self.verify_nulls(plan, delta)?;
            self.verify_code_pages().await?;
            counts.duplicates_removed = self.deduplicate(&statements).await?;
        }
        failpoint("sqlserver::after-stage")?;
        self.begin_transaction(has_merge).await?;
        match self.apply(&statements, position, counts).await {
            Ok(counts) => {
                failpoint("sqlserver::after-commit")?;
                Ok(counts)
            }
            Err(error) => {
                self.roll_back(&statements).await;
                Err(error)
            }
        }
    }

    /// Says so where the plan's key is not a unique key of the target: then one row of the delta may meet
    /// several of the target, and they are all written.
    fn warn_of_loose_key(&self, plan: &ValidMergePlan) {
        // Where only some of the rows take part, no key of the whole table is to be expected.
        if plan.keys.is_empty() || plan.among.is_some() {
            return;
        }
        let mut names: Vec<&str> = Vec::with_capacity(plan.keys.len());
        for key in &plan.keys {
            if let Some(column) = self.target.columns.get(key.target as usize) {
                names.push(&column.name);
            }
        }
        let covered =
            |unique: &Vec<String>| unique.iter().all(|column| names.contains(&column.as_str()));
        if !self.target.unique_keys.iter().any(covered) {
            tracing::warn!(
                table = %self.target.name,
                key = names.join(", "),
                "the merge key is no unique key of the target: a row of the delta may change several of its \
                 rows, and without an index on the key every merge reads the whole table"
            );
        }
    }

    async fn deduplicate(&mut self, statements: &MergeStatements) -> Result<u64> {
        let Some(statement) = &statements.deduplicate else {
            return Ok(0);
        };
        let answer = self
            .connection
            .client
            .run(statement)
            .await
            .map_err(|error| {
                error.context(format!(
                    "removing duplicate keys before merging into {}",
                    self.target.name
                ))
            })?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        count(Fields::of(row).integer()?)
    }

    /// HOLDLOCK protects the keys that MERGE looks for; the statements that replace it need it throughout.
    async fn begin_transaction(&mut self, has_merge: bool) -> Result<()> {
        let client = &mut self.connection.client;
        if !has_merge {
            match client
                .batch("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN TRANSACTION;")
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {
                    tracing::warn!(
                        %error,
                        table = %self.target.name,
                        "merging without SERIALIZABLE: only a unique key of the target keeps others from \
                         inserting a key of the delta meanwhile"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        client
            .batch("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN TRANSACTION;")
            .await?;
        Ok(())
    }

    async fn apply(
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
    async fn roll_back(&mut self, statements: &MergeStatements) {
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

fn count(value: i64) -> Result<u64> {
    u64::try_from(value)
        .map_err(|_| SqlServerError::protocol(format!("the server counted {value} rows")))
}

/// A place where a test makes the load fail, as if the connection broke there.
#[cfg(feature = "failpoints")]
fn failpoint(name: &str) -> Result<()> {
    fail::fail_point!(name, |argument| {
        if argument.as_deref() == Some("crash") {
            std::process::abort();
        }
        Err(SqlServerError::new(
            ErrorKind::ConnectionLost,
            format!("failed at {name}, as the test asked"),
        ))
    });
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
fn failpoint(_name: &str) -> Result<()> {
    Ok(())
}

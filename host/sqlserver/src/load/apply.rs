//! What happens within the transaction of a merge.

use super::{Absent, Loader, MergeCounts, Position, position, target_state};
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::failpoint;
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
        self.connection
            .forget_positions(&self.terms.replaces, self.target)
            .await?;
        self.connection
            .mark_positions(&self.terms.marks, &position.run_id, self.target)
            .await?;
        failpoint(failpoint::BEFORE_MERGE)?;
        let target = self.target;
        let merging =
            |error: SqlServerError| error.context(format!("merging into {}", target.name));
        let expected = self.terms.into_empty || self.terms.found_empty;
        let empty = match expected || position.previous.is_none() {
            true => self.finds_empty().await.map_err(merging)?,
            false => false,
        };
        if self.terms.into_empty && !empty {
            return Err(self.filled());
        }
        let absent = match empty {
            true => 0,
            false => self.complete(statements).await?,
        };
        if self.rows > 0 || absent > 0 {
            let mut taken_out = 0;
            if !empty {
                taken_out = self.take_out_repeated(statements).await?;
                self.check_matches(statements).await?;
            }
            let to_empty = match &statements.apply_to_empty {
                Some(insert) if empty => Some(insert),
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
            counts.deleted = taken_out + count(fields.integer().map_err(merging)?)?;
            failpoint(failpoint::AFTER_MERGE)?;
            for succession in successions {
                let mut fields = self
                    .run_with_identity(&succession.add, &succession.identity_insert)
                    .await
                    .map_err(merging)?;
                counts.inserted += count(fields.integer().map_err(merging)?)?;
            }
        }
        if let Some(still_gone) = self.terms.still_gone.clone() {
            // Whoever writes one of the keys from here on waits for the commit.
            let known = self.connection.known_positions(target).await;
            if !still_gone(known.map_err(merging)?).await {
                return Err(self.moved_meanwhile());
            }
        }
        self.settle(position, &counts).await?;
        failpoint(failpoint::BEFORE_COMMIT)?;
        self.committing = self.terms.committing.as_ref().map(|begin| begin());
        self.connection
            .client
            .batch("COMMIT TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED;")
            .await
            .map_err(|error| {
                error.context(format!("committing the merge into {}", self.target.name))
            })?;
        Ok(counts)
    }

    /// Adds to what is staged the rows of the target that go without being named, and refuses what must not be added or go.
    /// Only the staging table is written to. How many rows are absent.
    pub(super) async fn complete(&mut self, statements: &MergeStatements) -> Result<u64> {
        let target = self.target;
        let merging =
            |error: SqlServerError| error.context(format!("merging into {}", target.name));
        if self.terms.there_already {
            self.refuse_what_is_there(statements).await?;
        }
        let absent = self.absent(statements).await.map_err(merging)?;
        // What is absent goes, however it is spelled.
        let covered = self.terms.delete_absent && statements.absent.is_some();
        if let Some(stage) = self.other_spellings.as_ref().filter(|_| !covered) {
            let answer = self.connection.client.run(stage).await.map_err(merging)?;
            let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
            let others = fields.integer().map_err(merging)?;
            if others > 0 && self.terms.spellings_of_others {
                return Err(self.spelled_by_others(others));
            }
        }
        Ok(absent)
    }

    /// Writes what the merge did into the position, and which table it did it to. The merge's locks keep that
    /// table from being dropped before the commit; where it was before the merge, this run has not seen the one
    /// that is there now.
    async fn settle(&mut self, position: &Position, counts: &MergeCounts) -> Result<()> {
        let writing = |error: SqlServerError| {
            error.context(format!("writing the position of {}", self.target.name))
        };
        let name = &self.target.name;
        let identity = self
            .connection
            .table_identity(name)
            .await
            .map_err(writing)?
            .filter(|now| {
                now.object_id == self.target.object_id
                    && self.terms.target.as_ref().is_none_or(|known| known == now)
            })
            .ok_or_else(|| target_state::replaced(name))?;
        let (_, rows) = self
            .connection
            .rows_there(name, identity.object_id)
            .await
            .map_err(writing)?;
        let layout = self.connection.positions;
        let settle = position::settle(layout, position, self.target, counts, &identity, rows);
        self.connection.client.run(&settle).await.map_err(writing)?;
        Ok(())
    }

    /// Deals with the rows of the target that are not staged, where what is staged is all there is: makes their
    /// deletions if that is wanted, and asks whether so many may go. How many will.
    async fn absent(&mut self, statements: &MergeStatements) -> Result<u64> {
        let as_deletions = statements.absent.as_ref();
        let as_deletions = as_deletions.filter(|_| self.terms.delete_absent);
        if let Some(deletions) = as_deletions {
            self.connection.client.run(&deletions.stage).await?;
        }
        let count_them = as_deletions.map(|deletions| &deletions.count);
        let Some(statement) = count_them.or(statements.count_unmatched.as_ref()) else {
            return Ok(0);
        };
        let answer = self.connection.client.run(statement).await?;
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        let absent = Absent {
            rows: count(fields.integer()?)?,
            of: count(fields.integer()?)?,
        };
        let allowed = match &self.terms.may_delete {
            Some(may_delete) => may_delete(absent),
            None => true,
        };
        if absent.rows > 0 && !allowed {
            return Err(SqlServerError::new(
                ErrorKind::Deletions(absent),
                format!(
                    "{} of {} rows would go because they are absent",
                    absent.rows, absent.of
                ),
            ));
        }
        Ok(absent.rows)
    }

    /// Takes out the rows of the target that have a key of the delta in common, where they are to be replaced.
    async fn take_out_repeated(&mut self, statements: &MergeStatements) -> Result<u64> {
        let statement = statements.checks.take_out_repeated.as_ref();
        let Some(statement) = statement.filter(|_| self.terms.replace_repeated) else {
            return Ok(0);
        };
        let answer = self.connection.client.run(statement).await?;
        // A trigger of the target may have results of its own; the count comes last.
        let rows = answer.results.into_iter().next_back().unwrap_or_default();
        count(Fields::of(rows.into_iter().next().unwrap_or_default()).integer()?)
    }

    fn spelled_by_others(&self, rows: i64) -> SqlServerError {
        SqlServerError::unsupported(format!(
            "{} has {rows} row{} whose keys are one with keys of the delta by the source's collation and not by its own, and \
             other lake tables are delivered into it: whose rows they are cannot be told",
            self.target.name,
            if rows == 1 { "" } else { "s" }
        ))
        .with_hint(
            "say with --keys-never-move that no key is ever in several of the lake tables, or give the key column the source's \
             collation",
        )
    }

    fn moved_meanwhile(&self) -> SqlServerError {
        SqlServerError::new(
            ErrorKind::Conflict,
            format!(
                "another lake table has been delivered into {} meanwhile, which may have keys that were to go",
                self.target.name
            ),
        )
        .with_hint("run again: it starts with what is there now")
    }

    fn filled(&self) -> SqlServerError {
        SqlServerError::new(
            ErrorKind::Conflict,
            format!(
                "{} was empty, and another session has added rows meanwhile",
                self.target.name
            ),
        )
        .with_hint("run again: it starts with the rows that are there now")
    }

    /// Whether the table has no row, and then it stays so until the transaction ends. A MERGE would look each row
    /// up in nothing and write its action into a table variable, which also keeps SQL Server from using several
    /// processors (T-SQL reference, "table").
    async fn finds_empty(&mut self) -> Result<bool> {
        // Where lock hints are not honoured, another session may still insert: what must be empty is looked at all
        // the same, and what need not be takes the way that is safe.
        if self.connection.server.quirks.ignores_lock_hints && !self.terms.into_empty {
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

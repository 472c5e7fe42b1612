//! The transaction in which a staged delta and its position land.

use icehost_plan::{Delta, ValidMergePlan};

use super::{Loader, Position};
use crate::error::{ErrorKind, Result};
use crate::failpoint;
use crate::lower::merge::{self, MergeStatements};
use crate::name::quote;

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
        let dropped = self.drop_staging().await;
        if let (Ok(_), Err(error)) = (&result, dropped) {
            // The merge is committed; the session's end drops the table as well.
            tracing::warn!(%error, table = self.staging.table, "a staging table could not be dropped");
        }
        result
    }

    /// Gives up what is staged, and drops the staging table.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn discard(mut self) -> Result<()> {
        self.end_load().await?;
        self.drop_staging().await
    }

    async fn drop_staging(&mut self) -> Result<()> {
        let drop = format!("DROP TABLE {};", quote(&self.staging.table));
        self.connection.client.batch(&drop).await?;
        Ok(())
    }

    async fn prepare_and_apply(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
        position: &Position,
    ) -> Result<MergeCounts> {
        let has_merge = self.connection.server.has_merge();
        let (statements, counts) = self.prepare(plan, delta).await?;
        self.warn_of_loose_key(plan);
        failpoint(failpoint::AFTER_STAGE)?;
        self.begin_transaction(has_merge).await?;
        match self.apply(&statements, position, counts).await {
            Ok(counts) => {
                failpoint(failpoint::AFTER_COMMIT)?;
                Ok(counts)
            }
            Err(error) => {
                self.roll_back(&statements).await;
                Err(error)
            }
        }
    }

    /// What is looked for among staged rows before anything is merged.
    async fn prepare(
        &mut self,
        plan: &ValidMergePlan,
        delta: &Delta,
    ) -> Result<(MergeStatements, MergeCounts)> {
        self.end_load().await?;
        let has_merge = self.connection.server.has_merge();
        let statements = merge::lower(self.target, &self.staging, delta, plan, has_merge)?;
        let mut counts = MergeCounts::default();
        if self.rows > 0 {
            self.verify_nulls(plan, delta)?;
            self.verify_nulls_of_changes(plan, delta).await?;
            self.verify_code_pages().await?;
            counts = self.deduplicate(&statements).await?;
            counts.duplicates_removed += self.gave_way;
        }
        Ok((statements, counts))
    }

    /// Asks what [`Loader::merge`] asks before it writes, writes nothing, and drops the staging table.
    ///
    /// # Errors
    /// Those of [`Loader::merge`] that show beforehand.
    pub async fn rehearse(mut self, plan: &ValidMergePlan, delta: &Delta) -> Result<()> {
        let asked = self.ask(plan, delta).await;
        let dropped = self.drop_staging().await;
        asked.and(dropped)
    }

    async fn ask(&mut self, plan: &ValidMergePlan, delta: &Delta) -> Result<()> {
        let (statements, _) = self.prepare(plan, delta).await?;
        if self.terms.found_empty {
            return Ok(());
        }
        let absent = self.complete(&statements).await?;
        match self.rows > 0 || absent > 0 {
            true => self.check_matches(&statements).await,
            false => Ok(()),
        }
    }

    /// Says so where the plan's key is not a unique key of the target.
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
                "the merge key is no unique key of the target: every merge looks whether it is unique all the same, and \
                 without an index on the key reads the whole table"
            );
        }
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
}

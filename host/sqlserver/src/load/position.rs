//! How far a target has followed a table of the lake: a row in the target's own database, written in the
//! same transaction as the rows that it speaks of.

use icehost_plan::{Length, SqlType, Value};
use uuid::Uuid;

use super::MergeCounts;
use crate::connection::Connection;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::introspect::{Fields, SqlTable};
use crate::statement::{Parameters, Statement};

/// The table of positions, in the database of the targets.
pub(super) const TABLE: &str = "[dbo].[icehost_positions]";

/// `There is already an object named …`
const ALREADY_EXISTS: u32 = 2714;

const NVARCHAR: SqlType = SqlType::NVarChar(Length::Limited(4000));

/// The key of 16 + 880 bytes stays below the 900 of a clustered index (T-SQL reference, "Maximum capacity
/// specifications").
const CREATE: &str = "CREATE TABLE [dbo].[icehost_positions] (
    [lake_uuid] uniqueidentifier NOT NULL,
    [target_table] nvarchar(440) NOT NULL,
    [lake_table] nvarchar(1000) NOT NULL,
    [snapshot_id] bigint NOT NULL,
    [run_id] nvarchar(100) NOT NULL,
    [rows_inserted] bigint NOT NULL,
    [rows_updated] bigint NOT NULL,
    [rows_deleted] bigint NOT NULL,
    [updated_at] datetime2(3) NOT NULL,
    PRIMARY KEY CLUSTERED ([lake_uuid], [target_table])
);";

/// The position that a merge reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The lake table's name, for people.
    pub lake_table: String,
    /// The lake table's `table-uuid`, which stays when it is renamed.
    pub lake_uuid: Uuid,
    /// What [`Connection::read_position`] gave before the changes were read. The merge is refused with
    /// [`ErrorKind::Conflict`] where another run has moved the target since.
    pub previous: Option<i64>,
    /// The snapshot whose rows the target has after the merge.
    pub snapshot_id: i64,
    /// The run that did it.
    pub run_id: String,
}

impl Connection {
    /// Creates the table of positions, `dbo.icehost_positions`, where it is missing.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn ensure_positions(&mut self) -> Result<()> {
        if self.has_positions().await? {
            return Ok(());
        }
        match self.client.batch(CREATE).await {
            Ok(_) => Ok(()),
            // Another run was faster.
            Err(error) if error.number() == Some(ALREADY_EXISTS) => Ok(()),
            Err(error) => Err(error
                .context(format!("creating {TABLE}"))
                .with_hint("allow the login to create the table, or create it once by hand")),
        }
    }

    async fn has_positions(&mut self) -> Result<bool> {
        let answer = self
            .client
            .batch(&format!("SELECT OBJECT_ID(N'{TABLE}');"))
            .await?;
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        Ok(fields.optional_integer()?.is_some())
    }

    /// The snapshot of the lake table that `target` has reached; `None` before its first load.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn read_position(
        &mut self,
        lake_uuid: Uuid,
        target: &SqlTable,
    ) -> Result<Option<i64>> {
        if !self.has_positions().await? {
            return Ok(None);
        }
        self.select_position(lake_uuid, target, "").await
    }

    /// Reads the position and keeps others from moving it until the transaction ends.
    pub(super) async fn lock_position(
        &mut self,
        position: &Position,
        target: &SqlTable,
    ) -> Result<()> {
        let found = self
            .select_position(position.lake_uuid, target, " WITH (UPDLOCK, HOLDLOCK)")
            .await?;
        if found == position.previous {
            return Ok(());
        }
        let shown = |id: Option<i64>| id.map_or("none".to_owned(), |id| id.to_string());
        Err(SqlServerError::new(
            ErrorKind::Conflict,
            format!(
                "another run has moved {} from snapshot {} to {} meanwhile",
                target.name,
                shown(position.previous),
                shown(found)
            ),
        )
        .with_hint("run again: it starts where the other run ended"))
    }

    async fn select_position(
        &mut self,
        lake_uuid: Uuid,
        target: &SqlTable,
        hint: &str,
    ) -> Result<Option<i64>> {
        let mut parameters = Parameters::default();
        let uuid = parameters.add(
            SqlType::UniqueIdentifier,
            Value::Uuid(lake_uuid.into_bytes()),
        );
        let name = parameters.add(NVARCHAR, Value::Text(key(target)));
        let statement = parameters.finish(format!(
            "SELECT [snapshot_id] FROM {TABLE}{hint} WHERE [lake_uuid] = {uuid} AND [target_table] = {name};"
        ));
        let answer =
            self.client.run(&statement).await.map_err(|error| {
                error.context(format!("reading the position of {}", target.name))
            })?;
        match answer.rows().into_iter().next() {
            Some(row) => Fields::of(row).optional_integer(),
            None => Ok(None),
        }
    }
}

/// The target's name as the positions have it: quoted, as the server spells it.
fn key(target: &SqlTable) -> String {
    target.name.sql()
}

/// Writes the position.
pub(super) fn write(position: &Position, target: &SqlTable, counts: &MergeCounts) -> Statement {
    let mut parameters = Parameters::default();
    let uuid = parameters.add(
        SqlType::UniqueIdentifier,
        Value::Uuid(position.lake_uuid.into_bytes()),
    );
    let mut text = |text: &str| parameters.add(NVARCHAR, Value::Text(text.to_owned()));
    let (name, lake_table, run_id) = (
        text(&key(target)),
        text(&position.lake_table),
        text(&position.run_id),
    );
    let mut number = |value: i64| parameters.add(SqlType::BigInt, Value::Integer(value));
    let snapshot = number(position.snapshot_id);
    let (inserted, updated, deleted) = (
        number(counts.inserted as i64),
        number(counts.updated as i64),
        number(counts.deleted as i64),
    );
    parameters.finish(format!(
        "UPDATE {TABLE}
SET [lake_table] = {lake_table}, [snapshot_id] = {snapshot}, [run_id] = {run_id}, [rows_inserted] = {inserted},
    [rows_updated] = {updated}, [rows_deleted] = {deleted}, [updated_at] = SYSUTCDATETIME()
WHERE [lake_uuid] = {uuid} AND [target_table] = {name};
IF @@ROWCOUNT = 0
INSERT INTO {TABLE} ([lake_uuid], [target_table], [lake_table], [snapshot_id], [run_id], [rows_inserted],
    [rows_updated], [rows_deleted], [updated_at])
VALUES ({uuid}, {name}, {lake_table}, {snapshot}, {run_id}, {inserted}, {updated}, {deleted}, SYSUTCDATETIME());"
    ))
}

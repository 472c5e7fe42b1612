//! How far a target has followed a table of the lake: a row in the target's own database, written in the
//! same transaction as the rows that it speaks of.

use icehost_plan::{Length, SqlType, Value};
use uuid::Uuid;

use super::MergeCounts;
use crate::connection::Connection;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::introspect::{Fields, SqlTable};
use crate::name::TableName;
use crate::statement::{Parameters, Statement};

/// The table of positions, in the database of the targets.
pub(super) const TABLE: &str = "[dbo].[icehost_positions]";

/// `There is already an object named …`
const ALREADY_EXISTS: u32 = 2714;
/// `Violation of PRIMARY KEY constraint …`
const DUPLICATE_KEY: u32 = 2627;

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

    /// The table of positions, and whether it is there.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn positions_table(&mut self) -> Result<(TableName, bool)> {
        let there = self.has_positions().await?;
        Ok((TableName::parse(TABLE)?, there))
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
        let mut parameters = Parameters::default();
        let row = row_of(&mut parameters, lake_uuid, target);
        let statement =
            parameters.finish(format!("SELECT [snapshot_id] FROM {TABLE} WHERE {row};"));
        let answer =
            self.client.run(&statement).await.map_err(|error| {
                error.context(format!("reading the position of {}", target.name))
            })?;
        match answer.rows().into_iter().next() {
            Some(row) => Fields::of(row).optional_integer(),
            None => Ok(None),
        }
    }

    /// Moves the position, if it still is where it was read. The row is locked from then on, so that of two
    /// runs that do the same, the second waits for the first and then finds it moved; no lock hint is
    /// needed, which not every server honours.
    pub(super) async fn claim_position(
        &mut self,
        position: &Position,
        target: &SqlTable,
    ) -> Result<()> {
        let mut parameters = Parameters::default();
        let row = row_of(&mut parameters, position.lake_uuid, target);
        let mut text = |text: &str| parameters.add(NVARCHAR, Value::Text(text.to_owned()));
        let (lake_table, run_id) = (text(&position.lake_table), text(&position.run_id));
        let mut number = |value: i64| parameters.add(SqlType::BigInt, Value::Integer(value));
        let snapshot = number(position.snapshot_id);
        let sql = match position.previous {
            Some(previous) => format!(
                "UPDATE {TABLE}
SET [lake_table] = {lake_table}, [snapshot_id] = {snapshot}, [run_id] = {run_id},
    [updated_at] = SYSUTCDATETIME()
WHERE {row} AND [snapshot_id] = {};
SELECT CAST(@@ROWCOUNT AS bigint);",
                number(previous)
            ),
            // @v1 and @v2 are the row's key.
            None => format!(
                "INSERT INTO {TABLE} ([lake_uuid], [target_table], [lake_table], [snapshot_id], [run_id],
    [rows_inserted], [rows_updated], [rows_deleted], [updated_at])
VALUES (@v1, @v2, {lake_table}, {snapshot}, {run_id}, 0, 0, 0, SYSUTCDATETIME());
SELECT CAST(@@ROWCOUNT AS bigint);"
            ),
        };
        let moved = match self.client.run(&parameters.finish(sql)).await {
            Ok(answer) => {
                let row = answer.rows().into_iter().next().unwrap_or_default();
                Fields::of(row).integer()? == 1
            }
            Err(error) if error.number() == Some(DUPLICATE_KEY) => false,
            Err(error) => {
                return Err(error.context(format!("moving the position of {}", target.name)));
            }
        };
        if moved {
            return Ok(());
        }
        let from = match position.previous {
            Some(id) => format!("snapshot {id}"),
            None => "its first load".to_owned(),
        };
        Err(SqlServerError::new(
            ErrorKind::Conflict,
            format!(
                "another run has moved {} on from {from} meanwhile",
                target.name
            ),
        )
        .with_hint("run again: it starts where the other run ended"))
    }
}

/// The target's name as the positions have it: quoted, as the server spells it.
fn key(target: &SqlTable) -> String {
    target.name.sql()
}

/// The condition that finds the target's row, by the parameters `@v1` and `@v2`.
fn row_of(parameters: &mut Parameters, lake_uuid: Uuid, target: &SqlTable) -> String {
    let uuid = Value::Uuid(lake_uuid.into_bytes());
    let uuid = parameters.add(SqlType::UniqueIdentifier, uuid);
    let name = parameters.add(NVARCHAR, Value::Text(key(target)));
    format!("[lake_uuid] = {uuid} AND [target_table] = {name}")
}

/// Adds to the position what the merge did.
pub(super) fn count(position: &Position, target: &SqlTable, counts: &MergeCounts) -> Statement {
    let mut parameters = Parameters::default();
    let row = row_of(&mut parameters, position.lake_uuid, target);
    let mut number = |value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        parameters.add(SqlType::BigInt, Value::Integer(value))
    };
    let sql = format!(
        "UPDATE {TABLE}
SET [rows_inserted] = {}, [rows_updated] = {}, [rows_deleted] = {}
WHERE {row};",
        number(counts.inserted),
        number(counts.updated),
        number(counts.deleted)
    );
    parameters.finish(sql)
}

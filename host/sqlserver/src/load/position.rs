//! How far a target has followed a table of the lake: a row in the target's own database, written in the
//! same transaction as the rows that it speaks of.

use icehost_plan::{SqlType, Value};
use uuid::Uuid;

use super::MergeCounts;
use super::positions_table::{PositionsLayout, TABLE};
use super::target_state::{NVARCHAR, TableIdentity, key};
use crate::connection::Connection;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::failpoint::{self, stands};
use crate::introspect::{Fields, SqlTable};
use crate::statement::{Parameters, Statement};

/// `Violation of PRIMARY KEY constraint …`
const DUPLICATE_KEY: u32 = 2627;

/// The longest location that the table of positions holds, in UTF-16 units.
const MAX_LOCATION: usize = 1000;

/// The position that a merge reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The lake table's name, for people.
    pub lake_table: String,
    /// The lake table's `table-uuid`, which stays when it is renamed.
    pub lake_uuid: Uuid,
    /// Where the lake table lies, so that one that is created again in its place is known for that; `None`
    /// where that cannot be said.
    pub lake_location: Option<String>,
    /// What [`Connection::target_state`] gave before the changes were read. The merge is refused with
    /// [`ErrorKind::Conflict`] where another run has moved the target since.
    pub previous: Option<Previous>,
    /// The snapshot whose rows the target has after the merge.
    pub snapshot_id: i64,
    /// That snapshot's sequence number.
    pub sequence_number: i64,
    /// The run that did it.
    pub run_id: String,
    /// A digest of the merge; `None` where it is not known.
    pub merge: Option<String>,
}

/// The position that a merge starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// The snapshot that it stands at.
    pub snapshot_id: i64,
    /// The run that brought it there: two runs may bring a target to one snapshot, one after the other.
    pub run_id: String,
}

impl Connection {
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
        let sql = match &position.previous {
            Some(previous) => {
                let from = number(previous.snapshot_id);
                let by = parameters.add(NVARCHAR, Value::Text(previous.run_id.clone()));
                format!(
                    "UPDATE {TABLE}
SET [lake_table] = {lake_table}, [snapshot_id] = {snapshot}, [run_id] = {run_id},
    [updated_at] = SYSUTCDATETIME()
WHERE {row} AND [snapshot_id] = {from} AND [run_id] = {by};
SELECT CAST(@@ROWCOUNT AS bigint);"
                )
            }
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
        if moved || !stands(failpoint::GUARD_POSITION) {
            return Ok(());
        }
        let from = match &position.previous {
            Some(previous) => format!("snapshot {}", previous.snapshot_id),
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

    /// Takes away the positions of lake tables that another one has replaced.
    pub(super) async fn forget_positions(
        &mut self,
        replaced: &[Uuid],
        target: &SqlTable,
    ) -> Result<()> {
        for &lake_uuid in replaced {
            let mut parameters = Parameters::default();
            let row = row_of(&mut parameters, lake_uuid, target);
            let statement = parameters.finish(format!("DELETE FROM {TABLE} WHERE {row};"));
            self.client.run(&statement).await.map_err(|error| {
                error.context(format!(
                    "removing the position of a lake table that is gone from {}",
                    target.name
                ))
            })?;
        }
        Ok(())
    }

    /// Notes which table a position of an earlier version belongs to, where nothing else is to be written. It
    /// is left as it is where another run has moved it meanwhile, or where the table of positions cannot say so.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn adopt_position(
        &mut self,
        position: &Position,
        target: &SqlTable,
        identity: &TableIdentity,
        rows: Option<u64>,
    ) -> Result<()> {
        let Some(previous) = &position.previous else {
            return Ok(());
        };
        let layout = self.ensure_positions().await?;
        if !layout.is_bound() {
            return Ok(());
        }
        let mut parameters = Parameters::default();
        let row = row_of(&mut parameters, position.lake_uuid, target);
        let by = parameters.add(NVARCHAR, Value::Text(previous.run_id.clone()));
        let belongs = belongs(&mut parameters, layout, position, identity, rows);
        let statement = parameters.finish(format!(
            "UPDATE {TABLE}\nSET {belongs}, [updated_at] = SYSUTCDATETIME()\nWHERE {row} AND [run_id] = {by};"
        ));
        self.client.run(&statement).await.map_err(|error| {
            error.context(format!(
                "noting what the position of {} belongs to",
                target.name
            ))
        })?;
        Ok(())
    }
}

/// The condition that finds the target's row, by the parameters `@v1` and `@v2`.
pub(super) fn row_of(parameters: &mut Parameters, lake_uuid: Uuid, target: &SqlTable) -> String {
    let uuid = Value::Uuid(lake_uuid.into_bytes());
    let uuid = parameters.add(SqlType::UniqueIdentifier, uuid);
    let name = parameters.add(NVARCHAR, Value::Text(key(target)));
    format!("[lake_uuid] = {uuid} AND [target_table] = {name}")
}

/// Assignments that say which table and which line of the lake a position belongs to.
fn belongs(
    parameters: &mut Parameters,
    layout: PositionsLayout,
    position: &Position,
    identity: &TableIdentity,
    rows: Option<u64>,
) -> String {
    let object = parameters.add(SqlType::Int, Value::Integer(identity.object_id.into()));
    let created = match &identity.created {
        // The text has all digits that the type has (style 121).
        Some(created) => {
            let text = parameters.add(NVARCHAR, Value::Text(created.clone()));
            format!("CONVERT(datetime, {text}, 121)")
        }
        None => "NULL".to_owned(),
    };
    let rows = match rows.and_then(|rows| i64::try_from(rows).ok()) {
        Some(rows) => parameters.add(SqlType::BigInt, Value::Integer(rows)),
        None => "NULL".to_owned(),
    };
    let location = match &position.lake_location {
        Some(location) if location.encode_utf16().count() <= MAX_LOCATION => {
            parameters.add(NVARCHAR, Value::Text(location.clone()))
        }
        _ => "NULL".to_owned(),
    };
    let sequence = parameters.add(SqlType::BigInt, Value::Integer(position.sequence_number));
    let merge = match (layout, &position.merge) {
        (PositionsLayout::Current, Some(merge)) => {
            let merge = parameters.add(NVARCHAR, Value::Text(merge.clone()));
            format!(", [merge_digest] = {merge}")
        }
        (PositionsLayout::Current, None) => ", [merge_digest] = NULL".to_owned(),
        _ => String::new(),
    };
    format!(
        "[target_object_id] = {object}, [target_created] = {created}, [target_rows] = {rows},
    [lake_location] = {location}, [lake_sequence] = {sequence}{merge}"
    )
}

/// Adds to the position what the merge did, and which table it did it to.
pub(super) fn settle(
    layout: PositionsLayout,
    position: &Position,
    target: &SqlTable,
    counts: &MergeCounts,
    identity: &TableIdentity,
    rows: Option<u64>,
) -> Statement {
    let mut parameters = Parameters::default();
    let row = row_of(&mut parameters, position.lake_uuid, target);
    let mut number = |value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        parameters.add(SqlType::BigInt, Value::Integer(value))
    };
    let (inserted, updated, deleted) = (
        number(counts.inserted),
        number(counts.updated),
        number(counts.deleted),
    );
    let belongs = match layout {
        PositionsLayout::Bound | PositionsLayout::Current => {
            format!(
                ",\n    {}",
                belongs(&mut parameters, layout, position, identity, rows)
            )
        }
        PositionsLayout::Earlier | PositionsLayout::Missing => String::new(),
    };
    parameters.finish(format!(
        "UPDATE {TABLE}
SET [rows_inserted] = {inserted}, [rows_updated] = {updated}, [rows_deleted] = {deleted}, [updated_at] = SYSUTCDATETIME(){belongs}
WHERE {row};"
    ))
}

//! The target's position: how far it has followed the lake, and what else is noted of it.

use icehost_lake::LakeTable;
use icehost_sqlserver::{Position, Previous, TargetState};
use uuid::Uuid;

use crate::SyncError;
use crate::delivery::start::{Line, Situation};
use crate::delivery::table::OpenTarget;
use crate::error::Doing;

/// The position of a target that has every row of the line.
pub(crate) fn position(
    lake: &LakeTable,
    line: &Line,
    state: &TargetState,
    run_id: Uuid,
) -> Position {
    Position {
        lake_table: lake.name().to_owned(),
        lake_uuid: lake.uuid(),
        lake_location: line.location.clone(),
        previous: state.own.as_ref().map(|own| Previous {
            snapshot_id: own.snapshot_id,
            run_id: own.run_id.clone(),
        }),
        snapshot_id: line.current,
        sequence_number: line.sequence_number(),
        run_id: run_id.to_string(),
        merge: None,
    }
}

/// Notes of a target that is where it should be what was found out about it.
pub(crate) async fn confirm(
    target: &mut OpenTarget,
    situation: &Situation<'_>,
    position: &Position,
) -> Result<(), SyncError> {
    let marks = situation.marks();
    target
        .connection
        .mark_positions(&marks, &position.run_id, &target.table)
        .await
        .doing(|| format!("writing the position of target table {}", target.table.name))?;
    adopt(target, situation.state, position).await
}

/// Notes which table a position belongs to where that is not known yet, or what has changed of it.
async fn adopt(
    target: &mut OpenTarget,
    state: &TargetState,
    position: &Position,
) -> Result<(), SyncError> {
    let noted = state.own.as_ref().is_some_and(|own| {
        own.target.as_ref() == Some(&state.identity)
            && own.target_rows == state.rows
            && own.loss.is_none()
            && own.lake_location == position.lake_location
            && own.sequence_number.is_some()
            && own.merge == position.merge
    });
    if noted {
        return Ok(());
    }
    target
        .connection
        .adopt_position(position, &target.table, &state.identity, state.rows)
        .await
        .doing(|| format!("writing the position of target table {}", target.table.name))
}

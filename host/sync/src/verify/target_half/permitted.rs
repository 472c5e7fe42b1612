//! What the next delivery does and the login may not.
//!
//! To compare, it is enough to read, and another login may be the one that runs: so it is told, and stops nothing.

use icehost_plan::MergePlan;

use crate::SyncError;
use crate::delivery::permissions::{position_permissions, table_permissions};
use crate::delivery::table::OpenTarget;

/// What a run of this login would end with.
///
/// # Errors
/// Those of asking.
pub(crate) async fn told(
    open: &mut OpenTarget,
    plan: &MergePlan,
) -> Result<Vec<String>, SyncError> {
    let of_table = table_permissions(open, plan).await;
    let of_position = position_permissions(&mut open.connection).await;
    let mut notes = Vec::new();
    for asked in [of_table, of_position] {
        match asked {
            Ok(()) => {}
            Err(SyncError::Permission { message, .. }) => notes.push(format!(
                "{message}: that is enough to compare, and a run of this login would stop"
            )),
            Err(error) => return Err(error),
        }
    }
    Ok(notes)
}

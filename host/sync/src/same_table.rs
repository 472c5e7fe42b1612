//! A target that is the source would have its own rows written again, and its triggers run.

use icehost_sqlserver::{ConnectOptions, Connection, Endpoint, Result, TableName, TableOnServer};

use crate::{Source, SyncError, Target};

/// Refuses a target that is the source, by whatever names they are reached. What cannot be reached, or is not there,
/// is told by the half that needs it.
///
/// # Errors
/// [`SyncError::Settings`] where both are one table.
pub(crate) async fn refuse(source: &Source, target: &Target) -> std::result::Result<(), SyncError> {
    // A table has one name within its database; a target is never a view or a synonym.
    if source.table.table().to_lowercase() != target.table.table().to_lowercase() {
        return Ok(());
    }
    let (from, to) = tokio::join!(
        table(&source.endpoint, &source.table),
        table(&target.endpoint, &target.table)
    );
    match (from, to) {
        (Ok(Some(from)), Ok(Some(to))) if from == to => Err(SyncError::settings(
            format!(
                "target table {} is the source table {} itself: its server says so",
                target.table, source.table
            ),
            "name another table or another database as the target",
        )),
        _ => Ok(()),
    }
}

async fn table(endpoint: &Endpoint, name: &TableName) -> Result<Option<TableOnServer>> {
    let mut connection = Connection::open(endpoint, &ConnectOptions::default()).await?;
    connection.table_on_server(name).await
}

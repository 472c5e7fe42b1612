//! A target that is the source would have its own rows written again, and its triggers run.

use icehost_sqlserver::{
    BaseColumn, ConnectOptions, Connection, Endpoint, Result, TableName, TableOnServer,
};

use crate::error::Doing;
use crate::source::open::OpenSource;
use crate::{Source, SyncError, Target};

/// Refuses a target that is the source, by whatever names they are reached, before the lake has its rows. What cannot
/// be reached, or is not there, is told by the half that needs it, and that looks again.
///
/// # Errors
/// [`SyncError::Settings`] where both are one table.
pub(crate) async fn refuse(source: &Source, target: &Target) -> std::result::Result<(), SyncError> {
    // A table has one name within its database; a target is never a view or a synonym.
    if source.table.table().to_lowercase() != target.table.table().to_lowercase() {
        return Ok(());
    }
    let (from, to) = tokio::join!(
        table(&source.endpoint, &source.connect, &source.table),
        table(&target.endpoint, &target.connect, &target.table)
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

/// Refuses a target that the source, a view, is over, as far as its server tells.
///
/// # Errors
/// [`SyncError::Settings`] where columns of the view are of the target; those of the source.
pub(crate) async fn refuse_under_view(
    source: &mut OpenSource,
    target: &Target,
) -> std::result::Result<(), SyncError> {
    if !source.table.is_view {
        return Ok(());
    }
    let view = &source.table.name;
    let doing = || format!("opening source table {view}");
    let bases = source.connection.base_columns(view).await.doing(doing)?;
    let alike = |base: &&BaseColumn| {
        base.table.table().to_lowercase() == target.table.table().to_lowercase()
    };
    let mut names: Vec<&TableName> = bases.iter().filter(alike).map(|base| &base.table).collect();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    let Ok(Some(to)) = table(&target.endpoint, &target.connect, &target.table).await else {
        return Ok(());
    };
    for name in names {
        let there = source.connection.table_on_server(name).await.doing(doing)?;
        if there.as_ref() == Some(&to) {
            return Err(SyncError::settings(
                format!(
                    "target table {} is what the source {view}, a view, is over: its server says so",
                    target.table
                ),
                "name another table or another database as the target",
            ));
        }
    }
    Ok(())
}

async fn table(
    endpoint: &Endpoint,
    connect: &ConnectOptions,
    name: &TableName,
) -> Result<Option<TableOnServer>> {
    let mut connection = Connection::open(endpoint, connect).await?;
    connection.table_on_server(name).await
}

//! A target that is the source would have its own rows written again, and its triggers run.

use icehost_lake::LakeTable;
use icehost_sqlserver::{
    BaseColumn, ConnectOptions, Connection, Endpoint, Result, TableName, TableOnServer,
};
use sha2::{Digest, Sha256};

use crate::detection::OpenSource;
use crate::error::Doing;
use crate::target_table::OpenTarget;
use crate::watermark_store::last_watermark;
use crate::{Source, SyncError, Target};

/// Refuses a target that is the source, by whatever names they are reached, before the lake has its rows. What cannot
/// be reached, or is not there, is told by the half that needs it, and that looks again ([`refuse_origin`]).
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

/// Refuses a target that the lake table was read from, as the watermark has it. This look is the last before anything
/// is written there, and on its connection: one that fails ends the run.
///
/// # Errors
/// [`SyncError::Settings`] where it is; those of the target.
pub(crate) async fn refuse_origin(
    lake: &LakeTable,
    target: &mut OpenTarget,
) -> std::result::Result<(), SyncError> {
    // One that is yet to be created has no rows that were read.
    if target.creation.is_some() {
        return Ok(());
    }
    let Some(origin) = origin(lake).await else {
        return Ok(());
    };
    let name = &target.table.name;
    let there = target.connection.table_on_server(name).await;
    match there.doing(|| format!("looking at target table {name}"))? {
        Some(there) if noted(&there).as_ref() == Some(&origin) => Err(SyncError::settings(
            format!(
                "target table {name} is the table that lake table {} was read from",
                lake.name()
            ),
            "name another table or another database as the target; to put rows of the source back, load into an \
             empty table and copy them from there",
        )),
        _ => Ok(()),
    }
}

async fn origin(lake: &LakeTable) -> Option<String> {
    last_watermark(lake).await?.record.source_digest
}

/// What a watermark has of a table, so that it is known again: the name itself is not for readers of the lake.
pub(crate) fn noted(table: &TableOnServer) -> Option<String> {
    let digest = Sha256::digest(table.lasting()?.as_bytes());
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn table(
    endpoint: &Endpoint,
    connect: &ConnectOptions,
    name: &TableName,
) -> Result<Option<TableOnServer>> {
    let mut connection = Connection::open(endpoint, connect).await?;
    connection.table_on_server(name).await
}

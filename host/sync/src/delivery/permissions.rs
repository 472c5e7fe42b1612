//! What a run needs to be allowed, asked before it is tried.

use std::collections::BTreeSet;

use icehost_plan::{Action, MergePlan, Occasion};
use icehost_sqlserver::{Connection, Permission, TableName, quote};

use crate::SyncError;
use crate::delivery::table::OpenTarget;
use crate::error::Doing;

/// That the login may do what the merge does, or create the table.
pub(crate) async fn table_permissions(
    target: &mut OpenTarget,
    plan: &MergePlan,
) -> Result<(), SyncError> {
    let name = target.table.name.clone();
    let connection = &mut target.connection;
    match target.creation {
        Some(_) => may_create(connection, &name).await,
        None => may(connection, &name, &[], &needed(plan)).await,
    }
}

/// That the login may keep the target's position beside it.
pub(crate) async fn position_permissions(connection: &mut Connection) -> Result<(), SyncError> {
    let positions = connection
        .positions_table()
        .await
        .doing(|| "looking for the table of positions".to_owned())?;
    match positions {
        (positions, true) => {
            let needed = [Permission::Select, Permission::Insert, Permission::Update];
            may(connection, &positions, &[], &needed).await
        }
        (positions, false) => may_create(connection, &positions).await,
    }
}

/// What a merge does to its table (T-SQL reference, "MERGE", permissions).
fn needed(plan: &MergePlan) -> Vec<Permission> {
    let mut needed = BTreeSet::from([Permission::Select]);
    for clause in &plan.clauses {
        match (&clause.action, clause.occasion) {
            (Action::Skip, _) => {}
            (Action::Delete, _) => {
                needed.insert(Permission::Delete);
            }
            (Action::Supersede(_), _) => {
                needed.extend([Permission::Insert, Permission::Update]);
            }
            (_, Occasion::NotMatched) => {
                needed.insert(Permission::Insert);
            }
            (_, Occasion::Matched | Occasion::NotMatchedBySource) => {
                needed.insert(Permission::Update);
            }
        }
    }
    needed.into_iter().collect()
}

/// That the login may do this with a table, or with these columns of it.
///
/// # Errors
/// What it may not, and the statement that grants it.
pub(crate) async fn may(
    connection: &mut Connection,
    table: &TableName,
    columns: &[&str],
    needed: &[Permission],
) -> Result<(), SyncError> {
    let missing = connection
        .missing_permissions(table, columns, needed)
        .await
        .doing(|| format!("asking what the login may do with {table}"))?;
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    Err(SyncError::schema(
        format!(
            "the login has no permission for {} on {table}",
            names.join(", ")
        ),
        format!(
            "grant it: GRANT {} ON {} TO the login's user",
            names.join(", "),
            table.sql()
        ),
    ))
}

async fn may_create(connection: &mut Connection, table: &TableName) -> Result<(), SyncError> {
    let schema = table.schema().unwrap_or("dbo");
    let may = connection
        .may_create_tables(schema)
        .await
        .doing(|| format!("asking whether the login may create {table}"))?;
    match may {
        true => Ok(()),
        false => Err(SyncError::schema(
            format!("{table} is missing, and the login may not create it"),
            format!(
                "create it by hand, or grant it: GRANT CREATE TABLE TO, and GRANT ALTER ON SCHEMA::{} TO the \
                 login's user",
                quote(schema)
            ),
        )),
    }
}

//! Tables, as the server's catalog views describe them.

mod catalog;
mod near;
mod refusal;
mod table;
mod traits;

use icehost_plan::{Collation, Column, ColumnType, Features, SqlType, Table};

pub(crate) use catalog::{Fields, SNAPSHOTS_ON};
pub use table::{SqlColumn, SqlTable};
pub use traits::Traits;

use crate::driver::Client;
use crate::error::{ErrorKind, Result, SqlServerError};
use crate::name::TableName;
use crate::permissions;
use catalog::{CatalogColumn, CatalogKey, Description};

/// Which columns of a table a job carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnSelection {
    /// Only these; `None` for all. Their order does not matter: the table's own is kept.
    pub include: Option<Vec<String>>,
    /// All but these.
    pub exclude: Vec<String>,
    /// Pass over columns of a type that icehost does not carry, instead of refusing the table; right for a
    /// target, which may have more columns than are loaded.
    pub skip_unsupported: bool,
    /// Columns that are carried although the login is shown something else than their values.
    pub masked: Vec<String>,
}

/// Describes a table or view.
pub(crate) async fn introspect(
    client: &mut Client,
    name: &TableName,
    selection: &ColumnSelection,
) -> Result<SqlTable> {
    match catalog::describe(client, name).await? {
        Some(description) => {
            let mut table = assemble(name, description, selection)?;
            table.traits = traits::of(client, &table.name, table.object_id).await?;
            mark_masked(client, &mut table).await?;
            if !selection.skip_unsupported {
                refusal::of_masks(&table, selection)?;
            }
            Ok(table)
        }
        None => {
            if let Some(stands_for) = near::synonym(client, name).await? {
                return Err(SqlServerError::unsupported(format!(
                    "{name} is a synonym of {stands_for}"
                ))
                .with_hint("name that table or view itself"));
            }
            let mut hint =
                "check schema and spelling, and that the login may see the table".to_owned();
            let alike = near::names(client, name).await?;
            if !alike.is_empty() {
                hint = format!("there is {}; {hint}", alike.join(", "));
            }
            Err(SqlServerError::new(
                ErrorKind::NotFound,
                format!("there is no table or view {name} that the login can see"),
            )
            .with_hint(hint))
        }
    }
}

fn assemble(
    name: &TableName,
    description: Description,
    selection: &ColumnSelection,
) -> Result<SqlTable> {
    let name = name.resolved(description.schema, description.table);
    check_names(&name, &description.columns, selection)?;
    let mut columns = Vec::new();
    let mut carried: Vec<(i32, SqlColumn)> = Vec::new();
    let mut skipped = Vec::new();
    for column in description.columns {
        if !is_selected(&column.name, selection) {
            continue;
        }
        if column.encrypted && selection.skip_unsupported {
            let encrypted = format!("{}, encrypted with Always Encrypted", column.type_name);
            skipped.push((column.name, encrypted));
            continue;
        }
        if column.encrypted {
            return Err(SqlServerError::unsupported(format!(
                "table {name}, column '{}': it is encrypted with Always Encrypted, and the server does not know its values",
                column.name
            ))
            .with_hint(format!(
                "leave the column out with --exclude-columns '{}'",
                column.name
            )));
        }
        match column.sql_type() {
            Some(sql_type) => carried.push((column.column_id, column.into_column(sql_type))),
            None if selection.skip_unsupported => skipped.push((column.name, column.type_name)),
            None => {
                return Err(SqlServerError::unsupported(format!(
                    "table {name}, column '{}': icehost does not carry the type {}",
                    column.name, column.type_name
                ))
                .with_hint(format!(
                    "leave the column out with --exclude-columns '{}'",
                    column.name
                )));
            }
        }
    }
    if carried.is_empty() {
        return Err(SqlServerError::unsupported(format!(
            "{name}: no column is left to carry"
        )));
    }
    let keys = carried_keys(&description.keys, &carried);
    let primary = keys.iter().find(|(primary, _)| *primary);
    for (position, (_, column)) in carried.iter().enumerate() {
        let key_position = primary
            .and_then(|(_, key)| key.iter().position(|&ordinal| ordinal == position))
            .and_then(|position| u32::try_from(position).ok());
        columns.push(plan_column(column, key_position));
    }
    let columns_of = |key: &[usize]| -> Vec<String> {
        key.iter()
            .filter_map(|&ordinal| Some(carried.get(ordinal)?.1.name.clone()))
            .collect()
    };
    let unique_keys = keys.iter().map(|(_, key)| columns_of(key)).collect();
    let clustered = description.keys.iter().find(|key| key.clustered);
    let clustered_key = clustered
        .and_then(|key| carried_columns(key, &carried))
        .map_or_else(Vec::new, |key| columns_of(&key));
    let carried: Vec<SqlColumn> = carried.into_iter().map(|(_, column)| column).collect();
    Ok(SqlTable {
        table: Table {
            name: name.to_string(),
            columns,
            features: Features {
                rowversion: carried.iter().any(|c| c.sql_type == SqlType::RowVersion),
                ..Features::default()
            },
            row_estimate: description.row_estimate,
        },
        name,
        object_id: description.object_id,
        created: description.created,
        database: description.database,
        is_view: description.is_view,
        has_triggers: description.has_triggers,
        snapshot_isolation: description.snapshot_isolation,
        columns: carried,
        unique_keys,
        clustered_key,
        traits: Traits::default(),
        skipped,
    })
}

/// Leaves the mark of a mask on those columns whose values the login is not shown (T-SQL reference, "Dynamic
/// data masking"). UNMASK is granted on the database, and since SQL Server 2022 on schemas, tables and columns.
async fn mark_masked(client: &mut Client, table: &mut SqlTable) -> Result<()> {
    let masked = table.columns.iter().filter(|column| column.masked);
    let names: Vec<String> = masked.map(|column| column.name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let shown = permissions::unmasked(client, &table.name, &names).await?;
    for column in &mut table.columns {
        column.masked = column.masked && !shown.contains(&column.name);
    }
    Ok(())
}

/// Names that the selection gives but the table does not have.
fn check_names(
    name: &TableName,
    columns: &[CatalogColumn],
    selection: &ColumnSelection,
) -> Result<()> {
    let chosen = selection.include.iter().flatten().chain(&selection.exclude);
    let wanted = chosen.chain(&selection.masked);
    for wanted in wanted {
        if !columns.iter().any(|column| same(&column.name, wanted)) {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            return Err(SqlServerError::new(
                ErrorKind::NotFound,
                format!("table {name} has no column '{wanted}'"),
            )
            .with_hint(format!("its columns are {}", names.join(", "))));
        }
    }
    Ok(())
}

fn is_selected(name: &str, selection: &ColumnSelection) -> bool {
    let in_list = |list: &[String]| list.iter().any(|other| same(other, name));
    selection.include.as_deref().is_none_or(in_list) && !in_list(&selection.exclude)
}

/// People may write a column's name in any case.
fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// The unique keys whose columns are all carried, as ordinals, the primary key first.
fn carried_keys(keys: &[CatalogKey], carried: &[(i32, SqlColumn)]) -> Vec<(bool, Vec<usize>)> {
    let mut found: Vec<(bool, Vec<usize>)> = keys
        .iter()
        .filter(|key| key.unique)
        .filter_map(|key| Some((key.primary, carried_columns(key, carried)?)))
        .collect();
    found.sort_by_key(|(primary, _)| !primary);
    found
}

/// The key's columns as ordinals, if all are carried.
fn carried_columns(key: &CatalogKey, carried: &[(i32, SqlColumn)]) -> Option<Vec<usize>> {
    key.column_ids
        .iter()
        .map(|id| carried.iter().position(|(column_id, _)| column_id == id))
        .collect()
}

fn plan_column(column: &SqlColumn, key_position: Option<u32>) -> Column {
    Column {
        name: column.name.clone(),
        column_type: ColumnType::Sql(column.sql_type),
        nullable: column.nullable,
        key_position,
        identity: column.identity,
        read_only: column.computed || column.sql_type == SqlType::RowVersion,
        collation: column.collation.as_deref().map(Collation::from_name),
    }
}

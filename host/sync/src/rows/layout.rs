//! How a source's columns lie in the lake, and what the lake remembers of them.

use std::collections::BTreeMap;

use icehost_lake::{LakeTable, NewColumn, NewTable};
use icehost_plan::{Collation, Column, ColumnType, LakeType, Length, SqlType, Table};
use serde::{Deserialize, Serialize};

use crate::{ColumnRule, ColumnRules, SyncError};

/// Table property that holds, as JSON, what the lake's own types do not say of the source's columns.
pub const PROPERTY_SOURCE_COLUMNS: &str = "icehost.source-columns";

/// A source column, remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceColumn {
    #[serde(rename = "type")]
    pub(crate) sql_type: SqlType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collation: Option<String>,
}

/// The lake table that a source table becomes: the same columns in the same order, its primary key as
/// identifier fields.
pub(crate) fn new_lake_table(source: &Table, rules: &ColumnRules) -> Result<NewTable, SyncError> {
    let hashed: Vec<u32> = rules
        .resolve(source)?
        .into_iter()
        .filter_map(|(ordinal, rule)| (*rule == ColumnRule::Hash).then_some(ordinal))
        .collect();
    let columns = source
        .columns
        .iter()
        .map(|column| NewColumn {
            name: column.name.clone(),
            lake_type: column.column_type.lake(),
            required: !column.nullable,
            doc: Some(column.column_type.to_string()),
        })
        .collect();
    let remembered: BTreeMap<&str, SourceColumn> = (0..)
        .zip(&source.columns)
        .filter_map(|(ordinal, column)| match column.column_type {
            ColumnType::Sql(sql_type) => Some((
                column.name.as_str(),
                SourceColumn {
                    sql_type: match (hashed.contains(&ordinal), sql_type.lake()) {
                        (false, _) => sql_type,
                        // What a hash takes
                        (true, LakeType::Binary) => SqlType::VarBinary(Length::Limited(32)),
                        (true, _) => SqlType::NVarChar(Length::Limited(64)),
                    },
                    collation: column.collation.as_ref().map(|c| c.name().to_owned()),
                },
            )),
            ColumnType::Lake(_) => None,
        })
        .collect();
    let property = serde_json::to_string(&remembered).map_err(|e| {
        SyncError::schema(
            format!("cannot describe the columns of {}: {e}", source.name),
            "please report this as a defect",
        )
    })?;
    Ok(NewTable {
        columns,
        identifier: source.key(),
        properties: [(PROPERTY_SOURCE_COLUMNS.to_owned(), property)].into(),
    })
}

/// What a lake table remembers of its source's columns; empty where icehost did not write it.
pub(crate) fn source_columns(table: &LakeTable) -> BTreeMap<String, SourceColumn> {
    table
        .properties()
        .get(PROPERTY_SOURCE_COLUMNS)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The same, with the columns as they are now, where they are known.
pub(crate) fn source_columns_now(
    table: &LakeTable,
    columns: &[Column],
) -> BTreeMap<String, SourceColumn> {
    let mut remembered = source_columns(table);
    for column in columns {
        if let ColumnType::Sql(sql_type) = column.column_type {
            let collation = column.collation.as_ref().map(|c| c.name().to_owned());
            let now = SourceColumn {
                sql_type,
                collation,
            };
            remembered.insert(column.name.clone(), now);
        }
    }
    remembered
}

/// The lake table's columns with the collations of the source, by which its keys are compared.
pub(crate) fn with_collations(table: &LakeTable, mut description: Table) -> Table {
    let remembered = source_columns(table);
    for column in &mut description.columns {
        column.collation = remembered
            .get(&column.name)
            .and_then(|source| source.collation.as_deref())
            .map(Collation::from_name);
    }
    description
}

/// The way on that fits every change of the source's columns.
const ANEW: &str = "move the directory of the lake table away and run again: everything is read anew, and delivered anew \
     into a target, whose columns have to take the values, too";

/// What to do about a source column of another type than the lake's. Iceberg lets some types be widened (Iceberg table
/// spec, "Schema Evolution").
fn other_type(there: LakeType, source: LakeType) -> String {
    let widens = match (there, source) {
        (LakeType::Int, LakeType::Long) | (LakeType::Float, LakeType::Double) => true,
        (
            LakeType::Decimal {
                precision: before,
                scale,
            },
            LakeType::Decimal {
                precision,
                scale: now,
            },
        ) => scale == now && before <= precision,
        _ => false,
    };
    match widens {
        true => format!(
            "widen the column of the lake table to {source}, by another engine, and that of a target; or {ANEW}"
        ),
        false => ANEW.to_owned(),
    }
}

/// Checks that every source column has its place in the lake: one that the lake lacks, or holds in another
/// type, would be lost quietly. Lake columns that the source does not bring become NULL.
pub(crate) fn check_source_fits(
    source_name: &str,
    source: &[Column],
    lake: &Table,
) -> Result<(), SyncError> {
    for column in source {
        let Some(there) = lake.columns.iter().find(|c| c.name == column.name) else {
            return Err(SyncError::schema(
                format!(
                    "source table {source_name} has column '{}', which lake table {} lacks",
                    column.name, lake.name
                ),
                format!(
                    "leave it out with --exclude-columns '{}'; or {ANEW}",
                    column.name
                ),
            ));
        };
        if there.column_type.lake() != column.column_type.lake() {
            return Err(SyncError::schema(
                format!(
                    "column '{}' is {} in source table {source_name}, but {} in lake table {}",
                    column.name, column.column_type, there.column_type, lake.name
                ),
                other_type(there.column_type.lake(), column.column_type.lake()),
            ));
        }
        if column.nullable && !there.nullable {
            return Err(SyncError::schema(
                format!(
                    "column '{}' may be NULL in source table {source_name}, but not in lake table {}",
                    column.name, lake.name
                ),
                format!("let it be NULL in the lake table, by another engine; or {ANEW}"),
            ));
        }
    }
    for there in &lake.columns {
        if !there.nullable && !source.iter().any(|column| column.name == there.name) {
            return Err(SyncError::schema(
                format!(
                    "lake table {} needs column '{}', which source table {source_name} does not bring",
                    lake.name, there.name
                ),
                format!("bring the column; or {ANEW}"),
            ));
        }
    }
    Ok(())
}

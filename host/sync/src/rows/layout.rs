//! How a source's columns lie in the lake, and what the lake remembers of them.

use icehost_lake::{NewColumn, NewTable};
use icehost_plan::{Column, LakeType, Table};

use crate::SyncError;
use crate::rows::source_columns::SourceColumns;

/// The lake table that a source table becomes: the same columns in the same order, its primary key as
/// identifier fields.
pub(crate) fn new_lake_table(
    source: &Table,
    remembered: &SourceColumns,
) -> Result<NewTable, SyncError> {
    let columns = source
        .columns
        .iter()
        .map(|column| NewColumn {
            name: column.name.clone(),
            lake_type: column.column_type.lake(),
            required: !column.nullable,
            doc: Some(match remembered.get(&column.name) {
                Some(remembered) => remembered.held(),
                None => column.column_type.to_string(),
            }),
        })
        .collect();
    Ok(NewTable {
        columns,
        identifier: source.key(),
        properties: [remembered.property()?].into(),
    })
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

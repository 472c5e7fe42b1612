//! Tables and columns, as a component sees them.

use icehost_plan::{Column, Features, Table};

use super::value::kind_to_guest;
use crate::bindings::types as wit;

pub(crate) fn table_to_guest(table: &Table) -> wit::Table {
    wit::Table {
        name: table.name.clone(),
        columns: table.columns.iter().map(column_to_guest).collect(),
        features: features_to_guest(&table.features),
        row_estimate: table.row_estimate,
    }
}

pub(crate) fn column_to_guest(column: &Column) -> wit::Column {
    wit::Column {
        name: column.name.clone(),
        kind: kind_to_guest(column.column_type.logical()),
        native_type: column.column_type.to_string(),
        nullable: column.nullable,
        key_position: column.key_position,
        identity: column.identity,
        writable: !column.read_only,
    }
}

fn features_to_guest(features: &Features) -> wit::Features {
    let mut flags = wit::Features::empty();
    for (has, flag) in [
        (features.rowversion, wit::Features::ROWVERSION),
        (features.change_tracking, wit::Features::CHANGE_TRACKING),
        (features.capture, wit::Features::CAPTURE),
        (features.system_versioned, wit::Features::SYSTEM_VERSIONED),
        (features.snapshots, wit::Features::SNAPSHOTS),
    ] {
        if has {
            flags |= flag;
        }
    }
    flags
}

//! Constraints: `sys.key_constraints`, `sys.default_constraints`, `sys.check_constraints`, `sys.foreign_keys`.

use super::view::{KIND, NAME, TEXT, View, WORDS, bit, int, kind, moment, text};
use super::{Catalog, CatalogTable};
use crate::storage::IndexKind;
use crate::types::{Datum, SqlType};

const CONSTRAINT_COLUMNS: [(&str, SqlType); 10] = [
    ("name", NAME),
    ("object_id", SqlType::Int),
    ("principal_id", SqlType::Int),
    ("schema_id", SqlType::Int),
    ("parent_object_id", SqlType::Int),
    ("type", KIND),
    ("type_desc", WORDS),
    ("create_date", SqlType::DateTime),
    ("modify_date", SqlType::DateTime),
    ("is_ms_shipped", SqlType::Bit),
];

fn with(extra: &[(&'static str, SqlType)]) -> View {
    let columns: Vec<(&'static str, SqlType)> =
        CONSTRAINT_COLUMNS.iter().chain(extra).cloned().collect();
    View::new(&columns)
}

fn row(entry: &CatalogTable, name: &str, id: i32, code: &str, words: &str) -> Vec<Datum> {
    let created = moment(entry.table.created);
    vec![
        text(name),
        int(id),
        Datum::Null,
        int(entry.table.schema_id),
        int(entry.table.object_id),
        kind(code),
        text(words),
        created.clone(),
        created,
        bit(false),
    ]
}

fn key_constraints(catalog: &Catalog<'_>) -> View {
    let mut view = with(&[
        ("unique_index_id", SqlType::Int),
        ("is_system_named", SqlType::Bit),
        ("is_enforced", SqlType::Bit),
    ]);
    for entry in &catalog.tables {
        for index in &entry.definition.indexes {
            let (code, words) = match index.kind {
                IndexKind::PrimaryKey => ("PK", "PRIMARY_KEY_CONSTRAINT"),
                IndexKind::UniqueConstraint => ("UQ", "UNIQUE_CONSTRAINT"),
                _ => continue,
            };
            let mut values = row(entry, &index.name, index.object_id, code, words);
            values.extend([int(index.id), bit(index.system_named), bit(true)]);
            view.push(values);
        }
    }
    view
}

fn default_constraints(catalog: &Catalog<'_>) -> View {
    let mut view = with(&[
        ("parent_column_id", SqlType::Int),
        ("definition", TEXT),
        ("is_system_named", SqlType::Bit),
    ]);
    for entry in &catalog.tables {
        for column in &entry.definition.columns {
            if let Some(default) = &column.default {
                let mut values = row(
                    entry,
                    &default.name,
                    default.object_id,
                    "D",
                    "DEFAULT_CONSTRAINT",
                );
                values.extend([
                    int(column.id),
                    text(&default.text),
                    bit(default.system_named),
                ]);
                view.push(values);
            }
        }
    }
    view
}

fn check_constraints(catalog: &Catalog<'_>) -> View {
    let mut view = with(&[
        ("is_disabled", SqlType::Bit),
        ("is_not_trusted", SqlType::Bit),
        ("parent_column_id", SqlType::Int),
        ("definition", TEXT),
        ("is_system_named", SqlType::Bit),
    ]);
    for entry in &catalog.tables {
        for check in &entry.definition.checks {
            let mut values = row(entry, &check.name, check.object_id, "C", "CHECK_CONSTRAINT");
            values.extend([
                bit(false),
                bit(false),
                int(0),
                text(&check.text),
                bit(check.system_named),
            ]);
            view.push(values);
        }
    }
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "key_constraints" => key_constraints(catalog),
        "default_constraints" => default_constraints(catalog),
        "check_constraints" => check_constraints(catalog),
        // FOREIGN KEY is refused, so there are none.
        "foreign_keys" => with(&[
            ("referenced_object_id", SqlType::Int),
            ("key_index_id", SqlType::Int),
            ("is_disabled", SqlType::Bit),
            ("delete_referential_action", SqlType::TinyInt),
            ("update_referential_action", SqlType::TinyInt),
        ]),
        _ => return None,
    })
}

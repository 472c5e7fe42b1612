//! Tables and objects: `sys.objects`, `sys.tables`, `sys.schemas`, `sys.triggers`, and what is always empty.

use super::view::{KIND, NAME, TEXT, View, WORDS, bit, int, kind, moment, text, tiny};
use super::{Catalog, CatalogTable};
use crate::ast::Name;
use crate::storage::{IndexKind, Special, Synonym};
use crate::types::{Datum, SqlType};

const OBJECT_COLUMNS: [(&str, SqlType); 12] = [
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
    ("is_published", SqlType::Bit),
    ("is_schema_published", SqlType::Bit),
];

fn object(
    entry: &CatalogTable,
    name: &str,
    id: i32,
    parent: i32,
    code: &str,
    words: &str,
) -> Vec<Datum> {
    let created = entry.table.created;
    let modified = entry.definition.modified.unwrap_or(created);
    vec![
        text(name),
        int(id),
        Datum::Null,
        int(entry.table.schema_id),
        int(parent),
        kind(code),
        text(words),
        moment(created),
        moment(if parent == 0 { modified } else { created }),
        bit(false),
        bit(false),
        bit(false),
    ]
}

fn objects(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&OBJECT_COLUMNS);
    for entry in &catalog.tables {
        let id = entry.table.object_id;
        view.push(object(entry, &entry.table.name, id, 0, "U", "USER_TABLE"));
        for index in &entry.definition.indexes {
            match index.kind {
                IndexKind::PrimaryKey => view.push(object(
                    entry,
                    &index.name,
                    index.object_id,
                    id,
                    "PK",
                    "PRIMARY_KEY_CONSTRAINT",
                )),
                IndexKind::UniqueConstraint => view.push(object(
                    entry,
                    &index.name,
                    index.object_id,
                    id,
                    "UQ",
                    "UNIQUE_CONSTRAINT",
                )),
                _ => {}
            }
        }
        for check in &entry.definition.checks {
            view.push(object(
                entry,
                &check.name,
                check.object_id,
                id,
                "C",
                "CHECK_CONSTRAINT",
            ));
        }
        for default in entry
            .definition
            .columns
            .iter()
            .filter_map(|column| column.default.as_ref())
        {
            view.push(object(
                entry,
                &default.name,
                default.object_id,
                id,
                "D",
                "DEFAULT_CONSTRAINT",
            ));
        }
        for trigger in &entry.definition.triggers {
            view.push(object(
                entry,
                &trigger.name,
                trigger.object_id,
                id,
                "TR",
                "SQL_TRIGGER",
            ));
        }
    }
    for entry in &catalog.views {
        view.push(view_object(entry));
    }
    for synonym in catalog.database.synonyms() {
        view.push(synonym_object(&synonym));
    }
    view
}

fn view_object(entry: &CatalogTable) -> Vec<Datum> {
    let (name, id) = (&entry.table.name, entry.table.object_id);
    object(entry, name, id, 0, "V", "VIEW")
}

fn synonym_object(synonym: &Synonym) -> Vec<Datum> {
    vec![
        text(&synonym.name),
        int(synonym.object_id),
        Datum::Null,
        int(synonym.schema_id),
        int(0),
        kind("SN"),
        text("SYNONYM"),
        moment(synonym.created),
        moment(synonym.created),
        bit(false),
        bit(false),
        bit(false),
    ]
}

/// What `sys.views` has beyond `sys.objects`.
const VIEW_COLUMNS: [(&str, SqlType); 6] = [
    ("is_replicated", SqlType::Bit),
    ("has_replication_filter", SqlType::Bit),
    ("has_opaque_metadata", SqlType::Bit),
    ("has_unchecked_assembly_data", SqlType::Bit),
    ("with_check_option", SqlType::Bit),
    ("is_date_correlation_view", SqlType::Bit),
];

fn views(catalog: &Catalog<'_>) -> View {
    let columns: Vec<(&'static str, SqlType)> = OBJECT_COLUMNS
        .iter()
        .chain(&VIEW_COLUMNS)
        .cloned()
        .collect();
    let mut view = View::new(&columns);
    for entry in &catalog.views {
        let mut row = view_object(entry);
        row.extend(VIEW_COLUMNS.iter().map(|_| bit(false)));
        view.push(row);
    }
    view
}

/// `base_object_name` is the "fully quoted name of the object to which the user of this synonym is redirected".
fn synonyms(catalog: &Catalog<'_>) -> View {
    let base = ("base_object_name", SqlType::NVarChar { length: Some(1035) });
    let columns: Vec<(&'static str, SqlType)> =
        OBJECT_COLUMNS.iter().cloned().chain([base]).collect();
    let mut view = View::new(&columns);
    for synonym in catalog.database.synonyms() {
        let quoted = |name: &Name| format!("[{}]", name.0.replace(']', "]]"));
        let base = &synonym.base;
        let mut name: Vec<String> = match (&base.database, &base.schema) {
            (Some(database), Some(schema)) => vec![quoted(database), quoted(schema)],
            (Some(database), None) => vec![quoted(database), String::new()],
            (None, Some(schema)) => vec![quoted(schema)],
            (None, None) => Vec::new(),
        };
        name.push(quoted(&base.name));
        let mut row = synonym_object(&synonym);
        row.push(text(&name.join(".")));
        view.push(row);
    }
    view
}

/// What `sys.tables` has beyond `sys.objects`.
const TABLE_COLUMNS: [(&str, SqlType); 24] = [
    ("lob_data_space_id", SqlType::Int),
    ("filestream_data_space_id", SqlType::Int),
    ("max_column_id_used", SqlType::Int),
    ("lock_on_bulk_load", SqlType::Bit),
    ("uses_ansi_nulls", SqlType::Bit),
    ("is_replicated", SqlType::Bit),
    ("has_replication_filter", SqlType::Bit),
    ("is_merge_published", SqlType::Bit),
    ("is_sync_tran_subscribed", SqlType::Bit),
    ("has_unchecked_assembly_data", SqlType::Bit),
    ("text_in_row_limit", SqlType::Int),
    ("large_value_types_out_of_row", SqlType::Bit),
    ("is_tracked_by_cdc", SqlType::Bit),
    ("lock_escalation", SqlType::TinyInt),
    ("lock_escalation_desc", WORDS),
    ("is_filetable", SqlType::Bit),
    ("is_memory_optimized", SqlType::Bit),
    ("durability", SqlType::TinyInt),
    ("durability_desc", WORDS),
    ("temporal_type", SqlType::TinyInt),
    ("temporal_type_desc", WORDS),
    ("history_table_id", SqlType::Int),
    ("is_external", SqlType::Bit),
    ("is_node", SqlType::Bit),
];

fn tables(catalog: &Catalog<'_>) -> View {
    let columns: Vec<(&'static str, SqlType)> = OBJECT_COLUMNS
        .iter()
        .chain(&TABLE_COLUMNS)
        .cloned()
        .collect();
    let mut view = View::new(&columns);
    for entry in &catalog.tables {
        let special = entry.definition.special;
        let mut row = object(
            entry,
            &entry.table.name,
            entry.table.object_id,
            0,
            "U",
            "USER_TABLE",
        );
        row.extend([
            int(0),
            Datum::Null,
            int(entry.definition.last_column_id),
            bit(false),
            bit(true),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            bit(false),
            int(0),
            bit(false),
            bit(false),
            tiny(0),
            text("TABLE"),
            bit(false),
            bit(special == Special::MemoryOptimized),
            tiny(0),
            text("SCHEMA_AND_DATA"),
            tiny(match special {
                Special::History => 1,
                Special::Versioned(..) => 2,
                _ => 0,
            }),
            text(match special {
                Special::History => "HISTORY_TABLE",
                Special::Versioned(..) => "SYSTEM_VERSIONED_TEMPORAL_TABLE",
                _ => "NON_TEMPORAL_TABLE",
            }),
            match special {
                Special::Versioned(_, history) => int(history),
                _ => Datum::Null,
            },
            bit(false),
            bit(false),
        ]);
        view.push(row);
    }
    view
}

fn periods(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("name", NAME),
        ("period_type", SqlType::TinyInt),
        ("period_type_desc", WORDS),
        ("object_id", SqlType::Int),
        ("start_column_id", SqlType::Int),
        ("end_column_id", SqlType::Int),
    ]);
    for entry in &catalog.tables {
        let columns = &entry.definition.columns;
        if let Some((start, end)) = entry.definition.period() {
            view.push(vec![
                text("SYSTEM_TIME"),
                tiny(1),
                text("SYSTEM_TIME_PERIOD"),
                int(entry.table.object_id),
                int(columns[start].id),
                int(columns[end].id),
            ]);
        }
    }
    view
}

fn schemas(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("name", NAME),
        ("schema_id", SqlType::Int),
        ("principal_id", SqlType::Int),
    ]);
    for (name, id) in catalog.database.schemas() {
        view.push(vec![text(&name), int(id), int(1)]);
    }
    view
}

fn triggers(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("name", NAME),
        ("object_id", SqlType::Int),
        ("parent_class", SqlType::TinyInt),
        ("parent_class_desc", WORDS),
        ("parent_id", SqlType::Int),
        ("type", KIND),
        ("type_desc", WORDS),
        ("create_date", SqlType::DateTime),
        ("modify_date", SqlType::DateTime),
        ("is_ms_shipped", SqlType::Bit),
        ("is_disabled", SqlType::Bit),
        ("is_not_for_replication", SqlType::Bit),
        ("is_instead_of_trigger", SqlType::Bit),
    ]);
    for entry in &catalog.tables {
        for trigger in &entry.definition.triggers {
            let created = moment(entry.table.created);
            view.push(vec![
                text(&trigger.name),
                int(trigger.object_id),
                tiny(1),
                text("OBJECT_OR_COLUMN"),
                int(entry.table.object_id),
                kind("TR"),
                text("SQL_TRIGGER"),
                created.clone(),
                created,
                bit(false),
                bit(!trigger.enabled),
                bit(false),
                bit(false),
            ]);
        }
    }
    view
}

fn modules(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("object_id", SqlType::Int),
        ("definition", TEXT),
        ("uses_ansi_nulls", SqlType::Bit),
        ("uses_quoted_identifier", SqlType::Bit),
    ]);
    for trigger in catalog
        .tables
        .iter()
        .flat_map(|entry| &entry.definition.triggers)
    {
        view.push(vec![
            int(trigger.object_id),
            text(&trigger.text),
            bit(true),
            bit(true),
        ]);
    }
    for entry in &catalog.views {
        if let Some(body) = &entry.definition.view {
            let id = int(entry.table.object_id);
            view.push(vec![id, text(&body.text), bit(true), bit(true)]);
        }
    }
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "objects" | "all_objects" => objects(catalog),
        "tables" => tables(catalog),
        "schemas" => schemas(catalog),
        "periods" => periods(catalog),
        "triggers" => triggers(catalog),
        "sql_modules" | "all_sql_modules" => modules(catalog),
        "views" | "all_views" => views(catalog),
        "synonyms" => synonyms(catalog),
        // There is no change tracking.
        "change_tracking_tables" => View::new(&[
            ("object_id", SqlType::Int),
            ("is_track_columns_updated_on", SqlType::Bit),
            ("min_valid_version", SqlType::BigInt),
            ("begin_version", SqlType::BigInt),
            ("cleanup_version", SqlType::BigInt),
        ]),
        "change_tracking_databases" => View::new(&[
            ("database_id", SqlType::Int),
            ("is_auto_cleanup_on", SqlType::TinyInt),
            ("retention_period", SqlType::Int),
            ("retention_period_units", SqlType::TinyInt),
        ]),
        _ => return None,
    })
}

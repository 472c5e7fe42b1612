//! Columns and types: `sys.columns`, `sys.types`, `sys.identity_columns`, `sys.computed_columns`.

use super::view::{NAME, TEXT, View, WORDS, bit, int, small, text, tiny};
use super::{Catalog, CatalogTable, type_ids};
use crate::storage::{Column, Generated};
use crate::types::{Datum, SqlType};

const COLUMN_COLUMNS: [(&str, SqlType); 34] = [
    ("object_id", SqlType::Int),
    ("name", NAME),
    ("column_id", SqlType::Int),
    ("system_type_id", SqlType::TinyInt),
    ("user_type_id", SqlType::Int),
    ("max_length", SqlType::SmallInt),
    ("precision", SqlType::TinyInt),
    ("scale", SqlType::TinyInt),
    ("collation_name", NAME),
    ("is_nullable", SqlType::Bit),
    ("is_ansi_padded", SqlType::Bit),
    ("is_rowguidcol", SqlType::Bit),
    ("is_identity", SqlType::Bit),
    ("is_computed", SqlType::Bit),
    ("is_filestream", SqlType::Bit),
    ("is_replicated", SqlType::Bit),
    ("is_non_sql_subscribed", SqlType::Bit),
    ("is_merge_published", SqlType::Bit),
    ("is_dts_replicated", SqlType::Bit),
    ("is_xml_document", SqlType::Bit),
    ("xml_collection_id", SqlType::Int),
    ("default_object_id", SqlType::Int),
    ("rule_object_id", SqlType::Int),
    ("is_sparse", SqlType::Bit),
    ("is_column_set", SqlType::Bit),
    ("generated_always_type", SqlType::TinyInt),
    ("generated_always_type_desc", WORDS),
    ("encryption_type", SqlType::Int),
    ("encryption_type_desc", WORDS),
    ("is_hidden", SqlType::Bit),
    ("is_masked", SqlType::Bit),
    ("graph_type", SqlType::Int),
    ("graph_type_desc", WORDS),
    ("is_data_deletion_filter_column", SqlType::Bit),
];

fn row(entry: &CatalogTable, column: &Column) -> Vec<Datum> {
    let (system, user) = type_ids::ids(&column.sql_type);
    let (length, precision, scale) = type_ids::sizes(&column.sql_type);
    let padded = column.sql_type.is_text() || column.sql_type.is_binary();
    vec![
        int(entry.table.object_id),
        text(&column.name),
        int(column.id),
        tiny(system),
        int(user),
        small(length),
        tiny(precision),
        tiny(scale),
        column
            .collation
            .as_ref()
            .map_or(Datum::Null, |collation| text(&collation.name)),
        bit(column.nullable),
        bit(padded),
        bit(column.rowguidcol),
        bit(column.identity.is_some()),
        bit(column.computed.is_some()),
        bit(false),
        bit(false),
        bit(false),
        bit(false),
        bit(false),
        bit(false),
        int(0),
        int(column
            .default
            .as_ref()
            .map_or(0, |default| default.object_id)),
        int(0),
        bit(false),
        bit(false),
        tiny(match column.generated {
            None => 0,
            Some(Generated { end: false, .. }) => 1,
            Some(Generated { end: true, .. }) => 2,
        }),
        text(match column.generated {
            None => "NOT_APPLICABLE",
            Some(Generated { end: false, .. }) => "AS_ROW_START",
            Some(Generated { end: true, .. }) => "AS_ROW_END",
        }),
        column
            .encrypted
            .map_or(Datum::Null, |encryption| int(i32::from(encryption))),
        match column.encrypted {
            None => Datum::Null,
            Some(1) => text("DETERMINISTIC"),
            Some(_) => text("RANDOMIZED"),
        },
        bit(column.generated.is_some_and(|generated| generated.hidden)),
        bit(column.mask.is_some()),
        Datum::Null,
        Datum::Null,
        bit(false),
    ]
}

fn columns(
    catalog: &Catalog<'_>,
    extra: &[(&'static str, SqlType)],
    more: impl Fn(&CatalogTable, &Column) -> Option<Vec<Datum>>,
) -> View {
    let all: Vec<(&'static str, SqlType)> = COLUMN_COLUMNS.iter().chain(extra).cloned().collect();
    let mut view = View::new(&all);
    for entry in catalog.tables.iter().chain(&catalog.views) {
        for column in &entry.definition.columns {
            if let Some(more) = more(entry, column) {
                let mut values = row(entry, column);
                values.extend(more);
                view.push(values);
            }
        }
    }
    view
}

fn types() -> View {
    let mut view = View::new(&[
        ("name", NAME),
        ("system_type_id", SqlType::TinyInt),
        ("user_type_id", SqlType::Int),
        ("schema_id", SqlType::Int),
        ("principal_id", SqlType::Int),
        ("max_length", SqlType::SmallInt),
        ("precision", SqlType::TinyInt),
        ("scale", SqlType::TinyInt),
        ("collation_name", NAME),
        ("is_nullable", SqlType::Bit),
        ("is_user_defined", SqlType::Bit),
        ("is_assembly_type", SqlType::Bit),
        ("default_object_id", SqlType::Int),
        ("rule_object_id", SqlType::Int),
        ("is_table_type", SqlType::Bit),
    ]);
    for (name, system, user, length, precision, scale) in type_ids::TYPES {
        let textual = [
            "text", "ntext", "varchar", "char", "nvarchar", "nchar", "sysname",
        ]
        .contains(&name);
        view.push(vec![
            text(name),
            tiny(system),
            int(user),
            int(4),
            Datum::Null,
            small(length),
            tiny(precision),
            tiny(scale),
            if textual {
                text(crate::collation::DEFAULT_NAME)
            } else {
                Datum::Null
            },
            bit(name != "sysname" && name != "timestamp"),
            bit(false),
            bit(system == 240),
            int(0),
            int(0),
            bit(false),
        ]);
    }
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "columns" | "all_columns" => columns(catalog, &[], |_, _| Some(Vec::new())),
        "types" => types(),
        "identity_columns" => {
            let extra = [
                ("seed_value", SqlType::SqlVariant),
                ("increment_value", SqlType::SqlVariant),
                ("last_value", SqlType::SqlVariant),
                ("is_not_for_replication", SqlType::Bit),
            ];
            columns(catalog, &extra, |entry, column| {
                let (seed, increment) = column.identity?;
                // The values are of the column's own type.
                let of_type = |value: i128| {
                    let exact = Datum::Decimal {
                        unscaled: value,
                        precision: 38,
                        scale: 0,
                    };
                    crate::convert::convert(
                        &exact,
                        &column.sql_type,
                        0,
                        crate::convert::Excess::Cut,
                    )
                    .unwrap_or(Datum::Null)
                };
                let last = entry
                    .table
                    .identity
                    .lock()
                    .last
                    .map_or(Datum::Null, of_type);
                Some(vec![
                    of_type(i128::from(seed)),
                    of_type(i128::from(increment)),
                    last,
                    bit(false),
                ])
            })
        }
        "masked_columns" => {
            let extra = [("masking_function", SqlType::NVarChar { length: Some(4000) })];
            columns(catalog, &extra, |_, column| {
                Some(vec![text(column.mask?.function())])
            })
        }
        "computed_columns" => {
            let extra = [
                ("definition", TEXT),
                ("uses_database_collation", SqlType::Bit),
                ("is_persisted", SqlType::Bit),
            ];
            columns(catalog, &extra, |_, column| {
                let computed = column.computed.as_ref()?;
                Some(vec![
                    text(&computed.text),
                    bit(true),
                    bit(computed.persisted),
                ])
            })
        }
        _ => return None,
    })
}

//! `INFORMATION_SCHEMA`.

use super::view::{NAME, TEXT, View, int, small, text, tiny};
use super::{Catalog, type_ids};
use crate::storage::IndexKind;
use crate::types::{Datum, SqlType};

const WORD: SqlType = SqlType::VarChar { length: Some(20) };

fn word(value: &str) -> Datum {
    Datum::Text {
        value: value.into(),
        national: false,
    }
}

fn tables(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("TABLE_CATALOG", NAME),
        ("TABLE_SCHEMA", NAME),
        ("TABLE_NAME", NAME),
        ("TABLE_TYPE", WORD),
    ]);
    for entry in &catalog.tables {
        view.push(vec![
            text(&catalog.database.name),
            text(&entry.table.schema),
            text(&entry.table.name),
            word("BASE TABLE"),
        ]);
    }
    for entry in &catalog.views {
        view.push(vec![
            text(&catalog.database.name),
            text(&entry.table.schema),
            text(&entry.table.name),
            word("VIEW"),
        ]);
    }
    view
}

fn columns(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("TABLE_CATALOG", NAME),
        ("TABLE_SCHEMA", NAME),
        ("TABLE_NAME", NAME),
        ("COLUMN_NAME", NAME),
        ("ORDINAL_POSITION", SqlType::Int),
        ("COLUMN_DEFAULT", TEXT),
        ("IS_NULLABLE", WORD),
        ("DATA_TYPE", NAME),
        ("CHARACTER_MAXIMUM_LENGTH", SqlType::Int),
        ("CHARACTER_OCTET_LENGTH", SqlType::Int),
        ("NUMERIC_PRECISION", SqlType::TinyInt),
        ("NUMERIC_PRECISION_RADIX", SqlType::SmallInt),
        ("NUMERIC_SCALE", SqlType::Int),
        ("DATETIME_PRECISION", SqlType::SmallInt),
        ("CHARACTER_SET_NAME", NAME),
        ("COLLATION_NAME", NAME),
    ]);
    for entry in catalog.tables.iter().chain(&catalog.views) {
        for column in &entry.definition.columns {
            let sql_type = &column.sql_type;
            let textual =
                sql_type.is_text() || (sql_type.is_binary() && *sql_type != SqlType::RowVersion);
            let (bytes, precision, scale) = type_ids::sizes(sql_type);
            let characters = sql_type.length().map_or(-1, i32::from);
            let shape = sql_type.shape().filter(|_| *sql_type != SqlType::Bit);
            let float = matches!(sql_type, SqlType::Float | SqlType::Real);
            let when = |condition: bool, value: Datum| if condition { value } else { Datum::Null };
            let name = if *sql_type == SqlType::SysName {
                "nvarchar"
            } else {
                type_ids::name(sql_type)
            };
            view.push(vec![
                text(&catalog.database.name),
                text(&entry.table.schema),
                text(&entry.table.name),
                text(&column.name),
                int(column.id),
                column
                    .default
                    .as_ref()
                    .map_or(Datum::Null, |default| text(&default.text)),
                word(if column.nullable { "YES" } else { "NO" }),
                text(name),
                when(textual, int(characters)),
                when(textual, int(i32::from(bytes))),
                when(shape.is_some() || float, tiny(precision)),
                when(shape.is_some() || float, small(if float { 2 } else { 10 })),
                when(shape.is_some(), int(i32::from(scale))),
                when(
                    sql_type.is_temporal(),
                    small(if *sql_type == SqlType::Date {
                        0
                    } else {
                        i16::from(scale)
                    }),
                ),
                when(
                    sql_type.is_text(),
                    text(if sql_type.is_national() {
                        "UNICODE"
                    } else {
                        "iso_1"
                    }),
                ),
                column
                    .collation
                    .as_ref()
                    .map_or(Datum::Null, |collation| text(&collation.name)),
            ]);
        }
    }
    view
}

fn constraint_type(kind: IndexKind) -> Option<&'static str> {
    match kind {
        IndexKind::PrimaryKey => Some("PRIMARY KEY"),
        IndexKind::UniqueConstraint => Some("UNIQUE"),
        _ => None,
    }
}

fn table_constraints(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("CONSTRAINT_CATALOG", NAME),
        ("CONSTRAINT_SCHEMA", NAME),
        ("CONSTRAINT_NAME", NAME),
        ("TABLE_CATALOG", NAME),
        ("TABLE_SCHEMA", NAME),
        ("TABLE_NAME", NAME),
        ("CONSTRAINT_TYPE", WORD),
        ("IS_DEFERRABLE", WORD),
        ("INITIALLY_DEFERRED", WORD),
    ]);
    for entry in &catalog.tables {
        let keys = entry
            .definition
            .indexes
            .iter()
            .filter_map(|index| constraint_type(index.kind).map(|words| (&index.name, words)));
        let checks = entry
            .definition
            .checks
            .iter()
            .map(|check| (&check.name, "CHECK"));
        for (name, words) in keys.chain(checks) {
            let (database, schema) = (text(&catalog.database.name), text(&entry.table.schema));
            view.push(vec![
                database.clone(),
                schema.clone(),
                text(name),
                database,
                schema,
                text(&entry.table.name),
                word(words),
                word("NO"),
                word("NO"),
            ]);
        }
    }
    view
}

fn key_column_usage(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("CONSTRAINT_CATALOG", NAME),
        ("CONSTRAINT_SCHEMA", NAME),
        ("CONSTRAINT_NAME", NAME),
        ("TABLE_CATALOG", NAME),
        ("TABLE_SCHEMA", NAME),
        ("TABLE_NAME", NAME),
        ("COLUMN_NAME", NAME),
        ("ORDINAL_POSITION", SqlType::Int),
    ]);
    for entry in &catalog.tables {
        for index in entry
            .definition
            .indexes
            .iter()
            .filter(|index| constraint_type(index.kind).is_some())
        {
            for (place, (ordinal, _)) in index.columns.iter().enumerate() {
                let (database, schema) = (text(&catalog.database.name), text(&entry.table.schema));
                view.push(vec![
                    database.clone(),
                    schema.clone(),
                    text(&index.name),
                    database,
                    schema,
                    text(&entry.table.name),
                    text(&entry.definition.columns[*ordinal].name),
                    int(place as i32 + 1),
                ]);
            }
        }
    }
    view
}

fn schemata(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("CATALOG_NAME", NAME),
        ("SCHEMA_NAME", NAME),
        ("SCHEMA_OWNER", NAME),
    ]);
    for (name, _) in catalog.database.schemas() {
        view.push(vec![text(&catalog.database.name), text(&name), text("dbo")]);
    }
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "tables" => tables(catalog),
        "columns" => columns(catalog),
        "table_constraints" => table_constraints(catalog),
        "key_column_usage" => key_column_usage(catalog),
        "schemata" => schemata(catalog),
        _ => return None,
    })
}

//! Indexes and row counts: `sys.indexes`, `sys.index_columns`, `sys.partitions`, `sys.dm_db_partition_stats`.

use super::Catalog;
use super::view::{NAME, TEXT, View, WORDS, bit, int, small, text, tiny};
use crate::storage::IndexKind;
use crate::types::{Datum, SqlType};

fn indexes(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("object_id", SqlType::Int),
        ("name", NAME),
        ("index_id", SqlType::Int),
        ("type", SqlType::TinyInt),
        ("type_desc", WORDS),
        ("is_unique", SqlType::Bit),
        ("data_space_id", SqlType::Int),
        ("ignore_dup_key", SqlType::Bit),
        ("is_primary_key", SqlType::Bit),
        ("is_unique_constraint", SqlType::Bit),
        ("fill_factor", SqlType::TinyInt),
        ("is_padded", SqlType::Bit),
        ("is_disabled", SqlType::Bit),
        ("is_hypothetical", SqlType::Bit),
        ("allow_row_locks", SqlType::Bit),
        ("allow_page_locks", SqlType::Bit),
        ("has_filter", SqlType::Bit),
        ("filter_definition", TEXT),
        ("auto_created", SqlType::Bit),
    ]);
    for entry in &catalog.tables {
        let mut push = |name: Datum,
                        id: i32,
                        number: u8,
                        words: &str,
                        unique: bool,
                        primary: bool,
                        constraint: bool| {
            view.push(vec![
                int(entry.table.object_id),
                name,
                int(id),
                tiny(number),
                text(words),
                bit(unique),
                int(1),
                bit(false),
                bit(primary),
                bit(constraint),
                tiny(0),
                bit(false),
                bit(false),
                bit(false),
                bit(true),
                bit(true),
                bit(false),
                Datum::Null,
                bit(false),
            ]);
        };
        if !entry.definition.indexes.iter().any(|index| index.clustered) {
            push(Datum::Null, 0, 0, "HEAP", false, false, false);
        }
        for index in &entry.definition.indexes {
            let (number, words) = if index.clustered {
                (1, "CLUSTERED")
            } else {
                (2, "NONCLUSTERED")
            };
            let primary = index.kind == IndexKind::PrimaryKey;
            push(
                text(&index.name),
                index.id,
                number,
                words,
                index.is_unique(),
                primary,
                index.kind == IndexKind::UniqueConstraint,
            );
        }
    }
    view
}

fn index_columns(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("object_id", SqlType::Int),
        ("index_id", SqlType::Int),
        ("index_column_id", SqlType::Int),
        ("column_id", SqlType::Int),
        ("key_ordinal", SqlType::TinyInt),
        ("partition_ordinal", SqlType::TinyInt),
        ("is_descending_key", SqlType::Bit),
        ("is_included_column", SqlType::Bit),
        ("column_store_order_ordinal", SqlType::TinyInt),
    ]);
    for entry in &catalog.tables {
        for index in &entry.definition.indexes {
            let keys = index
                .columns
                .iter()
                .map(|(column, descending)| (*column, *descending, false));
            let included = index.included.iter().map(|column| (*column, false, true));
            for (place, (ordinal, descending, included)) in keys.chain(included).enumerate() {
                let column_id = entry.definition.columns[ordinal].id;
                view.push(vec![
                    int(entry.table.object_id),
                    int(index.id),
                    int(place as i32 + 1),
                    int(column_id),
                    tiny(if included { 0 } else { place as u8 + 1 }),
                    tiny(0),
                    bit(descending),
                    bit(included),
                    tiny(0),
                ]);
            }
        }
    }
    view
}

/// The indexes that hold rows: the heap or the clustered index, and all others.
fn storage_ids(entry: &super::CatalogTable) -> Vec<i32> {
    let mut ids: Vec<i32> = entry
        .definition
        .indexes
        .iter()
        .map(|index| index.id)
        .collect();
    if !entry.definition.indexes.iter().any(|index| index.clustered) {
        ids.insert(0, 0);
    }
    ids
}

fn partition_id(table: i32, index: i32) -> Datum {
    Datum::BigInt((i64::from(table) << 16) + i64::from(index))
}

fn partitions(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("partition_id", SqlType::BigInt),
        ("object_id", SqlType::Int),
        ("index_id", SqlType::Int),
        ("partition_number", SqlType::Int),
        ("hobt_id", SqlType::BigInt),
        ("rows", SqlType::BigInt),
        ("filestream_filegroup_id", SqlType::SmallInt),
        ("data_compression", SqlType::TinyInt),
        ("data_compression_desc", WORDS),
    ]);
    for entry in &catalog.tables {
        for index in storage_ids(entry) {
            let id = partition_id(entry.table.object_id, index);
            view.push(vec![
                id.clone(),
                int(entry.table.object_id),
                int(index),
                int(1),
                id,
                Datum::BigInt(entry.rows),
                small(0),
                tiny(0),
                text("NONE"),
            ]);
        }
    }
    view
}

fn partition_stats(catalog: &Catalog<'_>) -> View {
    let mut view = View::new(&[
        ("partition_id", SqlType::BigInt),
        ("object_id", SqlType::Int),
        ("index_id", SqlType::Int),
        ("partition_number", SqlType::Int),
        ("row_count", SqlType::BigInt),
    ]);
    for entry in &catalog.tables {
        for index in storage_ids(entry) {
            view.push(vec![
                partition_id(entry.table.object_id, index),
                int(entry.table.object_id),
                int(index),
                int(1),
                Datum::BigInt(entry.rows),
            ]);
        }
    }
    view
}

pub(super) fn view(catalog: &Catalog<'_>, name: &str) -> Option<View> {
    Some(match name {
        "indexes" => indexes(catalog),
        "index_columns" => index_columns(catalog),
        "partitions" => partitions(catalog),
        "dm_db_partition_stats" => partition_stats(catalog),
        _ => return None,
    })
}

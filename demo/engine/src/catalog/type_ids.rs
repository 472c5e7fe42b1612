//! `system_type_id`, `user_type_id`, lengths and precisions as `sys.columns` and `sys.types` have them.

use crate::types::SqlType;

/// Name, system type id, user type id, max_length, precision, scale.
pub(crate) const TYPES: [(&str, u8, i32, i16, u8, u8); 34] = [
    ("image", 34, 34, 16, 0, 0),
    ("text", 35, 35, 16, 0, 0),
    ("uniqueidentifier", 36, 36, 16, 0, 0),
    ("date", 40, 40, 3, 10, 0),
    ("time", 41, 41, 5, 16, 7),
    ("datetime2", 42, 42, 8, 27, 7),
    ("datetimeoffset", 43, 43, 10, 34, 7),
    ("tinyint", 48, 48, 1, 3, 0),
    ("smallint", 52, 52, 2, 5, 0),
    ("int", 56, 56, 4, 10, 0),
    ("smalldatetime", 58, 58, 4, 16, 0),
    ("real", 59, 59, 4, 24, 0),
    ("money", 60, 60, 8, 19, 4),
    ("datetime", 61, 61, 8, 23, 3),
    ("float", 62, 62, 8, 53, 0),
    ("sql_variant", 98, 98, 8016, 0, 0),
    ("ntext", 99, 99, 16, 0, 0),
    ("bit", 104, 104, 1, 1, 0),
    ("decimal", 106, 106, 17, 38, 38),
    ("numeric", 108, 108, 17, 38, 38),
    ("smallmoney", 122, 122, 4, 10, 4),
    ("bigint", 127, 127, 8, 19, 0),
    ("hierarchyid", 240, 128, 892, 0, 0),
    ("geometry", 240, 129, -1, 0, 0),
    ("geography", 240, 130, -1, 0, 0),
    ("varbinary", 165, 165, 8000, 0, 0),
    ("varchar", 167, 167, 8000, 0, 0),
    ("binary", 173, 173, 8000, 0, 0),
    ("char", 175, 175, 8000, 0, 0),
    ("timestamp", 189, 189, 8, 0, 0),
    ("nvarchar", 231, 231, 8000, 0, 0),
    ("nchar", 239, 239, 8000, 0, 0),
    ("xml", 241, 241, -1, 0, 0),
    ("sysname", 231, 256, 256, 0, 0),
];

/// The name in `sys.types`.
pub(crate) fn name(sql_type: &SqlType) -> &'static str {
    if *sql_type == SqlType::SysName {
        "sysname"
    } else {
        sql_type.name()
    }
}

/// System and user type id.
pub(crate) fn ids(sql_type: &SqlType) -> (u8, i32) {
    let name = name(sql_type);
    TYPES
        .iter()
        .find(|entry| entry.0 == name)
        .map_or((0, 0), |entry| (entry.1, entry.2))
}

pub(crate) fn name_of(user_type_id: i32) -> Option<&'static str> {
    TYPES
        .iter()
        .find(|entry| entry.2 == user_type_id)
        .map(|entry| entry.0)
}

pub(crate) fn id_of(name: &str) -> Option<i32> {
    let name = if name.eq_ignore_ascii_case("rowversion") {
        "timestamp"
    } else {
        name
    };
    TYPES
        .iter()
        .find(|entry| entry.0.eq_ignore_ascii_case(name))
        .map(|entry| entry.2)
}

fn time_bytes(scale: u8) -> i16 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// Bytes; -1 for max.
pub(crate) fn max_length(sql_type: &SqlType) -> i16 {
    sizes(sql_type).0
}

/// `max_length`, `precision` and `scale` of a column.
pub(crate) fn sizes(sql_type: &SqlType) -> (i16, u8, u8) {
    match sql_type {
        SqlType::Decimal {
            precision, scale, ..
        } => {
            let bytes = match precision {
                0..=9 => 5,
                10..=19 => 9,
                20..=28 => 13,
                _ => 17,
            };
            (bytes, *precision, *scale)
        }
        SqlType::Char { length } | SqlType::Binary { length } => (*length as i16, 0, 0),
        SqlType::NChar { length } => ((*length * 2) as i16, 0, 0),
        SqlType::VarChar { length } | SqlType::VarBinary { length } => {
            (length.map_or(-1, |length| length as i16), 0, 0)
        }
        SqlType::NVarChar { length } => (length.map_or(-1, |length| (length * 2) as i16), 0, 0),
        SqlType::Time { scale } => (
            time_bytes(*scale),
            if *scale == 0 { 8 } else { 9 + scale },
            *scale,
        ),
        SqlType::DateTime2 { scale } => (
            time_bytes(*scale) + 3,
            if *scale == 0 { 19 } else { 20 + scale },
            *scale,
        ),
        SqlType::DateTimeOffset { scale } => (
            time_bytes(*scale) + 5,
            if *scale == 0 { 26 } else { 27 + scale },
            *scale,
        ),
        other => {
            let name = name(other);
            TYPES
                .iter()
                .find(|entry| entry.0 == name)
                .map_or((0, 0, 0), |entry| (entry.3, entry.4, entry.5))
        }
    }
}

/// The type as DDL writes it: `nvarchar(50)`, `decimal(10,2)`.
pub(crate) fn declaration(sql_type: &SqlType) -> String {
    let name = name(sql_type);
    match sql_type {
        SqlType::Decimal {
            precision, scale, ..
        } => format!("{name}({precision},{scale})"),
        SqlType::Time { scale }
        | SqlType::DateTime2 { scale }
        | SqlType::DateTimeOffset { scale } => format!("{name}({scale})"),
        SqlType::SysName | SqlType::RowVersion => name.to_owned(),
        _ if sql_type.is_text() || sql_type.is_binary() => match sql_type.length() {
            Some(length) => format!("{name}({length})"),
            None => format!("{name}(max)"),
        },
        _ => name.to_owned(),
    }
}

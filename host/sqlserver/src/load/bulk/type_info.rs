//! What a bulk load says of its columns: COLMETADATA (MS-TDS 2.2.7.4) with a TYPE_INFO (2.2.5.6) each.

use icehost_plan::{Length, SqlType};

use crate::error::{Result, SqlServerError};

const COLMETADATA: u8 = 0x81;

/// The column may be NULL.
const NULLABLE: u16 = 0x0001;
/// Whether it can be written is not said: what SQL Server itself says of the columns of a table.
const UPDATEABLE_UNKNOWN: u16 = 0x0008;

/// The collation of all Unicode text in the stream, `SQL_Latin1_General_CP1_CI_AS` (MS-TDS 2.2.5.1.2). How
/// UTF-16 is read does not depend on it, and the staging table's own collation is what the server compares by.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

/// Stands for `(max)` where a type's length is declared.
const MAX: u16 = u16::MAX;

/// A column of the stream.
pub(super) struct StreamColumn<'a> {
    pub(super) name: &'a str,
    pub(super) sql_type: SqlType,
    pub(super) nullable: bool,
}

/// Appends the description of `columns`, which precedes the rows.
///
/// # Errors
/// More columns than a table can have, or a name of more than 255 characters; SQL Server has created the
/// staging table with them before, so neither happens.
pub(super) fn append_columns(columns: &[StreamColumn<'_>], out: &mut Vec<u8>) -> Result<()> {
    let count = u16::try_from(columns.len())
        .ok()
        .filter(|&count| count < u16::MAX)
        .ok_or_else(|| {
            SqlServerError::unsupported(format!("a delta of {} columns", columns.len()))
        })?;
    out.push(COLMETADATA);
    out.extend_from_slice(&count.to_le_bytes());
    for column in columns {
        // No user-defined type
        out.extend_from_slice(&0u32.to_le_bytes());
        let nullable = if column.nullable { NULLABLE } else { 0 };
        out.extend_from_slice(&(UPDATEABLE_UNKNOWN | nullable).to_le_bytes());
        append_type(column.sql_type, column.nullable, out);
        let units = u8::try_from(column.name.encode_utf16().count()).map_err(|_| {
            SqlServerError::unsupported(format!("the column name '{}' is too long", column.name))
        })?;
        out.push(units);
        out.extend(column.name.encode_utf16().flat_map(u16::to_le_bytes));
    }
    Ok(())
}

fn append_type(sql_type: SqlType, nullable: bool, out: &mut Vec<u8>) {
    match sql_type {
        SqlType::Bit => out.extend_from_slice(&[0x68, 1]),
        SqlType::TinyInt => out.extend_from_slice(&[0x26, 1]),
        SqlType::SmallInt => out.extend_from_slice(&[0x26, 2]),
        SqlType::Int => out.extend_from_slice(&[0x26, 4]),
        // A NOT NULL column's values have no length in front.
        SqlType::BigInt if !nullable => out.push(0x7F),
        SqlType::BigInt => out.extend_from_slice(&[0x26, 8]),
        SqlType::Real => out.extend_from_slice(&[0x6D, 4]),
        SqlType::Float => out.extend_from_slice(&[0x6D, 8]),
        SqlType::SmallMoney => out.extend_from_slice(&[0x6E, 4]),
        SqlType::Money => out.extend_from_slice(&[0x6E, 8]),
        SqlType::SmallDateTime => out.extend_from_slice(&[0x6F, 4]),
        SqlType::DateTime => out.extend_from_slice(&[0x6F, 8]),
        SqlType::Decimal { precision, scale } => {
            out.extend_from_slice(&[0x6A, decimal_size(precision), precision, scale]);
        }
        SqlType::UniqueIdentifier => out.extend_from_slice(&[0x24, 16]),
        SqlType::Date => out.push(0x28),
        SqlType::Time(scale) => out.extend_from_slice(&[0x29, scale]),
        SqlType::DateTime2(scale) => out.extend_from_slice(&[0x2A, scale]),
        SqlType::DateTimeOffset(scale) => out.extend_from_slice(&[0x2B, scale]),
        // Text is always staged as Unicode, see `staged_type`.
        SqlType::Char(n) | SqlType::NChar(n) => append_text(0xEF, n.saturating_mul(2), out),
        SqlType::VarChar(Length::Limited(n)) | SqlType::NVarChar(Length::Limited(n)) => {
            append_text(0xE7, n.saturating_mul(2), out);
        }
        SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max) => {
            append_text(0xE7, MAX, out);
        }
        SqlType::Binary(n) => append_binary(0xAD, n, out),
        SqlType::RowVersion => append_binary(0xAD, 8, out),
        SqlType::VarBinary(Length::Limited(n)) => append_binary(0xA5, n, out),
        SqlType::VarBinary(Length::Max) => append_binary(0xA5, MAX, out),
    }
}

fn append_text(token: u8, bytes: u16, out: &mut Vec<u8>) {
    out.push(token);
    out.extend_from_slice(&bytes.to_le_bytes());
    out.extend_from_slice(&COLLATION);
}

fn append_binary(token: u8, bytes: u16, out: &mut Vec<u8>) {
    out.push(token);
    out.extend_from_slice(&bytes.to_le_bytes());
}

/// Bytes of a decimal's sign and magnitude (MS-TDS 2.2.5.5.1.6).
pub(super) fn decimal_size(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// Bytes of a time of day with this many digits behind the point (MS-TDS 2.2.5.5.1.9).
pub(super) fn time_size(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

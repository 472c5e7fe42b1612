//! What a bulk load says of its columns: COLMETADATA (MS-TDS 2.2.7.4) with a TYPE_INFO (2.2.5.6) each.

use icehost_plan::{Length, SqlType};

use crate::driver::tds::{MAX_LENGTH, data_type, token};
use crate::error::{Result, SqlServerError};

/// The column may be NULL.
const NULLABLE: u16 = 0x0001;
/// Whether it can be written is not said: what SQL Server itself says of the columns of a table.
const UPDATEABLE_UNKNOWN: u16 = 0x0008;

/// The collation of all Unicode text in the stream, `SQL_Latin1_General_CP1_CI_AS` (MS-TDS 2.2.5.1.2). How
/// UTF-16 is read does not depend on it, and the staging table's own collation is what the server compares by.
const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

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
    out.push(token::COLUMNS);
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
        SqlType::Bit => out.extend_from_slice(&[data_type::NULLABLE_BIT, 1]),
        SqlType::TinyInt => out.extend_from_slice(&[data_type::INTEGER, 1]),
        SqlType::SmallInt => out.extend_from_slice(&[data_type::INTEGER, 2]),
        SqlType::Int => out.extend_from_slice(&[data_type::INTEGER, 4]),
        // A NOT NULL column's values have no length in front.
        SqlType::BigInt if !nullable => out.push(data_type::BIGINT),
        SqlType::BigInt => out.extend_from_slice(&[data_type::INTEGER, 8]),
        SqlType::Real => out.extend_from_slice(&[data_type::FLOATING_POINT, 4]),
        SqlType::Float => out.extend_from_slice(&[data_type::FLOATING_POINT, 8]),
        SqlType::SmallMoney => out.extend_from_slice(&[data_type::NULLABLE_MONEY, 4]),
        SqlType::Money => out.extend_from_slice(&[data_type::NULLABLE_MONEY, 8]),
        SqlType::SmallDateTime => out.extend_from_slice(&[data_type::NULLABLE_DATETIME, 4]),
        SqlType::DateTime => out.extend_from_slice(&[data_type::NULLABLE_DATETIME, 8]),
        SqlType::Decimal { precision, scale } => {
            out.extend_from_slice(&[
                data_type::DECIMAL,
                decimal_size(precision),
                precision,
                scale,
            ]);
        }
        SqlType::UniqueIdentifier => out.extend_from_slice(&[data_type::UNIQUEIDENTIFIER, 16]),
        SqlType::Date => out.push(data_type::DATE),
        SqlType::Time(scale) => out.extend_from_slice(&[data_type::TIME, scale]),
        SqlType::DateTime2(scale) => out.extend_from_slice(&[data_type::DATETIME2, scale]),
        SqlType::DateTimeOffset(scale) => {
            out.extend_from_slice(&[data_type::DATETIMEOFFSET, scale])
        }
        // Text is always staged as Unicode, see `staged_type`.
        SqlType::Char(n) | SqlType::NChar(n) => {
            append_text(data_type::NCHAR, n.saturating_mul(2), out)
        }
        SqlType::VarChar(Length::Limited(n)) | SqlType::NVarChar(Length::Limited(n)) => {
            append_text(data_type::NVARCHAR, n.saturating_mul(2), out);
        }
        SqlType::VarChar(Length::Max) | SqlType::NVarChar(Length::Max) => {
            append_text(data_type::NVARCHAR, MAX_LENGTH, out);
        }
        SqlType::Binary(n) => append_binary(data_type::BINARY, n, out),
        SqlType::RowVersion => append_binary(data_type::BINARY, 8, out),
        SqlType::VarBinary(Length::Limited(n)) => append_binary(data_type::VARBINARY, n, out),
        SqlType::VarBinary(Length::Max) => append_binary(data_type::VARBINARY, MAX_LENGTH, out),
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

//! COLMETADATA (MS-TDS 2.2.7.4): the columns of the rows that follow.

use icehost_devengine::session::ResultColumn;
use icehost_devengine::types::SqlType;

use super::{b_varchar, kind};
use crate::input::Input;
use crate::protocol_error::ProtocolError;
use crate::value::collation::Collation;
use crate::value::type_info::TypeInfo;

const NULLABLE: u16 = 0x0001;
const CASE_SENSITIVE: u16 = 0x0002;
/// usUpdateable = 2, "unknown": what SQL Server says of a table's ordinary columns.
const UPDATEABLE_UNKNOWN: u16 = 0x0008;
const IDENTITY: u16 = 0x0010;
const COMPUTED: u16 = 0x0020;

/// The user type of `timestamp`, alias `rowversion`, in `sys.types`.
const USER_TYPE_ROWVERSION: u32 = 80;
/// The user type of `sysname` goes out as 0, as SQL Server does for alias types.
const USER_TYPE_NONE: u32 = 0;

/// No columns: what FMTONLY-like answers carry.
const NO_METADATA: u16 = 0xFFFF;

/// Appends the description of `columns` and returns how each one's values go.
///
/// # Errors
/// A column of a type that the wire cannot carry; nothing is appended then.
pub(crate) fn write(
    columns: &[ResultColumn],
    out: &mut Vec<u8>,
) -> Result<Vec<TypeInfo>, ProtocolError> {
    let count = u16::try_from(columns.len())
        .ok()
        .filter(|&count| count != NO_METADATA)
        .ok_or_else(|| {
            ProtocolError::Unsupported(format!("a result of {} columns", columns.len()))
        })?;
    let infos = columns
        .iter()
        .map(|column| {
            let mut info = TypeInfo::of(&column.sql_type, column.nullable)?;
            if let (TypeInfo::Text { collation, .. }, Some(wire)) = (&mut info, column.collation) {
                *collation = Collation(wire);
            }
            Ok(info)
        })
        .collect::<Result<Vec<_>, _>>()?;
    out.push(kind::COLMETADATA);
    out.extend_from_slice(&count.to_le_bytes());
    for (column, info) in columns.iter().zip(&infos) {
        let user_type = match column.sql_type {
            SqlType::RowVersion => USER_TYPE_ROWVERSION,
            _ => USER_TYPE_NONE,
        };
        out.extend_from_slice(&user_type.to_le_bytes());
        out.extend_from_slice(&flags(column, info).to_le_bytes());
        info.write(out);
        b_varchar(&column.name, out);
    }
    Ok(infos)
}

fn flags(column: &ResultColumn, info: &TypeInfo) -> u16 {
    let mut flags = 0;
    if column.nullable {
        flags |= NULLABLE;
    }
    if let TypeInfo::Text { collation, .. } = info
        && collation.is_case_sensitive()
    {
        flags |= CASE_SENSITIVE;
    }
    if column.identity {
        flags |= IDENTITY;
    } else if column.sql_type == SqlType::RowVersion {
        // Not writable, and not computed either.
    } else if column.read_only {
        flags |= COMPUTED;
    } else {
        flags |= UPDATEABLE_UNKNOWN;
    }
    flags
}

/// A column of a bulk load stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IncomingColumn {
    pub(crate) name: String,
    pub(crate) info: TypeInfo,
}

/// Reads the description that opens a bulk load stream, its token included.
///
/// # Errors
/// Another token, and types that the server does not take.
pub(crate) fn read(input: &mut Input) -> Result<Vec<IncomingColumn>, ProtocolError> {
    const READING: &str = "the column descriptions of a bulk load";
    let token = input.u8(READING)?;
    if token != kind::COLMETADATA {
        return Err(ProtocolError::invalid(format!(
            "a bulk load starts with token 0x{token:02X}, not with its column descriptions"
        )));
    }
    let count = input.u16(READING)?;
    if count == NO_METADATA || count > 4096 {
        return Err(ProtocolError::invalid(format!(
            "a bulk load cannot have {count} columns"
        )));
    }
    let mut columns = Vec::with_capacity(count.into());
    for _ in 0..count {
        input.u32(READING)?;
        input.u16(READING)?;
        let info = TypeInfo::read(input)?;
        if info.has_text_pointer() {
            // Here the table's name is one text, not the parts that a result's description has.
            input.us_varchar(READING)?;
        }
        let name = input.b_varchar(READING)?;
        columns.push(IncomingColumn { name, info });
    }
    Ok(columns)
}

//! RETURNVALUE (MS-TDS 2.2.7.18): an output parameter.

use icehost_devengine::types::{Datum, SqlType};

use super::{b_varchar, kind};
use crate::protocol_error::ProtocolError;
use crate::value::encode::write_value;
use crate::value::type_info::TypeInfo;

/// The value is an output parameter's, not a function's.
const OUTPUT_PARAMETER: u8 = 0x01;

/// Appends an output parameter; `ordinal` counts from 0.
///
/// # Errors
/// A type or value that cannot be sent; nothing is appended then.
pub(crate) fn write(
    ordinal: u16,
    name: &str,
    sql_type: &SqlType,
    value: &Datum,
    out: &mut Vec<u8>,
) -> Result<(), ProtocolError> {
    let start = out.len();
    let info = TypeInfo::of(sql_type, true)?;
    out.push(kind::RETURN_VALUE);
    out.extend_from_slice(&ordinal.to_le_bytes());
    b_varchar(name, out);
    out.push(OUTPUT_PARAMETER);
    // User type and flags: none.
    out.extend_from_slice(&[0; 6]);
    info.write(out);
    write_value(&info, value, out).map_err(|error| {
        out.truncate(start);
        ProtocolError::invalid(error.to_string())
    })
}

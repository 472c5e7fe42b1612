//! ALL_HEADERS (MS-TDS 2.2.5.3), which open every request.

use crate::input::Input;
use crate::protocol_error::ProtocolError;

const TRANSACTION_DESCRIPTOR: u16 = 2;

/// Reads the headers and returns the transaction that the client believes to be in, 0 for none.
///
/// # Errors
/// Lengths that contradict each other.
pub(crate) fn read(input: &mut Input) -> Result<u64, ProtocolError> {
    const READING: &str = "the headers of a request";
    let total = input.u32(READING)? as usize;
    let body = total.checked_sub(4).ok_or_else(|| {
        ProtocolError::invalid(format!(
            "the headers of a request cannot be {total} bytes long"
        ))
    })?;
    let mut headers = Input::complete(input.take(body, READING)?);
    let mut descriptor = 0;
    while !headers.is_at_end() {
        let length = headers.u32(READING)? as usize;
        let kind = headers.u16(READING)?;
        let data = length.checked_sub(6).ok_or_else(|| {
            ProtocolError::invalid(format!("a request header cannot be {length} bytes long"))
        })?;
        let mut data = Input::complete(headers.take(data, READING)?);
        if kind == TRANSACTION_DESCRIPTOR {
            descriptor = data.u64(READING)?;
        }
    }
    Ok(descriptor)
}

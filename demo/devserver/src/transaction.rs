//! Transaction manager requests (MS-TDS 2.2.6.9).

use icehost_devengine::session::{IsolationLevel, TransactionRequest};

use crate::input::Input;
use crate::protocol_error::ProtocolError;

const BEGIN: u16 = 5;
const COMMIT: u16 = 7;
const ROLLBACK: u16 = 8;
const SAVE: u16 = 9;

/// Bit 0 of a commit's or rollback's flags: begin another transaction right after.
const BEGIN_AGAIN: u8 = 0x01;

/// Reads a request, after its headers.
///
/// # Errors
/// Distributed transactions, and what is no request at all.
pub(crate) fn read(input: &mut Input) -> Result<TransactionRequest, ProtocolError> {
    const READING: &str = "a transaction manager request";
    match input.u16(READING)? {
        BEGIN => Ok(TransactionRequest::Begin {
            isolation: isolation(input)?,
            name: name(input)?,
        }),
        COMMIT => {
            name(input)?;
            Ok(TransactionRequest::Commit {
                begin_again: begin_again(input)?,
            })
        }
        ROLLBACK => Ok(TransactionRequest::Rollback {
            name: name(input)?,
            begin_again: begin_again(input)?,
        }),
        SAVE => Ok(TransactionRequest::Save { name: name(input)? }),
        0 | 1 | 6 => Err(ProtocolError::Unsupported(
            "distributed transactions".into(),
        )),
        other => Err(ProtocolError::invalid(format!(
            "{other} is not a transaction manager request"
        ))),
    }
}

fn isolation(input: &mut Input) -> Result<Option<IsolationLevel>, ProtocolError> {
    match input.u8("an isolation level")? {
        0 => Ok(None),
        1 => Ok(Some(IsolationLevel::ReadUncommitted)),
        2 => Ok(Some(IsolationLevel::ReadCommitted)),
        3 => Ok(Some(IsolationLevel::RepeatableRead)),
        4 => Ok(Some(IsolationLevel::Serializable)),
        5 => Ok(Some(IsolationLevel::Snapshot)),
        other => Err(ProtocolError::invalid(format!(
            "{other} is not an isolation level"
        ))),
    }
}

/// A name with its length in bytes.
fn name(input: &mut Input) -> Result<String, ProtocolError> {
    const READING: &str = "the name of a transaction";
    let bytes = usize::from(input.u8(READING)?);
    if bytes % 2 != 0 {
        return Err(ProtocolError::invalid(format!(
            "{READING} is {bytes} bytes of UTF-16, an odd number"
        )));
    }
    input.utf16(bytes / 2, READING)
}

fn begin_again(input: &mut Input) -> Result<Option<Option<IsolationLevel>>, ProtocolError> {
    if input.is_at_end() || input.u8("the flags of a transaction request")? & BEGIN_AGAIN == 0 {
        return Ok(None);
    }
    let level = isolation(input)?;
    name(input)?;
    Ok(Some(level))
}

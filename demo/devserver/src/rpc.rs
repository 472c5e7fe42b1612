//! Remote procedure calls (MS-TDS 2.2.6.6).

use icehost_devengine::types::{Datum, SqlType};

use crate::input::Input;
use crate::protocol_error::ProtocolError;
use crate::value::decode::read_value;
use crate::value::type_info::TypeInfo;

/// Instead of a name's length: a procedure's number follows.
const BY_NUMBER: u16 = 0xFFFF;
/// Between calls of one message.
const NEXT_CALL: u8 = 0xFF;
/// Between calls, the next of which shall not run when this one fails.
const NEXT_CALL_NO_EXECUTE: u8 = 0xFE;

const BY_REFERENCE: u8 = 0x01;
const DEFAULT_VALUE: u8 = 0x02;
const ENCRYPTED: u8 = 0x08;

/// The most parameters that SQL Server takes.
const MAX_PARAMETERS: usize = 2100;

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Procedure {
    ExecuteSql,
    Prepare,
    Execute,
    PrepareAndExecute,
    Unprepare,
    ResetConnection,
    /// One of the API server cursors, which are refused.
    Cursor(String),
    /// Any other, by the name that the client used.
    Named(String),
}

/// A parameter as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    /// With its `@`, or empty where it goes by position.
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) value: Datum,
    pub(crate) output: bool,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) procedure: Procedure,
    pub(crate) arguments: Vec<Argument>,
}

impl Procedure {
    fn by_number(number: u16) -> Result<Self, ProtocolError> {
        Ok(match number {
            1 => Self::Cursor("sp_cursor".into()),
            2 => Self::Cursor("sp_cursoropen".into()),
            3 => Self::Cursor("sp_cursorprepare".into()),
            4 => Self::Cursor("sp_cursorexecute".into()),
            5 => Self::Cursor("sp_cursorprepexec".into()),
            6 => Self::Cursor("sp_cursorunprepare".into()),
            7 => Self::Cursor("sp_cursorfetch".into()),
            8 => Self::Cursor("sp_cursoroption".into()),
            9 => Self::Cursor("sp_cursorclose".into()),
            10 => Self::ExecuteSql,
            11 => Self::Prepare,
            12 => Self::Execute,
            13 => Self::PrepareAndExecute,
            14 => return Err(ProtocolError::Unsupported("sp_prepexecrpc".into())),
            15 => Self::Unprepare,
            _ => {
                return Err(ProtocolError::invalid(format!(
                    "{number} is not the number of a procedure"
                )));
            }
        })
    }

    fn by_name(name: String) -> Self {
        let plain: String = name
            .chars()
            .filter(|c| !matches!(c, '[' | ']' | '"'))
            .collect();
        let last = plain
            .rsplit('.')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        match last.as_str() {
            "sp_executesql" => Self::ExecuteSql,
            "sp_prepare" => Self::Prepare,
            "sp_execute" => Self::Execute,
            "sp_prepexec" => Self::PrepareAndExecute,
            "sp_unprepare" => Self::Unprepare,
            "sp_reset_connection" => Self::ResetConnection,
            _ if last.starts_with("sp_cursor") => Self::Cursor(last),
            _ => Self::Named(name),
        }
    }
}

/// Reads the calls of a message, after its headers.
///
/// # Errors
/// Bytes that are no call, and types and options that the server does not take.
pub(crate) fn read(input: &mut Input) -> Result<Vec<Call>, ProtocolError> {
    let mut calls = Vec::new();
    loop {
        calls.push(read_call(input)?);
        match input.peek() {
            None => return Ok(calls),
            Some(NEXT_CALL) => {
                input.u8("the end of a call")?;
                if input.is_at_end() {
                    return Ok(calls);
                }
            }
            Some(_) => {
                return Err(ProtocolError::Unsupported(
                    "calls that depend on the one before".into(),
                ));
            }
        }
    }
}

fn read_call(input: &mut Input) -> Result<Call, ProtocolError> {
    const READING: &str = "a procedure call";
    let procedure = match input.u16(READING)? {
        BY_NUMBER => Procedure::by_number(input.u16(READING)?)?,
        length => Procedure::by_name(input.utf16(length.into(), "the name of a procedure")?),
    };
    // Recompiling and leaving out metadata are the client's hints, not its needs.
    input.u16(READING)?;
    let mut arguments = Vec::new();
    while input
        .peek()
        .is_some_and(|byte| byte != NEXT_CALL && byte != NEXT_CALL_NO_EXECUTE)
    {
        if arguments.len() == MAX_PARAMETERS {
            return Err(ProtocolError::invalid(format!(
                "a call has more than {MAX_PARAMETERS} parameters"
            )));
        }
        arguments.push(read_argument(input, arguments.len() + 1)?);
    }
    Ok(Call {
        procedure,
        arguments,
    })
}

fn read_argument(input: &mut Input, position: usize) -> Result<Argument, ProtocolError> {
    let name = input.b_varchar("the name of a parameter")?;
    let status = input.u8("the status of a parameter")?;
    let within = |error: ProtocolError| match error {
        ProtocolError::Invalid(what) => {
            ProtocolError::Invalid(format!("parameter {position} (\"{name}\"): {what}"))
        }
        ProtocolError::Unsupported(what) => ProtocolError::Unsupported(format!(
            "{what}, the type of parameter {position} (\"{name}\")"
        )),
        other => other,
    };
    if status & ENCRYPTED != 0 {
        return Err(ProtocolError::Unsupported(format!(
            "Always Encrypted, by which parameter {position} (\"{name}\") came"
        )));
    }
    if status & DEFAULT_VALUE != 0 {
        return Err(ProtocolError::Unsupported(format!(
            "default values of parameters, asked for parameter {position} (\"{name}\")"
        )));
    }
    let info = TypeInfo::read(input).map_err(within)?;
    let value = read_value(&info, input).map_err(within)?;
    Ok(Argument {
        sql_type: info.sql_type(),
        output: status & BY_REFERENCE != 0,
        value,
        name,
    })
}

//! Prepared statements: texts and declarations under handles.

use std::collections::HashMap;

use icehost_devengine::session::SqlError;
use icehost_devengine::types::Datum;

use crate::binding::{error, text_argument};
use crate::declarations::Declaration;
use crate::protocol_error::NOT_SUPPORTED;
use crate::rpc::Argument;

/// How many prepared statements a session may hold.
const MAX_PREPARED: usize = 10_000;

/// A statement under a handle.
#[derive(Debug, Clone)]
pub(crate) struct PreparedStatement {
    pub(crate) text: String,
    pub(crate) declarations: Vec<Declaration>,
}

/// The prepared statements of a session.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    statements: HashMap<i32, PreparedStatement>,
    last_handle: i32,
}

impl Prepared {
    pub(crate) fn add(&mut self, statement: PreparedStatement) -> Result<i32, SqlError> {
        if self.statements.len() >= MAX_PREPARED {
            return Err(error(
                NOT_SUPPORTED,
                format!(
                    "the development server does not support more than {MAX_PREPARED} prepared statements in a session"
                ),
            ));
        }
        self.last_handle = self.last_handle.wrapping_add(1);
        self.statements.insert(self.last_handle, statement);
        Ok(self.last_handle)
    }

    pub(crate) fn get(&self, handle: i32) -> Result<&PreparedStatement, SqlError> {
        self.statements
            .get(&handle)
            .ok_or_else(|| unknown_handle(handle))
    }

    pub(crate) fn remove(&mut self, handle: i32) -> Result<(), SqlError> {
        self.statements
            .remove(&handle)
            .map(|_| ())
            .ok_or_else(|| unknown_handle(handle))
    }

    pub(crate) fn clear(&mut self) {
        self.statements.clear();
    }
}

fn unknown_handle(handle: i32) -> SqlError {
    error(
        8179,
        format!("Could not find prepared statement with handle {handle}."),
    )
}

/// Text and declarations of `sp_prepare` and `sp_prepexec`, whose arguments are handle, declarations, text.
pub(crate) fn text_and_declarations(
    arguments: &[Argument],
    procedure: &str,
) -> Result<(String, String), SqlError> {
    let declared =
        text_argument(arguments.get(1).cloned(), procedure, "@params")?.unwrap_or_default();
    let text = text_argument(arguments.get(2).cloned(), procedure, "@stmt")?.unwrap_or_default();
    Ok((text, declared))
}

/// The handle that a call names.
pub(crate) fn handle_argument(
    argument: Option<&Argument>,
    procedure: &str,
) -> Result<i32, SqlError> {
    match argument.map(|argument| &argument.value) {
        Some(&Datum::Int(handle)) => Ok(handle),
        Some(&Datum::SmallInt(handle)) => Ok(handle.into()),
        Some(&Datum::TinyInt(handle)) => Ok(handle.into()),
        Some(&Datum::BigInt(handle)) => i32::try_from(handle).map_err(|_| unknown_handle(i32::MAX)),
        Some(_) => Err(error(
            214,
            "Procedure expects parameter '@handle' of type 'int'.",
        )),
        None => Err(error(
            201,
            format!(
                "Procedure or function '{procedure}' expects parameter '@handle', which was not supplied."
            ),
        )),
    }
}

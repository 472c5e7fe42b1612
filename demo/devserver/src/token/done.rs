//! DONE, DONEINPROC and DONEPROC (MS-TDS 2.2.7.6 to 2.2.7.8) and RETURNSTATUS.

use super::kind;

const MORE: u16 = 0x0001;
const ERROR: u16 = 0x0002;
const COUNT: u16 = 0x0010;
const ATTENTION: u16 = 0x0020;

/// The end of a statement, of a statement within a procedure, or of a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Statement,
    StatementInProcedure,
    Procedure,
}

/// One DONE token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) scope: Scope,
    pub(crate) more: bool,
    pub(crate) error: bool,
    pub(crate) rows: Option<u64>,
    pub(crate) command: u16,
}

impl Done {
    pub(crate) fn plain(scope: Scope) -> Self {
        Self {
            scope,
            more: false,
            error: false,
            rows: None,
            command: 0,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let kind = match self.scope {
            Scope::Statement => kind::DONE,
            Scope::StatementInProcedure => kind::DONE_IN_PROC,
            Scope::Procedure => kind::DONE_PROC,
        };
        let mut status = 0;
        if self.more {
            status |= MORE;
        }
        if self.error {
            status |= ERROR;
        }
        if self.rows.is_some() {
            status |= COUNT;
        }
        write(kind, status, self.command, self.rows.unwrap_or(0), out);
    }
}

/// Appends the acknowledgement of an attention.
pub(crate) fn write_attention(out: &mut Vec<u8>) {
    write(kind::DONE, ATTENTION, 0, 0, out);
}

fn write(kind: u8, status: u16, command: u16, rows: u64, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&command.to_le_bytes());
    out.extend_from_slice(&rows.to_le_bytes());
}

/// Appends what a procedure returned.
pub(crate) fn write_return_status(status: i32, out: &mut Vec<u8>) {
    out.push(kind::RETURN_STATUS);
    out.extend_from_slice(&status.to_le_bytes());
}

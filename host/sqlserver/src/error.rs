//! What can go wrong between icehost and a SQL Server.

use std::fmt;

use crate::load::Absent;
use crate::servers;

/// The error of everything in this crate.
///
/// `Display` is one lower-case line that says what was tried, on what, and why it failed; [`hint`] says what
/// to do next. Neither ever holds a password.
///
/// [`hint`]: SqlServerError::hint
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlServerError(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    /// What the server said to a login that it refused.
    login: Option<ServerMessage>,
    /// It was waited for long enough: trying again is no use.
    given_up: bool,
}

/// A result with a [`SqlServerError`].
pub type Result<T, E = SqlServerError> = std::result::Result<T, E>;

/// What sort of failure it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// A URL, connection string or table name that cannot be read.
    Address,
    /// No TCP connection.
    Connect,
    /// No encrypted channel.
    Tls,
    /// The server refused the login or the database.
    Login,
    /// An open connection broke.
    ConnectionLost,
    /// The server did not answer in time.
    Timeout,
    /// A statement took longer than the user allows.
    StatementTimeout,
    /// The server reported an error.
    Server(ServerMessage),
    /// No such table or column.
    NotFound,
    /// The login is not shown, or may not change, what is asked for.
    Permission,
    /// Something that icehost does not carry or do.
    Unsupported,
    /// A value that cannot be carried exactly.
    Data(DataPlace),
    /// A plan that cannot be carried out on SQL Server.
    Plan,
    /// Someone else moved the same target meanwhile.
    Conflict,
    /// More rows than may would go because a complete delivery lacks them.
    Deletions(Absent),
    /// The server's answer was not understood.
    Protocol,
}

/// A SQL Server error message (MS-TDS 2.2.7.10, ERROR token), less its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMessage {
    /// The error's number, for example 1205.
    pub number: u32,
    /// Its class, also called severity: 11 and up are errors, 20 and up end the connection.
    pub class: u8,
    /// Its state.
    pub state: u8,
    /// The stored procedure or trigger that raised it; empty outside of one.
    pub procedure: String,
    /// The line in the batch or procedure, from 1.
    pub line: u32,
}

/// Where a value stands that cannot be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPlace {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// The row's key, such as `Id = 7`, or its number where there is no key.
    pub row: String,
}

impl SqlServerError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        SqlServerError(Box::new(Parts {
            kind,
            message: message.into(),
            hint: None,
            login: None,
            given_up: false,
        }))
    }

    pub(crate) fn address(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Address, message)
    }

    pub(crate) fn permission(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permission, message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub(crate) fn plan(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Plan, message)
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }

    /// A value in `column` of the row called `row` that cannot be carried, and why.
    pub(crate) fn data(
        table: impl fmt::Display,
        column: &str,
        row: impl Into<String>,
        why: impl fmt::Display,
    ) -> Self {
        let row = row.into();
        let message = format!("table {table}, column '{column}', row {row}: {why}");
        Self::new(
            ErrorKind::Data(DataPlace {
                table: table.to_string(),
                column: column.to_owned(),
                row,
            }),
            message,
        )
    }

    /// The same error with another hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error, in answer to a login.
    pub(crate) fn with_login(mut self, message: ServerMessage) -> Self {
        self.0.login = Some(message);
        self
    }

    /// Whether a login was refused since the server or the database is not ready, which says nothing of the login.
    pub fn is_unready(&self) -> bool {
        self.login().is_some_and(servers::is_unready)
    }

    /// What the server said to a login that it refused.
    pub(crate) fn login(&self) -> Option<&ServerMessage> {
        self.0.login.as_ref()
    }

    /// The same error, after which nothing is tried again.
    pub(crate) fn given_up(mut self) -> Self {
        self.0.given_up = true;
        self
    }

    /// Whether nothing is to be tried again.
    pub(crate) fn is_given_up(&self) -> bool {
        self.0.given_up
    }

    /// The same error, met while doing `what`.
    pub(crate) fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The same error with this behind it.
    pub(crate) fn remark(mut self, what: &str) -> Self {
        self.0.message = format!("{} ({what})", self.0.message);
        self
    }

    /// What sort of failure it was.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What to do next, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        let own = self.0.hint.as_deref();
        own.or_else(|| hint_for_kind(&self.0.kind))
    }

    /// The server's error number, where the server reported the error.
    pub fn number(&self) -> Option<u32> {
        match &self.0.kind {
            ErrorKind::Server(message) => Some(message.number),
            _ => None,
        }
    }

    /// Whether the same work may succeed when it is simply tried again.
    pub fn is_transient(&self) -> bool {
        match &self.0.kind {
            _ if self.0.given_up => false,
            ErrorKind::ConnectionLost | ErrorKind::Timeout | ErrorKind::Conflict => true,
            ErrorKind::Server(message) => {
                is_transient_number(message.number)
                    || is_serialization_failure(message.number, &self.0.message)
            }
            _ => false,
        }
    }
}

impl SqlServerError {
    /// Whether the same work may succeed later though nothing is changed: as [`is_transient`](Self::is_transient), also
    /// where this run has waited for long enough.
    pub fn may_pass(&self) -> bool {
        self.0.given_up || self.is_transient()
    }
}

impl fmt::Display for SqlServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl From<icehost_files::failpoint::Failed> for SqlServerError {
    fn from(failed: icehost_files::failpoint::Failed) -> Self {
        SqlServerError::new(ErrorKind::ConnectionLost, failed.to_string())
    }
}

impl std::error::Error for SqlServerError {}

/// Errors that end on their own (SQL Server "Database Engine events and errors"; Azure SQL "Troubleshoot
/// transient connection errors").
fn is_transient_number(number: u32) -> bool {
    matches!(
        number,
        // Deadlock victim, lock timeout
        1205 | 1222
        // Snapshot conflicts, and a temporal table whose row another session changed after we began
        | 3960 | 3961 | 13535
        // In-memory OLTP: conflicting or aborted transactions
        | 41301 | 41302 | 41305 | 41325 | 41839
        // Short of memory or workers
        | 701 | 802 | 8628 | 8645 | 8651
        // Session ended by an administrator or a failover
        | 596 | 983 | 6005
        // Broken transport, as the server or a gateway reports it
        | 64 | 233 | 10053 | 10054 | 10060
        // Azure SQL: busy, throttled, moved or being scaled
        | 4221 | 10928 | 10929 | 40143 | 40197 | 40501 | 40540 | 40613
        | 42108 | 42109 | 49918 | 49919 | 49920
    )
}

/// Babelfish's way to say that a transaction has met another one's changes: PostgreSQL's error 40001 under the
/// number that it has for all that have none of SQL Server's.
fn is_serialization_failure(number: u32, text: &str) -> bool {
    number == 33_557_097 && text.contains("could not serialize access")
}

/// What to do about an error of which nothing more is known than its kind.
fn hint_for_kind(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::ConnectionLost => {
            "run again; where it breaks each time, see the server's log (a restart, a failover, a session that was ended), \
             and whether a firewall or a proxy in between closes connections"
        }
        ErrorKind::Protocol => {
            "run again; where it comes again, something in between changes what is sent (a proxy, a network card), which \
             encrypt=true notices; where nothing does, please report it"
        }
        ErrorKind::Server(_) => {
            "the words are the server's: its documentation explains the error's number, and its log may say more"
        }
        ErrorKind::Address
        | ErrorKind::Connect
        | ErrorKind::Tls
        | ErrorKind::Login
        | ErrorKind::Timeout
        | ErrorKind::StatementTimeout
        | ErrorKind::NotFound
        | ErrorKind::Permission
        | ErrorKind::Unsupported
        | ErrorKind::Data(_)
        | ErrorKind::Plan
        | ErrorKind::Conflict
        | ErrorKind::Deletions(_) => return None,
    })
}

/// What to do about an error that people meet often.
pub(crate) fn hint_for_number(number: u32) -> Option<&'static str> {
    Some(match number {
        208 => "check the table's name and schema, and that the login may see it",
        229 | 230 => "grant the login the permission that the message names",
        515 => "give the column a value or a default, or make the column nullable in the target",
        547 => {
            "the message names the constraint: for a foreign key load the referenced table first, and where rows go the \
             referring one; for a CHECK mend the rows in the source, or the rule; or disable it for the load"
        }
        3609 => {
            "a trigger of the table rolled the transaction back: see what it checks and which rows it refuses, or load \
             into a table without it"
        }
        1205 => "another session held the locks; the same run again usually succeeds",
        1222 => {
            "another session holds a lock on the table; wait for it or find it in sys.dm_tran_locks"
        }
        2601 | 2627 => {
            "a row with this key is already in the target: as another version, which a merge that adds every row brings \
             and a unique key keeps out, under another spelling, or since the plan's key is not the table's key"
        }
        2628 | 8152 => "make the target column longer",
        41332 | 41368 => {
            "the statement reads a memory-optimised table in a transaction: sync that table itself, or set MEMORY_OPTIMIZED_ELEVATE_TO_SNAPSHOT ON in the database"
        }
        3952 => "ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON allows it",
        8115 => "make the target column wider",
        8672 => {
            "the merge key is not unique in the target: choose key columns that have a unique index"
        }
        4060 => "check the database's name, and that the login may open it",
        18456 => "check user and password; the server's own log says which part was wrong",
        18470 => "the login is disabled",
        18487 | 18488 => "change the login's password first",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u32) -> SqlServerError {
        SqlServerError::new(
            ErrorKind::Server(ServerMessage {
                number,
                class: 16,
                state: 1,
                procedure: String::new(),
                line: 1,
            }),
            "text",
        )
    }

    #[test]
    fn deadlocks_and_lost_connections_are_transient_and_refusals_are_not() {
        for number in [1205, 1222, 3960, 40501, 49918] {
            assert!(server(number).is_transient(), "{number}");
        }
        for number in [102, 208, 2627, 8672, 18456] {
            assert!(!server(number).is_transient(), "{number}");
        }
        assert!(is_serialization_failure(
            33_557_097,
            "could not serialize access due to concurrent update"
        ));
        assert!(!server(33_557_097).is_transient());
        assert!(SqlServerError::new(ErrorKind::ConnectionLost, "gone").is_transient());
        assert!(SqlServerError::new(ErrorKind::Timeout, "late").is_transient());
        assert!(!SqlServerError::new(ErrorKind::Login, "no").is_transient());
    }

    #[test]
    fn a_value_that_cannot_be_carried_names_table_column_and_row() {
        let error = SqlServerError::data("dbo.T", "c", "Id = 7", "too long");
        assert_eq!(
            error.to_string(),
            "table dbo.T, column 'c', row Id = 7: too long"
        );
    }
}

//! What sort of failure it was: a closed list, and the one place that knows the kind of every error.

use icehost_lake::{LakeError, LakeErrorKind};
use icehost_registry::{ErrorKind as RegistryKind, RegistryError};
use icehost_sqlserver::{ErrorKind as SqlServerKind, SqlServerError};
use icehost_strategy::{FailureKind, StrategyError, TrapReason};
use icehost_sync::SyncError;
use icehost_untrusted::{SystemRefusal, refusal_told};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What sort of failure it was: what a scheduler or an alert goes by. Whoever adds one adds it to the guide.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl ErrorKind {
            /// Each of them.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$kind,)*];

            /// Its name, as JSON has it.
            pub fn name(self) -> &'static str {
                match self {
                    $(ErrorKind::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// The settings are wrong, cannot be carried out, or do not go with what an earlier run has left.
    Config = "config",
    /// A server or a registry is not reached, does not answer, or was lost.
    Connection = "connection",
    /// A server or a registry refuses the login, or the database to it.
    Authentication = "authentication",
    /// A server or the system does not let the run do what it has to.
    Permission = "permission",
    /// A table or a column is missing, is not carried, or does not fit its other end.
    Schema = "schema",
    /// A value or a row cannot be carried, or the target does not take it.
    Data = "data",
    /// A component is not there or not sound, or its plan cannot be carried out.
    Strategy = "strategy",
    /// SQL Server reported an error that is none of the others.
    Server = "server",
    /// The lake's table or its files are missing, damaged or not carried, or cannot be read or written.
    Lake = "lake",
    /// Another run, writer or session was there first, or holds what the run needs.
    Conflict = "conflict",
    /// The watermark does not say how far the source was read, or the source went back behind it.
    Watermark = "watermark",
    /// The target is not as its position says.
    TargetState = "target_state",
    /// More rows would be deleted than the limit lets through.
    Deletions = "deletions",
    /// A comparison found something wrong.
    Differences = "differences",
    /// Memory, open files or disk ran out, of this machine or of a server.
    Shortage = "shortage",
    /// A file of this machine cannot be read or written.
    Io = "io",
    /// The user asked to stop.
    Cancelled = "cancelled",
    /// Whether a commit was made is not known; the next run finds out.
    Unsettled = "unsettled",
    /// A defect of icehost.
    Internal = "internal",
}

/// What there is to know of an error: its kind, and whether it may pass without anything being changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) kind: ErrorKind,
    pub(crate) transient: bool,
}

impl ErrorKind {
    /// The kind, unless the system itself has refused the process something: then that is what helps to know. Texts of
    /// values and of servers say nothing of this machine.
    pub(crate) fn unless_refused(self, message: &str) -> ErrorKind {
        match (self, refusal_told(message)) {
            (ErrorKind::Data | ErrorKind::Server | ErrorKind::Schema, _) | (_, None) => self,
            (_, Some(SystemRefusal::Shortage)) => ErrorKind::Shortage,
            // No way to the server is not a right that is missing.
            (ErrorKind::Connection, Some(SystemRefusal::Permission)) => self,
            (_, Some(SystemRefusal::Permission)) => ErrorKind::Permission,
        }
    }

    fn passing(self, transient: bool) -> Told {
        Told {
            kind: self,
            transient,
        }
    }
}

impl From<&SyncError> for Told {
    fn from(error: &SyncError) -> Told {
        let transient = error.is_transient();
        match error {
            SyncError::SqlServer { error, .. } => Told::from(&**error),
            SyncError::Lake { error, .. } => Told::from(&**error),
            SyncError::Strategy(error) => Told::from(&**error),
            SyncError::Plan { .. } => ErrorKind::Strategy.passing(transient),
            SyncError::Schema { .. } => ErrorKind::Schema.passing(transient),
            SyncError::Permission { .. } => ErrorKind::Permission.passing(transient),
            SyncError::Watermark { moved: true, .. } => ErrorKind::Conflict.passing(transient),
            SyncError::Watermark { .. } | SyncError::SourceWentBack { .. } => {
                ErrorKind::Watermark.passing(transient)
            }
            SyncError::Position { .. } => ErrorKind::TargetState.passing(transient),
            SyncError::Settings { .. } => ErrorKind::Config.passing(transient),
            // It passes when the other run ends, which may be long after this one would have tried again.
            SyncError::Busy { .. } => ErrorKind::Conflict.passing(true),
            SyncError::Deletions { .. } => ErrorKind::Deletions.passing(transient),
            SyncError::Interrupted { .. } | SyncError::Cancelled => {
                ErrorKind::Cancelled.passing(transient)
            }
            SyncError::Unsettled => ErrorKind::Unsettled.passing(true),
            SyncError::Internal { .. } => ErrorKind::Internal.passing(transient),
        }
    }
}

impl From<&SqlServerError> for Told {
    fn from(error: &SqlServerError) -> Told {
        let kind = match error.kind() {
            SqlServerKind::Address => ErrorKind::Config,
            SqlServerKind::Connect
            | SqlServerKind::Tls
            | SqlServerKind::ConnectionLost
            | SqlServerKind::Timeout => ErrorKind::Connection,
            SqlServerKind::Login if error.is_unready() => ErrorKind::Connection,
            SqlServerKind::Login => ErrorKind::Authentication,
            SqlServerKind::Permission => ErrorKind::Permission,
            SqlServerKind::Server(said) => of_number(said.number),
            SqlServerKind::StatementTimeout | SqlServerKind::Protocol => ErrorKind::Server,
            SqlServerKind::NotFound | SqlServerKind::Unsupported => ErrorKind::Schema,
            SqlServerKind::Data(_) => ErrorKind::Data,
            SqlServerKind::Plan => ErrorKind::Strategy,
            SqlServerKind::Conflict => ErrorKind::Conflict,
            SqlServerKind::Deletions(_) => ErrorKind::Deletions,
        };
        kind.passing(error.may_pass())
    }
}

/// The kind of an error that SQL Server numbers (SQL Server, "Database Engine events and errors").
fn of_number(number: u32) -> ErrorKind {
    match number {
        // Denied on an object or a column, in a database, on a schema, on the server; the database; bulk load; "you do not
        // have permission to perform this action"; "does not exist or you do not have permission"
        229 | 230 | 262 | 297 | 300 | 916 | 1088 | 2557 | 2571 | 2760 | 4834 | 5011 | 6004
        | 15151 | 15247 | 15517 => ErrorKind::Permission,
        // A read-only database, and a predicate of a security policy that blocks
        3906 | 33504 => ErrorKind::Permission,
        // No such column, no such object
        207 | 208 => ErrorKind::Schema,
        // NULL, constraints, duplicates, lengths, conversions, overflows, triggers
        220 | 232 | 241 | 242 | 245 | 248 | 515 | 547 | 2601 | 2627 | 2628 | 3609 | 8114 | 8115
        | 8134 | 8152 | 8672 => ErrorKind::Data,
        // Deadlocks, locks, and changes of another transaction
        1205 | 1222 | 3960 | 3961 | 13535 | 41301 | 41302 | 41305 | 41325 | 41839 => {
            ErrorKind::Conflict
        }
        // Memory, workers, disk, log, quota, and a busy service
        701 | 802 | 1101 | 1105 | 8628 | 8645 | 8651 | 9002 | 10928 | 10929 | 40501 | 40544
        | 49918 | 49919 | 49920 => ErrorKind::Shortage,
        // The session was ended, the transport broke, or the database moves
        64 | 233 | 596 | 983 | 4221 | 6005 | 10053 | 10054 | 10060 | 40143 | 40197 | 40540
        | 40613 | 42108 | 42109 => ErrorKind::Connection,
        _ => ErrorKind::Server,
    }
}

impl From<&LakeError> for Told {
    fn from(error: &LakeError) -> Told {
        let transient = error.is_transient();
        match error.kind() {
            LakeErrorKind::InvalidName => ErrorKind::Config.passing(transient),
            LakeErrorKind::TableNotFound
            | LakeErrorKind::SnapshotNotFound
            | LakeErrorKind::VersionsUnordered
            | LakeErrorKind::Unsupported
            | LakeErrorKind::Corrupt
            | LakeErrorKind::Io => ErrorKind::Lake.passing(transient),
            // Another run made it meanwhile, or moved what this one had looked at.
            LakeErrorKind::TableExists | LakeErrorKind::Conflict => {
                ErrorKind::Conflict.passing(true)
            }
            LakeErrorKind::GuardRefused => ErrorKind::Conflict.passing(transient),
            LakeErrorKind::DeletionsRefused => ErrorKind::Deletions.passing(transient),
            LakeErrorKind::PositionLost => ErrorKind::TargetState.passing(transient),
            LakeErrorKind::Stopped => ErrorKind::Cancelled.passing(transient),
            LakeErrorKind::Unsettled => ErrorKind::Unsettled.passing(true),
            // Keys that only a server can tell apart have to be in memory.
            LakeErrorKind::KeysUnknown | LakeErrorKind::NoRoom => {
                ErrorKind::Shortage.passing(transient)
            }
            LakeErrorKind::InvalidData => ErrorKind::Data.passing(transient),
            LakeErrorKind::Internal => ErrorKind::Internal.passing(transient),
        }
    }
}

impl From<&StrategyError> for Told {
    fn from(error: &StrategyError) -> Told {
        let kind = match error {
            StrategyError::WrongKind { .. } | StrategyError::Options { .. } => ErrorKind::Config,
            StrategyError::Trap { reason, .. } => match reason {
                TrapReason::NoRoom(_) => ErrorKind::Shortage,
                TrapReason::Deadline(_)
                | TrapReason::Memory { .. }
                | TrapReason::Tables(_)
                | TrapReason::Stack
                | TrapReason::ResultTooLarge(_)
                | TrapReason::Aborted(_)
                | TrapReason::Fault(_)
                | TrapReason::Gone => ErrorKind::Strategy,
            },
            StrategyError::Failure { kind, .. } => match kind {
                FailureKind::InvalidOptions => ErrorKind::Config,
                FailureKind::UnsupportedTable => ErrorKind::Schema,
                FailureKind::StaleWatermark => ErrorKind::Watermark,
                FailureKind::BadData => ErrorKind::Data,
                FailureKind::Internal => ErrorKind::Strategy,
            },
            StrategyError::Engine { .. }
            | StrategyError::Load { .. }
            | StrategyError::Value { .. }
            | StrategyError::InvalidPlan { .. } => ErrorKind::Strategy,
        };
        kind.passing(false)
    }
}

impl From<&RegistryError> for Told {
    fn from(error: &RegistryError) -> Told {
        let kind = match error.kind() {
            RegistryKind::Usage => ErrorKind::Config,
            RegistryKind::Denied => ErrorKind::Authentication,
            RegistryKind::Unreachable => ErrorKind::Connection,
            RegistryKind::NotFound
            | RegistryKind::Refused
            | RegistryKind::NotLocked
            | RegistryKind::Offline => ErrorKind::Strategy,
        };
        kind.passing(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_is_told_as_such_and_what_others_quote_is_not() {
        let denied = "cannot write a/b: Permission denied (os error 13)";
        let full = "cannot write a/b: No space left on device (os error 28)";
        for kind in [ErrorKind::Lake, ErrorKind::Config, ErrorKind::Io] {
            assert_eq!(kind.unless_refused(denied), ErrorKind::Permission);
            assert_eq!(kind.unless_refused(full), ErrorKind::Shortage);
            assert_eq!(kind.unless_refused("no such file (os error 2)"), kind);
        }
        for kind in [ErrorKind::Data, ErrorKind::Server, ErrorKind::Schema] {
            assert_eq!(kind.unless_refused(denied), kind);
        }
        let connection = ErrorKind::Connection;
        assert_eq!(connection.unless_refused(denied), connection);
        assert_eq!(
            connection.unless_refused("no connection: (os error 24)"),
            ErrorKind::Shortage
        );
    }

    #[test]
    fn names_are_distinct_words() {
        let mut names: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        );
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorKind::ALL.len());
    }

    /// The guide lists the kinds, and no others.
    #[test]
    fn the_guide_lists_every_kind() {
        let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let (_, table) = guide
            .split_once("| `kind` | what it is |\n|---|---|\n")
            .unwrap();
        let listed: Vec<&str> = table
            .lines()
            .map_while(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let kinds: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(listed, kinds);
    }
}

//! SET options.

use super::{Batch, Session};
use crate::ast::{ObjectName, Setting};
use crate::error::{SqlResult, unsupported_clause};
use crate::session::{IsolationLevel, SqlError};

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) no_count: bool,
    pub(crate) xact_abort: bool,
    pub(crate) implicit_transactions: bool,
    pub(crate) isolation: IsolationLevel,
    /// Milliseconds; -1 waits for ever.
    pub(crate) lock_timeout: i64,
    pub(crate) format_only: bool,
    pub(crate) no_exec: bool,
    pub(crate) date_first: u8,
    /// The table with IDENTITY_INSERT ON: its id and its name.
    pub(crate) identity_insert: Option<(i32, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            no_count: false,
            xact_abort: false,
            implicit_transactions: false,
            isolation: IsolationLevel::ReadCommitted,
            lock_timeout: -1,
            format_only: false,
            no_exec: false,
            date_first: 7,
            identity_insert: None,
        }
    }
}

impl Settings {
    /// As `sys.dm_exec_sessions` numbers it.
    pub(crate) fn isolation_number(&self) -> i16 {
        match self.isolation {
            IsolationLevel::ReadUncommitted => 1,
            IsolationLevel::ReadCommitted => 2,
            IsolationLevel::RepeatableRead => 3,
            IsolationLevel::Serializable => 4,
            IsolationLevel::Snapshot => 5,
        }
    }
}

/// Settings with one value here; the other value is refused.
const ALWAYS_ON: [&str; 7] = [
    "ANSI_NULLS",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ANSI_NULL_DFLT_ON",
    "ANSI_DEFAULTS",
    "QUOTED_IDENTIFIER",
    "ARITHABORT",
];

impl Batch<'_> {
    pub(super) fn set_option(&mut self, setting: &Setting) -> SqlResult<()> {
        match setting {
            Setting::NoCount(on) => self.session.settings.no_count = *on,
            Setting::XactAbort(on) => self.session.settings.xact_abort = *on,
            Setting::ImplicitTransactions(on) => self.session.settings.implicit_transactions = *on,
            Setting::Isolation(level) => self.session.set_isolation(*level)?,
            Setting::LockTimeout(timeout) => self.session.settings.lock_timeout = *timeout,
            Setting::FormatOnly(on) => self.session.settings.format_only = *on,
            Setting::NoExec(on) => self.session.settings.no_exec = *on,
            Setting::DateFormat(format) if format == "mdy" => {}
            Setting::DateFormat(format) => {
                return Err(unsupported_clause(&format!("SET DATEFORMAT {format}")));
            }
            Setting::DateFirst(day) => {
                self.session.settings.date_first = u8::try_from(*day)
                    .ok()
                    .filter(|day| (1..=7).contains(day))
                    .ok_or_else(|| {
                        SqlError::new(
                            2744,
                            16,
                            1,
                            format!("SET DATEFIRST {day}: the value must be from 1 to 7."),
                        )
                    })?;
            }
            Setting::Language(language) => {
                if !["us_english", "english"].contains(&language.to_ascii_lowercase().as_str()) {
                    return Err(unsupported_clause(&format!("SET LANGUAGE {language}")));
                }
            }
            Setting::ConcatNullYieldsNull(true) => {}
            Setting::ConcatNullYieldsNull(false) => {
                return Err(unsupported_clause("SET CONCAT_NULL_YIELDS_NULL OFF"));
            }
            Setting::IdentityInsert { table, on } => self.set_identity_insert(table, *on)?,
            Setting::Fixed { name, on } => fixed(name, *on)?,
            Setting::Several(settings) => {
                for setting in settings {
                    self.set_option(setting)?;
                }
            }
        }
        Ok(())
    }

    /// Only one table of a session may have IDENTITY_INSERT ON.
    fn set_identity_insert(&mut self, name: &ObjectName, on: bool) -> SqlResult<()> {
        let table = self.session.find_table(name)?.ok_or_else(|| {
            SqlError::new(1088, 16, 11, format!("Cannot find the object \"{name}\" because it does not exist or you do not have permissions."))
        })?;
        let definition = self.session.visible_version(&table).definition.clone();
        if definition.identity_ordinal().is_none() {
            return Err(SqlError::new(
                8106,
                16,
                1,
                format!(
                    "Table '{name}' does not have the identity property. Cannot perform SET operation."
                ),
            ));
        }
        let current = &mut self.session.settings.identity_insert;
        match current {
            Some((id, other)) if on && *id != table.id => {
                return Err(SqlError::new(
                    8107,
                    16,
                    1,
                    format!(
                        "IDENTITY_INSERT is already ON for table '{other}'. Cannot perform SET operation for table '{name}'."
                    ),
                ));
            }
            Some((id, _)) if !on && *id == table.id => *current = None,
            _ if on => {
                let shown = format!(
                    "{}.{}.{}",
                    self.session.database.name, table.schema, table.name
                );
                *current = Some((table.id, shown));
            }
            _ => {}
        }
        Ok(())
    }
}

fn fixed(name: &str, on: bool) -> SqlResult<()> {
    let always_on = ALWAYS_ON.contains(&name);
    // ARITHABORT OFF changes nothing while ANSI_WARNINGS is on.
    if always_on && !on && name != "ARITHABORT" {
        return Err(unsupported_clause(&format!("SET {name} OFF")));
    }
    let matters_on = ["NUMERIC_ROUNDABORT", "ANSI_NULL_DFLT_OFF", "ARITHIGNORE"];
    if matters_on.contains(&name) && on {
        return Err(unsupported_clause(&format!("SET {name} ON")));
    }
    Ok(())
}

impl Session {
    fn set_isolation(&mut self, level: IsolationLevel) -> SqlResult<()> {
        if let Some(transaction) = &mut self.transaction {
            let changes = (level == IsolationLevel::Snapshot)
                != (transaction.isolation == IsolationLevel::Snapshot);
            if changes && !transaction.automatic && level == IsolationLevel::Snapshot {
                return Err(SqlError::new(
                    3951,
                    16,
                    1,
                    format!(
                        "Transaction failed in database '{}' because the statement was run under snapshot isolation but the transaction did not start in snapshot isolation. You cannot change the isolation level of the transaction to snapshot after the transaction has started unless the transaction was originally started under snapshot isolation level.",
                        self.database.name
                    ),
                ));
            }
            transaction.isolation = level;
        }
        self.settings.isolation = level;
        Ok(())
    }
}

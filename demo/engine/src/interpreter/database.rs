//! Databases: DROP, ALTER DATABASE ... SET, USE.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::command;
use super::{Batch, Session};
use crate::ast::{DatabaseOption, Name, Termination};
use crate::error::{SqlResult, unsupported_clause};
use crate::locks::cancelled;
use crate::session::{Cancel, EnvChange, SqlError};
use crate::storage::{Database, Recovery, SnapshotState, Writing};

/// How often a waiting ALTER DATABASE looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Session {
    /// Makes a database the current one.
    pub(crate) fn enter_database(&mut self, database: Arc<Database>) {
        self.server.note_database(self.id(), database.id);
        self.database = database;
    }

    /// 3906 where nobody may write to the database.
    pub(crate) fn refuse_if_read_only(&self, database: &Database) -> SqlResult<()> {
        if database.options.lock().writing == Writing::Allowed {
            return Ok(());
        }
        Err(SqlError::new(
            3906,
            16,
            1,
            format!(
                "Failed to update database \"{}\" because the database is read-only.",
                database.name
            ),
        ))
    }
}

/// Waits until `done`, looking at the cancel flag.
fn wait_until(cancel: &Cancel, mut done: impl FnMut() -> bool) -> SqlResult<()> {
    while !done() {
        if cancel.load(Ordering::Relaxed) {
            return Err(cancelled());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

impl Batch<'_> {
    pub(super) fn drop_database(&mut self, name: &Name, if_exists: bool) -> SqlResult<()> {
        let Some(database) = self.session.server.database(&name.0) else {
            if if_exists {
                return Ok(());
            }
            return Err(SqlError::new(
                3701,
                11,
                1,
                format!(
                    "Cannot drop the database '{}', because it does not exist or you do not have permission.",
                    name.0
                ),
            ));
        };
        if database.id <= 2 {
            return Err(SqlError::new(
                3708,
                16,
                5,
                format!(
                    "Cannot drop the database '{}' because it is a system database.",
                    name.0
                ),
            ));
        }
        if database.id == self.session.database.id {
            return Err(SqlError::new(
                3702,
                16,
                3,
                format!(
                    "Cannot drop database \"{}\" because it is currently in use.",
                    database.name
                ),
            ));
        }
        self.session.server.drop_database(&name.0);
        Ok(())
    }

    pub(super) fn alter_database(
        &mut self,
        name: Option<&Name>,
        option: &DatabaseOption,
        termination: Termination,
    ) -> SqlResult<()> {
        let database = match name {
            None => self.session.database.clone(),
            Some(name) => self.session.server.database(&name.0).ok_or_else(|| {
                SqlError::new(5011, 14, 5, format!("User does not have permission to alter database '{}', the database does not exist, or the database is not in a state that allows access checks.", name.0))
            })?,
        };
        match option {
            DatabaseOption::AllowSnapshot(on) => self.allow_snapshot(&database, *on)?,
            DatabaseOption::ReadCommittedSnapshot(on) => {
                self.wait_for_sole_access(&database, termination)?;
                database.options.lock().read_committed_snapshot = *on;
            }
            DatabaseOption::ReadOnly(on) => {
                self.wait_for_sole_access(&database, termination)?;
                database.options.lock().writing = if *on {
                    Writing::ReadOnly
                } else {
                    Writing::Allowed
                };
            }
            DatabaseOption::Recovery(model) => {
                database.options.lock().recovery = match model.as_str() {
                    "FULL" => Recovery::Full,
                    "BULK_LOGGED" => Recovery::BulkLogged,
                    _ => Recovery::Simple,
                };
            }
            DatabaseOption::NewBroker => database.renew_broker(),
            DatabaseOption::Accepted => {}
        }
        self.done(command::OTHER, None)
    }

    /// "ALTER DATABASE does not return control to the caller until all existing transactions in the database
    /// are committed. If the ALTER DATABASE statement is canceled, the database remains in the state it was in
    /// when ALTER DATABASE was started" (T-SQL reference, ALTER DATABASE SET options,
    /// ALLOW_SNAPSHOT_ISOLATION). What waits here for the way on are transactions that have written, for the way
    /// off those that read a snapshot.
    fn allow_snapshot(&mut self, database: &Database, on: bool) -> SqlResult<()> {
        let (settled, between) = if on {
            (SnapshotState::On, SnapshotState::ToOn)
        } else {
            (SnapshotState::Off, SnapshotState::ToOff)
        };
        let before = std::mem::replace(&mut database.options.lock().snapshot, between);
        if before != settled {
            let own = self
                .session
                .transaction
                .as_ref()
                .map_or(0, |transaction| transaction.id);
            let mut open = database.open_transactions(!on);
            open.retain(|id| *id != own);
            let waited = wait_until(self.cancel, || {
                let still = database.open_transactions(!on);
                !open.iter().any(|id| still.contains(id))
            });
            if let Err(error) = waited {
                database.options.lock().snapshot = before;
                return Err(error);
            }
        }
        database.options.lock().snapshot = settled;
        Ok(())
    }

    /// READ_COMMITTED_SNAPSHOT and READ_ONLY need the database without other connections (T-SQL reference, ALTER
    /// DATABASE SET options); without a termination clause the statement waits for them to go.
    fn wait_for_sole_access(&self, database: &Database, termination: Termination) -> SqlResult<()> {
        let (server, own) = (&self.session.server, self.session.id());
        let alone = || server.sessions_in(database.id).iter().all(|id| *id == own);
        match termination {
            _ if alone() => Ok(()),
            Termination::Wait => wait_until(self.cancel, alone),
            Termination::NoWait => Err(SqlError::new(
                5070,
                16,
                2,
                format!(
                    "Database state cannot be changed while other users are using the database '{}'",
                    database.name
                ),
            )),
            Termination::Rollback => Err(unsupported_clause(
                "ALTER DATABASE ... WITH ROLLBACK IMMEDIATE while others are connected",
            )),
        }
    }

    pub(super) fn use_database(&mut self, name: &Name) -> SqlResult<()> {
        let Some(database) = self.session.server.database(&name.0) else {
            return Err(SqlError::new(
                911,
                16,
                1,
                format!(
                    "Database '{}' does not exist. Make sure that the name is entered correctly.",
                    name.0
                ),
            )
            .ending_batch());
        };
        let old = self.session.database.name.clone();
        let new = database.name.clone();
        self.session.enter_database(database);
        let change = EnvChange::Database {
            old,
            new: new.clone(),
        };
        self.stop(|sink| sink.env_change(change))?;
        let message = SqlError::new(5701, 0, 2, format!("Changed database context to '{new}'."));
        self.stop(|sink| sink.message(message))?;
        self.done(command::OTHER, None)
    }
}

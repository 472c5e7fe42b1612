//! Locking the rows that a statement changes, and putting the changes in.
//!
//! A statement computes its changes on what it sees and then locks the rows and keys. The wait may be for a
//! transaction that changes those rows; then what was computed is stale. Under SNAPSHOT isolation that is an
//! update conflict, otherwise the statement begins again, as SQL Server reads a row once it has its lock.

use std::sync::Arc;

use super::RowChange;
use super::update::TargetRows;
use crate::context::Context;
use crate::error::SqlResult;
use crate::interpreter::{Access, Batch, OpenTable};
use crate::locks::{ESCALATION, Mode, Resource};
use crate::plan::{Environment, From, Seek, Source};
use crate::session::SqlError;
use crate::storage::{Change, Changed, Row, Table, TableKind, TableVersion};
use crate::types::Datum;

/// How often a statement begins again before it takes the whole table.
const ATTEMPTS: u32 = 8;

/// The number of the error that says so, inside the engine.
const BEGIN_AGAIN: u32 = u32::MAX;

impl Batch<'_> {
    /// Runs a modification, again where the rows that it was about to change have changed.
    pub(crate) fn settled(
        &mut self,
        mut run: impl FnMut(&mut Self, Access) -> SqlResult<()>,
    ) -> SqlResult<()> {
        for _ in 0..ATTEMPTS {
            match run(self, Access::Scan) {
                Err(error) if error.number == BEGIN_AGAIN => {}
                other => return other,
            }
        }
        run(self, Access::Table)
    }

    /// Waits for the row that an UPDATE or DELETE names by a unique key, which it locks, or for all that other
    /// transactions hold, where it looks through the table. Returns whether the table has changed since it was
    /// opened.
    pub(crate) fn reach_rows(
        &mut self,
        context: &Context,
        target: &mut OpenTable,
        rows: &TargetRows,
        access: Access,
    ) -> SqlResult<bool> {
        let table = target.table.clone();
        if table.kind != TableKind::User || access != Access::Scan || self.session.in_snapshot() {
            return Ok(false);
        }
        let waiter = self.session.waiter(self.cancel);
        let locks = &self.session.server.locks;
        match Sought::by(context, &table, &rows.plan.from) {
            Some(Sought { row: Some(row), .. }) => {
                locks.acquire_rows(waiter, std::iter::once(row))?;
            }
            Some(Sought { key, row: None }) => {
                locks.wait_until_free(waiter, key)?;
            }
            None => {
                locks.wait_for_scan(waiter, table.id, Mode::Update)?;
            }
        }
        let current = self.session.current_version(&table);
        let changed = !Arc::ptr_eq(&current, &target.version);
        target.version = current;
        Ok(changed)
    }

    /// Locks what a statement changes and applies it; new rows get their places.
    pub(crate) fn settle(
        &mut self,
        target: &OpenTable,
        changes: &mut [RowChange],
    ) -> SqlResult<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let table = &target.table;
        for change in changes.iter_mut().filter(|change| change.old.is_none()) {
            change.id = table.next_row();
        }
        if table.kind != TableKind::User {
            let version = self.applied(target, target.version.clone(), changes)?;
            self.session.store(table, version);
            return Ok(());
        }
        let (session, snapshot) = (self.session.id(), self.session.in_snapshot());
        let locks = &self.session.server.locks;
        let mut alone = locks.held(session, &Resource::Table(table.id)) == Some(Mode::Exclusive);
        if !alone && !snapshot {
            alone = changes.len() > ESCALATION && locks.try_table(session, table.id);
        }
        if !alone {
            let waiter = self.session.waiter(self.cancel);
            locks.acquire_rows(waiter, resources(target, changes))?;
        }
        if snapshot {
            return self.settle_in_snapshot(target, changes);
        }
        let (base, current) = self.session.current_on_base(table);
        let stale = changes.iter().any(|change| {
            let now = current.rows.get(change.id);
            change
                .old
                .as_ref()
                .is_some_and(|old| !now.is_some_and(|now| Arc::ptr_eq(now, old)))
        });
        if stale {
            return Err(SqlError::new(
                BEGIN_AGAIN,
                16,
                1,
                "rows changed while the statement waited for them",
            ));
        }
        let version = self.applied(target, current, changes)?;
        if alone {
            self.session.store(table, version);
        } else {
            self.session
                .store_rows(table, (base, version), log(changes));
        }
        Ok(())
    }

    /// Under SNAPSHOT isolation rows are changed as the snapshot has them, and must still be so; keys must be
    /// free now.
    fn settle_in_snapshot(&mut self, target: &OpenTable, changes: &[RowChange]) -> SqlResult<()> {
        let table = &target.table;
        let committed = table.committed();
        let written = self
            .session
            .transaction
            .as_ref()
            .and_then(|transaction| transaction.written.get(&table.id));
        let (base, own) = match written {
            Some(written) => (written.base.clone(), written.changes()),
            None => (target.version.clone(), Default::default()),
        };
        let whole = written.is_some_and(crate::transaction::Written::is_whole);
        let version = self.applied(target, target.version.clone(), changes)?;
        if whole {
            self.session.store(table, version);
            return Ok(());
        }
        if !Arc::ptr_eq(&base, &committed) {
            let mine = own.net();
            let conflict = changes.iter().any(|change| {
                let now = committed.rows.get(change.id);
                change.old.as_ref().is_some_and(|old| {
                    !mine.contains_key(&change.id) && !now.is_some_and(|now| Arc::ptr_eq(now, old))
                })
            });
            if conflict {
                return Err(self.session.update_conflict(table, &target.database));
            }
            let mut now = committed;
            Arc::make_mut(&mut now).replay(&own);
            self.applied(target, now, changes)?;
        }
        self.session
            .store_rows(table, (base, version), log(changes));
        Ok(())
    }

    fn applied(
        &self,
        target: &OpenTable,
        mut version: Arc<TableVersion>,
        changes: &[RowChange],
    ) -> SqlResult<Arc<TableVersion>> {
        let list = changes
            .iter()
            .map(|change| match (&change.old, &change.new) {
                (None, Some(new)) => Change::Insert {
                    id: change.id,
                    row: new.clone(),
                },
                (Some(_), Some(new)) => Change::Update {
                    id: change.id,
                    new: new.clone(),
                },
                _ => Change::Delete(change.id),
            })
            .collect();
        Arc::make_mut(&mut version).apply(list, &target.table.display_name())?;
        Ok(version)
    }
}

/// What a FROM clause of one table looks for by a unique key.
#[derive(Debug)]
pub(crate) struct Sought {
    pub(crate) key: Resource,
    /// The row that has the key, of those that are committed.
    pub(crate) row: Option<Resource>,
}

impl Sought {
    pub(crate) fn by(context: &Context, table: &Table, from: &From) -> Option<Self> {
        let From::Source {
            source: Source::Table(source),
            ..
        } = from
        else {
            return None;
        };
        let Seek::Unique { handle, values } = source.seek.as_ref()? else {
            return None;
        };
        let values: Vec<Datum> = values
            .iter()
            .map(|value| value.eval(context, &Environment::EMPTY).ok())
            .collect::<Option<_>>()?;
        let values: Vec<&Datum> = values.iter().collect();
        let (index, hash) = source.version.key_hash_of(*handle, &values)?;
        let found = source.version.seek(*handle, &values);
        Some(Self {
            key: Resource::Key(table.id, index, hash),
            row: found.map(|(id, _)| Resource::Row(table.id, id)),
        })
    }
}

/// The rows of a statement, and the keys that it takes or leaves.
fn resources<'c>(
    target: &'c OpenTable,
    changes: &'c [RowChange],
) -> impl Iterator<Item = Resource> + 'c {
    let id = target.table.id;
    changes.iter().flat_map(move |change| {
        let hashes = |row: &Option<Row>| -> Vec<(usize, u64)> {
            let hashes = row.iter().flat_map(|row| target.version.key_hashes(row));
            hashes.collect()
        };
        let (old, new) = (hashes(&change.old), hashes(&change.new));
        let kept: Vec<_> = old
            .iter()
            .filter(|key| new.contains(key))
            .copied()
            .collect();
        let keys = old
            .into_iter()
            .chain(new)
            .filter(move |key| !kept.contains(key))
            .map(move |(index, hash)| Resource::Key(id, index, hash));
        std::iter::once(Resource::Row(id, change.id)).chain(keys)
    })
}

fn log(changes: &[RowChange]) -> Changed {
    changes
        .iter()
        .map(|change| (change.id, change.new.clone()))
        .collect()
}

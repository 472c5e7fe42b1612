//! A table: its published version and the one that a transaction is writing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{ChangeLog, RowId, TableDefinition, TableVersion};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    User,
    /// `#t`, of one session.
    Temporary,
    /// `@t`, outside transactions.
    Variable,
}

/// The identity column's counter, which transactions do not roll back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IdentityCounter {
    pub(crate) last: Option<i128>,
    /// What the first value is, where DBCC CHECKIDENT has said so before there was one.
    pub(crate) first: Option<i128>,
}

impl IdentityCounter {
    /// The next value.
    pub(crate) fn next(&self, (seed, increment): (i64, i64)) -> i128 {
        match self.last {
            Some(last) => last + i128::from(increment),
            None => self.first.unwrap_or(i128::from(seed)),
        }
    }
}

/// What an open transaction has made of a table.
#[derive(Debug, Clone)]
pub(crate) enum Pending {
    /// It holds the table alone.
    Whole(Arc<TableVersion>),
    /// It holds rows.
    Rows(ChangeLog),
}

#[derive(Debug)]
struct State {
    committed: Arc<TableVersion>,
    /// By transaction, for readers that take no locks.
    pending: BTreeMap<u64, Pending>,
}

#[derive(Debug)]
pub(crate) struct Table {
    /// Within the engine; no other table of the server has or had it.
    pub(crate) id: i32,
    /// As the catalog shows it.
    pub(crate) object_id: i32,
    pub(crate) database_id: i32,
    pub(crate) schema_id: i32,
    /// `dbo` and so on.
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) kind: TableKind,
    /// When it was made, in the server's local time: days and ticks as `datetime2` has them.
    pub(crate) created: (i32, u64),
    pub(crate) identity: Mutex<IdentityCounter>,
    next_row: AtomicU64,
    state: Mutex<State>,
}

impl Table {
    pub(crate) fn new(
        (id, object_id): (i32, i32),
        place: (i32, i32, &str),
        name: &str,
        kind: TableKind,
        created: (i32, u64),
        definition: Arc<TableDefinition>,
    ) -> Self {
        let (database_id, schema_id, schema) = place;
        let committed = Arc::new(TableVersion::empty(definition));
        Self {
            id,
            object_id,
            database_id,
            schema_id,
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind,
            created,
            identity: Mutex::new(IdentityCounter::default()),
            next_row: AtomicU64::new(0),
            state: Mutex::new(State {
                committed,
                pending: BTreeMap::new(),
            }),
        }
    }

    /// `dbo.t`, `#t` or `@t`, as error messages call it.
    pub(crate) fn display_name(&self) -> String {
        match self.kind {
            TableKind::Variable => self.name.clone(),
            _ => format!("{}.{}", self.schema, self.name),
        }
    }

    pub(crate) fn committed(&self) -> Arc<TableVersion> {
        self.state.lock().committed.clone()
    }

    /// The latest version, committed or not.
    pub(crate) fn latest(&self) -> Arc<TableVersion> {
        let state = self.state.lock();
        let mut latest = state.committed.clone();
        for pending in state.pending.values() {
            match pending {
                Pending::Whole(version) => latest = version.clone(),
                Pending::Rows(log) => Arc::make_mut(&mut latest).replay(log),
            }
        }
        latest
    }

    /// The latest definition, committed or not.
    pub(crate) fn latest_definition(&self) -> Arc<TableDefinition> {
        let state = self.state.lock();
        let pending = state.pending.values().find_map(|pending| match pending {
            Pending::Whole(version) => Some(version.definition.clone()),
            Pending::Rows(_) => None,
        });
        pending.unwrap_or_else(|| state.committed.definition.clone())
    }

    /// The place of a new row.
    pub(crate) fn next_row(&self) -> RowId {
        self.next_row.fetch_add(1, Ordering::Relaxed)
    }

    /// Shows readers that take no locks what a transaction has, or has no more.
    pub(crate) fn set_pending(&self, transaction: u64, pending: Option<Pending>) {
        let mut state = self.state.lock();
        match pending {
            Some(pending) => state.pending.insert(transaction, pending),
            None => state.pending.remove(&transaction),
        };
    }

    /// Puts a version in the place of the committed one.
    pub(crate) fn publish(&self, version: Arc<TableVersion>) {
        self.state.lock().committed = version;
    }

    /// Commits what a transaction has.
    pub(crate) fn commit(
        &self,
        transaction: u64,
        publish: impl FnOnce(&Arc<TableVersion>) -> Arc<TableVersion>,
    ) {
        let mut state = self.state.lock();
        state.committed = publish(&state.committed);
        state.pending.remove(&transaction);
    }
}

//! A table: its published version and the one that a transaction is writing.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{TableDefinition, TableVersion};

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
}

#[derive(Debug)]
struct State {
    committed: Arc<TableVersion>,
    /// What the writing transaction has so far, for readers that take no locks.
    uncommitted: Option<Arc<TableVersion>>,
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
            state: Mutex::new(State {
                committed,
                uncommitted: None,
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
        state
            .uncommitted
            .as_ref()
            .unwrap_or(&state.committed)
            .clone()
    }

    pub(crate) fn set_uncommitted(&self, version: Option<Arc<TableVersion>>) {
        self.state.lock().uncommitted = version;
    }

    pub(crate) fn publish(&self, version: Arc<TableVersion>) {
        let mut state = self.state.lock();
        state.committed = version;
        state.uncommitted = None;
    }
}

//! A transaction: the versions that it writes, its snapshot, its undo list.

use std::collections::HashMap;
use std::sync::Arc;

use crate::server::Server;
use crate::session::IsolationLevel;
use crate::storage::{ChangeLog, Changed, Database, Pending, Table, TableVersion};

/// What a rolled back transaction takes back from the catalog.
#[derive(Debug, Clone)]
pub(crate) enum Undo {
    Created(Arc<Database>, Arc<Table>),
    Dropped(Arc<Database>, Arc<Table>),
    TemporaryCreated(i32),
    TemporaryDropped(Arc<Table>, usize),
}

/// A table that a transaction has written to.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) table: Arc<Table>,
    /// As the transaction sees it.
    pub(crate) version: Arc<TableVersion>,
    /// The committed version, or the snapshot's, that `version` was made from.
    pub(crate) base: Arc<TableVersion>,
    /// What was changed, where the transaction holds rows and not the table.
    changes: Option<ChangeLog>,
}

impl Written {
    fn pending(&self) -> Pending {
        match &self.changes {
            Some(changes) => Pending::Rows(changes.clone()),
            None => Pending::Whole(self.version.clone()),
        }
    }

    /// Whether the transaction holds the table alone.
    pub(crate) fn is_whole(&self) -> bool {
        self.changes.is_none()
    }

    /// The changes so far.
    pub(crate) fn changes(&self) -> ChangeLog {
        self.changes.clone().unwrap_or_default()
    }

    /// The changes put on another version.
    pub(crate) fn on(&self, version: &Arc<TableVersion>) -> Arc<TableVersion> {
        match &self.changes {
            Some(changes) if !Arc::ptr_eq(version, &self.base) => {
                let mut version = version.clone();
                Arc::make_mut(&mut version).replay(changes);
                version
            }
            _ => self.version.clone(),
        }
    }
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    written: HashMap<i32, Written>,
    undo: usize,
}

/// The tables of the databases, as they were committed when a SNAPSHOT transaction first read.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    versions: HashMap<i32, Arc<TableVersion>>,
    /// The databases that allowed it.
    databases: Vec<i32>,
}

impl Snapshot {
    /// The version of a table, if the table existed.
    pub(crate) fn version(&self, table: i32) -> Option<Arc<TableVersion>> {
        self.versions.get(&table).cloned()
    }

    /// Whether the database allowed SNAPSHOT isolation when the snapshot was taken.
    pub(crate) fn allowed_by(&self, database: i32) -> bool {
        self.databases.contains(&database)
    }

    /// All of the server's databases at one moment.
    pub(crate) fn take(server: &Server, session: u16) -> Self {
        let _publishing = server.commits.lock();
        let mut snapshot = Self::default();
        for database in server.databases() {
            if database.options.lock().allows_snapshots() {
                snapshot.databases.push(database.id);
            }
            for table in database.tables(session) {
                snapshot.versions.insert(table.id, table.committed());
            }
        }
        snapshot
    }
}

#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) id: u64,
    /// When it began, in UTC.
    pub(crate) began: (i32, u64),
    /// The name of the outermost BEGIN TRANSACTION.
    pub(crate) name: String,
    /// Begun by a statement for itself and committed at its end.
    pub(crate) automatic: bool,
    /// `@@TRANCOUNT`; 0 while automatic.
    pub(crate) nesting: u32,
    /// It can only be rolled back (XACT_STATE() = -1).
    pub(crate) doomed: bool,
    pub(crate) isolation: IsolationLevel,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) written: HashMap<i32, Written>,
    undo: Vec<Undo>,
    savepoints: Vec<Savepoint>,
    /// The databases that know of this transaction, and whether as a reader of a snapshot.
    databases: Vec<(Arc<Database>, bool)>,
}

impl Transaction {
    pub(crate) fn new(server: &Server, automatic: bool, isolation: IsolationLevel) -> Self {
        Self {
            id: server.next_transaction_id(),
            began: server.clock().utc(),
            name: String::new(),
            automatic,
            nesting: u32::from(!automatic),
            doomed: false,
            isolation,
            snapshot: None,
            written: HashMap::new(),
            undo: Vec::new(),
            savepoints: Vec::new(),
            databases: Vec::new(),
        }
    }

    pub(crate) fn record(&mut self, undo: Undo) {
        self.undo.push(undo);
    }

    /// A value for a rowversion column.
    pub(crate) fn row_version(&mut self, database: &Arc<Database>) -> u64 {
        self.begin_use(database, false);
        database.next_row_version(self.id)
    }

    /// Notes, once, that the transaction writes to a database or reads a snapshot of it.
    pub(crate) fn begin_use(&mut self, database: &Arc<Database>, in_snapshot: bool) {
        let known =
            |(known, how): &(Arc<Database>, bool)| known.id == database.id && *how == in_snapshot;
        if !self.databases.iter().any(known) {
            self.databases.push((database.clone(), in_snapshot));
            database.begin_use(self.id, in_snapshot);
        }
    }

    fn end_uses(&self) {
        for (database, _) in &self.databases {
            database.end_row_versions(self.id);
            database.end_use(self.id);
        }
    }

    /// Keeps a statement's result for a table that the transaction holds alone.
    pub(crate) fn write(&mut self, table: &Arc<Table>, version: Arc<TableVersion>) {
        let base = version.clone();
        self.keep(Written {
            table: table.clone(),
            version,
            base,
            changes: None,
        });
    }

    /// Keeps a statement's changes of rows that the transaction holds, made on `base`.
    pub(crate) fn write_rows(
        &mut self,
        table: &Arc<Table>,
        (base, version): (Arc<TableVersion>, Arc<TableVersion>),
        changes: Changed,
    ) {
        let before = self.written.get(&table.id);
        let mut log = before
            .and_then(|written| written.changes.clone())
            .unwrap_or_default();
        log.push(changes);
        self.keep(Written {
            table: table.clone(),
            version,
            base,
            changes: Some(log),
        });
    }

    /// What the transaction sees of a table that it has written to, with what others have committed since, after
    /// the committed version that it stands on.
    pub(crate) fn refresh(
        &mut self,
        table: &Table,
    ) -> Option<(Arc<TableVersion>, Arc<TableVersion>)> {
        let written = self.written.get_mut(&table.id)?;
        if written.changes.is_some() {
            let committed = table.committed();
            written.version = written.on(&committed);
            written.base = committed;
        }
        Some((written.base.clone(), written.version.clone()))
    }

    fn keep(&mut self, written: Written) {
        let pending = written.pending();
        written.table.set_pending(self.id, Some(pending));
        self.written.insert(written.table.id, written);
    }

    pub(crate) fn save(&mut self, name: String) {
        self.savepoints.push(Savepoint {
            name,
            written: self.written.clone(),
            undo: self.undo.len(),
        });
    }

    /// What a statement goes back to when it fails.
    pub(crate) fn mark(&self) -> (HashMap<i32, Written>, usize) {
        (self.written.clone(), self.undo.len())
    }

    /// Goes back to a mark, and returns what the catalog must take back, latest first.
    pub(crate) fn restore(&mut self, (written, undo): (HashMap<i32, Written>, usize)) -> Vec<Undo> {
        for (id, current) in &self.written {
            current
                .table
                .set_pending(self.id, written.get(id).map(Written::pending));
        }
        self.written = written;
        let mut taken_back = self.undo.split_off(undo);
        taken_back.reverse();
        taken_back
    }

    /// Goes back to a savepoint; `None` where there is none of that name.
    pub(crate) fn rollback_to(&mut self, name: &str) -> Option<Vec<Undo>> {
        let place = self
            .savepoints
            .iter()
            .rposition(|savepoint| savepoint.name.eq_ignore_ascii_case(name))?;
        self.savepoints.truncate(place + 1);
        let savepoint = &self.savepoints[place];
        let mark = (savepoint.written.clone(), savepoint.undo);
        Some(self.restore(mark))
    }

    /// Publishes everything. The caller releases the locks.
    pub(crate) fn commit(mut self, server: &Server) {
        {
            let _publishing = server.commits.lock();
            for written in std::mem::take(&mut self.written).into_values() {
                let table = written.table.clone();
                table.commit(self.id, |committed| written.on(committed));
            }
            for undo in &self.undo {
                if let Undo::Dropped(database, table) = undo {
                    database.remove(table);
                }
            }
        }
        self.end_uses();
    }

    /// Forgets everything, and returns what the catalog must take back.
    pub(crate) fn rollback(mut self) -> Vec<Undo> {
        let taken_back = self.restore((HashMap::new(), 0));
        self.end_uses();
        taken_back
    }
}

//! A lake table at one version of its metadata.

use std::collections::BTreeMap;
use std::sync::Arc;

use iceberg::spec::{FormatVersion, TableMetadata};
use icehost_plan::{Features, Table};
use uuid::Uuid;

use crate::catalog::{Catalog, Found, LoadedTable, TableVersion};
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::name::LakeTableName;
use crate::read::Room;
use crate::schema::{self, LakeColumn};
use crate::snapshot::{self, SnapshotInfo};
use crate::storage::Storage;

/// A table as its metadata described it when it was loaded; [`LakeTable::refresh`] looks again.
///
/// Cheap to clone. Nothing here changes under the caller's hands: a table's versions are immutable files.
#[derive(Debug, Clone)]
pub struct LakeTable {
    pub(crate) display: Arc<str>,
    pub(crate) name: LakeTableName,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) storage: Arc<dyn Storage>,
    /// Where its files are, as its storage spells it.
    pub(crate) location: Arc<str>,
    /// `None` for a table that is prepared and not yet created.
    pub(crate) version: Option<TableVersion>,
    pub(crate) metadata: Arc<TableMetadata>,
    /// Another catalog keeps the table.
    pub(crate) kept_by_another: bool,
    /// For what is read of its files.
    pub(crate) room: Room,
}

impl LakeTable {
    pub(crate) fn new(
        display: Arc<str>,
        name: LakeTableName,
        catalog: Arc<dyn Catalog>,
        loaded: LoadedTable,
    ) -> LakeTable {
        LakeTable {
            display,
            name,
            catalog,
            storage: loaded.storage,
            location: loaded.location.into(),
            version: loaded.version,
            metadata: loaded.metadata,
            kept_by_another: loaded.kept_by_another,
            room: Room::default(),
        }
    }

    /// The same table as its catalog has given it now.
    pub(crate) fn at(&self, loaded: LoadedTable) -> LakeTable {
        let (display, name) = (Arc::clone(&self.display), self.name.clone());
        let table = LakeTable::new(display, name, Arc::clone(&self.catalog), loaded);
        table.with_room(self.room)
    }

    /// The same table, with so much memory for what is read of its files.
    #[must_use]
    pub fn with_room(self, room: Room) -> LakeTable {
        LakeTable { room, ..self }
    }

    /// What people call the table: `demo.customers`, or its directory.
    pub fn name(&self) -> &str {
        &self.display
    }

    /// The table's identity; a table dropped and created again has another one.
    pub fn uuid(&self) -> Uuid {
        self.metadata.uuid()
    }

    /// Where the table's files are, as its storage spells it: an absolute path, for local files.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// A name for where the table is that no other place has; `None` for a table that is not there.
    pub fn place(&self) -> Option<String> {
        self.storage.place(&self.location)
    }

    /// The version of the metadata, counted from 1; 0 for a table that is prepared and not yet created,
    /// and `None` for one that another catalog keeps.
    pub fn version(&self) -> Option<u64> {
        match &self.version {
            Some(version) => version.number,
            None => Some(0),
        }
    }

    /// Whether the table is in the warehouse yet; false for one that is only prepared.
    pub fn exists(&self) -> bool {
        self.version.is_some()
    }

    /// The columns of the current schema.
    ///
    /// # Errors
    /// [`LakeErrorKind::Unsupported`] for columns, and tables of formats, that icehost does not carry.
    pub fn columns(&self) -> Result<Vec<LakeColumn>> {
        if self.metadata.format_version() == FormatVersion::V3 {
            return Err(LakeError::unsupported(format!(
                "lake table {} is of format v3",
                self.display
            ))
            .with_hint(
                "its defaults of columns (initial-default), deletion vectors and types cannot be read yet; write \
                 the rows to a table of format v2",
            ));
        }
        schema::columns(&self.display, self.metadata.current_schema())
    }

    /// The table as plans see it. `row_estimate` is the current snapshot's record count less its position
    /// deletes, as its summary has them.
    pub fn describe(&self) -> Result<Table> {
        let columns = self.columns()?.iter().map(LakeColumn::describe).collect();
        let row_estimate = match self.current_snapshot() {
            None => Some(0),
            Some(current) => current.summary_number("total-records").map(|records| {
                let deleted = current.summary_number("total-position-deletes");
                records.saturating_sub(deleted.unwrap_or(0))
            }),
        };
        Ok(Table {
            name: self.display.to_string(),
            columns,
            features: Features {
                snapshots: true,
                ..Features::default()
            },
            row_estimate,
        })
    }

    /// The current snapshot; `None` for a table without rows so far.
    pub fn current_snapshot(&self) -> Option<SnapshotInfo> {
        self.metadata
            .current_snapshot()
            .map(|snapshot| SnapshotInfo::new(snapshot))
    }

    /// All snapshots in the order of their commits.
    pub fn snapshots(&self) -> Vec<SnapshotInfo> {
        snapshot::in_commit_order(&self.metadata)
    }

    /// The snapshot with this id.
    pub fn snapshot(&self, id: i64) -> Result<SnapshotInfo> {
        match self.metadata.snapshot_by_id(id) {
            Some(snapshot) => Ok(SnapshotInfo::new(snapshot)),
            None => Err(self.no_such_snapshot(id)),
        }
    }

    /// The snapshot and its ancestors, youngest first, as far as they have not expired.
    pub fn ancestors(&self, from: i64) -> Vec<SnapshotInfo> {
        snapshot::ancestors(&self.metadata, from)
    }

    /// The table's properties.
    pub fn properties(&self) -> BTreeMap<String, String> {
        self.metadata
            .properties()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Reads the newest metadata.
    pub async fn refresh(&mut self) -> Result<()> {
        match self.catalog.load(&self.name, self.version.as_ref()).await? {
            Found::Table(newest) => *self = self.at(*newest),
            Found::Unchanged => {}
            Found::Nothing if self.version.is_none() => {}
            Found::Nothing => return Err(not_found(&self.display, &self.location)),
        }
        Ok(())
    }

    /// Completes what a writer has left that crashed in its commit: `version-hint.text` may be behind, where
    /// the catalog is a directory. icehost finds the newest version anyway; PyIceberg and DuckDB look no
    /// further than the hint.
    ///
    /// # Errors
    /// [`LakeErrorKind::Io`] where the hint cannot be written.
    pub async fn mend_hint(&self) -> Result<()> {
        match &self.version {
            Some(version) => self.catalog.mend(&self.name, version).await,
            None => Ok(()),
        }
    }

    pub(crate) fn no_such_snapshot(&self, id: i64) -> LakeError {
        LakeError::new(
            LakeErrorKind::SnapshotNotFound,
            format!("lake table {} has no snapshot {id}", self.display),
        )
        .with_hint("list its snapshots; old ones may have expired")
    }

    /// Refuses what icehost cannot write to without doing harm.
    ///
    /// # Errors
    /// [`LakeErrorKind::Unsupported`], by name.
    pub fn check_writable(&self) -> Result<()> {
        let refuse = |why: &str, hint: &str| {
            Err(LakeError::unsupported(format!(
                "cannot write to lake table {}: {why}",
                self.display
            ))
            .with_hint(hint))
        };
        if self.kept_by_another {
            return refuse(
                "another catalog keeps it",
                "icehost reads such a table, and writes to tables in a warehouse of its own",
            );
        }
        if self.metadata.format_version() != FormatVersion::V2 {
            let found = format!("it is of format {}", self.metadata.format_version());
            return refuse(&found, "icehost writes format v2");
        }
        if !self.metadata.default_partition_spec().is_unpartitioned() {
            return refuse("it is partitioned", "icehost writes unpartitioned tables");
        }
        if !self.is_at_home() {
            let home = format!(
                "its metadata says that it is at {}",
                self.metadata.location()
            );
            return refuse(
                &home,
                "move it back; a moved table can be read but not written",
            );
        }
        Ok(())
    }

    /// Whether the table is where its metadata says it is.
    pub(crate) fn is_at_home(&self) -> bool {
        let Some(recorded) = self.storage.resolve(self.metadata.location()) else {
            return false;
        };
        if recorded == *self.location {
            return true;
        }
        let here = self.storage.place(&self.location);
        here.is_some() && here == self.storage.place(&recorded)
    }
}

/// The error for a table that must be there.
pub(crate) fn not_found(name: &str, address: &str) -> LakeError {
    LakeError::new(
        LakeErrorKind::TableNotFound,
        format!("there is no lake table {name} in {address}"),
    )
    .with_hint("check the warehouse directory and the table's name; the first sync creates a table")
}

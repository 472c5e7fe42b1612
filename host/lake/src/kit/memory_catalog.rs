//! Tables in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use iceberg::TableCreation;
use uuid::Uuid;

use crate::catalog::{Catalog, Found, LoadedTable, Outcome, TableCommit, TableVersion};
use crate::error::{LakeError, Result};
use crate::name::LakeTableName;
use crate::storage::{Storage, below};

/// A catalog that holds in memory which version each table is at, as a catalog behind the REST protocol does in
/// its database: a commit is judged by its requirements alone, against whatever the newest version is, and
/// versions have no numbers. The metadata is kept by a storage, under the root.
#[derive(Debug)]
pub struct MemoryCatalog {
    storage: Arc<dyn Storage>,
    root: String,
    tables: Mutex<BTreeMap<LakeTableName, LoadedTable>>,
}

impl MemoryCatalog {
    /// One without tables, whose files are below the root.
    pub fn new(storage: Arc<dyn Storage>, root: &str) -> Self {
        MemoryCatalog {
            storage,
            root: root.to_owned(),
            tables: Mutex::default(),
        }
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<LakeTableName, LoadedTable>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn newest(&self, table: &LakeTableName) -> Option<LoadedTable> {
        self.tables().get(table).cloned()
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    fn address(&self) -> String {
        self.root.clone()
    }

    async fn is_there(&self) -> Result<bool> {
        Ok(true)
    }

    async fn check_place(&self) -> Result<()> {
        Ok(())
    }

    async fn load(&self, table: &LakeTableName, known: Option<&TableVersion>) -> Result<Found> {
        Ok(match self.newest(table) {
            None => Found::Nothing,
            Some(found) if found.version.as_ref() == known => Found::Unchanged,
            Some(found) => Found::Table(Box::new(found)),
        })
    }

    async fn stage_create(
        &self,
        table: &LakeTableName,
        creation: TableCreation,
    ) -> Result<LoadedTable> {
        let location = below(&self.root, &table.directory());
        LoadedTable::staged(table, creation, location, &self.storage)
    }

    async fn commit(&self, table: &LakeTableName, commit: TableCommit) -> Result<Outcome> {
        let newest = self.newest(table);
        let commit = TableCommit {
            base: newest.as_ref().and_then(|newest| newest.version.clone()),
            metadata: match &newest {
                Some(newest) => Arc::clone(&newest.metadata),
                None => Arc::clone(&commit.metadata),
            },
            ..commit
        };
        let is_new = |requirement| matches!(requirement, &iceberg::TableRequirement::NotExist);
        let wrong = newest.is_none() && !commit.requirements.iter().any(is_new);
        if wrong || commit.check().is_err() {
            return Ok(Outcome::Conflict);
        }
        let metadata = commit.apply()?;
        let name = format!("metadata/{}.metadata.json", Uuid::new_v4());
        let location = below(&commit.location, &name);
        let content = serde_json::to_vec(&metadata)
            .map_err(|e| LakeError::internal("cannot serialise table metadata").with_source(e))?;
        let written = self.storage.create(&location, Bytes::from(content)).await;
        written.map_err(|e| LakeError::io("write", &location, e))?;
        let made = LoadedTable {
            metadata: Arc::new(metadata),
            version: Some(TableVersion {
                number: None,
                location,
                state: String::new(),
            }),
            location: commit.location,
            storage: Arc::clone(&self.storage),
            kept_by_another: false,
        };
        let mut tables = self.tables();
        let now = tables.get(table).and_then(|now| now.version.as_ref());
        if now != commit.base.as_ref() {
            return Ok(Outcome::Conflict);
        }
        tables.insert(table.clone(), made.clone());
        Ok(Outcome::Done(Box::new(made)))
    }

    async fn list(&self) -> Result<Vec<LakeTableName>> {
        Ok(self.tables().keys().cloned().collect())
    }

    async fn drop_table(&self, table: &LakeTableName, version: &TableVersion) -> Result<bool> {
        let mut tables = self.tables();
        let is_at = tables.get(table).and_then(|now| now.version.as_ref()) == Some(version);
        if is_at {
            tables.remove(table);
        }
        Ok(is_at)
    }
}

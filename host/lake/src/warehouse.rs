//! The tables of a catalog, as the rest of icehost asks for them.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use iceberg::TableCreation;
use iceberg::spec::FormatVersion;

use crate::catalog::{Catalog, FilesystemCatalog, Found};
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::name::LakeTableName;
use crate::read::Room;
use crate::schema::{self, NewColumn};
use crate::storage::local::{absolute, local_directory, on_this_machine, path_text};
use crate::storage::{LocalStorage, Storage};
use crate::table::{LakeTable, not_found};

/// Properties that a new table gets unless the caller says otherwise (Iceberg documentation,
/// "Configuration", "Write properties").
const DEFAULT_PROPERTIES: [(&str, &str); 5] = [
    ("write.format.default", "parquet"),
    ("write.parquet.compression-codec", "zstd"),
    ("write.delete.mode", "merge-on-read"),
    ("write.update.mode", "merge-on-read"),
    // Each version of the metadata lists all snapshots, so that all versions of a table of many commits would take
    // more than its rows. A hundred stay (`write.metadata.previous-versions-max`).
    ("write.metadata.delete-after-commit.enabled", "true"),
];

/// A table to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTable {
    /// The columns, in order.
    pub columns: Vec<NewColumn>,
    /// Ordinals of the columns that identify a row: required and not floating-point. May be empty.
    pub identifier: Vec<u32>,
    /// Table properties, on top of the defaults.
    pub properties: BTreeMap<String, String>,
}

/// The tables of a catalog.
#[derive(Debug, Clone)]
pub struct Warehouse {
    catalog: Arc<dyn Catalog>,
    room: Room,
}

impl Warehouse {
    /// The tables of this catalog.
    pub fn of(catalog: Arc<dyn Catalog>) -> Warehouse {
        Warehouse {
            catalog,
            room: Room::default(),
        }
    }

    /// The same tables, with so much memory for what is read of the files of one.
    #[must_use]
    pub fn with_room(self, room: Room) -> Warehouse {
        Warehouse { room, ..self }
    }

    /// The tables below this directory, a path or a `file:` URL, as `NAMESPACE/TABLE/{data,metadata}`. It need not
    /// exist until a table is created.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Warehouse> {
        let dir = local_directory(&dir.into())?;
        if dir.exists() && !dir.is_dir() {
            return Err(LakeError::new(
                LakeErrorKind::InvalidName,
                format!("the warehouse {} is not a directory", dir.display()),
            )
            .with_hint("move away what is there, or give another warehouse"));
        }
        let root = absolute(&dir)?;
        let catalog = FilesystemCatalog::new(local(), path_text(&root)?);
        Ok(Warehouse::of(Arc::new(catalog)))
    }

    /// Where the tables are, for messages.
    pub fn address(&self) -> String {
        self.catalog.address()
    }

    /// Whether the catalog is there.
    ///
    /// # Errors
    /// A catalog that cannot be asked.
    pub async fn exists(&self) -> Result<bool> {
        self.catalog.is_there().await
    }

    /// Refuses a catalog that is not there and had better not be made: a mistyped path must not become another
    /// lake.
    ///
    /// # Errors
    /// [`LakeErrorKind::InvalidName`].
    pub async fn check_place(&self) -> Result<()> {
        self.catalog.check_place().await
    }

    /// The table in any directory in the Hadoop table layout, whoever wrote it.
    ///
    /// A table that another catalog keeps (`00001-….metadata.json`) can be read too, at its highest version.
    pub async fn open_location(dir: impl Into<PathBuf>) -> Result<LakeTable> {
        let dir = absolute(&dir.into())?;
        let directory = path_text(&dir)?;
        let catalog = Arc::new(FilesystemCatalog::of_one_table(local(), directory));
        let name = LakeTableName::of_location(directory);
        match catalog.load(&name, None).await? {
            Found::Table(found) => Ok(LakeTable::new(directory.into(), name, catalog, *found)),
            Found::Nothing | Found::Unchanged => Err(LakeError::new(
                LakeErrorKind::TableNotFound,
                format!("there is no Iceberg table in {directory}"),
            )
            .with_hint("give the directory that holds the table's metadata directory")),
        }
    }

    /// The table that was at this place, as [`LakeTable::place`] named it; `None` where this machine does not reach
    /// it.
    ///
    /// # Errors
    /// There is no table any more, or it cannot be read.
    pub async fn open_place(place: &str) -> Result<Option<LakeTable>> {
        match on_this_machine(place) {
            Some(directory) => Self::open_location(directory).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether the table is there.
    pub async fn has_table(&self, name: &LakeTableName) -> Result<bool> {
        self.catalog.has_table(name).await
    }

    /// The table, at its newest version.
    pub async fn load(&self, name: &LakeTableName) -> Result<LakeTable> {
        if let Some(found) = self.find(name).await? {
            return Ok(found);
        }
        let address = self.address();
        Err(match self.exists().await? {
            true => not_found(&name.to_string(), &address),
            false => LakeError::new(
                LakeErrorKind::TableNotFound,
                format!("there is no lake table {name}: the warehouse {address} does not exist"),
            )
            .with_hint("check the path; the first sync creates a warehouse"),
        })
    }

    /// The table, if it is there.
    pub async fn find(&self, name: &LakeTableName) -> Result<Option<LakeTable>> {
        Ok(match self.catalog.load(name, None).await? {
            Found::Table(found) => Some(self.table(name, *found)),
            Found::Nothing | Found::Unchanged => None,
        })
    }

    /// A table that comes into being with its first commit; until then only its staged files exist.
    pub async fn prepare_create(&self, name: &LakeTableName, new: &NewTable) -> Result<LakeTable> {
        if self.has_table(name).await? {
            return Err(already_exists(&name.to_string()));
        }
        let schema = schema::new_schema(&name.to_string(), &new.columns, &new.identifier)?;
        let mut properties: HashMap<String, String> = DEFAULT_PROPERTIES
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        properties.extend(new.properties.clone());
        let creation = TableCreation {
            name: name.name().to_owned(),
            location: None,
            schema,
            partition_spec: None,
            sort_order: None,
            properties,
            format_version: FormatVersion::V2,
        };
        let staged = self.catalog.stage_create(name, creation).await?;
        Ok(self.table(name, staged))
    }

    /// Creates a table without a snapshot.
    pub async fn create_table(&self, name: &LakeTableName, new: &NewTable) -> Result<LakeTable> {
        let prepared = self.prepare_create(name, new).await?;
        prepared.create().await
    }

    /// The tables, by namespace and name.
    pub async fn list_tables(&self) -> Result<Vec<LakeTableName>> {
        let mut names = self.catalog.list().await?;
        names.sort();
        Ok(names)
    }

    fn table(&self, name: &LakeTableName, loaded: crate::LoadedTable) -> LakeTable {
        let catalog = Arc::clone(&self.catalog);
        let table = LakeTable::new(name.to_string().into(), name.clone(), catalog, loaded);
        table.with_room(self.room)
    }
}

fn local() -> Arc<dyn Storage> {
    Arc::new(LocalStorage)
}

pub(crate) fn already_exists(name: &str) -> LakeError {
    LakeError::new(
        LakeErrorKind::TableExists,
        format!("the lake table {name} exists already"),
    )
    .with_hint("load it instead of creating it")
}

//! A directory of tables: the filesystem catalog.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iceberg::spec::{FormatVersion, PartitionSpec, SortOrder, TableMetadataBuilder};

use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::local_directory::local_directory;
use crate::metadata_files::{self, MetadataFile, Publication};
use crate::name::LakeTableName;
use crate::schema::{self, NewColumn};
use crate::table::{LakeTable, not_found};

/// Deepest nesting of namespaces that [`Warehouse::list_tables`] looks into.
const MAX_DEPTH: usize = 8;

/// Properties that a new table gets unless the caller says otherwise (Iceberg documentation,
/// "Configuration", "Write properties").
const DEFAULT_PROPERTIES: [(&str, &str); 4] = [
    ("write.format.default", "parquet"),
    ("write.parquet.compression-codec", "zstd"),
    ("write.delete.mode", "merge-on-read"),
    ("write.update.mode", "merge-on-read"),
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

/// A directory that holds tables as `NAMESPACE/TABLE/{data,metadata}`.
#[derive(Debug, Clone)]
pub struct Warehouse {
    root: PathBuf,
}

impl Warehouse {
    /// The warehouse in this directory, a path or a `file:` URL, which need not exist until a table is created.
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
        metadata_files::path_text(&root)?;
        Ok(Warehouse { root })
    }

    /// The directory, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the directory is there.
    pub fn exists(&self) -> bool {
        self.root.is_dir()
    }

    /// Refuses a directory that is not there, unless the one that is to hold it is: a mistyped path must not
    /// become another lake.
    ///
    /// # Errors
    /// [`LakeErrorKind::InvalidName`].
    pub fn check_place(&self) -> Result<()> {
        match self.root.parent() {
            Some(parent) if !self.exists() && !parent.is_dir() => Err(LakeError::new(
                LakeErrorKind::InvalidName,
                format!(
                    "the warehouse {} cannot be created: there is no directory {}",
                    self.root.display(),
                    parent.display()
                ),
            )
            .with_hint("check the path; if it is right, create the directory that is to hold the warehouse")),
            _ => Ok(()),
        }
    }

    /// The table in any directory in the Hadoop table layout, whoever wrote it.
    ///
    /// A table that another catalog keeps (`00001-….metadata.json`) can be read too, at its highest version.
    pub async fn open_location(dir: impl Into<PathBuf>) -> Result<LakeTable> {
        let dir = absolute(&dir.into())?;
        let display = metadata_files::path_text(&dir)?.to_owned();
        let found = LakeTable::open(display, dir.clone()).await?;
        found.ok_or_else(|| {
            LakeError::new(
                LakeErrorKind::TableNotFound,
                format!("there is no Iceberg table in {}", dir.display()),
            )
            .with_hint("give the directory that holds the table's metadata directory")
        })
    }

    /// Whether the table is there.
    pub async fn has_table(&self, name: &LakeTableName) -> Result<bool> {
        let dir = self.table_dir(name);
        blocking(move || Ok(metadata_files::list(&dir)?.is_table())).await
    }

    /// The table, at its newest version.
    pub async fn load(&self, name: &LakeTableName) -> Result<LakeTable> {
        let found = self.find(name).await?;
        found.ok_or_else(|| match self.exists() {
            true => not_found(&name.to_string(), &self.root),
            false => LakeError::new(
                LakeErrorKind::TableNotFound,
                format!(
                    "there is no lake table {name}: the warehouse {} does not exist",
                    self.root.display()
                ),
            )
            .with_hint("check the path; the first sync creates a warehouse"),
        })
    }

    /// The table, if it is there.
    pub async fn find(&self, name: &LakeTableName) -> Result<Option<LakeTable>> {
        LakeTable::open(name.to_string(), self.table_dir(name)).await
    }

    /// A table that comes into being with its first commit; until then only its staged files exist.
    pub async fn prepare_create(&self, name: &LakeTableName, new: &NewTable) -> Result<LakeTable> {
        if self.has_table(name).await? {
            return Err(already_exists(&name.to_string()));
        }
        let dir = self.table_dir(name);
        let schema = schema::new_schema(&name.to_string(), &new.columns, &new.identifier)?;
        let mut properties: HashMap<String, String> = DEFAULT_PROPERTIES
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        properties.extend(new.properties.clone());
        let metadata = TableMetadataBuilder::new(
            schema,
            PartitionSpec::unpartition_spec(),
            SortOrder::unsorted_order(),
            metadata_files::path_text(&dir)?.to_owned(),
            FormatVersion::V2,
            properties,
        )
        .and_then(TableMetadataBuilder::build)
        .map_err(|e| {
            LakeError::new(
                LakeErrorKind::InvalidData,
                format!("cannot create lake table {name}"),
            )
            .with_source(e)
        })?
        .metadata;
        Ok(LakeTable {
            display: name.to_string().into(),
            dir: dir.into(),
            file: None,
            metadata: Arc::new(metadata),
            foreign: Arc::new([]),
        })
    }

    /// Creates a table without a snapshot.
    pub async fn create_table(&self, name: &LakeTableName, new: &NewTable) -> Result<LakeTable> {
        let mut table = self.prepare_create(name, new).await?;
        blocking(move || {
            let path = match metadata_files::publish(&table.dir, 1, &table.metadata)? {
                Publication::Done(path) => path,
                Publication::Conflict => return Err(already_exists(&table.display)),
            };
            metadata_files::settle(&table.dir, 1)?;
            table.file = Some(MetadataFile {
                version: Some(1),
                path,
            });
            Ok(table)
        })
        .await
    }

    /// The tables of the warehouse, by namespace and name.
    pub async fn list_tables(&self) -> Result<Vec<LakeTableName>> {
        let root = self.root.clone();
        blocking(move || {
            let mut names = Vec::new();
            if root.is_dir() {
                collect_tables(&root, &root, 0, &mut names)?;
            }
            names.sort();
            Ok(names)
        })
        .await
    }

    fn table_dir(&self, name: &LakeTableName) -> PathBuf {
        self.root.join(name.directory())
    }
}

/// The directory without links and dots, so far as it exists: metadata holds absolute paths, which must not
/// depend on the working directory.
fn absolute(dir: &Path) -> Result<PathBuf> {
    let io = |e| LakeError::io("resolve", dir, e);
    let absolute = std::path::absolute(dir).map_err(io)?;
    let existing = absolute.ancestors().find(|ancestor| ancestor.exists());
    match existing.and_then(|part| Some((part, absolute.strip_prefix(part).ok()?))) {
        Some((part, rest)) => Ok(part.canonicalize().map_err(io)?.join(rest)),
        None => Ok(absolute),
    }
}

pub(crate) fn already_exists(name: &str) -> LakeError {
    LakeError::new(
        LakeErrorKind::TableExists,
        format!("the lake table {name} exists already"),
    )
    .with_hint("load it instead of creating it")
}

fn collect_tables(
    root: &Path,
    dir: &Path,
    depth: usize,
    names: &mut Vec<LakeTableName>,
) -> Result<()> {
    let entries = std::fs::read_dir(dir).map_err(|e| LakeError::io("list", dir, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| LakeError::io("list", dir, e))?;
        let path = entry.path();
        // Links are not followed: they could lead in circles.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let inside = path.strip_prefix(root).unwrap_or(&path);
        if metadata_files::list(&path)?.is_table() {
            names.extend(LakeTableName::of_directory(inside));
        } else if depth < MAX_DEPTH {
            collect_tables(root, &path, depth + 1, names)?;
        }
    }
    Ok(())
}

//! Tables in the Hadoop layout: `NAMESPACE/TABLE/{data,metadata}` in a directory, by bare files.

pub(crate) mod metadata_files;
mod old_versions;
mod other_catalogs;

use std::sync::Arc;

use async_trait::async_trait;
use iceberg::TableCreation;
use icehost_files::blocking::wait;

use crate::catalog::{Catalog, Found, LoadedTable, Outcome, TableCommit, TableVersion};
use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::name::LakeTableName;
use crate::storage::{Storage, below};
use metadata_files::{HINT, Publication};

/// Deepest nesting of namespaces that is looked into for tables.
const MAX_DEPTH: usize = 8;
/// How often a table is looked at whose versions go while they are read.
const MOST_LOOKS: u32 = 40;

/// The catalog that a storage's files are themselves.
///
/// The storage must create a file only where none is: that decides who is first.
#[derive(Debug, Clone)]
pub struct FilesystemCatalog {
    tables: Tables,
    storage: Arc<dyn Storage>,
}

#[derive(Debug, Clone)]
enum Tables {
    /// Below this directory, by their names.
    Below(Arc<str>),
    /// One, in this directory, whatever it is called.
    Only(Arc<str>),
}

impl FilesystemCatalog {
    /// The tables below a directory.
    pub fn new(storage: Arc<dyn Storage>, root: &str) -> Self {
        FilesystemCatalog {
            tables: Tables::Below(root.into()),
            storage,
        }
    }

    /// The one table that a directory is.
    pub fn of_one_table(storage: Arc<dyn Storage>, directory: &str) -> Self {
        FilesystemCatalog {
            tables: Tables::Only(directory.into()),
            storage,
        }
    }

    fn root(&self) -> &str {
        match &self.tables {
            Tables::Below(root) | Tables::Only(root) => root,
        }
    }

    fn directory(&self, table: &LakeTableName) -> String {
        match &self.tables {
            Tables::Below(root) => below(root, &table.directory()),
            Tables::Only(directory) => directory.to_string(),
        }
    }

    /// What people call a table.
    fn called(&self, table: &LakeTableName) -> String {
        match &self.tables {
            Tables::Below(_) => table.to_string(),
            Tables::Only(directory) => directory.to_string(),
        }
    }

    /// Runs work on a thread that may block.
    async fn at<T: Send + 'static>(
        &self,
        table: &LakeTableName,
        work: impl FnOnce(&FilesystemCatalog, &LakeTableName, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (this, table) = (self.clone(), table.clone());
        blocking(move || {
            let directory = this.directory(&table);
            work(&this, &table, &directory)
        })
        .await
    }

    fn loaded(&self, directory: &str, found: other_catalogs::Version) -> LoadedTable {
        LoadedTable {
            metadata: Arc::new(found.metadata),
            kept_by_another: found.version.number.is_none(),
            version: Some(found.version),
            location: directory.to_owned(),
            storage: Arc::clone(&self.storage),
        }
    }

    fn publish(&self, table: &str, directory: &str, commit: TableCommit) -> Result<Outcome> {
        if commit.check().is_err() {
            return Ok(Outcome::Conflict);
        }
        let number = match &commit.base {
            None => 1,
            Some(TableVersion {
                number: Some(number),
                ..
            }) => number + 1,
            Some(_) => {
                return Err(LakeError::internal(format!(
                    "another catalog keeps the table in {directory}"
                )));
            }
        };
        if let Some(base) = &commit.base
            && (!base
                .location
                .starts_with(&metadata_files::metadata_dir(directory))
                || self.tag(&base.location)?.as_deref() != Some(tag_of(base)))
        {
            // Dropped since, and perhaps created again.
            return Ok(Outcome::Conflict);
        }
        let metadata = commit.apply()?;
        let logs = (&*commit.metadata, &metadata);
        let leaving = old_versions::leaving(table, directory, &*self.storage, logs)?;
        let published = metadata_files::publish(&*self.storage, directory, number, &metadata)?;
        let (location, mut unsound) = match published {
            Publication::Done(location) => (location, None),
            Publication::Conflict => return Ok(Outcome::Conflict),
            Publication::Unsound(location, error) => (location, Some(error)),
            Publication::Unknown(error) => return Ok(Outcome::Unknown(error)),
        };
        if let Some(base) = &commit.base
            && !matches!(self.tag(&base.location), Ok(tag) if tag.as_deref() == Some(tag_of(base)))
        {
            // Either others have built on this version already, or it had been there and removed before: then they
            // have not, and do not know what it brings.
            return Ok(Outcome::Unknown(LakeError::new(
                LakeErrorKind::Conflict,
                format!("the version that {location} builds on was removed meanwhile"),
            )));
        }
        // The commit stands from here on, whatever else fails.
        if let Err(error) = metadata_files::settle(&*self.storage, directory, number) {
            unsound.get_or_insert(error);
        }
        old_versions::remove(&*self.storage, directory, &leaving);
        // Whoever cannot look at it takes it for another version next time, and loads it again.
        let tag = self.tag(&location).ok().flatten().unwrap_or_default();
        // What others have put beside it has not changed, as far as is known.
        let beside = commit.base.as_ref().map_or("", beside);
        let version = TableVersion {
            number: Some(number),
            location,
            state: state(&tag, beside),
        };
        let version = other_catalogs::Version { version, metadata };
        let table = Box::new(self.loaded(directory, version));
        Ok(match unsound {
            None => Outcome::Done(table),
            Some(error) => Outcome::Unsound(table, error),
        })
    }

    fn tag(&self, location: &str) -> Result<Option<String>> {
        let found = wait(self.storage.stat(location));
        let found = found.map_err(|e| LakeError::io("look for", location, e))?;
        Ok(found.map(|found| found.tag))
    }

    fn collect(
        &self,
        directory: &str,
        inside: &mut Vec<String>,
        names: &mut Vec<LakeTableName>,
    ) -> Result<()> {
        let listing =
            wait(self.storage.list(directory)).map_err(|e| LakeError::io("list", directory, e))?;
        for name in listing.directories {
            let path = below(directory, &name);
            inside.push(name);
            if metadata_files::list(&*self.storage, &path)?.is_table() {
                names.extend(LakeTableName::new(inside.iter().cloned()).ok());
            } else if inside.len() <= MAX_DEPTH {
                self.collect(&path, inside, names)?;
            }
            inside.pop();
        }
        Ok(())
    }
}

#[async_trait]
impl Catalog for FilesystemCatalog {
    fn address(&self) -> String {
        self.root().to_owned()
    }

    async fn is_there(&self) -> Result<bool> {
        let there = self.storage.has_directory(self.root()).await;
        there.map_err(|e| LakeError::io("look for", self.root(), e))
    }

    async fn check_place(&self) -> Result<()> {
        let root = self.root().trim_end_matches('/');
        let parent = match root.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((parent, _)) => parent,
            None => return Ok(()),
        };
        let there = self.storage.has_directory(parent).await;
        if self.is_there().await? || there.map_err(|e| LakeError::io("look for", parent, e))? {
            return Ok(());
        }
        Err(LakeError::new(
            LakeErrorKind::InvalidName,
            format!("the warehouse {root} cannot be created: there is no directory {parent}"),
        )
        .with_hint(
            "check the path; if it is right, create the directory that is to hold the warehouse",
        ))
    }

    async fn load(&self, table: &LakeTableName, known: Option<&TableVersion>) -> Result<Found> {
        let known = known.cloned();
        self.at(table, move |this, table, directory| {
            let called = this.called(table);
            let mut listing = metadata_files::list(&*this.storage, directory)?;
            for _ in 0..MOST_LOOKS {
                if known.is_some() && listing.newest == known {
                    return Ok(Found::Unchanged);
                }
                let found = other_catalogs::choose(&called, &this.storage, directory, &listing);
                let error = match found {
                    Ok(None) => return Ok(Found::Nothing),
                    Ok(Some(found)) => {
                        return Ok(Found::Table(Box::new(this.loaded(directory, found))));
                    }
                    Err(error) => error,
                };
                // A version may be overtaken and removed before it is read.
                let now = metadata_files::list(&*this.storage, directory)?;
                if now.newest == listing.newest {
                    return Err(error);
                }
                listing = now;
            }
            Err(LakeError::new(
                LakeErrorKind::Conflict,
                format!("writers to lake table {called} were faster {MOST_LOOKS} times than its metadata was read"),
            )
            .with_hint("run again when fewer writers are at work"))
        })
        .await
    }

    async fn has_table(&self, table: &LakeTableName) -> Result<bool> {
        self.at(table, |this, _, directory| {
            Ok(metadata_files::list(&*this.storage, directory)?.is_table())
        })
        .await
    }

    async fn stage_create(
        &self,
        table: &LakeTableName,
        creation: TableCreation,
    ) -> Result<LoadedTable> {
        let location = self.directory(table);
        LoadedTable::staged(table, creation, location, &self.storage)
    }

    async fn commit(&self, table: &LakeTableName, commit: TableCommit) -> Result<Outcome> {
        self.at(table, move |this, table, directory| {
            this.publish(&this.called(table), directory, commit)
        })
        .await
    }

    async fn list(&self) -> Result<Vec<LakeTableName>> {
        let this = self.clone();
        blocking(move || {
            let mut names = Vec::new();
            this.collect(this.root(), &mut Vec::new(), &mut names)?;
            Ok(names)
        })
        .await
    }

    async fn drop_table(&self, table: &LakeTableName, version: &TableVersion) -> Result<bool> {
        let version = version.clone();
        self.at(table, move |this, _, directory| {
            let listing = metadata_files::list(&*this.storage, directory)?;
            let Some(number) = version.number else {
                return Ok(false);
            };
            if listing.newest != Some(version) {
                return Ok(false);
            }
            // Readers follow the versions upwards: the oldest goes last.
            let versions = (1..=number).rev().map(metadata_files::name_of);
            for name in std::iter::once(HINT.to_owned()).chain(versions) {
                let file = below(&metadata_files::metadata_dir(directory), &name);
                wait(this.storage.delete(&file)).map_err(|e| LakeError::io("remove", &file, e))?;
            }
            Ok(true)
        })
        .await
    }

    async fn mend(&self, table: &LakeTableName, version: &TableVersion) -> Result<()> {
        let Some(number) = version.number else {
            return Ok(());
        };
        self.at(table, move |this, _, directory| {
            metadata_files::mend_hint(&*this.storage, directory, number)
        })
        .await
    }
}

/// What tells a version from another of its number, which may be that of another table by now, and from itself
/// beside other files of other catalogs.
fn state(tag: &str, beside: &str) -> String {
    format!("{tag}/{beside}")
}

fn tag_of(version: &TableVersion) -> &str {
    version.state.split_once('/').map_or("", |(tag, _)| tag)
}

fn beside(version: &TableVersion) -> &str {
    version
        .state
        .split_once('/')
        .map_or("", |(_, beside)| beside)
}

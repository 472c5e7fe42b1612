//! What knows which tables there are, and which version of its metadata each is at.
//!
//! A [`Catalog`] changes a table by one step only: a commit, which is a list of requirements that the table must
//! meet and a list of updates that make its new metadata (Iceberg REST catalog specification,
//! "CommitTableRequest"). Nothing else builds metadata, so that what a catalog on bare files does is what another
//! one is asked to do. What a commit whose answer is lost has come to is found out by who commits
//! (`commit/hand_over.rs`), the same way for all of them.

pub(crate) mod filesystem;
pub(crate) mod metadata_bytes;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use iceberg::{TableCreation, TableRequirement, TableUpdate};

pub use filesystem::FilesystemCatalog;

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::name::LakeTableName;
use crate::storage::Storage;

/// Tables by their names.
///
/// Whoever implements it runs the suite in `icehost_lake::kit::catalog_contract`, which says the same in code.
#[async_trait]
pub trait Catalog: fmt::Debug + Send + Sync {
    /// Where the tables are, for messages.
    fn address(&self) -> String;

    /// Whether the catalog itself is there; a table can be created in one that is not, if
    /// [`Catalog::check_place`] allows it.
    async fn is_there(&self) -> Result<bool>;

    /// Refuses a catalog that is not there and had better not be made: a mistyped name must not become another
    /// lake.
    ///
    /// # Errors
    /// [`LakeErrorKind::InvalidName`].
    async fn check_place(&self) -> Result<()>;

    /// The table at its newest version, unless that is the one that is known.
    async fn load(&self, table: &LakeTableName, known: Option<&TableVersion>) -> Result<Found>;

    /// Whether there is such a table, as cheaply as that can be told.
    async fn has_table(&self, table: &LakeTableName) -> Result<bool> {
        Ok(!matches!(self.load(table, None).await?, Found::Nothing))
    }

    /// A table to be: its metadata, and where its files go. Nothing is there until the first commit, whose
    /// requirement is that there is no such table.
    ///
    /// # Errors
    /// [`LakeErrorKind::InvalidData`] for a table that cannot be.
    async fn stage_create(
        &self,
        table: &LakeTableName,
        creation: TableCreation,
    ) -> Result<LoadedTable>;

    /// Makes a new version of a table, or none. Of several commits to one version at most one succeeds.
    ///
    /// # Errors
    /// Nothing was committed, and trying the same again would not help.
    async fn commit(&self, table: &LakeTableName, commit: TableCommit) -> Result<Outcome>;

    /// All tables, in any order.
    async fn list(&self) -> Result<Vec<LakeTableName>>;

    /// Takes a table out of the catalog, if it is still at this version; false where it is not. Its files stay.
    async fn drop_table(&self, table: &LakeTableName, version: &TableVersion) -> Result<bool>;

    /// Completes what a writer has left that ended in its commit, for readers that look no further.
    async fn mend(&self, table: &LakeTableName, version: &TableVersion) -> Result<()> {
        let (_, _) = (table, version);
        Ok(())
    }
}

/// A version of a table's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableVersion {
    /// Its number, from 1, where the catalog counts.
    pub number: Option<u64>,
    /// Where it is recorded.
    pub location: String,
    /// What else the catalog tells states of a table apart by; its own affair.
    pub state: String,
}

/// A table as a catalog gives it.
#[derive(Debug, Clone)]
pub struct LoadedTable {
    /// The metadata.
    pub metadata: Arc<TableMetadata>,
    /// Which version that is; `None` for a table to be.
    pub version: Option<TableVersion>,
    /// Where the table is, as its storage spells it.
    pub location: String,
    /// What its files are kept by: a catalog may hand out credentials for one table alone.
    pub storage: Arc<dyn Storage>,
    /// Another catalog keeps the table, so that it can only be read.
    pub kept_by_another: bool,
}

impl LoadedTable {
    /// A table that its first commit creates.
    pub(crate) fn staged(
        table: &LakeTableName,
        creation: TableCreation,
        location: String,
        storage: &Arc<dyn Storage>,
    ) -> Result<LoadedTable> {
        Ok(LoadedTable {
            metadata: Arc::new(new_metadata(table, creation, &location)?),
            version: None,
            location,
            storage: Arc::clone(storage),
            kept_by_another: false,
        })
    }
}

/// What there is under a name.
#[derive(Debug, Clone)]
pub enum Found {
    /// No table.
    Nothing,
    /// The version that is known.
    Unchanged,
    /// Another version.
    Table(Box<LoadedTable>),
}

/// A commit: what the table must be, and what is made of it.
#[derive(Debug, Clone)]
pub struct TableCommit {
    /// The version that the updates were made for; `None` for a table to be.
    pub base: Option<TableVersion>,
    /// The metadata of that version, or of the table to be.
    pub metadata: Arc<TableMetadata>,
    /// Where the table is, or is to be.
    pub location: String,
    /// What must be true of the table.
    pub requirements: Vec<TableRequirement>,
    /// What changes, in this order.
    pub updates: Vec<TableUpdate>,
}

/// What became of a commit.
#[derive(Debug)]
pub enum Outcome {
    /// It is the table's newest version.
    Done(Box<LoadedTable>),
    /// It is the table's newest version, but may be lost when the power fails, or be overlooked by some readers until
    /// the next commit: it stands, and is told as one that does, with why.
    Unsound(Box<LoadedTable>, LakeError),
    /// Somebody else was faster, and nothing was committed.
    Conflict,
    /// No answer came, so that it may have been done, or may yet be.
    Unknown(LakeError),
}

impl TableCommit {
    /// Whether the base meets the requirements.
    ///
    /// # Errors
    /// The first that it does not meet.
    pub fn check(&self) -> iceberg::Result<()> {
        let metadata = self.base.is_some().then_some(&*self.metadata);
        let mut requirements = self.requirements.iter();
        requirements.try_for_each(|requirement| requirement.check(metadata))
    }

    /// The metadata that the updates make of the base, in their order.
    ///
    /// # Errors
    /// [`LakeErrorKind::Internal`] for updates that do not fit the base.
    pub fn apply(&self) -> Result<TableMetadata> {
        let previous = self.base.as_ref().map(|base| base.location.clone());
        let builder = TableMetadata::clone(&self.metadata).into_builder(previous);
        let built = self
            .updates
            .iter()
            .cloned()
            .try_fold(builder, |builder, update| update.apply(builder))
            .and_then(TableMetadataBuilder::build);
        built.map(|built| built.metadata).map_err(|e| {
            LakeError::internal("the updates of a commit do not fit its table").with_source(e)
        })
    }
}

/// The metadata of a table to be, for catalogs that have nobody else to make it.
fn new_metadata(
    table: &LakeTableName,
    creation: TableCreation,
    location: &str,
) -> Result<TableMetadata> {
    let creation = TableCreation {
        location: Some(location.to_owned()),
        ..creation
    };
    TableMetadataBuilder::from_table_creation(creation)
        .and_then(TableMetadataBuilder::build)
        .map(|built| built.metadata)
        .map_err(|e| {
            LakeError::new(
                LakeErrorKind::InvalidData,
                format!("cannot create lake table {table}"),
            )
            .with_source(e)
        })
}

//! Iceberg tables: append, row-level changes, reads, changes between snapshots.
//!
//! A [`Warehouse`] has the tables of a [`Catalog`], whose files are in a [`Storage`]; both are traits, and a
//! directory in the Hadoop table layout is one of each. A [`LakeTable`] is a table at one version of its metadata. Rows come in by [staging](LakeTable::stage) a delta for a [`RowChange`], which a
//! merge plan is lowered to, and [committing](LakeTable::commit) it; they come out by a
//! [scan](LakeTable::scan) or as [changes](LakeTable::changes) between two snapshots.
//!
//! What computes does so on threads that may block, what waits is asynchronous, and all of it needs a Tokio
//! runtime.

mod catalog;
mod changes;
mod checksum;
mod commit;
mod contents;
mod error;
mod evaluate;
mod having;
mod held;
mod keys;
#[cfg(feature = "test-kit")]
pub mod kit;
mod library_files;
mod lineage;
mod location;
mod name;
mod read;
mod row_change;
mod schema;
mod sidecar;
mod snapshot;
mod staging;
pub mod storage;
mod table;
mod table_property;
mod try_writing;
mod versions;
mod warehouse;
mod withdraw;

use icehost_files::failpoint;

pub use catalog::{
    Catalog, FilesystemCatalog, Found, LoadedTable, Outcome, TableCommit, TableVersion,
};
pub use changes::{ChangePlan, ChangeStats, ChangesRequest};
pub use commit::{
    AbsenceGuard, Absent, CommitRequest, Committed, Guard, KeyQuestion, SameKeys, SnapshotUpdates,
    Stopping,
};
pub use contents::{AnyColumn, Contents, Files};
// A commit is told in Iceberg's own terms.
pub use error::{LakeError, LakeErrorKind, Result};
pub use having::{DoubtfulKeys, Having};
pub use held::{HELD_ROW_BYTES, HeldRequest, HeldRows, Unseen};
pub use iceberg::{TableRequirement, TableUpdate};
pub use keys::KeyFold;
pub use lineage::Lineage;
pub use name::LakeTableName;
pub use read::{BatchStream, Room, ScanRequest};
pub use row_change::RowChange;
pub use schema::{LakeColumn, NewColumn};
pub use sidecar::{ClaimedSidecar, Sidecar};
pub use snapshot::SnapshotInfo;
pub use staging::{KeptFiles, Look, StageOptions, Staged, StagedWriter};
pub use storage::local::local_directory;
pub use storage::{LocalStorage, Storage, Unwritable};
pub use table::LakeTable;
pub use versions::Turn;
pub use warehouse::{NewTable, Warehouse};

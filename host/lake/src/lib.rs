//! Iceberg tables in a filesystem catalog: append, row-level changes, reads, changes between snapshots
//!
//! A [`Warehouse`] is a directory of tables in the Hadoop table layout. A [`LakeTable`] is a table at one
//! version.

mod changes;
mod commit;
mod error;
mod evaluate;
mod failpoint;
mod keys;
mod location;
mod metadata_files;
mod name;
mod read;
mod row_change;
mod schema;
mod snapshot;
mod staging;
mod table;
mod warehouse;

pub use changes::{ChangePlan, ChangeStats, ChangesRequest};
pub use commit::{CommitRequest, Committed, Guard};
pub use error::{LakeError, LakeErrorKind, Result};
pub use keys::KeyFold;
pub use name::LakeTableName;
pub use read::{BatchStream, ScanRequest};
pub use row_change::RowChange;
pub use schema::{LakeColumn, NewColumn};
pub use snapshot::SnapshotInfo;
pub use staging::{StageOptions, Staged, StagedWriter};
pub use table::LakeTable;
pub use warehouse::{NewTable, Warehouse};

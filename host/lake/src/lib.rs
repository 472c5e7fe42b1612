//! Iceberg tables in a filesystem catalog: append, row-level changes, reads, changes between snapshots.
//!
//! A [`Warehouse`] is a directory of tables in the Hadoop table layout. A [`LakeTable`] is a table at one
//! version of its metadata. Rows come in by [staging](LakeTable::stage) a delta for a [`RowChange`], which a
//! merge plan is lowered to, and [committing](LakeTable::commit) it; they come out by a
//! [scan](LakeTable::scan) or as [changes](LakeTable::changes) between two snapshots.
//!
//! Every function that touches files does so on threads that may block, and needs a Tokio runtime.

mod changes;
mod checksum;
mod commit;
mod error;
mod evaluate;
mod failpoint;
mod held;
mod keys;
mod left_over;
mod lineage;
mod local_directory;
mod location;
mod metadata_files;
mod name;
mod other_catalogs;
mod read;
mod row_change;
mod schema;
mod snapshot;
mod staging;
mod table;
mod versions;
mod warehouse;
mod withdraw;

pub use changes::{ChangePlan, ChangeStats, ChangesRequest};
pub use commit::{
    AbsenceGuard, Absent, CommitRequest, Committed, Guard, KeyQuestion, SameKeys, SnapshotUpdates,
    Stopping,
};
// A commit is told in Iceberg's own terms.
pub use error::{LakeError, LakeErrorKind, Result};
pub use held::{HELD_ROW_BYTES, HeldRequest, HeldRows};
pub use iceberg::{TableRequirement, TableUpdate};
pub use keys::KeyFold;
pub use lineage::Lineage;
pub use local_directory::local_directory;
pub use name::LakeTableName;
pub use read::{BatchStream, ScanRequest};
pub use row_change::RowChange;
pub use schema::{LakeColumn, NewColumn};
pub use snapshot::SnapshotInfo;
pub use staging::{KeptFiles, StageOptions, Staged, StagedWriter};
pub use table::LakeTable;
pub use versions::Turn;
pub use warehouse::{NewTable, Warehouse};

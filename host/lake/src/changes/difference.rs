//! Which rows of which files two snapshots do not share.

use std::collections::HashMap;
use std::ops::ControlFlow;

use roaring::RoaringTreemap;

use crate::error::Result;
use crate::read::data_file::{Pick, Sink};
use crate::read::deletes::{Deletes, SnapshotRows};
use crate::read::live_files::{LiveFile, TableFiles};
use crate::schema::LakeColumn;

/// Rows in a batch of which only the positions matter.
const BATCH_ROWS: usize = 8192;

/// Rows of one file that one snapshot has and the other has not.
#[derive(Debug)]
pub(crate) enum FileChange {
    /// The file is new: all its rows that the later snapshot has.
    FileAdded(LiveFile),
    /// The file is gone: all its rows that the earlier snapshot had.
    FileRemoved(LiveFile),
    /// Rows that were deleted.
    RowsRemoved(LiveFile, RoaringTreemap),
    /// Rows whose deletion was undone.
    RowsRestored(LiveFile, RoaringTreemap),
}

impl FileChange {
    pub(crate) fn removes(&self) -> bool {
        matches!(
            self,
            FileChange::FileRemoved(_) | FileChange::RowsRemoved(..)
        )
    }

    /// The file that it is about.
    pub(crate) fn file(&self) -> &LiveFile {
        match self {
            FileChange::FileAdded(file)
            | FileChange::FileRemoved(file)
            | FileChange::RowsRemoved(file, _)
            | FileChange::RowsRestored(file, _) => file,
        }
    }

    /// At most so many rows.
    pub(crate) fn rows(&self, before: &SnapshotRows, after: &SnapshotRows) -> u64 {
        let live = |file: &LiveFile, deletes: &Deletes| {
            let deleted = deletes.positions(file).len();
            file.file().record_count().saturating_sub(deleted)
        };
        match self {
            FileChange::FileAdded(file) => live(file, &after.deletes),
            FileChange::FileRemoved(file) => live(file, &before.deletes),
            FileChange::RowsRemoved(_, rows) | FileChange::RowsRestored(_, rows) => rows.len(),
        }
    }

    /// Reads the rows.
    pub(crate) fn read(
        &self,
        files: &TableFiles,
        before: &SnapshotRows,
        after: &SnapshotRows,
        columns: &[LakeColumn],
        batch_rows: usize,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let (file, deletes, rows) = match self {
            FileChange::FileAdded(file) => (file, &after.deletes, None),
            FileChange::FileRemoved(file) => (file, &before.deletes, None),
            FileChange::RowsRemoved(file, rows) => (file, &before.deletes, Some(rows)),
            FileChange::RowsRestored(file, rows) => (file, &after.deletes, Some(rows)),
        };
        match rows {
            None => deletes.read_live(files, file, columns, batch_rows, sink),
            Some(rows) => {
                let pick = Pick::Only(rows.clone());
                deletes.read_picked(files, file, columns, &pick, batch_rows, sink)
            }
        }
    }
}

/// The changes, in the order of the files' commits. Data files are opened only where equality deletes that
/// apply to them came or went.
pub(crate) fn between(
    files: &TableFiles,
    before: &SnapshotRows,
    after: &SnapshotRows,
) -> Result<Vec<FileChange>> {
    let mut old: HashMap<&str, &LiveFile> =
        before.data.iter().map(|file| (file.path(), file)).collect();
    let mut changes = Vec::new();
    for file in &after.data {
        match old.remove(file.path()) {
            None => changes.push(FileChange::FileAdded(file.clone())),
            Some(same) => compare(files, same, file, before, after, &mut changes)?,
        }
    }
    for file in &before.data {
        if old.contains_key(file.path()) {
            changes.push(FileChange::FileRemoved(file.clone()));
        }
    }
    Ok(changes)
}

/// A file that both snapshots have.
fn compare(
    files: &TableFiles,
    old: &LiveFile,
    new: &LiveFile,
    before: &SnapshotRows,
    after: &SnapshotRows,
    changes: &mut Vec<FileChange>,
) -> Result<()> {
    let same_equality = before.deletes.equality_files(old) == after.deletes.equality_files(new);
    let (removed, restored) = if same_equality {
        let then = before.deletes.positions(old);
        let now = after.deletes.positions(new);
        (&now - &then, &then - &now)
    } else {
        let then = live_positions(files, old, &before.deletes)?;
        let now = live_positions(files, new, &after.deletes)?;
        (&then - &now, &now - &then)
    };
    if !removed.is_empty() {
        changes.push(FileChange::RowsRemoved(old.clone(), removed));
    }
    if !restored.is_empty() {
        changes.push(FileChange::RowsRestored(new.clone(), restored));
    }
    Ok(())
}

fn live_positions(
    files: &TableFiles,
    file: &LiveFile,
    deletes: &Deletes,
) -> Result<RoaringTreemap> {
    let mut live = RoaringTreemap::new();
    let sink = &mut |_, positions: &[u64]| {
        live.extend(positions.iter().copied());
        Ok(ControlFlow::Continue(()))
    };
    let _all_read = deletes.read_live(files, file, &[], BATCH_ROWS, sink)?;
    Ok(live)
}

//! From which snapshots a snapshot descends, also where some of them have expired.
//!
//! Expiry takes a snapshot out of the newest metadata, but not out of the versions before it, and the
//! metadata log names their files. So a line that ends early can often be followed further there.
//!
//! Some engines leave a snapshot whose parent expired with that parent's id, others (PyIceberg) with none.
//! So a snapshot without a parent begins the table only where it has the table's first sequence number, or
//! where the version that brought it says so.

use std::collections::HashSet;

use iceberg::spec::TableMetadata;

use crate::catalog::filesystem::metadata_files;
use crate::location::Locator;
use crate::snapshot::SnapshotInfo;
use crate::table::LakeTable;

/// Most versions of the metadata that are read for one line.
const MOST_VERSIONS: usize = 100;
/// Most bytes of them.
const MOST_BYTES: u64 = 256 << 20;

/// A snapshot's ancestors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// The snapshot itself and its ancestors, youngest first, each the parent of the one before.
    pub snapshots: Vec<SnapshotInfo>,
    /// The last of them is known to have had no parent: the line is known from its beginning.
    pub complete: bool,
}

impl LakeTable {
    /// The snapshot and its ancestors, as far as the newest metadata or a version before it knows them, or
    /// up to the first that is what is looked for. Versions that are gone or cannot be read end the line
    /// early.
    ///
    /// Must run on a thread that may block, inside a Tokio runtime.
    pub fn lineage(&self, from: i64, sought: &dyn Fn(&SnapshotInfo) -> bool) -> Lineage {
        let locator = Locator::new(&self.storage, self.metadata.location(), &self.location);
        trace(&self.metadata, &locator, from, sought)
    }
}

/// The same for a version of the metadata, whose table's files are found by a locator.
pub(crate) fn trace(
    newest: &TableMetadata,
    files: &Locator,
    from: i64,
    sought: &dyn Fn(&SnapshotInfo) -> bool,
) -> Lineage {
    let mut line = Line {
        snapshots: Vec::new(),
        seen: HashSet::new(),
        end: End::Parent(from),
        sought,
    };
    line.follow(newest);
    if matches!(line.end, End::Parent(_) | End::Orphan) {
        line.follow_older_versions(newest, files);
    }
    Lineage {
        complete: line.end == End::Beginning,
        snapshots: line.snapshots,
    }
}

/// Where a line has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// This snapshot comes next, and is not known yet.
    Parent(i64),
    /// The last one has no parent as far as is known; it may have had one that expired.
    Orphan,
    /// The last one had no parent.
    Beginning,
    /// The last one is what was looked for, or the line is a circle.
    Found,
}

/// A line in the making.
struct Line<'a> {
    snapshots: Vec<SnapshotInfo>,
    /// A cycle cannot happen in sound metadata; unsound metadata must not hang us.
    seen: HashSet<i64>,
    end: End,
    sought: &'a dyn Fn(&SnapshotInfo) -> bool,
}

impl Line<'_> {
    fn follow_older_versions(&mut self, newest: &TableMetadata, files: &Locator) {
        let mut left = MOST_BYTES;
        // Whether all versions between the newest and the one at hand were read.
        let mut gapless = true;
        for entry in newest.metadata_log().iter().rev().take(MOST_VERSIONS) {
            let read = files
                .find(&entry.metadata_file)
                .and_then(|location| metadata_files::read(files.storage(), &location, left));
            match read {
                Ok((older, size)) if older.uuid() == newest.uuid() => {
                    left = left.saturating_sub(size);
                    self.follow_older(&older, gapless);
                }
                // Gone, too large for what is left, damaged, or of another table
                Ok(_) | Err(_) => {
                    tracing::debug!(file = %entry.metadata_file, "an older version is passed over");
                    gapless = false;
                }
            }
            if matches!(self.end, End::Beginning | End::Found) || left == 0 {
                return;
            }
        }
    }

    fn follow_older(&mut self, older: &TableMetadata, gapless: bool) {
        if let (End::Orphan, Some(last)) = (self.end, self.snapshots.last_mut()) {
            match older.snapshot_by_id(last.id) {
                // It came with the version behind this one, and had no parent there.
                None if gapless => self.end = End::Beginning,
                None => {}
                Some(then) => {
                    last.parent = then.parent_snapshot_id();
                    self.end = last.parent.map_or(End::Orphan, End::Parent);
                }
            }
        }
        self.follow(older);
    }

    fn follow(&mut self, metadata: &TableMetadata) {
        while let End::Parent(id) = self.end
            && let Some(snapshot) = metadata.snapshot_by_id(id)
        {
            let snapshot = SnapshotInfo::new(snapshot);
            let circle = !self.seen.insert(id);
            self.end = match snapshot.parent {
                _ if circle || (self.sought)(&snapshot) => End::Found,
                Some(parent) => End::Parent(parent),
                // Sequence numbers count from 1; tables of format v1 have none.
                None if snapshot.sequence_number <= 1 => End::Beginning,
                None => End::Orphan,
            };
            if !circle {
                self.snapshots.push(snapshot);
            }
        }
    }
}

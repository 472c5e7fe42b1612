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

use crate::location::Locator;
use crate::metadata_files;
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
        let mut line = Line {
            snapshots: Vec::new(),
            seen: HashSet::new(),
            end: End::Parent(from),
            sought,
        };
        line.follow(&self.metadata);
        if matches!(line.end, End::Parent(_) | End::Orphan) {
            self.follow_older_versions(&mut line);
        }
        Lineage {
            complete: line.end == End::Beginning,
            snapshots: line.snapshots,
        }
    }

    fn follow_older_versions(&self, line: &mut Line<'_>) {
        let locator = Locator::new(self.metadata.location(), &self.dir);
        let mut bytes = 0;
        // Whether all versions between the newest and the one at hand were read.
        let mut gapless = true;
        let log = self.metadata.metadata_log().iter().rev();
        for entry in log.take(MOST_VERSIONS) {
            let path = locator.find(&entry.metadata_file).ok();
            let file = path.and_then(|path| Some((std::fs::metadata(&path).ok()?.len(), path)));
            let Some((length, path)) = file else {
                gapless = false;
                continue;
            };
            bytes += length;
            if bytes > MOST_BYTES {
                return;
            }
            match metadata_files::read(&path) {
                Ok(older) if older.uuid() == self.uuid() => line.follow_older(&older, gapless),
                Ok(_) | Err(_) => {
                    tracing::debug!(file = %path.display(), "an older version is passed over");
                    gapless = false;
                }
            }
            if matches!(line.end, End::Beginning | End::Found) {
                return;
            }
        }
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

//! Who wrote a data file, and what that tells of the order of its rows.

use std::collections::HashMap;

use iceberg::spec::{Operation, SnapshotRef};

use crate::error::Result;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::versions::Turn;

/// What the entries begin with that icehost puts into the summaries of its snapshots.
const SUMMARY_OWN: &str = "icehost.";

/// What a file tells of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// icehost: they came with the file's commit, in this order.
    Own,
    /// Another engine, in a commit that added rows and belonged to no deletion: they came with it.
    Added,
    /// Another engine, and they may be older than the file.
    Unknown,
}

/// Where a row stands among the commits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Data sequence number.
    pub(super) sequence: i64,
    pub(super) author: Author,
}

impl Place {
    pub(crate) fn turn(self) -> Turn {
        Turn {
            sequence: self.sequence,
            known: self.author != Author::Unknown,
        }
    }

    pub(crate) fn is_own(self) -> bool {
        self.author == Author::Own
    }

    pub(crate) fn is_added(self) -> bool {
        self.author == Author::Added
    }

    /// Whether a row here is certainly newer than rows that were read before it: up to a sequence number, those that
    /// have it in files of icehost alone or not.
    pub(super) fn follows(self, sequence: i64, own: bool) -> bool {
        match self.author {
            Author::Own => self.sequence > sequence || (self.sequence == sequence && own),
            Author::Added => self.sequence > sequence,
            Author::Unknown => false,
        }
    }
}

/// The authors of files, each looked up once.
#[derive(Default)]
pub(crate) struct Authors(HashMap<String, Author>);

impl Authors {
    pub(crate) fn place(&mut self, files: &TableFiles, file: &LiveFile) -> Result<Place> {
        let author = match self.0.get(file.path()) {
            Some(author) => *author,
            None => {
                let author = author(files, file)?;
                self.0.insert(file.path().to_owned(), author);
                author
            }
        };
        Ok(Place {
            sequence: file.sequence,
            author,
        })
    }
}

fn author(files: &TableFiles, file: &LiveFile) -> Result<Author> {
    if files.is_own(file)? {
        return Ok(Author::Own);
    }
    let snapshot = file.added_by();
    let snapshot = snapshot.and_then(|id| files.metadata.snapshot_by_id(id));
    Ok(match snapshot {
        // Compactions of some engines give what they write the number of the state that they read (Iceberg table
        // spec, "Sequence Number Inheritance").
        Some(added)
            if added.sequence_number() == file.sequence && only_adds(files, added.clone()) =>
        {
            Author::Added
        }
        _ => Author::Unknown,
    })
}

/// Whether a snapshot of another engine, and those of other engines before it, up to one of icehost's or the table's
/// first, only add rows. An overwrite may be two commits, a deletion and an addition of what is left.
fn only_adds(files: &TableFiles, mut snapshot: SnapshotRef) -> bool {
    loop {
        let summary = snapshot.summary();
        let properties = &summary.additional_properties;
        if properties.keys().any(|key| key.starts_with(SUMMARY_OWN)) {
            return true;
        }
        if summary.operation != Operation::Append {
            return false;
        }
        // That a snapshot has no parent may come from expiry.
        if snapshot.sequence_number() == 1 {
            return true;
        }
        let parent = snapshot.parent_snapshot_id();
        match parent.and_then(|id| files.metadata.snapshot_by_id(id)) {
            Some(parent) if parent.sequence_number() < snapshot.sequence_number() => {
                snapshot = parent.clone();
            }
            _ => return false,
        }
    }
}

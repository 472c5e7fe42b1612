//! What changed between two snapshots, row by row.

mod columns;
mod difference;
mod emit;
pub(crate) mod hasher;
mod net;
mod records;
mod settle;
mod sought;

use std::ops::ControlFlow;
use std::path::PathBuf;

use icehost_plan::{Column, Contents, Delta, SortKey};

use crate::changes::difference::FileChange;
use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::keys::KeyFold;
use crate::read::data_file::Sink;
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::TableFiles;
use crate::read::stream::{BatchStream, produce};
use crate::schema::LakeColumn;
use crate::staging::staged_files::data_dir;
use crate::table::LakeTable;
use crate::versions::OneOfEach;

/// Which changes to read.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangesRequest {
    /// The snapshot whose rows the reader has; `None` where it has none.
    pub from: Option<i64>,
    /// The snapshot whose rows it wants; `None` for a table without a snapshot, which has none.
    pub to: Option<i64>,
    /// Ordinals of the columns, in the order in which they are wanted; `None` for all.
    pub columns: Option<Vec<u32>>,
    /// How the table's key compares for the reader, in the order of the identifier fields.
    /// [`ChangePlan::keyed`] chooses another key.
    pub key_fold: KeyFold,
    /// Most rows in a batch; wide rows come in smaller ones.
    pub batch_rows: usize,
    /// Most memory for what is remembered of rows and keys while it is told what changed, in bytes. What goes beyond
    /// it is on disk, in a file without a name.
    pub most_bytes: usize,
}

/// What is remembered of changes, unless the reader says otherwise.
const MOST_BYTES: usize = 256 << 20;

impl ChangesRequest {
    /// All columns of the changes up to `to`, with text keys compared byte by byte.
    pub fn new(from: Option<i64>, to: impl Into<Option<i64>>) -> Self {
        ChangesRequest {
            from,
            to: to.into(),
            columns: None,
            key_fold: KeyFold::default(),
            batch_rows: 8192,
            most_bytes: MOST_BYTES,
        }
    }
}

/// What is known of changes before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeStats {
    /// Rows that came or went. No more are delivered, but for those that are there and share a key with one that
    /// went.
    pub rows: u64,
    /// Whether rows may have gone or changed; without, there are only inserts.
    pub has_removals: bool,
    /// Number of snapshots between the two.
    pub snapshots: usize,
}

/// Changes that are ready to be read; the metadata is loaded and no data file is open.
#[derive(Debug)]
pub struct ChangePlan {
    pub(crate) files: TableFiles,
    pub(crate) before: SnapshotRows,
    pub(crate) after: SnapshotRows,
    pub(crate) changes: Vec<FileChange>,
    /// The columns that are read: those that are wanted, then those of the key that are not.
    pub(crate) columns: Vec<LakeColumn>,
    /// How many of them are wanted.
    pub(crate) wanted: usize,
    /// Positions of the key in `columns`.
    pub(crate) key: Vec<usize>,
    pub(crate) fold: KeyFold,
    pub(crate) batch_rows: usize,
    pub(crate) most_bytes: usize,
    /// Where what goes beyond them is written, if that can be.
    pub(crate) scratch: PathBuf,
    /// Deliver the other rows of each new row's key too.
    pub(crate) with_others: bool,
    /// The reader keeps one row of each key.
    pub(crate) one_of_each: Option<OneOfEach>,
    contents: Contents,
    snapshots: usize,
}

impl LakeTable {
    /// Prepares to read the net changes between two snapshots.
    ///
    /// # Errors
    /// [`LakeErrorKind::PositionLost`] where `from` is no ancestor of `to`, so that nobody can tell what
    /// changed.
    pub async fn changes(&self, request: ChangesRequest) -> Result<ChangePlan> {
        let line = match request.to {
            Some(to) => {
                self.snapshot(to)?;
                self.ancestors(to)
            }
            None => Vec::new(),
        };
        let snapshots = match request.from {
            None => line.len(),
            Some(from) => line
                .iter()
                .position(|snapshot| snapshot.id == from)
                .ok_or_else(|| self.position_lost(from, request.to))?,
        };
        let mut columns = self.select(request.columns.as_deref())?;
        let wanted = columns.len();
        if let Some(from) = request.from {
            columns::check(self, from, &columns)?;
        }
        let mut key = Vec::new();
        for identifier in self
            .columns()?
            .into_iter()
            .filter(|c| c.key_position.is_some())
        {
            let known = columns
                .iter()
                .position(|c| c.field_id == identifier.field_id);
            key.push(known.unwrap_or(columns.len()));
            if known.is_none() {
                columns.push(identifier);
            }
        }
        let files = TableFiles::new(self);
        let scratch = self.storage.scratch(&data_dir(self));
        let contents = match request.from {
            None => Contents::Snapshot,
            Some(_) => Contents::Changes,
        };
        blocking(move || {
            let before = SnapshotRows::load(&files, request.from)?;
            let after = SnapshotRows::load(&files, request.to)?;
            let changes = difference::between(&files, &before, &after)?;
            Ok(ChangePlan {
                files,
                before,
                after,
                changes,
                columns,
                wanted,
                key,
                fold: request.key_fold,
                batch_rows: request.batch_rows,
                most_bytes: request.most_bytes,
                scratch,
                with_others: false,
                one_of_each: None,
                contents,
                snapshots,
            })
        })
        .await
    }

    fn position_lost(&self, from: i64, to: Option<i64>) -> LakeError {
        let to = to.map_or_else(|| "none".to_owned(), |to| to.to_string());
        let why = match self.metadata.snapshot_by_id(from) {
            None => "has expired",
            Some(_) => "is not among its ancestors",
        };
        LakeError::new(
            LakeErrorKind::PositionLost,
            format!(
                "the changes of lake table {} from snapshot {from} to {to} cannot be told: {from} {why}",
                self.display
            ),
        )
        .with_hint("read the whole snapshot once; the changes after it can be told again")
    }
}

impl ChangePlan {
    /// The same changes for a reader that tells rows apart by these columns of the delta, which compare for it in
    /// this way. Without columns, no two rows are one for it: what came is inserted, what went is deleted.
    ///
    /// # Errors
    /// A column that is not wanted.
    pub fn keyed(mut self, columns: &[u32], fold: KeyFold) -> Result<ChangePlan> {
        let known = |&column: &u32| match (column as usize) < self.wanted {
            true => Ok(column as usize),
            false => Err(LakeError::internal(format!(
                "column {column} of the changes of lake table {} is to be a key, and is not read",
                self.files.name
            ))),
        };
        self.key = columns.iter().map(known).collect::<Result<_>>()?;
        self.fold = fold;
        self.columns.truncate(self.wanted);
        Ok(self)
    }

    /// The same changes, with another bound for what is remembered, as [`ChangesRequest::most_bytes`] says it.
    #[must_use]
    pub fn within(mut self, most_bytes: usize) -> ChangePlan {
        self.most_bytes = most_bytes;
        self
    }

    /// The same changes, and with each new row all others that have its key, or one that the reader may take for
    /// it: whether it does, and what follows, is then for the reader to see. The key of every row is read for that.
    #[must_use]
    pub fn with_others_of_each_key(mut self) -> ChangePlan {
        self.with_others = true;
        self
    }

    /// The same changes for a reader that keeps one row of each key: the first in the order of `order`, whose columns
    /// are those of the delta, or else, and where it ties, the newest, which is delivered last. Reading them fails
    /// with [`LakeErrorKind::VersionsUnordered`] where nothing tells which one that is (`versions` says when).
    #[must_use]
    pub fn one_of_each_key(mut self, order: &[SortKey]) -> ChangePlan {
        self.one_of_each = Some(OneOfEach::new(order));
        self
    }

    /// What is known before reading.
    pub fn stats(&self) -> ChangeStats {
        ChangeStats {
            rows: self.changes.iter().map(|change| self.rows(change)).sum(),
            has_removals: self
                .changes
                .iter()
                .any(|change| change.removes() || matches!(change, FileChange::RowsRestored(..))),
            snapshots: self.snapshots,
        }
    }

    /// The delta that the batches make up. For changes its last column is the operation; a whole snapshot
    /// has none.
    pub fn delta(&self) -> Delta {
        let mut columns: Vec<Column> = self
            .columns
            .iter()
            .take(self.wanted)
            .map(LakeColumn::describe)
            .collect();
        let operation = match self.contents {
            Contents::Changes => {
                columns.push(Delta::operation_column());
                Some(columns.len() as u32 - 1)
            }
            Contents::Snapshot | Contents::Upserts => None,
        };
        Delta {
            columns,
            contents: self.contents,
            operation,
            rows: self.stats().rows,
            run_time: 0,
        }
    }

    /// Reads the changes: first the rows that are gone, with their last image, then those that are new or
    /// changed, in the order of their commits. So whoever lets the last row of a key win has the newest.
    ///
    /// A row that is gone whose key a row of the later snapshot has is no delete: what is there is an update, and
    /// where several rows have the key all of them are delivered. A row that was only written again, by a
    /// compaction or a copy-on-write engine, is no change.
    ///
    /// Memory: a few batches, the two snapshots' deletes, two bytes at most for each row that is delivered, and
    /// [`ChangesRequest::most_bytes`]. That holds 190 bytes for each row that went or came, where rows went at all, and
    /// 107 for each key that went; what goes beyond it is on disk.
    ///
    /// # Errors
    /// [`LakeErrorKind::KeysUnknown`] where keys that went have no room in it, and only the reader's server knows
    /// which keys are one.
    pub fn stream(self) -> BatchStream {
        produce(move |output| net::produce(&self, output))
    }

    pub(crate) fn has_operation(&self) -> bool {
        self.contents == Contents::Changes
    }

    fn rows(&self, change: &FileChange) -> u64 {
        change.rows(&self.before, &self.after)
    }

    /// Reads the rows of a change, in the plan's columns.
    fn read(&self, change: &FileChange, sink: Sink<'_>) -> Result<ControlFlow<()>> {
        change.read(
            &self.files,
            &self.before,
            &self.after,
            &self.columns,
            self.batch_rows,
            sink,
        )
    }
}

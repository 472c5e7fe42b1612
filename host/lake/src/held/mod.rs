//! Which rows of a delta the table holds already, so that reading a source's rows again changes nothing.
//!
//! Rows are compared as they would be written, all columns of them, by hashes: 128 bits from two independently
//! keyed SipHashes, which nobody can choose values for.

mod floor;

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, SortField};
use icehost_plan::Value;
use roaring::RoaringTreemap;

use crate::changes::hasher::Hasher;
use crate::error::{Result, blocking};
use crate::held::floor::Floor;
use crate::read::data_file::Pick;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::row_change::{Origin, RowChange};
use crate::schema::LakeColumn;
use crate::table::LakeTable;

/// Rows in a batch of the table.
const BATCH_ROWS: usize = 8192;

/// Bytes that a row takes which is remembered: its hashes, and as much again while the list of them grows.
pub const HELD_ROW_BYTES: usize = 2 * size_of::<Entry>();

/// What to look for in a table.
#[derive(Debug)]
pub struct HeldRequest {
    /// How the delta lands.
    pub change: RowChange,
    /// Ordinals of the delta's columns that tell its rows apart; a row is then held where the newest row with
    /// the same values in them is the same. Empty: where nothing tells them apart, a row is held as often as the
    /// table has it.
    pub identity: Vec<u32>,
    /// Ordinal of a column of the delta, and what all its rows have in it at least; the flag says that some may
    /// have nothing. The table's other rows are not looked at.
    pub from: Option<(u32, Value, bool)>,
    /// Most memory for what is remembered.
    pub most_bytes: usize,
}

/// Hashes of rows, sorted by the first two numbers: of a row's identity and of the whole row, or of the whole row
/// and how often it is there.
type Entry = [u64; 3];

/// Rows that a table holds, or as much of them as is needed to know them again.
pub struct HeldRows {
    hasher: Hasher,
    images: RowConverter,
    /// What tells rows apart, and where it stands among the table's columns.
    identity: Option<(RowConverter, Vec<usize>)>,
    /// The change keeps one row of each identity: where there are more, none of them is as it should be.
    one_of_each: bool,
    entries: Vec<Entry>,
}

impl std::fmt::Debug for HeldRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldRows")
            .field("rows", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl LakeTable {
    /// Looks at the rows of the current snapshot that a delta may bring again; `None` where there are more than
    /// the memory has room for.
    ///
    /// Of a file the bound's column is read first, and of the others only what lies above the bound. Memory: a few
    /// batches, the deletes of the files that are read, and [`HELD_ROW_BYTES`] for each row above the bound.
    pub async fn held(&self, request: HeldRequest) -> Result<Option<HeldRows>> {
        let table = self.clone();
        blocking(move || look(&table, &request)).await
    }
}

fn look(table: &LakeTable, request: &HeldRequest) -> Result<Option<HeldRows>> {
    let columns = table.columns()?;
    let mut held = HeldRows::new(&columns, request)?;
    let Some(snapshot) = table.metadata.current_snapshot_id() else {
        return Ok(Some(held));
    };
    let floor = request.from.as_ref().and_then(|(column, least, or_null)| {
        let at = request.target_of(*column)?;
        Floor::new(columns.get(at)?.clone(), least, *or_null)
    });
    let files = TableFiles::new(table);
    let live = files.live_files(snapshot)?;
    let may_be_in = |file: &&LiveFile| {
        floor
            .as_ref()
            .is_none_or(|floor| floor.may_be_in(file.file()))
    };
    let candidates: Vec<&LiveFile> = live.data.iter().filter(may_be_in).collect();
    tracing::debug!(
        table = %table.display,
        of = live.data.len(),
        read = candidates.len(),
        "look for rows that are read again"
    );
    let wanted: HashSet<&str> = candidates.iter().map(|file| file.path()).collect();
    let deletes = Deletes::load(&files, &live.deletes, Some(&wanted))?;
    let most_rows = request.most_bytes / HELD_ROW_BYTES;
    for file in candidates {
        let pick = match &floor {
            None => Pick::Except(deletes.positions(file)),
            Some(floor) => Pick::Only(above(floor, &files, file, &deletes)?),
        };
        let flow = deletes.read_picked(
            &files,
            file,
            &columns,
            &pick,
            BATCH_ROWS,
            &mut |batch, _| {
                held.note(batch.columns())?;
                Ok(match held.entries.len() > most_rows {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            },
        )?;
        if flow.is_break() {
            return Ok(None);
        }
    }
    held.seal();
    Ok(Some(held))
}

/// The rows of a file above the bound, by their positions.
fn above(
    floor: &Floor,
    files: &TableFiles,
    file: &LiveFile,
    deletes: &Deletes,
) -> Result<RoaringTreemap> {
    let mut rows = RoaringTreemap::new();
    let pick = Pick::Near(floor, deletes.positions(file));
    let column = std::slice::from_ref(&floor.column);
    let _all_read = deletes.read_picked(
        files,
        file,
        column,
        &pick,
        BATCH_ROWS,
        &mut |batch, positions| {
            floor.among(batch.column(0), |row| {
                if let Some(&position) = positions.get(row) {
                    rows.insert(position);
                }
            });
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(rows)
}

impl HeldRequest {
    /// Where a column of the delta is written as it is.
    fn target_of(&self, column: u32) -> Option<usize> {
        let origins = self.change.image.iter();
        origins
            .into_iter()
            .position(|origin| matches!(origin, Origin::Column(source) if *source == column))
    }

    /// Where the columns stand that tell rows apart; `None` where one of them is not written as it is.
    fn identity(&self) -> Option<Vec<usize>> {
        let columns = self.identity.iter();
        let found: Option<Vec<usize>> = columns.map(|&column| self.target_of(column)).collect();
        found.filter(|found| !found.is_empty())
    }
}

impl HeldRows {
    fn new(columns: &[LakeColumn], request: &HeldRequest) -> Result<HeldRows> {
        let field = |column: &LakeColumn| SortField::new(column.lake_type.arrow());
        let identity = match request.identity() {
            None => None,
            Some(at) => {
                let fields = at.iter().filter_map(|&at| columns.get(at)).map(field);
                Some((RowConverter::new(fields.collect())?, at))
            }
        };
        Ok(HeldRows {
            hasher: Hasher::default(),
            images: RowConverter::new(columns.iter().map(field).collect())?,
            identity,
            one_of_each: request.change.has_key(),
            entries: Vec::new(),
        })
    }

    /// Takes rows of the table, the oldest first.
    fn note(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let entries = self.entries_of(columns)?;
        self.entries.extend(entries);
        Ok(())
    }

    fn entries_of(&self, columns: &[ArrayRef]) -> Result<Vec<Entry>> {
        let halves = |hash: u128| [(hash >> 64) as u64, hash as u64];
        let images = self.images.convert_columns(columns)?;
        let images = images.iter().map(|row| self.hasher.hash(row.data()));
        let Some((converter, at)) = &self.identity else {
            return Ok(images
                .map(|image| {
                    let [high, low] = halves(image);
                    [high, low, 1]
                })
                .collect());
        };
        let keys: Vec<ArrayRef> = at
            .iter()
            .filter_map(|&at| columns.get(at).cloned())
            .collect();
        let keys = converter.convert_columns(&keys)?;
        let both = keys.iter().zip(images);
        Ok(both
            .map(|(key, image)| {
                let [high, low] = halves(self.hasher.hash(key.data()));
                [high, low, image as u64]
            })
            .collect())
    }

    /// To be called when every row has been taken.
    fn seal(&mut self) {
        // Stable: of rows with one identity the newest is the last.
        self.entries.sort_by_key(first_two);
        match self.identity {
            Some(_) if self.one_of_each => {
                let entries = std::mem::take(&mut self.entries);
                let same = |a: &Entry, b: &Entry| first_two(a) == first_two(b);
                let groups = entries.chunk_by(same);
                self.entries = groups
                    .filter_map(|group| match group {
                        [only] => Some(*only),
                        _ => None,
                    })
                    .collect();
            }
            Some(_) => {
                self.entries.reverse();
                self.entries.dedup_by_key(|entry| first_two(entry));
                self.entries.reverse();
            }
            None => self.entries.dedup_by(|next, kept| {
                let same = first_two(next) == first_two(kept);
                if same {
                    kept[2] += next[2];
                }
                same
            }),
        }
        self.entries.shrink_to_fit();
    }

    /// Which rows of a delta, as they would be written, the table holds. Without an identity each row of the table
    /// counts once.
    pub(crate) fn among(&mut self, image: &RecordBatch) -> Result<Vec<bool>> {
        if self.entries.is_empty() {
            return Ok(vec![false; image.num_rows()]);
        }
        let sought = self.entries_of(image.columns())?;
        let by_identity = self.identity.is_some();
        let mut held = |entry: Entry| {
            let at = self
                .entries
                .binary_search_by_key(&first_two(&entry), first_two);
            let Some(known) = at.ok().and_then(|at| self.entries.get_mut(at)) else {
                return false;
            };
            if by_identity {
                return known[2] == entry[2];
            }
            let left = known[2] > 0;
            known[2] -= u64::from(left);
            left
        };
        Ok(sought.into_iter().map(&mut held).collect())
    }
}

fn first_two(entry: &Entry) -> [u64; 2] {
    [entry[0], entry[1]]
}

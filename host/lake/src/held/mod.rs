//! Which rows of a delta the table holds already, so that reading a source's rows again changes nothing.
//!
//! Rows are compared as they would be written, all columns of them, by hashes: 128 bits from two independently
//! keyed SipHashes, which nobody can choose values for.

mod copies;
mod floor;
mod meeting;
mod nulls;
mod unseen;

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, SortField};
use icehost_plan::Value;
use roaring::RoaringTreemap;

use crate::changes::hasher::Hasher;
use crate::error::{Result, blocking};
use crate::held::copies::Copies;
use crate::held::floor::Floor;
pub use crate::held::unseen::Unseen;
use crate::held::unseen::{Apart, SEEN, UNSEEN};
use crate::keys::{KeyEncoder, KeyFold};
use crate::read::data_file::Pick;
use crate::read::deletes::Deletes;
use crate::read::live_files::{LiveFile, TableFiles};
use crate::row_change::{Origin, RowChange};
use crate::schema::LakeColumn;
use crate::staging::key_values::each;
use crate::table::LakeTable;
use crate::versions::{Authors, Place};

/// Rows in a batch of the table.
const BATCH_ROWS: usize = 8192;

/// Beside the memory for rows, a part as large as this one of it is for where others of their identity can be.
const PART_OF_BOUNDS: usize = 4;

/// Bytes that a row takes which is remembered: its hashes, and as much again while the list of them grows.
pub const HELD_ROW_BYTES: usize = 2 * size_of::<Entry>();

/// What to look for in a table.
#[derive(Debug)]
pub struct HeldRequest {
    /// How the delta lands.
    pub change: RowChange,
    /// Ordinals of the delta's columns that tell its rows apart; a row is then held where the newest row with
    /// the same values in them is the same, or one of those of which nothing tells which is the newest. Empty: where nothing tells them apart, a row is held as often as the
    /// table has it.
    pub identity: Vec<u32>,
    /// Ordinal of a column of the delta, and what all its rows have in it at least; the flag says that some may
    /// have nothing. The table's other rows are not looked at.
    pub from: Option<(u32, Value, bool)>,
    /// A value of the column of `from`: rows of the delta above it are counted apart.
    pub apart: Option<Value>,
    /// The table may have several rows with the same values in them, though the change keeps one of each: those are
    /// looked for among all rows.
    pub copies: bool,
    /// Most memory for what is remembered.
    pub most_bytes: usize,
}

/// The lowest bits of a row's hash make way for what its file tells of the order of rows, and for whether the delta is
/// to bring it.
const IMAGE: u64 = !0b111;
/// The row is newer than all that were read before it.
const SETTLES: u64 = 0b01;
/// The row is newer than those of other files that were read before it.
const SETTLES_OTHERS: u64 = 0b10;
/// The row lies above the bound itself, and not just near it.
const EXPECTED: u64 = 0b100;

/// Hashes of rows, sorted by the first two numbers: of a row's identity and of the whole row, or of the whole row
/// and how often it is there.
type Entry = [u64; 3];

/// Rows that a table holds, or as much of them as is needed to know them again.
pub struct HeldRows {
    hasher: Hasher,
    images: RowConverter,
    /// What tells rows apart, and where it stands among the table's columns.
    identity: Option<(KeyEncoder, Vec<usize>)>,
    /// The change keeps one row of each identity: where there are more, none of them is as it should be.
    one_of_each: bool,
    entries: Vec<Entry>,
    /// Where else rows of the same identity are looked for.
    copies: Option<Copies>,
    /// What the delta has brought of each entry's identity.
    found: Vec<u8>,
    /// Where the rows lie that are looked at; `None` for the whole table.
    bounded: Option<Bounded>,
    /// Rows of the delta that are counted apart, and how many there were that are not held.
    apart: Option<Apart>,
    rows_apart: u64,
}

/// A bound on a column, and where the column stands in the table.
#[derive(Debug)]
struct Bounded {
    floor: Floor,
    at: usize,
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
    held.bounded = request.bounded(&columns);
    let bounded = request.bounded(&columns);
    let floor = bounded.as_ref().map(|bounded| &bounded.floor);
    let files = TableFiles::new(table);
    let live = files.live_files(snapshot)?;
    let may_be_in = |file: &&LiveFile| floor.is_none_or(|floor| floor.may_be_in(file.file()));
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
    let mut authors = Authors::default();
    for file in candidates {
        let place = authors.place(&files, file)?;
        let pick = match floor {
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
                held.note(batch.columns(), place)?;
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
    if let Some(copies) = held.copies.take() {
        let deletes = Deletes::load(&files, &live.deletes, None)?;
        held.leave_out_copies(copies, &files, &live.data, &deletes)?;
    }
    let state = |entry: &Entry| match entry[2] & EXPECTED {
        0 => SEEN,
        _ => UNSEEN,
    };
    held.found = held.entries.iter().map(state).collect();
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

    fn bounded(&self, columns: &[LakeColumn]) -> Option<Bounded> {
        let (column, least, or_null) = self.from.as_ref()?;
        let at = self.target_of(*column)?;
        let floor = Floor::new(columns.get(at)?.clone(), least, *or_null)?;
        Some(Bounded { floor, at })
    }

    fn apart(&self, columns: &[LakeColumn]) -> Option<Apart> {
        let (column, _, _) = self.from.as_ref()?;
        Apart::new(columns, self.target_of(*column)?, self.apart.as_ref()?)
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
        let one_of_each = request.change.has_key();
        let mut copies = None;
        let identity = match request.identity() {
            None => None,
            Some(at) => {
                let parts: Vec<LakeColumn> = at
                    .iter()
                    .filter_map(|&at| columns.get(at).cloned())
                    .collect();
                let fold = match one_of_each {
                    true => request.change.fold(),
                    false => KeyFold::default(),
                };
                let kinds = parts.iter().map(|part| part.lake_type).collect();
                if one_of_each && request.copies && request.from.is_some() {
                    let most_bytes = request.most_bytes / PART_OF_BOUNDS;
                    copies = Some(Copies::new(parts, &fold, most_bytes));
                }
                Some((KeyEncoder::new(kinds, fold)?, at))
            }
        };
        Ok(HeldRows {
            hasher: Hasher::default(),
            images: RowConverter::new(columns.iter().map(field).collect())?,
            identity,
            one_of_each,
            entries: Vec::new(),
            copies,
            found: Vec::new(),
            bounded: None,
            apart: request.apart(columns),
            rows_apart: 0,
        })
    }

    /// Takes rows of the table, the oldest first.
    fn note(&mut self, columns: &[ArrayRef], place: Place) -> Result<()> {
        let mut entries = self.entries_of(columns)?;
        if self.identity.is_some() {
            let order = match (place.is_own(), place.is_added()) {
                (true, _) => SETTLES,
                (_, true) => SETTLES_OTHERS,
                _ => 0,
            };
            entries.iter_mut().for_each(|entry| entry[2] |= order);
            if let Some(Bounded { floor, at }) = &self.bounded
                && let (Some(least), Some(column)) = (floor.exact(), columns.get(*at))
            {
                each(column, floor.column.lake_type, |row, value| {
                    if let (Some(entry), true) = (entries.get_mut(row), value >= least) {
                        entry[2] |= EXPECTED;
                    }
                });
            }
        }
        if let (Some(copies), Some((_, at))) = (&mut self.copies, &self.identity) {
            copies.note(&parts(columns, at));
        }
        self.entries.extend(entries);
        Ok(())
    }

    fn entries_of(&self, columns: &[ArrayRef]) -> Result<Vec<Entry>> {
        let halves = |hash: u128| [(hash >> 64) as u64, hash as u64];
        let images = self.images.convert_columns(columns)?;
        let images = images.iter().map(|row| self.hasher.hash(row.data()));
        let Some((encoder, at)) = &self.identity else {
            return Ok(images
                .map(|image| {
                    let [high, low] = halves(image);
                    [high, low, 1]
                })
                .collect());
        };
        let keys = encoder.encode(&parts(columns, at))?;
        Ok(images
            .enumerate()
            .map(|(row, image)| {
                let [high, low] = halves(self.hasher.hash(keys.bytes(row)));
                [high, low, image as u64 & IMAGE]
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
                let entries = std::mem::take(&mut self.entries);
                let same = |a: &Entry, b: &Entry| first_two(a) == first_two(b);
                for group in entries.chunk_by(same) {
                    let newest = group.get(first_of_the_newest(group)..).unwrap_or(group);
                    self.entries.extend_from_slice(newest);
                }
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
}

/// Where the rows begin among which the newest of one identity is.
fn first_of_the_newest(rows: &[Entry]) -> usize {
    let order = |at: usize| {
        rows.get(at)
            .map_or(0, |row| row[2] & (SETTLES | SETTLES_OTHERS))
    };
    for at in (0..rows.len()).rev() {
        match order(at) {
            SETTLES => return at,
            // Which of them stand in one file is not known.
            SETTLES_OTHERS => {
                let of_others = (0..at).rev().take_while(|&at| order(at) == SETTLES_OTHERS);
                return of_others.last().unwrap_or(at);
            }
            _ => {}
        }
    }
    0
}

/// The columns of an identity.
fn parts(columns: &[ArrayRef], at: &[usize]) -> Vec<ArrayRef> {
    let parts = at.iter().filter_map(|&at| columns.get(at).cloned());
    parts.collect()
}

fn first_two(entry: &Entry) -> [u64; 2] {
    [entry[0], entry[1]]
}

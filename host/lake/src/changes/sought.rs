//! Keys that are looked for among the rows that are there.
//!
//! They are remembered as far as the memory goes, and only rows that have one of them are noted. Beyond it, every row
//! that may have one by its bounds is, and which of them do is told where the keys are, on disk. Keys of which only the
//! reader's server knows whether they are one can be compared in memory only.

use std::collections::HashSet;
use std::ops::ControlFlow;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_select::filter::filter_record_batch;

use crate::changes::hasher::{Hash, Hasher};
use crate::changes::records::{Kind, Record};
use crate::changes::settle::Rows;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::{Alike, KeyEncoder, Keys};
use crate::read::data_file::Pick;
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::TableFiles;
use crate::schema::LakeColumn;
use crate::staging::key_bounds::KeyBounds;

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;
/// What a key takes: its hash, and a place in an index that is half full.
const KEY_BYTES: usize = 40;
/// What it takes beside its texts, where they compare by a collation.
const ALIKE_BYTES: usize = 160;
/// Of the memory for keys, what is for where they can be.
const PART_OF_BOUNDS: usize = 4;

/// The keys that are looked for.
pub(super) struct Sought<'a> {
    encoder: &'a KeyEncoder,
    hasher: &'a Hasher,
    columns: Vec<LakeColumn>,
    bounds: KeyBounds,
    /// While they have room.
    held: Option<(HashSet<Hash>, Alike)>,
    /// What they take, or would.
    bytes: usize,
    most: usize,
    /// Keys that are spelled otherwise may be one with one of them.
    uncertain: bool,
}

impl<'a> Sought<'a> {
    /// `columns` are those of the key; at most so many bytes are taken for keys.
    pub(super) fn new(
        encoder: &'a KeyEncoder,
        hasher: &'a Hasher,
        columns: Vec<LakeColumn>,
        most: usize,
    ) -> Self {
        let fields: Vec<_> = columns
            .iter()
            .map(|column| (column.field_id, column.lake_type))
            .collect();
        let for_bounds = most / PART_OF_BOUNDS;
        Sought {
            bounds: KeyBounds::new(&fields, encoder.fold()).within(for_bounds),
            encoder,
            hasher,
            columns,
            held: Some(Default::default()),
            bytes: 0,
            most: most - for_bounds,
            uncertain: false,
        }
    }

    /// The columns of the key.
    pub(super) fn columns(&self) -> &[LakeColumn] {
        &self.columns
    }

    /// Takes the keys of a batch of key columns, none of which is NULL.
    pub(super) fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.bounds.note(columns);
        let keys = self.encoder.encode(columns)?;
        let rows = columns.first().map_or(0, |column| column.len());
        let mut new = Vec::new();
        for row in 0..rows {
            let bytes = keys.bytes(row);
            let is_new = match &mut self.held {
                Some((held, _)) => held.insert(self.hasher.hash(bytes)),
                None => true,
            };
            if is_new {
                self.bytes += KEY_BYTES;
                if self.encoder.texts(columns, row).next().is_some() {
                    self.bytes += ALIKE_BYTES + 2 * bytes.len();
                }
                self.uncertain |= keys.is_uncertain(row);
                new.push(row);
            }
        }
        match &mut self.held {
            Some(_) if self.bytes > self.most => self.held = None,
            Some((_, alike)) => alike.add(self.encoder, columns, &keys, new)?,
            None => {}
        }
        Ok(())
    }

    /// Reads the key of every row of the snapshot that may have one of the keys, and gives those rows; to `alike` go
    /// those that have none, and one that the reader may take for one.
    ///
    /// Text that compares by a collation has no bounds to leave files out by; then each key is read.
    ///
    /// # Errors
    /// [`LakeErrorKind::KeysUnknown`] where only the reader's server knows whether keys are one, and they have no room.
    pub(super) fn find(
        mut self,
        files: &TableFiles,
        rows: &SnapshotRows,
        alike: &mut Rows,
        found: &mut dyn FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        self.bounds.seal();
        if self.held.is_none() && self.uncertain {
            return Err(self.too_small(files));
        }
        for (number, file) in (0u32..).zip(&rows.data) {
            if !self.bounds.may_be_in(file.file()) {
                continue;
            }
            let sink = &mut |batch: RecordBatch, positions: &[u64]| {
                self.find_in(files, &batch, positions, &mut |position, key| match key {
                    None => {
                        alike.entry(number).or_default().insert(position);
                        Ok(())
                    }
                    Some(key) => found(Record {
                        key,
                        keyless: false,
                        image: 0,
                        kind: Kind::There,
                        file: number,
                        position,
                    }),
                })?;
                Ok(ControlFlow::Continue(()))
            };
            let pick = Pick::Near(&self.bounds, rows.deletes.positions(file));
            let _all_read =
                rows.deletes
                    .read_picked(files, file, &self.columns, &pick, BATCH_ROWS, sink)?;
        }
        Ok(())
    }

    fn find_in(
        &self,
        files: &TableFiles,
        batch: &RecordBatch,
        positions: &[u64],
        take: &mut dyn FnMut(u64, Option<Hash>) -> Result<()>,
    ) -> Result<()> {
        let among = self.bounds.among(batch.columns());
        let (batch, positions) = match &among {
            None => (batch.clone(), positions.to_vec()),
            Some(among) => {
                let picked = among.values().set_indices();
                let picked = picked.filter_map(|row| positions.get(row).copied());
                (filter_record_batch(batch, among)?, picked.collect())
            }
        };
        let encoded = self.encoder.encode(batch.columns())?;
        let alike = self.alike(files, &batch, &encoded)?;
        for ((row, position), alike) in positions.into_iter().enumerate().zip(alike) {
            if encoded.is_null(row) {
                continue;
            }
            let key = self.hasher.hash(encoded.bytes(row));
            let may_be_one = |(keys, _): &(HashSet<Hash>, Alike)| keys.contains(&key);
            if self.held.as_ref().is_none_or(may_be_one) {
                take(position, Some(key))?;
            } else if alike {
                take(position, None)?;
            }
        }
        Ok(())
    }

    /// Which rows have a key that may be one of those, though it is not spelled alike.
    fn alike(&self, files: &TableFiles, batch: &RecordBatch, keys: &Keys) -> Result<Vec<bool>> {
        let rows = batch.num_rows();
        match &self.held {
            Some((_, alike)) => alike.rows(self.encoder, batch.columns(), keys, rows),
            None if (0..rows).any(|row| keys.is_uncertain(row)) => Err(self.too_small(files)),
            None => Ok(vec![false; rows]),
        }
    }

    fn too_small(&self, files: &TableFiles) -> LakeError {
        let mib = (self.bytes >> 20) + 1;
        LakeError::new(
            LakeErrorKind::KeysUnknown,
            format!(
                "of the keys of rows that went from lake table {}, only the server that it is read for knows which are one with keys of rows that are there, and they can be compared in memory only, where they take {mib} MiB",
                files.name
            ),
        )
        .with_hint(format!(
            "give the run a --memory-limit of {} MiB or more, or give the key column of the target a binary collation",
            mib.saturating_mul(LIMIT_FOR_KEYS)
        ))
    }
}

/// How many times what the keys take a limit must be, so that they are held: a quarter of it is for what is remembered
/// of changes, half of that for keys, and of that again a part for where they can be.
const LIMIT_FOR_KEYS: usize = 12;

//! Keys of rows that went, looked for among the rows that are there.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use roaring::RoaringTreemap;

use crate::changes::hasher::{Hash, Hasher};
use crate::error::Result;
use crate::keys::{Alike, KeyEncoder};
use crate::read::data_file::Pick;
use crate::read::deletes::SnapshotRows;
use crate::read::live_files::TableFiles;
use crate::schema::LakeColumn;
use crate::staging::key_bounds::KeyBounds;

/// Rows in a batch of keys.
const BATCH_ROWS: usize = 8192;

/// The keys that are looked for.
pub(super) struct Sought<'a> {
    encoder: &'a KeyEncoder,
    hasher: &'a Hasher,
    columns: Vec<LakeColumn>,
    bounds: KeyBounds,
    keys: HashSet<Hash>,
    alike: Alike,
}

/// Where they are.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The keys of which there is a row.
    pub(super) keys: HashSet<Hash>,
    /// By file: the rows that have one of the keys, or one that the reader may take for one of them.
    pub(super) rows: HashMap<String, RoaringTreemap>,
}

impl<'a> Sought<'a> {
    /// `columns` are those of the key.
    pub(super) fn new(
        encoder: &'a KeyEncoder,
        hasher: &'a Hasher,
        columns: Vec<LakeColumn>,
    ) -> Self {
        let fields: Vec<_> = columns
            .iter()
            .map(|column| (column.field_id, column.lake_type))
            .collect();
        Sought {
            bounds: KeyBounds::new(&fields, encoder.fold()),
            encoder,
            hasher,
            columns,
            keys: HashSet::new(),
            alike: Alike::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes the keys of those rows of a batch of key columns for which `wanted` holds.
    pub(super) fn add(&mut self, columns: &[ArrayRef], wanted: Vec<bool>) -> Result<()> {
        if !wanted.contains(&true) {
            return Ok(());
        }
        let wanted = BooleanArray::from(wanted);
        let columns: Vec<ArrayRef> = columns
            .iter()
            .map(|column| arrow_select::filter::filter(column, &wanted))
            .collect::<Result<_, _>>()?;
        self.bounds.note(&columns);
        let keys = self.encoder.encode(&columns)?;
        let rows = columns.first().map_or(0, |column| column.len());
        let mut new = Vec::new();
        for row in 0..rows {
            if self.keys.insert(self.hasher.hash(keys.bytes(row))) {
                new.push(row);
            }
        }
        self.alike.add(self.encoder, &columns, &keys, new)
    }

    /// Reads the key of every row of the snapshot that may have one of the keys.
    ///
    /// Text that compares by a collation has no bounds to leave files out by; then each key is read.
    pub(super) fn find(mut self, files: &TableFiles, rows: &SnapshotRows) -> Result<Found> {
        self.bounds.seal();
        let mut found = Found::default();
        for file in &rows.data {
            if !self.bounds.may_be_in(file.file()) {
                continue;
            }
            let mut here = RoaringTreemap::new();
            let sink = &mut |batch: RecordBatch, positions: &[u64]| {
                self.find_in(&batch, positions, &mut found.keys, &mut here)?;
                Ok(ControlFlow::Continue(()))
            };
            let pick = Pick::Near(&self.bounds, rows.deletes.positions(file));
            let _all_read =
                rows.deletes
                    .read_picked(files, file, &self.columns, &pick, BATCH_ROWS, sink)?;
            if !here.is_empty() {
                found.rows.insert(file.path().to_owned(), here);
            }
        }
        Ok(found)
    }

    fn find_in(
        &self,
        batch: &RecordBatch,
        positions: &[u64],
        keys: &mut HashSet<Hash>,
        rows: &mut RoaringTreemap,
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
        let alike = self
            .alike
            .rows(self.encoder, batch.columns(), &encoded, batch.num_rows())?;
        for ((row, position), alike) in positions.into_iter().enumerate().zip(alike) {
            if encoded.is_null(row) {
                continue;
            }
            let key = self.hasher.hash(encoded.bytes(row));
            let same = self.keys.contains(&key);
            if same {
                keys.insert(key);
            }
            if same || alike {
                rows.insert(position);
            }
        }
        Ok(())
    }
}

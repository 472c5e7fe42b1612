//! Rows in copy-on-write chunks.

use std::sync::Arc;

use crate::types::Datum;

/// One row's values, shared between the versions that contain it.
pub(crate) type Row = Arc<[Datum]>;

/// A row's place in its table, given out by [`super::Table::next_row`]; a deleted row's place is not used again.
pub(crate) type RowId = u64;

const CHUNK_ROWS: usize = 1024;

#[derive(Debug, Clone, Default)]
struct Chunk {
    rows: Vec<Option<Row>>,
    live: usize,
}

/// The rows of one table version.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    chunks: Vec<Arc<Chunk>>,
    live: u64,
}

impl Rows {
    pub(crate) fn len(&self) -> u64 {
        self.live
    }

    /// Puts a row at a place that holds none; places before it that were never used stay empty.
    pub(crate) fn insert(&mut self, id: RowId, row: Row) {
        let (number, slot) = (id as usize / CHUNK_ROWS, id as usize % CHUNK_ROWS);
        if number >= self.chunks.len() {
            let empty = Arc::new(Chunk::default());
            self.chunks.resize(number + 1, empty);
        }
        let chunk = Arc::make_mut(&mut self.chunks[number]);
        if slot >= chunk.rows.len() {
            chunk.rows.resize(slot + 1, None);
        }
        if chunk.rows[slot].replace(row).is_none() {
            chunk.live += 1;
            self.live += 1;
        }
    }

    pub(crate) fn get(&self, id: RowId) -> Option<&Row> {
        let (chunk, slot) = (id as usize / CHUNK_ROWS, id as usize % CHUNK_ROWS);
        self.chunks.get(chunk)?.rows.get(slot)?.as_ref()
    }

    fn slot(&mut self, id: RowId) -> Option<(&mut Chunk, usize)> {
        let (chunk, slot) = (id as usize / CHUNK_ROWS, id as usize % CHUNK_ROWS);
        let chunk = Arc::make_mut(self.chunks.get_mut(chunk)?);
        (slot < chunk.rows.len()).then_some((chunk, slot))
    }

    pub(crate) fn replace(&mut self, id: RowId, row: Row) {
        if let Some((chunk, slot)) = self.slot(id) {
            chunk.rows[slot] = Some(row);
        }
    }

    pub(crate) fn remove(&mut self, id: RowId) -> Option<Row> {
        let (chunk, slot) = self.slot(id)?;
        let removed = chunk.rows[slot].take()?;
        chunk.live -= 1;
        if chunk.live == 0 {
            // The places stay counted, their memory goes.
            chunk.rows = Vec::new();
        }
        self.live -= 1;
        Some(removed)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (RowId, &Row)> {
        self.chunks.iter().enumerate().flat_map(|(number, chunk)| {
            let first = (number * CHUNK_ROWS) as RowId;
            let rows: &[Option<Row>] = if chunk.live == 0 { &[] } else { &chunk.rows };
            rows.iter()
                .enumerate()
                .filter_map(move |(slot, row)| row.as_ref().map(|row| (first + slot as RowId, row)))
        })
    }
}

//! Where keys that are looked for can be: which files, row groups, pages and rows hold none of them.

use arrow_array::{ArrayRef, BooleanArray};
use iceberg::spec::DataFile;
use icehost_plan::LakeType;
use parquet::file::metadata::ParquetMetaData;
use roaring::RoaringTreemap;

use crate::keys::KeyFold;
use crate::read::data_file::Near;
use crate::staging::key_values::KeyValues;

/// The values of keys, part by part. Takes 64 bytes for each part that is a number, a time or a UUID.
#[derive(Debug)]
pub(crate) struct KeyBounds(Vec<KeyValues>);

impl KeyBounds {
    /// `fields` are the field ids and types of the key columns, in key order.
    pub(crate) fn new(fields: &[(i32, LakeType)], fold: &KeyFold) -> Self {
        let values = |(position, &(field_id, kind)): (usize, &(i32, LakeType))| {
            KeyValues::new(field_id, kind, fold.get(position).is_some())
        };
        KeyBounds(fields.iter().enumerate().map(values).collect())
    }

    /// The same, in so many bytes of memory: of more values the ranges are kept that hold them.
    pub(crate) fn within(self, bytes: usize) -> Self {
        let each = bytes / self.0.len().max(1);
        KeyBounds(
            self.0
                .into_iter()
                .map(|values| values.within(each))
                .collect(),
        )
    }

    /// Takes a batch's key columns, in key order.
    pub(crate) fn note(&mut self, columns: &[ArrayRef]) {
        for (values, column) in self.0.iter_mut().zip(columns) {
            values.note(column);
        }
    }

    /// To be called when every batch has been noted.
    pub(crate) fn seal(&mut self) {
        self.0.iter_mut().for_each(KeyValues::seal);
    }

    /// Whether the file may hold a row with one of the keys, by its bounds.
    pub(crate) fn may_be_in(&self, file: &DataFile) -> bool {
        self.0.iter().all(|values| values.may_be_in(file))
    }

    /// Which rows of a batch of key columns may have one of the keys; `None` where any may.
    pub(crate) fn among(&self, columns: &[ArrayRef]) -> Option<BooleanArray> {
        let known = self.0.iter().zip(columns);
        known
            .filter_map(|(values, column)| values.among(column))
            .reduce(|before, now| &before & &now)
            .map(|among| BooleanArray::new(among, None))
    }
}

impl Near for KeyBounds {
    fn rows(&self, file: &ParquetMetaData) -> Option<RoaringTreemap> {
        let mut rows: Option<RoaringTreemap> = None;
        for values in &self.0 {
            rows = match (rows, values.rows_that_may_match(file)) {
                (Some(before), Some(now)) => Some(before & now),
                (before, now) => before.or(now),
            };
        }
        rows
    }
}

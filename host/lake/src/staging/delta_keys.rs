//! The keys of a delta, collected while its rows are staged.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use iceberg::spec::{DataFile, Datum};
use icehost_plan::LakeType;

use crate::error::Result;
use crate::keys::KeyFold;
use crate::row_change::{Matched, NotMatched};
use crate::schema::to_iceberg;

/// What becomes of a delta's row, in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) matched: Matched,
    pub(crate) not_matched: NotMatched,
}

impl Decision {
    /// Whether the row stands in the table afterwards in at least one case, so that it must be written.
    pub(crate) fn may_write(self) -> bool {
        self.matched == Matched::Replace || self.not_matched == NotMatched::Insert
    }

    /// Whether the row stands in the table afterwards.
    pub(crate) fn writes(self, found: bool) -> bool {
        match found {
            true => self.matched == Matched::Replace,
            false => self.not_matched == NotMatched::Insert,
        }
    }

    /// Whether a row of the table with this key goes.
    pub(crate) fn removes(self) -> bool {
        self.matched != Matched::Keep
    }
}

/// A row in a staged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StagedRow {
    /// Which of the staged files.
    pub(crate) file: u32,
    /// Position in it, from 0.
    pub(crate) position: u64,
}

/// The row of the delta that counts for its key.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    pub(crate) decision: Decision,
    /// Where it was written, if it was.
    pub(crate) row: Option<StagedRow>,
    /// Its place in the plan's order, where the plan has one.
    order: Option<Box<[u8]>>,
}

/// One entry for each key of the delta. Takes about a hundred bytes a key.
#[derive(Debug)]
pub(crate) struct DeltaKeys {
    index: HashMap<Box<[u8]>, u32>,
    pub(crate) entries: Vec<KeyEntry>,
    /// Rows that were written before a later one with the same key.
    pub(crate) superseded: Vec<StagedRow>,
    ranges: Vec<KeyRange>,
}

/// Smallest and largest value of one key column.
#[derive(Debug)]
struct KeyRange {
    field_id: i32,
    kind: LakeType,
    /// False where values that compare equal are not ordered as their bytes are.
    usable: bool,
    bounds: Option<(Datum, Datum)>,
}

impl DeltaKeys {
    /// `fields` are the field ids and types of the key columns, in key order.
    pub(crate) fn new(fields: &[(i32, LakeType)], fold: &KeyFold) -> Self {
        let range = |(position, &(field_id, kind)): (usize, &(i32, LakeType))| KeyRange {
            field_id,
            kind,
            usable: fold.get(position).is_none() && has_order(kind),
            bounds: None,
        };
        DeltaKeys {
            index: HashMap::new(),
            entries: Vec::new(),
            superseded: Vec::new(),
            ranges: fields.iter().enumerate().map(range).collect(),
        }
    }

    /// The entry of a key.
    pub(crate) fn find(&self, key: &[u8]) -> Option<usize> {
        self.index.get(key).map(|&entry| entry as usize)
    }

    /// Whether a row with this key and place in the order would count, rather than the one known.
    pub(crate) fn wins(&self, key: &[u8], order: Option<&[u8]>) -> bool {
        match self.find(key).and_then(|entry| self.entries.get(entry)) {
            None => true,
            // Of equals the last to arrive counts.
            Some(known) => order <= known.order.as_deref(),
        }
    }

    /// Enters a row that [`DeltaKeys::wins`]; a row that it supersedes is remembered.
    pub(crate) fn enter(
        &mut self,
        key: &[u8],
        order: Option<&[u8]>,
        decision: Decision,
        row: Option<StagedRow>,
    ) {
        let entry = KeyEntry {
            decision,
            row,
            order: order.map(Into::into),
        };
        match self.find(key) {
            Some(known) => {
                if let Some(slot) = self.entries.get_mut(known) {
                    let before = std::mem::replace(slot, entry);
                    self.superseded.extend(before.row);
                }
            }
            None => {
                self.index.insert(key.into(), self.entries.len() as u32);
                self.entries.push(entry);
            }
        }
    }

    /// Widens the ranges by a batch's key columns, in key order.
    pub(crate) fn widen(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for (range, column) in self.ranges.iter_mut().zip(columns) {
            if range.usable {
                range.widen(column)?;
            }
        }
        Ok(())
    }

    /// Whether the file may hold a row with one of the keys, by its bounds.
    pub(crate) fn may_be_in(&self, file: &DataFile) -> bool {
        !self.ranges.iter().any(|range| range.excludes(file))
    }
}

impl KeyRange {
    fn widen(&mut self, column: &ArrayRef) -> Result<()> {
        for row in 0..column.len() {
            let Some(value) = value_at(column, row, self.kind)? else {
                continue;
            };
            self.bounds = Some(match self.bounds.take() {
                None => (value.clone(), value),
                Some((low, high)) => {
                    if value.partial_cmp(&low) == Some(Ordering::Less) {
                        (value, high)
                    } else if value.partial_cmp(&high) == Some(Ordering::Greater) {
                        (low, value)
                    } else {
                        (low, high)
                    }
                }
            });
        }
        Ok(())
    }

    fn excludes(&self, file: &DataFile) -> bool {
        let Some((low, high)) = &self.bounds else {
            return false;
        };
        // Bounds of a type that was promoted since do not compare, and exclude nothing.
        let below = file
            .upper_bounds()
            .get(&self.field_id)
            .is_some_and(|upper| upper.partial_cmp(low) == Some(Ordering::Less));
        let above = file
            .lower_bounds()
            .get(&self.field_id)
            .is_some_and(|lower| lower.partial_cmp(high) == Some(Ordering::Greater));
        below || above
    }
}

/// Types whose bounds are worth comparing.
fn has_order(kind: LakeType) -> bool {
    !matches!(
        kind,
        LakeType::Boolean
            | LakeType::Float
            | LakeType::Double
            | LakeType::Binary
            | LakeType::Fixed(_)
    )
}

fn value_at(column: &ArrayRef, row: usize, kind: LakeType) -> Result<Option<Datum>> {
    if column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match kind {
        LakeType::Int => Datum::int(column.as_primitive::<Int32Type>().value(row)),
        LakeType::Long => Datum::long(column.as_primitive::<Int64Type>().value(row)),
        LakeType::Date => Datum::date(column.as_primitive::<Date32Type>().value(row)),
        LakeType::Time => {
            Datum::time_micros(column.as_primitive::<Time64MicrosecondType>().value(row))?
        }
        LakeType::Timestamp => {
            Datum::timestamp_micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        LakeType::TimestampTz => {
            Datum::timestamptz_micros(column.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        LakeType::String => Datum::string(column.as_string::<i32>().value(row)),
        LakeType::Uuid => {
            Datum::try_from_bytes(column.as_fixed_size_binary().value(row), to_iceberg(kind))?
        }
        LakeType::Decimal { .. } => Datum::try_from_bytes(
            &column
                .as_primitive::<Decimal128Type>()
                .value(row)
                .to_be_bytes(),
            to_iceberg(kind),
        )?,
        LakeType::Boolean
        | LakeType::Float
        | LakeType::Double
        | LakeType::Fixed(_)
        | LakeType::Binary => return Ok(None),
    }))
}

//! The values of one part of a delta's keys, to tell which files, row groups and pages hold none of them.
//!
//! Numbers, dates, times and UUIDs are kept one by one: a page is read only where one of them lies within its
//! bounds, so that the cost of an upsert follows the number of pages that its keys touch. Where they are too many, ranges
//! that hold them are kept. Of texts the smallest
//! and the largest are kept, and files are left out by them. Bloom filters are not used: among ten thousand
//! keys, even one false positive in a hundred for each of them reads every row group.

use std::cmp::Ordering;

use arrow_array::builder::BooleanBufferBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_buffer::BooleanBuffer;
use iceberg::spec::{DataFile, Datum, PrimitiveLiteral};
use icehost_plan::LakeType;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;
use roaring::RoaringTreemap;

use crate::staging::key_filter::KeyFilter;
use crate::staging::uuid_ranges;
use crate::staging::value_ranges::ValueRanges;

/// What a value takes in memory, in bytes: itself, in a list that has doubled, sixty-four bits of the filter, and once
/// more while they are put in order or into ranges.
const VALUE: usize = 64;

/// What is known of the values of one key column.
#[derive(Debug)]
pub(crate) struct KeyValues {
    field_id: i32,
    kind: LakeType,
    known: Known,
    /// Of every value, once sealed.
    filter: KeyFilter,
    /// Most values that are kept one by one.
    most: usize,
}

#[derive(Debug)]
enum Known {
    /// Every value, as an integer in the order that Iceberg and Parquet compare by (see [`ordinal`]); in
    /// ascending order once sealed.
    Each(Vec<i128>),
    /// The same, where they are too many.
    Ranges(ValueRanges),
    /// The smallest and the largest.
    Bounds(Option<(Datum, Datum)>),
    /// Nothing: values that compare equal are not ordered as their bytes are.
    Nothing,
}

impl KeyValues {
    /// `folded`: the column's text compares by a collation.
    pub(crate) fn new(field_id: i32, kind: LakeType, folded: bool) -> KeyValues {
        let known = match kind {
            _ if folded => Known::Nothing,
            LakeType::Int
            | LakeType::Long
            | LakeType::Date
            | LakeType::Time
            | LakeType::Timestamp
            | LakeType::TimestampTz
            | LakeType::Uuid
            | LakeType::Decimal { .. } => Known::Each(Vec::new()),
            LakeType::String => Known::Bounds(None),
            LakeType::Boolean
            | LakeType::Float
            | LakeType::Double
            | LakeType::Binary
            | LakeType::Fixed(_) => Known::Nothing,
        };
        KeyValues {
            field_id,
            kind,
            known,
            filter: KeyFilter::default(),
            most: usize::MAX,
        }
    }

    /// The same, in so many bytes of memory.
    pub(crate) fn within(mut self, bytes: usize) -> KeyValues {
        self.most = bytes / VALUE;
        self
    }

    /// Takes the values of a batch; NULL equals no key and is left out.
    pub(crate) fn note(&mut self, column: &ArrayRef) {
        match &mut self.known {
            Known::Each(values) => {
                each(column, self.kind, |_, value| values.push(value));
                if values.len() > self.most {
                    let ranges = ValueRanges::of(std::mem::take(values), self.most);
                    self.known = Known::Ranges(ranges);
                }
            }
            Known::Ranges(ranges) => each(column, self.kind, |_, value| ranges.add(value)),
            Known::Bounds(bounds) => widen(bounds, column),
            Known::Nothing => {}
        }
    }

    /// Ends the taking of values.
    pub(crate) fn seal(&mut self) {
        match &mut self.known {
            Known::Each(values) => {
                values.sort_unstable();
                values.dedup();
                self.filter = KeyFilter::new(values);
            }
            Known::Ranges(ranges) => ranges.settle(),
            Known::Bounds(_) | Known::Nothing => {}
        }
    }

    /// Whether a file may hold one of the values, by its bounds in the manifest. Bounds of a type that does not
    /// compare rule out nothing.
    pub(crate) fn may_be_in(&self, file: &DataFile) -> bool {
        let lower = file.lower_bounds().get(&self.field_id);
        let upper = file.upper_bounds().get(&self.field_id);
        match &self.known {
            Known::Nothing | Known::Bounds(None) => true,
            Known::Each(_) | Known::Ranges(_) => {
                let low = lower.and_then(integer).unwrap_or(i128::MIN);
                let high = upper.and_then(integer).unwrap_or(i128::MAX);
                self.any_between(low, high)
            }
            Known::Bounds(Some((low, high))) => {
                let below =
                    upper.is_some_and(|upper| upper.partial_cmp(low) == Some(Ordering::Less));
                let above =
                    lower.is_some_and(|lower| lower.partial_cmp(high) == Some(Ordering::Greater));
                !below && !above
            }
        }
    }

    /// Which values of a column may be among them, few others with them; `None` where that cannot be told.
    pub(crate) fn among(&self, column: &ArrayRef) -> Option<BooleanBuffer> {
        let mut among = BooleanBufferBuilder::new(column.len());
        among.append_n(column.len(), false);
        match &self.known {
            Known::Each(_) => each(column, self.kind, |row, value| {
                if self.filter.may_hold(value) {
                    among.set_bit(row, true);
                }
            }),
            Known::Ranges(ranges) => each(column, self.kind, |row, value| {
                if ranges.any_between(value, value) {
                    among.set_bit(row, true);
                }
            }),
            Known::Bounds(_) | Known::Nothing => return None,
        }
        Some(among.finish())
    }

    /// Whether one of the values may lie between the two, both included.
    fn any_between(&self, low: i128, high: i128) -> bool {
        match &self.known {
            Known::Each(values) => any_between(values, low, high),
            Known::Ranges(ranges) => ranges.any_between(low, high),
            Known::Bounds(_) | Known::Nothing => true,
        }
    }

    /// The rows of a file that may hold one of the values; `None` where its metadata rules out none.
    pub(crate) fn rows_that_may_match(&self, file: &ParquetMetaData) -> Option<RoaringTreemap> {
        let (Known::Each(_) | Known::Ranges(_)) = &self.known else {
            return None;
        };
        rows_within(file, self.field_id, self.kind, false, &|low, high| {
            self.any_between(low, high)
        })
    }
}

/// The rows of a file that may have a value of a column for which `wanted` says yes, by the bounds of row groups
/// and pages, which it is given; `None` where they rule out none. `or_null`: rows without a value are wanted too.
pub(crate) fn rows_within(
    file: &ParquetMetaData,
    field_id: i32,
    kind: LakeType,
    or_null: bool,
    wanted: &dyn Fn(i128, i128) -> bool,
) -> Option<RoaringTreemap> {
    let columns = file.file_metadata().schema_descr().columns();
    let column = columns.iter().position(|column| {
        let info = column.self_type().get_basic_info();
        info.has_id() && info.id() == field_id && stores(kind, column)
    })?;
    let mut rows = RoaringTreemap::new();
    if kind == LakeType::Uuid
        && !or_null
        && let Some(ranges) = uuid_ranges::of(file, field_id)
    {
        let of = ranges.last().map_or(0, |(range, _)| range.end);
        for (range, values) in ranges {
            if values.is_some_and(|(low, high)| wanted(unsigned(low), unsigned(high))) {
                rows.insert_range(range);
            }
        }
        return (rows.len() < of).then_some(rows);
    }
    let mut first = 0;
    for (at, group) in file.row_groups().iter().enumerate() {
        let end = first + group.num_rows().max(0) as u64;
        let statistics = group.columns().get(column).and_then(|c| c.statistics());
        let (low, high) = statistics
            .and_then(|bounds| bounds_of(bounds, kind))
            .unwrap_or((i128::MIN, i128::MAX));
        let nulls = or_null && statistics.and_then(Statistics::null_count_opt) != Some(0);
        if nulls {
            rows.insert_range(first..end);
        } else if wanted(low, high) {
            match pages_within(file, at, column, kind, wanted) {
                None => {
                    rows.insert_range(first..end);
                }
                Some(pages) => {
                    for (from, to) in pages {
                        let to = to.map_or(end, |to| (first + to).min(end));
                        rows.insert_range((first + from).min(end)..to);
                    }
                }
            }
        }
        first = end;
    }
    (rows.len() < first).then_some(rows)
}

/// The pages of a row group whose bounds are wanted, each by its first row in the group and that of the next
/// page; none that holds nothing but NULLs. `None` where the file has no index of its pages.
fn pages_within(
    file: &ParquetMetaData,
    group: usize,
    column: usize,
    kind: LakeType,
    wanted: &dyn Fn(i128, i128) -> bool,
) -> Option<Vec<(u64, Option<u64>)>> {
    let index = file.column_index()?.get(group)?.get(column)?;
    let locations = file
        .offset_index()?
        .get(group)?
        .get(column)?
        .page_locations();
    // A column may be without where others have one, and then cannot be asked.
    if matches!(index, ColumnIndexMetaData::NONE) || index.num_pages() != locations.len() as u64 {
        return None;
    }
    let mut pages = Vec::new();
    for (page, location) in locations.iter().enumerate() {
        let (low, high) = match index {
            // Nothing but NULLs, which equal no key.
            _ if index.is_null_page(page) => continue,
            ColumnIndexMetaData::INT32(index) => (
                index.min_value(page).copied().map(i128::from),
                index.max_value(page).copied().map(i128::from),
            ),
            ColumnIndexMetaData::INT64(index) => (
                index.min_value(page).copied().map(i128::from),
                index.max_value(page).copied().map(i128::from),
            ),
            ColumnIndexMetaData::FIXED_LEN_BYTE_ARRAY(index) => (
                index.min_value(page).and_then(|b| ordinal(b, kind)),
                index.max_value(page).and_then(|b| ordinal(b, kind)),
            ),
            _ => return None,
        };
        if wanted(low.unwrap_or(i128::MIN), high.unwrap_or(i128::MAX)) {
            let first = location.first_row_index.max(0) as u64;
            let next = locations.get(page + 1);
            pages.push((first, next.map(|next| next.first_row_index.max(0) as u64)));
        }
    }
    Some(pages)
}

/// Whether one of the values, which are in ascending order, lies between the two, both included.
fn any_between(values: &[i128], low: i128, high: i128) -> bool {
    let at = values.partition_point(|&value| value < low);
    values.get(at).is_some_and(|&value| value <= high)
}

/// The smallest and the largest value of a column chunk.
fn bounds_of(statistics: &Statistics, kind: LakeType) -> Option<(i128, i128)> {
    match statistics {
        Statistics::Int32(s) => Some(((*s.min_opt()?).into(), (*s.max_opt()?).into())),
        Statistics::Int64(s) => {
            Some((*s.min_opt()?, *s.max_opt()?)).map(|(a, b)| (a.into(), b.into()))
        }
        // The older fields are in no order that is known (Parquet format, `Statistics`).
        Statistics::FixedLenByteArray(s) if !statistics.is_min_max_deprecated() => {
            let bound = |bytes: Option<&[u8]>| ordinal(bytes?, kind);
            Some((bound(s.min_bytes_opt())?, bound(s.max_bytes_opt())?))
        }
        _ => None,
    }
}

/// A value that is stored as bytes of a fixed length, as an integer in the order that Parquet compares it by: a
/// UUID as an unsigned one, a decimal by its unscaled value in two's complement, big-endian both (Parquet
/// format, `LogicalTypes`). `None` for bytes of another length, such as a bound that was cut short.
fn ordinal(bytes: &[u8], kind: LakeType) -> Option<i128> {
    match kind {
        LakeType::Uuid => Some(unsigned(u128::from_be_bytes(bytes.try_into().ok()?))),
        LakeType::Decimal { .. } => {
            let negative = bytes.first()? & 0x80 != 0;
            let mut whole = [if negative { 0xFF } else { 0 }; 16];
            let start = whole.len().checked_sub(bytes.len())?;
            whole.get_mut(start..)?.copy_from_slice(bytes);
            Some(i128::from_be_bytes(whole))
        }
        _ => None,
    }
}

/// Keeps the order.
fn unsigned(value: u128) -> i128 {
    (value ^ (1 << 127)).cast_signed()
}

/// Whether a file's column stores values of the kind as Iceberg wants them (Iceberg table spec, Appendix A):
/// other engines may have written milliseconds, say.
fn stores(kind: LakeType, column: &ColumnDescriptor) -> bool {
    let micros = |unit: TimeUnit| unit == TimeUnit::MICROS;
    let fits = match (kind, column.logical_type_ref()) {
        (LakeType::Int | LakeType::Long, None) => matches!(
            column.converted_type(),
            ConvertedType::NONE | ConvertedType::INT_32 | ConvertedType::INT_64
        ),
        (LakeType::Int | LakeType::Long, Some(LogicalType::Integer { is_signed, .. })) => {
            *is_signed
        }
        (LakeType::Date, Some(LogicalType::Date)) => true,
        (LakeType::Time, Some(LogicalType::Time { unit, .. }))
        | (
            LakeType::Timestamp | LakeType::TimestampTz,
            Some(LogicalType::Timestamp { unit, .. }),
        ) => micros(*unit),
        (
            LakeType::Decimal { scale, .. },
            Some(LogicalType::Decimal {
                scale: stored_scale,
                ..
            }),
        ) => i32::from(scale) == *stored_scale,
        (LakeType::Uuid, Some(LogicalType::Uuid)) => true,
        _ => false,
    };
    let width = usize::try_from(column.type_length()).ok();
    let comparable = match (kind, column.physical_type()) {
        (LakeType::Uuid, PhysicalType::FIXED_LEN_BYTE_ARRAY) => width == Some(16),
        (LakeType::Uuid, _) => false,
        (LakeType::Decimal { .. }, PhysicalType::FIXED_LEN_BYTE_ARRAY) => {
            width.is_some_and(|width| width <= 16)
        }
        (_, PhysicalType::INT32 | PhysicalType::INT64) => true,
        _ => false,
    };
    fits && comparable
}

/// A bound of a manifest, as the values are kept.
pub(crate) fn integer(bound: &Datum) -> Option<i128> {
    match bound.literal() {
        PrimitiveLiteral::Int(value) => Some((*value).into()),
        PrimitiveLiteral::Long(value) => Some((*value).into()),
        PrimitiveLiteral::Int128(value) => Some(*value),
        PrimitiveLiteral::UInt128(value) => Some(unsigned(*value)),
        _ => None,
    }
}

/// Every value that is not NULL, with its row.
#[inline]
pub(crate) fn each(column: &ArrayRef, kind: LakeType, mut take: impl FnMut(usize, i128)) {
    #[inline]
    fn primitive<T: ArrowPrimitiveType<Native: Into<i128>>>(
        column: &ArrayRef,
        mut take: impl FnMut(usize, i128),
    ) {
        let values = column.as_primitive::<T>();
        if values.null_count() == 0 {
            for (row, &value) in values.values().iter().enumerate() {
                take(row, value.into());
            }
            return;
        }
        for (row, value) in values.iter().enumerate() {
            if let Some(value) = value {
                take(row, value.into());
            }
        }
    }
    match kind {
        LakeType::Int => primitive::<Int32Type>(column, take),
        LakeType::Date => primitive::<Date32Type>(column, take),
        LakeType::Long => primitive::<Int64Type>(column, take),
        LakeType::Time => primitive::<Time64MicrosecondType>(column, take),
        LakeType::Decimal { .. } => primitive::<Decimal128Type>(column, take),
        LakeType::Uuid => {
            for (row, bytes) in column.as_fixed_size_binary().iter().enumerate() {
                if let Some(value) = bytes.and_then(|bytes| ordinal(bytes, kind)) {
                    take(row, value);
                }
            }
        }
        _ => primitive::<TimestampMicrosecondType>(column, take),
    }
}

fn widen(bounds: &mut Option<(Datum, Datum)>, column: &ArrayRef) {
    for value in column.as_string::<i32>().iter().flatten() {
        let value = Datum::string(value);
        *bounds = Some(match bounds.take() {
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
}

#[cfg(test)]
mod tests;

//! The values of one part of a delta's keys, to tell which files, row groups and pages hold none of them.
//!
//! Numbers, dates and times are kept one by one: a page is read only where one of them lies within its bounds,
//! so that the cost of an upsert follows the number of pages that its keys touch. Of other types the smallest
//! and the largest are kept, and files are left out by them. Bloom filters are not used: among ten thousand
//! keys, even one false positive in a hundred for each of them reads every row group.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use iceberg::spec::{DataFile, Datum, PrimitiveLiteral};
use icehost_plan::LakeType;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;
use roaring::RoaringTreemap;

use crate::error::Result;
use crate::schema::to_iceberg;

/// What is known of the values of one key column.
#[derive(Debug)]
pub(crate) struct KeyValues {
    field_id: i32,
    kind: LakeType,
    known: Known,
}

#[derive(Debug)]
enum Known {
    /// Every value, as the integer that Iceberg and Parquet store; in ascending order once sealed.
    Each(Vec<i64>),
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
            | LakeType::TimestampTz => Known::Each(Vec::new()),
            LakeType::String | LakeType::Uuid | LakeType::Decimal { .. } => Known::Bounds(None),
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
        }
    }

    /// Takes the values of a batch; NULL equals no key and is left out.
    pub(crate) fn note(&mut self, column: &ArrayRef) -> Result<()> {
        match &mut self.known {
            Known::Each(values) => each(column, self.kind, values),
            Known::Bounds(bounds) => widen(bounds, column, self.kind)?,
            Known::Nothing => {}
        }
        Ok(())
    }

    /// Ends the taking of values.
    pub(crate) fn seal(&mut self) {
        if let Known::Each(values) = &mut self.known {
            values.sort_unstable();
            values.dedup();
        }
    }

    /// Whether a file may hold one of the values, by its bounds in the manifest. Bounds of a type that does not
    /// compare rule out nothing.
    pub(crate) fn may_be_in(&self, file: &DataFile) -> bool {
        let lower = file.lower_bounds().get(&self.field_id);
        let upper = file.upper_bounds().get(&self.field_id);
        match &self.known {
            Known::Nothing | Known::Bounds(None) => true,
            Known::Each(values) => {
                let low = lower.and_then(integer).unwrap_or(i64::MIN);
                let high = upper.and_then(integer).unwrap_or(i64::MAX);
                any_between(values, low, high)
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

    /// The rows of a file that may hold one of the values; `None` where its metadata rules out none.
    pub(crate) fn rows_that_may_match(&self, file: &ParquetMetaData) -> Option<RoaringTreemap> {
        let Known::Each(values) = &self.known else {
            return None;
        };
        let columns = file.file_metadata().schema_descr().columns();
        let column = columns.iter().position(|column| {
            let info = column.self_type().get_basic_info();
            info.has_id() && info.id() == self.field_id && stores(self.kind, column)
        })?;
        let mut rows = RoaringTreemap::new();
        let mut first = 0;
        for (at, group) in file.row_groups().iter().enumerate() {
            let end = first + group.num_rows().max(0) as u64;
            let bounds = group.columns().get(column).and_then(|c| c.statistics());
            let (low, high) = bounds.and_then(bounds_of).unwrap_or((i64::MIN, i64::MAX));
            if any_between(values, low, high) {
                let pages = pages_that_may_match(file, at, column, values);
                match pages {
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
}

/// The pages of a row group within whose bounds a value lies, each by its first row in the group and that of
/// the next page. `None` where the file has no index of its pages.
fn pages_that_may_match(
    file: &ParquetMetaData,
    group: usize,
    column: usize,
    values: &[i64],
) -> Option<Vec<(u64, Option<u64>)>> {
    let index = file.column_index()?.get(group)?.get(column)?;
    let locations = file
        .offset_index()?
        .get(group)?
        .get(column)?
        .page_locations();
    if index.num_pages() != locations.len() as u64 {
        return None;
    }
    let mut pages = Vec::new();
    for (page, location) in locations.iter().enumerate() {
        let (low, high) = match index {
            // Nothing but NULLs, which equal no key.
            _ if index.is_null_page(page) => continue,
            ColumnIndexMetaData::INT32(index) => (
                index.min_value(page).copied().map(i64::from),
                index.max_value(page).copied().map(i64::from),
            ),
            ColumnIndexMetaData::INT64(index) => (
                index.min_value(page).copied(),
                index.max_value(page).copied(),
            ),
            _ => return None,
        };
        if any_between(values, low.unwrap_or(i64::MIN), high.unwrap_or(i64::MAX)) {
            let first = location.first_row_index.max(0) as u64;
            let next = locations.get(page + 1);
            pages.push((first, next.map(|next| next.first_row_index.max(0) as u64)));
        }
    }
    Some(pages)
}

/// Whether one of the values, which are in ascending order, lies between the two, both included.
fn any_between(values: &[i64], low: i64, high: i64) -> bool {
    let at = values.partition_point(|&value| value < low);
    values.get(at).is_some_and(|&value| value <= high)
}

fn bounds_of(statistics: &Statistics) -> Option<(i64, i64)> {
    match statistics {
        Statistics::Int32(s) => Some(((*s.min_opt()?).into(), (*s.max_opt()?).into())),
        Statistics::Int64(s) => Some((*s.min_opt()?, *s.max_opt()?)),
        _ => None,
    }
}

/// Whether a file's column stores values of the kind as the integers that Iceberg gives them (Iceberg table
/// spec, Appendix A): other engines may have written milliseconds, say.
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
        _ => false,
    };
    let integer = matches!(
        column.physical_type(),
        PhysicalType::INT32 | PhysicalType::INT64
    );
    fits && integer
}

/// A bound as the integer that it is stored as.
fn integer(bound: &Datum) -> Option<i64> {
    match bound.literal() {
        PrimitiveLiteral::Int(value) => Some((*value).into()),
        PrimitiveLiteral::Long(value) => Some(*value),
        _ => None,
    }
}

fn each(column: &ArrayRef, kind: LakeType, values: &mut Vec<i64>) {
    match kind {
        LakeType::Int => {
            let column = column.as_primitive::<Int32Type>();
            values.extend(column.iter().flatten().map(i64::from));
        }
        LakeType::Date => {
            let column = column.as_primitive::<Date32Type>();
            values.extend(column.iter().flatten().map(i64::from));
        }
        LakeType::Long => values.extend(column.as_primitive::<Int64Type>().iter().flatten()),
        LakeType::Time => {
            let column = column.as_primitive::<Time64MicrosecondType>();
            values.extend(column.iter().flatten());
        }
        _ => {
            let column = column.as_primitive::<TimestampMicrosecondType>();
            values.extend(column.iter().flatten());
        }
    }
}

fn widen(bounds: &mut Option<(Datum, Datum)>, column: &ArrayRef, kind: LakeType) -> Result<()> {
    for row in 0..column.len() {
        if column.is_null(row) {
            continue;
        }
        let value = match kind {
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
            _ => continue,
        };
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
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};
    use arrow_schema::{DataType, Field, Schema};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
    use parquet::file::properties::WriterProperties;

    use super::*;

    /// The metadata of a file with ids 0, 10, 20 … in groups of 4,000 rows and pages of 1,000.
    fn file(rows: i64) -> ParquetMetaData {
        let field = Field::new("Id", DataType::Int64, false).with_metadata(HashMap::from([(
            "PARQUET:field_id".to_owned(),
            "7".to_owned(),
        )]));
        let schema = Arc::new(Schema::new(vec![field]));
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(4000))
            .set_data_page_row_count_limit(1000)
            .set_write_batch_size(1000)
            .set_dictionary_enabled(false)
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), Some(properties)).unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|n| n * 10)));
        writer
            .write(&RecordBatch::try_new(schema, vec![ids]).unwrap())
            .unwrap();
        writer.close().unwrap();
        ParquetMetaDataReader::new()
            .with_page_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&Bytes::from(bytes))
            .unwrap()
    }

    fn keys(field_id: i32, ids: &[i64]) -> KeyValues {
        let mut values = KeyValues::new(field_id, LakeType::Long, false);
        let column: ArrayRef = Arc::new(Int64Array::from(ids.to_vec()));
        values.note(&column).unwrap();
        values.seal();
        values
    }

    #[test]
    fn only_pages_that_a_key_lies_in_are_read() {
        let file = file(10_000);
        for (ids, pages) in [
            (&[15_000i64, 15_010, 15_020][..], vec![1u64]),
            (&[0, 99_990], vec![0, 9]),
            // Between the pages, and beyond both ends.
            (&[9_995, -1, 100_000], vec![]),
            (&[39_990, 40_000], vec![3, 4]),
        ] {
            let rows = keys(7, ids).rows_that_may_match(&file).unwrap();
            let wanted: RoaringTreemap = pages
                .iter()
                .flat_map(|p| p * 1000..(p + 1) * 1000)
                .collect();
            assert_eq!(rows, wanted, "{ids:?}");
        }
    }

    #[test]
    fn another_field_rules_out_nothing() {
        assert_eq!(keys(8, &[5]).rows_that_may_match(&file(5000)), None);
    }
}

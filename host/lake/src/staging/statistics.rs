//! What a manifest says of a file: sizes, counts and bounds of its columns.

use std::cmp::Ordering;
use std::collections::HashMap;

use iceberg::spec::{DataContentType, DataFile, DataFileBuilder, DataFileFormat, Datum};
use icehost_plan::LakeType;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::error::{LakeError, Result};
use crate::schema::{LakeColumn, to_iceberg};
use crate::staging::parquet_file::FinishedFile;

/// Characters or bytes of text and binary values that bounds keep: the `truncate(16)` that engines use
/// unless told otherwise (Iceberg documentation, `write.metadata.metrics.default`).
const BOUND_LENGTH: usize = 16;

/// The manifest's description of a finished file.
pub(crate) fn describe(
    content: DataContentType,
    file: &FinishedFile,
    columns: &[LakeColumn],
    referenced: Option<String>,
) -> Result<DataFile> {
    let mut sizes = HashMap::new();
    let mut counts = HashMap::new();
    let mut nulls = HashMap::new();
    let mut nans = HashMap::new();
    let mut lower = HashMap::new();
    let mut upper = HashMap::new();
    for (i, column) in columns.iter().enumerate() {
        let chunks: Vec<&ColumnChunkMetaData> = file
            .metadata
            .row_groups()
            .iter()
            .filter_map(|group| group.columns().get(i))
            .collect();
        let id = column.field_id;
        let total = |of: fn(&ColumnChunkMetaData) -> i64| -> u64 {
            chunks.iter().map(|chunk| of(chunk).max(0) as u64).sum()
        };
        sizes.insert(id, total(ColumnChunkMetaData::compressed_size));
        counts.insert(id, total(ColumnChunkMetaData::num_values));
        nulls.insert(id, file.nulls.get(i).copied().unwrap_or(0));
        if matches!(column.lake_type, LakeType::Float | LakeType::Double) {
            nans.insert(id, file.nans.get(i).copied().unwrap_or(0));
        }
        // Of UUIDs there are no statistics, and so no bounds (`uuid_ranges` says why).
        let (min, max) = bounds(&chunks, column.lake_type);
        // A delete file is found by the whole path in its bounds.
        let shorten = |bound: Datum, up| match content {
            DataContentType::PositionDeletes => Some(bound),
            _ => shorten(bound, column.lake_type, up),
        };
        lower.extend(min.and_then(|bound| Some((id, shorten(bound, false)?))));
        upper.extend(max.and_then(|bound| Some((id, shorten(bound, true)?))));
    }
    let offsets = file
        .metadata
        .row_groups()
        .iter()
        .filter_map(|group| Some(group.columns().first()?.byte_range().0 as i64))
        .collect();
    DataFileBuilder::default()
        .content(content)
        .file_path(file.location.clone())
        .file_format(DataFileFormat::Parquet)
        .record_count(file.rows)
        .file_size_in_bytes(file.bytes)
        .partition_spec_id(0)
        .column_sizes(sizes)
        .value_counts(counts)
        .null_value_counts(nulls)
        .nan_value_counts(nans)
        .lower_bounds(lower)
        .upper_bounds(upper)
        .split_offsets(Some(offsets))
        .referenced_data_file(referenced)
        .build()
        .map_err(|e| LakeError::internal("cannot describe a data file").with_source(e))
}

/// Smallest and largest value over all row groups; none where a row group does not say.
fn bounds(chunks: &[&ColumnChunkMetaData], kind: LakeType) -> (Option<Datum>, Option<Datum>) {
    let mut min: Option<Datum> = None;
    let mut max: Option<Datum> = None;
    for chunk in chunks {
        let Some(statistics) = chunk.statistics() else {
            return (None, None);
        };
        let (low, high) = (statistics.min_bytes_opt(), statistics.max_bytes_opt());
        let (Some(low), Some(high)) = (low, high) else {
            // A row group of nothing but NULLs, or NaNs, has no bounds and sets none.
            if statistics.null_count_opt() == Some(chunk.num_values() as u64) {
                continue;
            }
            return (None, None);
        };
        let (Some(low), Some(high)) = (datum(low, kind), datum(high, kind)) else {
            return (None, None);
        };
        min = Some(match min {
            Some(before) if before.partial_cmp(&low) != Some(Ordering::Greater) => before,
            _ => low,
        });
        max = Some(match max {
            Some(before) if before.partial_cmp(&high) != Some(Ordering::Less) => before,
            _ => high,
        });
    }
    (min, max)
}

/// From Parquet's plain encoding to a value. Iceberg's single-value serialisation (Iceberg table spec,
/// Appendix D) is the same but for decimals, which are big-endian there.
fn datum(bytes: &[u8], kind: LakeType) -> Option<Datum> {
    let primitive = to_iceberg(kind);
    match kind {
        LakeType::Decimal { precision, .. } if precision <= 18 => {
            let mut big_endian = bytes.to_vec();
            big_endian.reverse();
            Datum::try_from_bytes(&big_endian, primitive).ok()
        }
        _ => Datum::try_from_bytes(bytes, primitive).ok(),
    }
}

fn shorten(bound: Datum, kind: LakeType, up: bool) -> Option<Datum> {
    if !matches!(kind, LakeType::String | LakeType::Binary) {
        return Some(bound);
    }
    let bytes = bound.to_bytes().ok()?.into_vec();
    let shortened = match kind {
        LakeType::String => shorten_text(std::str::from_utf8(&bytes).ok()?, up)?.into_bytes(),
        _ => shorten_binary(&bytes, up)?,
    };
    Datum::try_from_bytes(&shortened, to_iceberg(kind)).ok()
}

/// At most [`BOUND_LENGTH`] characters; an upper bound is rounded up, or `None` where it cannot be.
fn shorten_text(text: &str, up: bool) -> Option<String> {
    let kept: String = text.chars().take(BOUND_LENGTH).collect();
    if !up || kept.len() == text.len() {
        return Some(kept);
    }
    let mut chars: Vec<char> = kept.chars().collect();
    while let Some(last) = chars.pop() {
        // The next code point; surrogates are none.
        let next = match u32::from(last) + 1 {
            0xD800 => Some('\u{E000}'),
            code => char::from_u32(code),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn shorten_binary(bytes: &[u8], up: bool) -> Option<Vec<u8>> {
    let mut kept = bytes.get(..BOUND_LENGTH).unwrap_or(bytes).to_vec();
    if !up || kept.len() == bytes.len() {
        return Some(kept);
    }
    while let Some(last) = kept.pop() {
        if let Some(next) = last.checked_add(1) {
            kept.push(next);
            return Some(kept);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn upper_bounds_are_rounded_up_and_short_values_kept() {
        assert_eq!(shorten_text("short", true).unwrap(), "short");
        assert_eq!(
            shorten_text("0123456789abcdefXYZ", false).unwrap(),
            "0123456789abcdef"
        );
        assert_eq!(
            shorten_text("0123456789abcdefXYZ", true).unwrap(),
            "0123456789abcdeg"
        );
        assert_eq!(shorten_text(&"\u{10FFFF}".repeat(17), true), None);
        assert_eq!(
            shorten_text(&"\u{D7FF}".repeat(17), true)
                .unwrap()
                .chars()
                .last(),
            Some('\u{E000}')
        );
        assert_eq!(shorten_binary(&[0xFF; 17], true), None);
        assert_eq!(shorten_binary(&[1; 17], true).unwrap()[15], 2);
    }

    proptest! {
        #[test]
        fn bounds_enclose_their_value(text in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(shorten_text(&text, false).unwrap() <= text);
            if let Some(upper) = shorten_text(&text, true) {
                prop_assert!(upper >= text);
                prop_assert!(upper.chars().count() <= BOUND_LENGTH);
            }
            prop_assert!(shorten_binary(&bytes, false).unwrap() <= bytes);
            if let Some(upper) = shorten_binary(&bytes, true) {
                prop_assert!(upper >= bytes);
            }
        }
    }
}

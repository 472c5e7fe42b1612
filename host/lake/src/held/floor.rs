//! A lower bound on a column, and where in the table's files rows above it can be.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use iceberg::spec::{DataFile, PrimitiveLiteral};
use icehost_plan::value::TICKS_PER_DAY;
use icehost_plan::{LakeType, Value};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use roaring::RoaringTreemap;

use crate::read::data_file::Near;
use crate::schema::LakeColumn;
use crate::staging::key_values::{each, integer, rows_within};

/// Microseconds that rows are looked for below a moment: a server rounds a bound to its column's own steps, a
/// minute at the coarsest (T-SQL reference, "smalldatetime").
const SLACK_MICROSECONDS: i128 = 60_000_000;
const TICKS_PER_MICROSECOND: i64 = 10;

/// Rows that have at least a value in a column.
#[derive(Debug)]
pub(super) struct Floor {
    pub(super) column: LakeColumn,
    least: Least,
    or_null: bool,
}

#[derive(Debug)]
enum Least {
    /// A number in the order that Iceberg and Parquet compare by.
    Ordinal(i128),
    Bytes(Vec<u8>),
}

impl Floor {
    /// `None` for a value that the column's bounds cannot be compared with.
    pub(super) fn new(column: LakeColumn, least: &Value, or_null: bool) -> Option<Floor> {
        let moment =
            |ticks: i64| i128::from(ticks.div_euclid(TICKS_PER_MICROSECOND)) - SLACK_MICROSECONDS;
        let least = match (column.lake_type, least) {
            (LakeType::Int | LakeType::Long, Value::Integer(value)) => {
                Least::Ordinal((*value).into())
            }
            (LakeType::Int | LakeType::Long, Value::Decimal { unscaled, scale }) => {
                Least::Ordinal(unscaled.div_euclid(10i128.checked_pow((*scale).into())?))
            }
            (LakeType::Decimal { scale, .. }, Value::Integer(value)) => {
                Least::Ordinal(i128::from(*value).checked_mul(10i128.checked_pow(scale.into())?)?)
            }
            (
                LakeType::Decimal { scale, .. },
                Value::Decimal {
                    unscaled,
                    scale: own,
                },
            ) => Least::Ordinal(match scale.checked_sub(*own) {
                Some(more) => unscaled.checked_mul(10i128.checked_pow(more.into())?)?,
                None => unscaled.div_euclid(10i128.checked_pow((own - scale).into())?),
            }),
            (LakeType::Date, Value::Date(day)) => Least::Ordinal((*day).into()),
            (LakeType::Timestamp | LakeType::TimestampTz, Value::Date(day)) => {
                Least::Ordinal(moment(i64::from(*day) * TICKS_PER_DAY))
            }
            (
                LakeType::Timestamp | LakeType::TimestampTz,
                Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. },
            ) => Least::Ordinal(moment(*ticks)),
            (LakeType::Binary, Value::Binary(bytes)) => Least::Bytes(bytes.clone()),
            _ => return None,
        };
        Some(Floor {
            column,
            least,
            or_null,
        })
    }

    /// The value itself, as the number that Iceberg compares by.
    pub(super) fn exact(&self) -> Option<i128> {
        let is_moment = matches!(
            self.column.lake_type,
            LakeType::Timestamp | LakeType::TimestampTz
        );
        match &self.least {
            Least::Ordinal(least) if is_moment => Some(least + SLACK_MICROSECONDS),
            Least::Ordinal(least) => Some(*least),
            Least::Bytes(_) => None,
        }
    }

    /// Whether a file may hold such rows, by its bounds in the manifest.
    pub(super) fn may_be_in(&self, file: &DataFile) -> bool {
        let id = self.column.field_id;
        if self.or_null && file.null_value_counts().get(&id) != Some(&0) {
            return true;
        }
        let Some(upper) = file.upper_bounds().get(&id) else {
            return true;
        };
        match (&self.least, upper.literal()) {
            (Least::Ordinal(least), _) => integer(upper).is_none_or(|upper| upper >= *least),
            (Least::Bytes(least), PrimitiveLiteral::Binary(upper)) => upper >= least,
            _ => true,
        }
    }

    /// Which of a column's values are such, by their positions in it.
    pub(super) fn among(&self, values: &ArrayRef, mut take: impl FnMut(usize)) {
        match &self.least {
            Least::Ordinal(least) => each(values, self.column.lake_type, |row, value| {
                if value >= *least {
                    take(row);
                }
            }),
            Least::Bytes(least) => {
                for (row, value) in values.as_binary::<i32>().iter().enumerate() {
                    if value.is_some_and(|value| value >= least.as_slice()) {
                        take(row);
                    }
                }
            }
        }
        if self.or_null {
            (0..values.len())
                .filter(|&row| values.is_null(row))
                .for_each(take);
        }
    }
}

impl Near for Floor {
    fn rows(&self, file: &ParquetMetaData) -> Option<RoaringTreemap> {
        match &self.least {
            Least::Ordinal(least) => rows_within(
                file,
                self.column.field_id,
                self.column.lake_type,
                self.or_null,
                &|_, high| high >= *least,
            ),
            Least::Bytes(least) => self.groups(file, least),
        }
    }
}

impl Floor {
    /// The rows of the row groups whose largest value is not below the bytes.
    fn groups(&self, file: &ParquetMetaData, least: &[u8]) -> Option<RoaringTreemap> {
        let columns = file.file_metadata().schema_descr().columns();
        let column = columns.iter().position(|column| {
            let info = column.self_type().get_basic_info();
            info.has_id() && info.id() == self.column.field_id
        })?;
        let mut rows = RoaringTreemap::new();
        let mut first = 0;
        for group in file.row_groups() {
            let end = first + group.num_rows().max(0) as u64;
            let statistics = group.columns().get(column).and_then(|c| c.statistics());
            let nulls = self.or_null && statistics.and_then(Statistics::null_count_opt) != Some(0);
            let below = match statistics {
                // The older fields are in no order that is known (Parquet format, `Statistics`).
                Some(statistics @ Statistics::ByteArray(_))
                    if !statistics.is_min_max_deprecated() =>
                {
                    statistics.max_bytes_opt().is_some_and(|max| max < least)
                }
                _ => false,
            };
            if nulls || !below {
                rows.insert_range(first..end);
            }
            first = end;
        }
        (rows.len() < first).then_some(rows)
    }
}

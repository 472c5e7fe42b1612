//! Checksums of rows, as SQL Server computes them with [`lower::checksums`](crate::lower::checksums).

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use icehost_plan::{SqlType, Value};
use sha2::{Digest, Sha256};

use crate::connection::Connection;
use crate::error::{Result, SqlServerError};
use crate::extract;
use crate::introspect::SqlTable;
use crate::lower;

/// Days from 0001-01-01 to 1970-01-01.
const DAYS: i32 = 719_162;
/// The same in microseconds.
const MICROSECONDS: i64 = DAYS as i64 * 86_400_000_000;

/// Rows and their hashes, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checksum {
    /// Rows.
    pub rows: u64,
    /// The sums of the two halves of the hashes' first 16 bytes, as signed numbers.
    pub halves: (i128, i128),
}

impl Checksum {
    /// Adds a row by its hash.
    pub fn add(&mut self, hash: u128) {
        self.rows += 1;
        self.halves.0 += i128::from((hash >> 64) as u64 as i64);
        self.halves.1 += i128::from(hash as u64 as i64);
    }
}

impl Connection {
    /// Counts a table's rows and adds up their hashes by buckets of their key, on the server.
    ///
    /// # Errors
    /// Whatever the server reports; one that lacks a function has error 195.
    pub async fn checksums(
        &mut self,
        table: &SqlTable,
        columns: &[u32],
        key: &[u32],
        buckets: u32,
        blanks: Blanks,
    ) -> Result<Vec<(usize, Checksum)>> {
        let statement = lower::checksums(table, columns, key, buckets, blanks)?;
        let context = |error: SqlServerError| error.context(format!("adding up {}", table.name));
        let answer = self.client.run(&statement).await.map_err(context)?;
        let mut sums = Vec::new();
        for row in answer.rows() {
            let values: Vec<Value> = row.into_iter().map(extract::value).collect();
            let [
                Value::Integer(bucket),
                Value::Integer(rows),
                Value::Decimal { unscaled: high, .. },
                Value::Decimal { unscaled: low, .. },
            ] = values.as_slice()
            else {
                return Err(SqlServerError::protocol(format!(
                    "adding up {}: the server answered with other values than it was asked for",
                    table.name
                )));
            };
            let (Ok(bucket), Ok(rows)) = (usize::try_from(*bucket), u64::try_from(*rows)) else {
                return Err(SqlServerError::protocol(format!(
                    "adding up {}: the server answered with a negative count",
                    table.name
                )));
            };
            let halves = (*high, *low);
            sums.push((bucket, Checksum { rows, halves }));
        }
        Ok(sums)
    }
}

/// What counts of the blanks that `char` and `nchar` fill their values up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blanks {
    /// They are part of the value.
    Kept,
    /// Nothing: a value is the same with and without them.
    Cut,
}

/// The columns of a SQL Server table by whose form rows are hashed that are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowForm {
    /// The types of the columns.
    columns: Vec<SqlType>,
    /// Positions of the key's columns.
    key: Vec<usize>,
    blanks: Blanks,
}

impl RowForm {
    /// For rows of columns that have these types on the server; `key` are positions among them.
    pub fn new(columns: Vec<SqlType>, key: Vec<usize>, blanks: Blanks) -> RowForm {
        RowForm {
            columns,
            key,
            blanks,
        }
    }

    /// Positions of the key's columns.
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// What counts of the blanks of `char` and `nchar`.
    pub fn blanks(&self) -> Blanks {
        self.blanks
    }

    /// The hash of each row's key and of the row, the first 16 bytes of each.
    pub fn hash(&self, arrays: &[ArrayRef]) -> Vec<(u128, u128)> {
        let rows = arrays.first().map_or(0, |array| array.len());
        let mut bytes = Vec::new();
        let mut hashed = Vec::with_capacity(rows);
        for row in 0..rows {
            bytes.clear();
            for (sql_type, array) in self.columns.iter().zip(arrays) {
                append((*sql_type, self.blanks), array, row, &mut bytes);
            }
            let whole = digest(&bytes);
            bytes.clear();
            for &at in &self.key {
                if let (Some(sql_type), Some(array)) = (self.columns.get(at), arrays.get(at)) {
                    append((*sql_type, self.blanks), array, row, &mut bytes);
                }
            }
            hashed.push((digest(&bytes), whole));
        }
        hashed
    }

    /// The bucket of a key's hash, of a power of two of at most 65,536.
    pub fn bucket(key: u128, buckets: u32) -> usize {
        (key >> 112) as usize & (buckets.clamp(1, 65_536) as usize - 1)
    }
}

fn digest(bytes: &[u8]) -> u128 {
    let hash = <[u8; 32]>::from(Sha256::digest(bytes));
    hash.iter()
        .take(16)
        .fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

const NULL: u8 = 0;
const VALUE: u8 = 1;
/// In front of a value that the server's column cannot hold: it equals none there.
const STRANGE: u8 = 2;

fn append(form: (SqlType, Blanks), array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) {
        out.push(NULL);
        return;
    }
    out.push(VALUE);
    let from = out.len();
    if value(form, array, row, out).is_none() {
        out.truncate(from.saturating_sub(1));
        out.push(STRANGE);
    }
}

fn value(
    (sql_type, blanks): (SqlType, Blanks),
    array: &ArrayRef,
    row: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    match (sql_type, array.data_type()) {
        (
            SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt,
            kind,
        ) => {
            let number = match kind {
                DataType::Boolean => i64::from(array.as_boolean().value(row)),
                DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
                DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
                _ => return None,
            };
            out.extend_from_slice(&number.to_be_bytes());
        }
        (SqlType::Decimal { scale, .. }, DataType::Decimal128(_, own)) => {
            decimal(array, row, *own, scale, out)?;
        }
        (SqlType::Money | SqlType::SmallMoney, DataType::Decimal128(_, own)) => {
            decimal(array, row, *own, 4, out)?;
        }
        (SqlType::Real | SqlType::Float, kind) => {
            let number = match kind {
                DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
                DataType::Float64 => array.as_primitive::<Float64Type>().value(row),
                _ => return None,
            };
            out.extend_from_slice(&number.to_bits().to_be_bytes());
        }
        (SqlType::Char(_) | SqlType::NChar(_), DataType::Utf8) => {
            let value = array.as_string::<i32>().value(row);
            let value = match blanks {
                Blanks::Kept => value,
                Blanks::Cut => value.trim_end_matches(' '),
            };
            text(value, out);
        }
        (SqlType::VarChar(_) | SqlType::NVarChar(_), DataType::Utf8) => {
            text(array.as_string::<i32>().value(row), out);
        }
        (SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion, kind) => {
            let bytes = match kind {
                DataType::Binary => array.as_binary::<i32>().value(row),
                DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().value(row),
                _ => return None,
            };
            variable(bytes, out);
        }
        (SqlType::Date, DataType::Date32) => {
            let days = array.as_primitive::<Date32Type>().value(row);
            out.extend_from_slice(&days.checked_add(DAYS)?.to_be_bytes());
        }
        (SqlType::Time(_), DataType::Time64(_)) => {
            let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
            out.extend_from_slice(&micros.to_be_bytes());
        }
        (
            SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_),
            DataType::Timestamp(..),
        ) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            out.extend_from_slice(&micros.checked_add(MICROSECONDS)?.to_be_bytes());
        }
        (SqlType::UniqueIdentifier, DataType::FixedSizeBinary(16)) => {
            let textual = array.as_fixed_size_binary().value(row);
            let (first, rest) = textual.split_at_checked(4)?;
            let (second, rest) = rest.split_at_checked(2)?;
            let (third, last) = rest.split_at_checked(2)?;
            for group in [first, second, third] {
                out.extend(group.iter().rev());
            }
            out.extend_from_slice(last);
        }
        (
            SqlType::Decimal { .. }
            | SqlType::Money
            | SqlType::SmallMoney
            | SqlType::Char(_)
            | SqlType::VarChar(_)
            | SqlType::NChar(_)
            | SqlType::NVarChar(_)
            | SqlType::Date
            | SqlType::Time(_)
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::DateTime2(_)
            | SqlType::DateTimeOffset(_)
            | SqlType::UniqueIdentifier,
            _,
        ) => return None,
    }
    Some(())
}

/// The number as SQL Server writes it, with all digits of the scale.
fn decimal(array: &ArrayRef, row: usize, own: i8, scale: u8, out: &mut Vec<u8>) -> Option<()> {
    let unscaled = array.as_primitive::<Decimal128Type>().value(row);
    let own = u8::try_from(own).ok()?;
    let unscaled = match own <= scale {
        true => unscaled.checked_mul(10i128.checked_pow(u32::from(scale - own))?)?,
        false => {
            let by = 10i128.checked_pow(u32::from(own - scale))?;
            (unscaled % by == 0).then_some(unscaled / by)?
        }
    };
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - scale)?;
    let sign = if unscaled < 0 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    variable(format!("{sign}{whole}{point}{fraction}").as_bytes(), out);
    Some(())
}

fn text(text: &str, out: &mut Vec<u8>) {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    variable(&units, out);
}

fn variable(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

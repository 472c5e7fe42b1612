//! ROW and NBCROW (MS-TDS 2.2.7.19 and 2.2.7.13).

use icehost_devengine::types::Datum;

use super::colmetadata::IncomingColumn;
use super::kind;
use crate::input::Input;
use crate::protocol_error::ProtocolError;
use crate::value::decode::read_value;
use crate::value::encode::{Mismatch, null_size, write_value};
use crate::value::type_info::TypeInfo;

/// Writes the rows of one result set.
#[derive(Debug)]
pub(crate) struct RowWriter {
    columns: Vec<TypeInfo>,
    bitmap_size: usize,
    /// The client knows NBCROW, which came with TDS 7.3B.
    null_compression: bool,
}

impl RowWriter {
    pub(crate) fn new(columns: Vec<TypeInfo>, null_compression: bool) -> Self {
        Self {
            bitmap_size: columns.len().div_ceil(8),
            columns,
            null_compression,
        }
    }

    /// Appends a row, with a bitmap for its NULLs where that is shorter.
    ///
    /// # Errors
    /// A value that its column cannot carry, or another number of values; nothing is appended then.
    pub(crate) fn write(&self, row: &[Datum], out: &mut Vec<u8>) -> Result<(), Mismatch> {
        let start = out.len();
        let result = self.try_write(row, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn try_write(&self, row: &[Datum], out: &mut Vec<u8>) -> Result<(), Mismatch> {
        if row.len() != self.columns.len() {
            return Err(Mismatch::new(
                &TypeInfo::Null,
                &Datum::BigInt(row.len() as i64),
            ));
        }
        if self.null_compression && self.saved(row) > self.bitmap_size {
            return self.write_compressed(row, out);
        }
        out.push(kind::ROW);
        for (info, value) in self.columns.iter().zip(row) {
            write_value(info, value, out)?;
        }
        Ok(())
    }

    fn saved(&self, row: &[Datum]) -> usize {
        self.columns
            .iter()
            .zip(row)
            .filter(|(_, value)| matches!(value, Datum::Null))
            .filter_map(|(info, _)| null_size(info))
            .sum()
    }

    fn write_compressed(&self, row: &[Datum], out: &mut Vec<u8>) -> Result<(), Mismatch> {
        out.push(kind::NBC_ROW);
        for (infos, values) in self.columns.chunks(8).zip(row.chunks(8)) {
            let mut bits = 0;
            for (bit, (info, value)) in infos.iter().zip(values).enumerate() {
                if matches!(value, Datum::Null) {
                    if null_size(info).is_none() {
                        return Err(Mismatch::new(info, value));
                    }
                    bits |= 1u8 << bit;
                }
            }
            out.push(bits);
        }
        for (info, value) in self.columns.iter().zip(row) {
            if !matches!(value, Datum::Null) {
                write_value(info, value, out)?;
            }
        }
        Ok(())
    }
}

/// Reads the next row of a bulk load; `None` at its DONE token or end.
///
/// # Errors
/// Another token, or a value that its column cannot have.
pub(crate) fn read(
    columns: &[IncomingColumn],
    input: &mut Input,
) -> Result<Option<Vec<Datum>>, ProtocolError> {
    if input.is_at_end() {
        return Ok(None);
    }
    let token = input.u8("a token of a bulk load")?;
    let nulls = match token {
        kind::ROW => Vec::new(),
        kind::NBC_ROW => input
            .take(columns.len().div_ceil(8), "the NULL bitmap of a row")?
            .to_vec(),
        kind::DONE => return Ok(None),
        _ => {
            return Err(ProtocolError::invalid(format!(
                "token 0x{token:02X} in a bulk load, where rows belong"
            )));
        }
    };
    let mut row = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let is_null = nulls
            .get(index / 8)
            .is_some_and(|bits| bits & (1 << (index % 8)) != 0);
        row.push(if is_null {
            Datum::Null
        } else {
            read_column(&column.info, input)?
        });
    }
    Ok(Some(row))
}

/// A value of a row: as a parameter's, but `text`, `ntext` and `image` come after a text pointer and a
/// timestamp.
fn read_column(info: &TypeInfo, input: &mut Input) -> Result<Datum, ProtocolError> {
    if info.has_text_pointer() {
        const READING: &str = "a text pointer";
        match input.u8(READING)? {
            0 => return Ok(Datum::Null),
            pointer => {
                input.take(usize::from(pointer) + 8, READING)?;
            }
        }
    }
    read_value(info, input)
}

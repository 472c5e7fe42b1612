//! Rows as case files write them.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, FixedSizeBinaryBuilder};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema};
use icehost_plan::Column;
use serde_json::{Map, Value as Json};

/// A row: a value for each column that is not NULL.
pub(crate) type Row = Map<String, Json>;

/// Rows of these columns; or which value is none of its column.
pub(crate) fn batch(columns: &[Column], rows: &[Row]) -> Result<RecordBatch, String> {
    for row in rows {
        if let Some(name) = row.keys().find(|n| columns.iter().all(|c| c.name != **n)) {
            return Err(format!("a row has column '{name}', and the table has none"));
        }
    }
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        let field = column.arrow_field();
        let texts: Vec<Option<String>> = rows
            .iter()
            .map(|row| match row.get(&column.name) {
                None | Some(Json::Null) => None,
                Some(Json::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            })
            .collect();
        if !column.nullable && texts.iter().any(Option::is_none) {
            return Err(format!(
                "a row has no '{}', which is never NULL",
                column.name
            ));
        }
        let array = array(&texts, field.data_type())
            .map_err(|why| format!("a value of '{}': {why}", column.name))?;
        fields.push(field);
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| error.to_string())
}

fn array(texts: &[Option<String>], data_type: &DataType) -> Result<ArrayRef, String> {
    let bytes = |text: &String| hexadecimal(text).ok_or_else(|| format!("'{text}' is no bytes"));
    match data_type {
        DataType::Binary => {
            let mut builder = BinaryBuilder::new();
            for text in texts {
                builder.append_option(text.as_ref().map(bytes).transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        DataType::FixedSizeBinary(length) => {
            let mut builder = FixedSizeBinaryBuilder::new(*length);
            for text in texts {
                match text {
                    None => builder.append_null(),
                    Some(text) => builder
                        .append_value(bytes(text)?)
                        .map_err(|error| error.to_string())?,
                }
            }
            Ok(Arc::new(builder.finish()))
        }
        other => {
            let texts = StringArray::from_iter(texts.iter().map(Option::as_deref));
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            cast_with_options(&texts, other, &options).map_err(|error| error.to_string())
        }
    }
}

/// Bytes as `0x0A0B`, or a UUID.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<u8> = digits
        .chars()
        .filter(|&c| c != '-')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    match digits.len().is_multiple_of(2) {
        true => Some(
            digits
                .chunks(2)
                .map(|d| d.iter().fold(0, |byte, half| byte << 4 | half))
                .collect(),
        ),
        false => None,
    }
}

/// A line for each row: `Id = 1, Email = a@b`, without what is NULL.
pub(crate) fn lines(batches: &[RecordBatch]) -> Result<String, String> {
    let mut lines = Vec::new();
    for batch in batches {
        lines.extend(rows(batch)?);
    }
    Ok(lines.join("\n"))
}

fn rows(batch: &RecordBatch) -> Result<Vec<String>, String> {
    let schema = batch.schema();
    let options = FormatOptions::default();
    let mut columns = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let formatter =
            ArrayFormatter::try_new(column.as_ref(), &options).map_err(|e| e.to_string())?;
        columns.push((field.name(), column, formatter));
    }
    let rows = (0..batch.num_rows()).map(|row| {
        let values: Vec<String> = columns
            .iter()
            .filter(|(_, column, _)| column.is_valid(row))
            .map(|(name, _, formatter)| format!("{name} = {}", formatter.value(row)))
            .collect();
        values.join(", ")
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::table::columns;

    fn read(column: &str, row: Json) -> Result<String, String> {
        let columns = columns(&[column.to_owned()])?;
        let Json::Object(row) = row else {
            return Err("no row".to_owned());
        };
        lines(&[batch(&columns, &[row])?])
    }

    #[test]
    fn values_of_every_type_are_read_and_shown() {
        for (column, value, shown) in [
            ("a int", Json::from(-3), "a = -3"),
            ("a decimal(18,2)", Json::from("12.5"), "a = 12.50"),
            ("a bit", Json::from(true), "a = true"),
            ("a nvarchar(9)", Json::from("ä, b"), "a = ä, b"),
            ("a date", Json::from("2026-01-31"), "a = 2026-01-31"),
            (
                "a datetime2(6)",
                Json::from("2026-01-31T01:02:03"),
                "a = 2026-01-31T01:02:03",
            ),
            ("a varbinary(9)", Json::from("0x0aff"), "a = 0aff"),
            (
                "a uniqueidentifier",
                Json::from("00112233-4455-6677-8899-aabbccddeeff"),
                "a = 00112233445566778899aabbccddeeff",
            ),
        ] {
            let row = serde_json::json!({ "a": value });
            assert_eq!(read(column, row).as_deref(), Ok(shown));
        }
        assert_eq!(read("a int null", serde_json::json!({})).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_value_of_its_column_is_refused() {
        for (column, row, says) in [
            ("a int", serde_json::json!({ "a": "x" }), "a value of 'a'"),
            ("a int", serde_json::json!({}), "never NULL"),
            ("a int null", serde_json::json!({ "b": 1 }), "column 'b'"),
            (
                "a varbinary(9)",
                serde_json::json!({ "a": "0x0" }),
                "no bytes",
            ),
        ] {
            let error = read(column, row).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}

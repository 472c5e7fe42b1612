//! Rules on rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Int32Array, RecordBatch, StringArray, new_null_array,
};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use hmac::Mac;
use icehost_plan::{Column, LakeType, Table};

use crate::SyncError;
use crate::rows::column_rules::{ColumnRule, ColumnRules, HashKey};

/// Rules for batches of certain columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct BoundRules(Vec<(usize, Bound)>);

#[derive(Debug, Clone)]
enum Bound {
    Null,
    /// One value.
    Constant(ArrayRef),
    Hash(HashKey),
    Truncate(usize),
}

impl ColumnRules {
    /// The rules for batches that have these columns of the table, by their ordinals.
    ///
    /// # Errors
    /// Those of [`ColumnRules::resolve`].
    pub(crate) fn bind(&self, table: &Table, columns: &[u32]) -> Result<BoundRules, SyncError> {
        let mut bound = Vec::new();
        for (ordinal, rule) in self.resolve(table)? {
            let position = columns.iter().position(|&column| column == ordinal);
            let column = table.columns.get(ordinal as usize);
            let (Some(position), Some(column)) = (position, column) else {
                // The strategy does not read the column.
                continue;
            };
            let rule = match (rule, &self.key) {
                (ColumnRule::Null, _) => Bound::Null,
                (ColumnRule::Truncate(length), _) => Bound::Truncate(*length as usize),
                (ColumnRule::Hash, Some(key)) => Bound::Hash(key.clone()),
                (ColumnRule::Hash, None) => continue,
                (ColumnRule::Constant(text), _) => match constant_of(text, column) {
                    Ok(value) => Bound::Constant(value),
                    Err(why) => return Err(SyncError::settings(why, "write another value")),
                },
            };
            bound.push((position, rule));
        }
        Ok(BoundRules(bound))
    }
}

impl BoundRules {
    /// The batch with the rules' columns changed.
    pub(crate) fn apply(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.0.is_empty() {
            return Ok(batch);
        }
        let mut columns = batch.columns().to_vec();
        let mut fields: Vec<Field> = batch
            .schema()
            .fields()
            .iter()
            .map(|f| (**f).clone())
            .collect();
        for (position, rule) in &self.0 {
            let (Some(column), Some(field)) =
                (columns.get_mut(*position), fields.get_mut(*position))
            else {
                continue;
            };
            let changed = rule.apply(column)?;
            if changed.null_count() > 0 {
                field.set_nullable(true);
            }
            *column = changed;
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

impl Bound {
    fn apply(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Bound::Null => new_null_array(column.data_type(), column.len()),
            Bound::Constant(value) => {
                let first = Int32Array::from_value(0, column.len());
                arrow_select::take::take(value, &first, None)?
            }
            Bound::Truncate(length) => {
                let texts = column.as_string::<i32>().iter();
                Arc::new(StringArray::from_iter(
                    texts.map(|text| text.map(|t| cut(t, *length))),
                ))
            }
            Bound::Hash(key) => match column.data_type() {
                DataType::Binary => {
                    let values = column.as_binary::<i32>().iter();
                    Arc::new(BinaryArray::from_iter(
                        values.map(|v| v.map(|v| hash(key, v))),
                    ))
                }
                _ => {
                    let texts = column.as_string::<i32>().iter();
                    let hashed =
                        texts.map(|text| text.map(|t| hexadecimal(&hash(key, t.as_bytes()))));
                    Arc::new(StringArray::from_iter(hashed))
                }
            },
        })
    }
}

/// The first so many characters.
fn cut(text: &str, length: usize) -> &str {
    match text.char_indices().nth(length) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

fn hash(key: &HashKey, value: &[u8]) -> [u8; 32] {
    key.0
        .clone()
        .chain_update(value)
        .finalize()
        .into_bytes()
        .into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        digits.push(digit(byte >> 4));
        digits.push(digit(byte & 15));
    }
    digits
}

/// Tells keys apart without telling anything of them: a few digits of a hash that no value has.
pub(super) fn key_check(key: &HashKey) -> String {
    let mut digits = hexadecimal(&hash(key, b"icehost: which key is this"));
    digits.truncate(8);
    digits
}

/// One value of a column, from its text.
pub(super) fn constant_of(text: &str, column: &Column) -> Result<ArrayRef, String> {
    let value = constant(text, column.column_type.lake())?;
    match column.misfit(&value, None) {
        None => Ok(value),
        Some(misfit) => Err(misfit.reason),
    }
}

/// One value of a type, from its text.
fn constant(text: &str, kind: LakeType) -> Result<ArrayRef, String> {
    let wrong = || format!("'{text}' is no value of type {kind}");
    let one: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    match kind {
        LakeType::String => Ok(one),
        LakeType::Uuid | LakeType::Binary | LakeType::Fixed(_) => Err(format!(
            "constants of type {kind} cannot be written; the rule null empties such a column"
        )),
        kind => {
            let value = cast_with_options(&one, &kind.arrow(), &options).map_err(|_| wrong())?;
            match value.null_count() {
                0 => Ok(value),
                _ => Err(wrong()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use icehost_plan::ColumnType;

    fn rules(texts: &[(&str, &str)]) -> ColumnRules {
        let rules = texts
            .iter()
            .map(|(name, rule)| ((*name).to_owned(), rule.parse().unwrap()));
        ColumnRules {
            rules: rules.collect(),
            key: Some(HashKey::new(b"0123456789abcdef").unwrap()),
        }
    }

    fn table() -> Table {
        let column = |name: &str, kind: &str, nullable| {
            Column::new(name, ColumnType::Sql(kind.parse().unwrap()), nullable)
        };
        let mut id = column("Id", "int", false);
        id.key_position = Some(0);
        Table {
            name: "dbo.People".to_owned(),
            columns: vec![
                id,
                column("Email", "nvarchar(100)", true),
                column("Salary", "decimal(18,2)", true),
                column("Born", "date", false),
                column("Kind", "tinyint", true),
                column("Paid", "datetime", true),
            ],
            features: icehost_plan::Features::default(),
            row_estimate: None,
        }
    }

    fn email(rule: &str, values: Vec<Option<&str>>) -> Vec<Option<String>> {
        let bound = rules(&[("email", rule)]).bind(&table(), &[1]).unwrap();
        let values: ArrayRef = Arc::new(StringArray::from(values));
        let batch = RecordBatch::try_from_iter([("Email", values)]).unwrap();
        let changed = bound.apply(batch).unwrap();
        let texts = changed.column(0).as_string::<i32>().iter();
        texts.map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn each_rule_does_what_it_says() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(email("null", vec![Some("a"), None]), [None, None]);
        assert_eq!(
            email("constant:x", vec![Some("a"), None]),
            [some("x"), some("x")]
        );
        assert_eq!(
            email("truncate:2", vec![Some("äöü"), Some("a"), None]),
            [some("äö"), some("a"), None]
        );
    }

    #[test]
    fn a_hash_is_hmac_sha_256_of_the_text() {
        // printf 'a@b' | openssl dgst -sha256 -hmac 0123456789abcdef
        let hashed = email("hash", vec![Some("a@b"), None, Some("a@b")]);
        assert_eq!(hashed[0].as_deref().unwrap(), EXPECTED);
        assert_eq!(hashed[1], None);
        assert_eq!(hashed[0], hashed[2]);
    }

    const EXPECTED: &str = "1a96317a95e681022442aa2a173cf256fdea8657c01f4a5361acc8d55714a11a";

    const TOO_LONG: &str = "constant:aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjjjjjjjk";

    #[test]
    fn what_a_column_cannot_have_is_refused() {
        for (column, rule, says) in [
            ("Nothing", "null", "there is no such column"),
            ("Id", "hash", "part of the key"),
            ("Born", "null", "NOT NULL"),
            ("Salary", "hash", "text or bytes"),
            ("Salary", "truncate:3", "only text is cut"),
            (
                "Salary",
                "constant:much",
                "'much' is no value of type decimal(18, 2)",
            ),
            ("Salary", "constant:12345678901234567.00", "is no value of"),
            ("Email", TOO_LONG, "… is no value of nvarchar(100)"),
            ("Kind", "constant:256", "256 is no value of tinyint"),
            (
                "Paid",
                "constant:1752-12-31T00:00:00",
                "is no value of datetime",
            ),
            (
                "Paid",
                "constant:2026-01-31T12:00:00.005",
                "is no value of datetime",
            ),
        ] {
            let error = rules(&[(column, rule)])
                .bind(&table(), &[0, 1, 2, 3, 4, 5])
                .unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let twice = rules(&[("Email", "null"), ("email", "hash")]);
        assert!(
            twice
                .resolve(&table())
                .unwrap_err()
                .to_string()
                .contains("another one")
        );
        let mut keyless = rules(&[("Email", "hash")]);
        keyless.key = None;
        assert!(
            keyless
                .resolve(&table())
                .unwrap_err()
                .to_string()
                .contains("without a key")
        );
    }

    #[test]
    fn constants_are_values_of_the_columns_type() {
        let bound = rules(&[
            ("Salary", "constant:12.50"),
            ("Born", "constant:1900-01-01"),
        ])
        .bind(&table(), &[3, 2])
        .unwrap();
        assert_eq!(bound.0.len(), 2);
    }

    #[test]
    fn the_key_is_never_shown() {
        let text = format!("{:?}", rules(&[("Email", "hash")]));
        assert!(
            !text.contains("0123456789") && !text.contains("48, 49"),
            "{text}"
        );
    }
}

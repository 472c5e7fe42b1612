//! `mask`: replaces the characters of texts, but for some at either end.

use std::sync::Arc;

use icehost_sdk::arrow::array::builder::StringBuilder;
use icehost_sdk::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use icehost_sdk::prelude::*;

/// The strategy, on its columns.
pub struct Mask {
    options: MaskOptions,
    names: Vec<String>,
}

icehost_sdk::options! {
    /// What users may set.
    pub struct MaskOptions {
        /// The columns to mask, which hold text.
        pub columns: Vec<String>,
        /// How many characters stay at the beginning.
        pub keep_first: u32 = 0,
        /// How many characters stay at the end.
        pub keep_last: u32 = 0,
        /// What stands for a character.
        pub character: String = "*".to_owned(),
        /// Only what comes before this text is masked, such as the part of an address before its '@'; a text
        /// without it is masked as a whole.
        pub until: Option<String>,
    }
}

impl BatchTransformer for Mask {
    const NAME: &'static str = "mask";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "replaces the characters of texts, but for some at either end";
    type Options = MaskOptions;

    fn open(table: &Table, options: MaskOptions) -> Result<(Self, Transformation), Error> {
        if options.columns.is_empty() {
            return Err(Error::invalid_options(
                "no-columns",
                "columns names no column to mask",
            ));
        }
        if options.character.chars().count() != 1 {
            return Err(Error::invalid_options(
                "no-character",
                format!(
                    "character is '{}', and not one character",
                    options.character
                ),
            ));
        }
        let mut inputs = Vec::new();
        let mut outputs = Vec::new();
        for name in &options.columns {
            let id = table.require(name)?;
            let Some(column) = table.get(id) else {
                continue;
            };
            if column.kind != LogicalType::Text {
                return Err(Error::invalid_options(
                    "wrong-type",
                    format!("'{}' is {} and not text", column.name, column.native_type),
                )
                .about(id));
            }
            if column.key_position.is_some() {
                return Err(Error::invalid_options(
                    "key-column",
                    format!(
                        "'{}' is part of the key, by which rows are found again: a key cannot be masked",
                        column.name
                    ),
                )
                .about(id));
            }
            if inputs.contains(&id) {
                return Err(Error::invalid_options(
                    "repeated-column",
                    format!("columns names '{name}' twice"),
                ));
            }
            inputs.push(id);
            outputs.push(column.clone());
        }
        let names = outputs.iter().map(|column| column.name.clone()).collect();
        Ok((
            Mask { options, names },
            Transformation::new(inputs, outputs),
        ))
    }

    fn apply(&mut self, batch: &RecordBatch) -> Result<Transformed, Error> {
        let masked = batch.columns().iter().zip(&self.names);
        let masked = masked.map(|(column, name)| self.mask(column, name));
        Ok(Transformed::unchanged().columns(masked.collect::<Result<_, _>>()?))
    }
}

impl Mask {
    fn mask(&self, column: &ArrayRef, name: &str) -> Result<ArrayRef, Error> {
        let texts = column.as_any().downcast_ref::<StringArray>();
        let texts = texts
            .ok_or_else(|| Error::bad_data("wrong-type", format!("'{name}' does not hold text")))?;
        let mut masked = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        let mut buffer = String::new();
        for text in texts {
            masked.append_option(text.map(|text| {
                self.text(text, &mut buffer);
                &buffer
            }));
        }
        Ok(Arc::new(masked.finish()))
    }

    fn text(&self, text: &str, masked: &mut String) {
        masked.clear();
        let end = match &self.options.until {
            Some(until) => text.find(until.as_str()).unwrap_or(text.len()),
            None => text.len(),
        };
        let (hidden, shown) = text.split_at(end);
        let length = hidden.chars().count();
        let (first, last) = (
            self.options.keep_first as usize,
            self.options.keep_last as usize,
        );
        for (position, character) in hidden.chars().enumerate() {
            // A text that is too short to hide anything is hidden as a whole.
            let stays = first.saturating_add(last) < length
                && (position < first || position >= length - last);
            match stays {
                true => masked.push(character),
                false => masked.push_str(&self.options.character),
            }
        }
        masked.push_str(shown);
    }
}

icehost_sdk::export_batch_transformer!(Mask);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn people() -> Table {
        let text = |name| Column::new(name, LogicalType::Text, "nvarchar(50)");
        let columns = vec![
            Column::new("Id", LogicalType::Integer, "int").key(0),
            text("Email"),
            text("Phone").nullable(),
        ];
        Table::new("dbo.People", columns)
    }

    fn masked(options: &str, text: &str) -> String {
        let options = icehost_sdk::options::parse(options).unwrap();
        let (mask, declared) = Mask::open(&people(), options).unwrap();
        assert_eq!(declared.inputs, [1]);
        assert_eq!(declared.outputs, [people().columns[1].clone()]);
        let mut buffer = String::new();
        mask.text(text, &mut buffer);
        buffer
    }

    #[test]
    fn what_is_kept_is_what_the_options_say() {
        for (options, text, wanted) in [
            ("", "secret", "******"),
            ("", "", ""),
            (r#", "keep-last": 4"#, "555-123-9876", "********9876"),
            (r#", "keep-first": 1, "keep-last": 1"#, "straße", "s****e"),
            (r#", "keep-first": 2, "keep-last": 2"#, "four", "****"),
            (
                r#", "until": "@", "keep-first": 1"#,
                "jane@x.org",
                "j***@x.org",
            ),
            (r#", "until": "@""#, "jane", "****"),
            (r#", "character": "█""#, "ab", "██"),
        ] {
            let options = format!(r#"{{"columns": ["email"]{options}}}"#);
            assert_eq!(masked(&options, text), wanted, "{options}");
        }
    }

    #[test]
    fn what_cannot_be_masked_is_refused() {
        for (options, code) in [
            (r#"{"columns": []}"#, "no-columns"),
            (r#"{"columns": ["Id"]}"#, "wrong-type"),
            (r#"{"columns": ["Name"]}"#, "no-column"),
            (r#"{"columns": ["Email", "email"]}"#, "repeated-column"),
            (
                r#"{"columns": ["Email"], "character": "xy"}"#,
                "no-character",
            ),
        ] {
            let parsed = icehost_sdk::options::parse(options).unwrap();
            let refused = Mask::open(&people(), parsed).err().map(|error| error.code);
            assert_eq!(refused.as_deref(), Some(code), "{options}");
        }
    }
}

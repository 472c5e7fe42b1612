//! Options that have been checked against a strategy's schema.

use serde_json::{Map, Value as Json};

use crate::Strategy;
use crate::StrategyError;

/// Options that fit the schema of the strategy that they were made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    text: String,
    values: Map<String, Json>,
    digest: [u8; 32],
}

impl Options {
    /// Reads `name=value` pairs as a command line gives them.
    ///
    /// The schema says how a value is read: a list takes items separated by commas, or the same name several
    /// times; lists and objects are also taken as JSON. A name that is given twice and is no list is an
    /// error.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        strategy: &Strategy,
        pairs: &[(K, V)],
    ) -> Result<Options, StrategyError> {
        let schema = strategy.options_schema();
        let mut values: Map<String, Json> = Map::new();
        for (name, text) in pairs {
            let (name, text) = (name.as_ref(), text.as_ref());
            let value = match schema.property(name) {
                Some(property) => read(property, text),
                None => Json::String(text.to_owned()),
            };
            match (values.get_mut(name), value) {
                (None, value) => {
                    values.insert(name.to_owned(), value);
                }
                (Some(Json::Array(items)), Json::Array(more)) => items.extend(more),
                (Some(_), _) => {
                    return Err(strategy.refused(vec![format!("option '{name}' is given twice")]));
                }
            }
        }
        Options::from_json(strategy, values)
    }

    /// Takes options as JSON.
    pub fn from_json(
        strategy: &Strategy,
        values: Map<String, Json>,
    ) -> Result<Options, StrategyError> {
        let problems = strategy.options_schema().problems(&values);
        if !problems.is_empty() {
            return Err(strategy.refused(problems));
        }
        Ok(Options {
            text: Json::Object(values.clone()).to_string(),
            values,
            digest: *strategy.digest_bytes(),
        })
    }

    /// No options, where the strategy needs none.
    pub fn none(strategy: &Strategy) -> Result<Options, StrategyError> {
        Options::from_json(strategy, Map::new())
    }

    /// The options as they were given, without defaults.
    pub fn values(&self) -> &Map<String, Json> {
        &self.values
    }

    /// The JSON text for `strategy`; `None` where the options were checked for another one.
    pub(crate) fn text_for(&self, strategy: &Strategy) -> Option<&str> {
        (self.digest == *strategy.digest_bytes()).then_some(&self.text)
    }
}

/// Reads one value as its schema wants it; what does not fit stays text, for the validator to refuse.
fn read(schema: &Json, text: &str) -> Json {
    let parsed = || serde_json::from_str::<Json>(text).ok();
    let as_text = || Json::String(text.to_owned());
    match schema["type"].as_str() {
        Some("string") => as_text(),
        Some("integer" | "number" | "boolean" | "object") => parsed().unwrap_or_else(as_text),
        Some("array") => match parsed() {
            Some(list @ Json::Array(_)) => list,
            Some(object @ Json::Object(_)) => Json::Array(vec![object]),
            _ => text
                .split(',')
                .map(|item| read(&schema["items"], item.trim()))
                .collect(),
        },
        // A choice of types: JSON where it is an object or list, else text.
        _ => match parsed() {
            Some(json @ (Json::Object(_) | Json::Array(_))) => json,
            _ => as_text(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_schema_says_how_a_value_is_read() {
        let list = json!({"type": "array", "items": {"type": "integer"}});
        for (schema, text, wanted) in [
            (json!({"type": "string"}), "42", json!("42")),
            (json!({"type": "integer"}), "42", json!(42)),
            (json!({"type": "integer"}), "many", json!("many")),
            (json!({"type": "boolean"}), "true", json!(true)),
            (list.clone(), "1, 2", json!([1, 2])),
            (list, "[1,2]", json!([1, 2])),
            (json!({"oneOf": []}), "[1", json!("[1")),
            (json!({"oneOf": []}), r#"{"a": 1}"#, json!({"a": 1})),
            (json!({"enum": ["a"]}), "a", json!("a")),
        ] {
            assert_eq!(read(&schema, text), wanted, "{schema} {text}");
        }
    }
}

//! What a strategy says about itself.

use crate::options_schema::OptionsSchema;
use icehost_untrusted::shown_up_to;

/// Most bytes of a name, a version and a summary.
const MAX_NAME: usize = 64;
const MAX_SUMMARY: usize = 512;
/// Most bytes of an options schema.
const MAX_SCHEMA: usize = 64 * 1024;

/// What a strategy says about itself; checked, and fit to be shown.
#[derive(Debug)]
pub struct Description {
    /// For example `timestamp`.
    pub name: String,
    /// The strategy's own version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// What options it takes.
    pub options: OptionsSchema,
}

impl Description {
    /// Checks what `describe` returned, or says what is wrong with it.
    pub(crate) fn check(
        name: &str,
        version: &str,
        summary: &str,
        schema: &str,
    ) -> Result<Description, String> {
        Ok(Description {
            name: line("name", name, MAX_NAME)?,
            version: line("version", version, MAX_NAME)?,
            summary: line("summary", summary, MAX_SUMMARY)?,
            options: if schema.len() > MAX_SCHEMA {
                return Err(too_long("options schema", schema.len(), MAX_SCHEMA));
            } else {
                OptionsSchema::parse(schema)?
            },
        })
    }
}

fn line(what: &str, text: &str, max: usize) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("its {what} is empty"));
    }
    if text.len() > max {
        return Err(too_long(what, text.len(), max));
    }
    if shown_up_to(text, max) != text {
        return Err(format!("its {what} has control characters"));
    }
    Ok(text.to_owned())
}

fn too_long(what: &str, length: usize, max: usize) -> String {
    format!("its {what} has {length} bytes, of at most {max}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type": "object"}"#;

    #[test]
    fn unusable_descriptions_are_refused_with_the_reason() {
        let long = "x".repeat(MAX_SCHEMA + 1);
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        for (name, version, schema, reason) in [
            ("", "1", SCHEMA, "its name is empty"),
            (
                &long[..65],
                "1",
                SCHEMA,
                "its name has 65 bytes, of at most 64",
            ),
            ("a\nb", "1", SCHEMA, "its name has control characters"),
            (
                "a",
                "\u{202e}1",
                SCHEMA,
                "its version has control characters",
            ),
            (
                "a",
                "1",
                &long,
                "its options schema has 65537 bytes, of at most 65536",
            ),
            ("a", "1", "{", "its options schema is not JSON: EOF"),
            (
                "a",
                "1",
                &deep,
                "its options schema is not JSON: recursion limit",
            ),
            (
                "a",
                "1",
                "[]",
                "its options schema is not that of an object",
            ),
            (
                "a",
                "1",
                r##"{"type": "object", "allOf": [{"$ref": "#"}]}"##,
                "its options schema uses $ref, which is not resolved",
            ),
            (
                "a",
                "1",
                r#"{"type": "object", "properties": {"x": {"type": "strange"}}}"#,
                "its options schema is not a JSON Schema: ",
            ),
        ] {
            let error = Description::check(name, version, "s", schema).unwrap_err();
            assert!(
                error.starts_with(reason),
                "{error:?} should start with {reason:?}"
            );
        }
    }

    #[test]
    fn options_are_described_in_words() {
        let schema = r#"{"type": "object", "required": ["keys"], "properties": {
            "keys": {"type": "array", "items": {"type": "string"}, "description": "the key"},
            "nulls": {"enum": ["refuse", "skip"], "default": "refuse"},
            "lookback": {"type": "integer", "minimum": 0}
        }}"#;
        let description = Description::check("a", "1", "s", schema).unwrap();
        let options = description.options.options();
        let lines: Vec<String> = options.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "keys (list of text, required): the key",
                "lookback (integer from 0)",
                "nulls (refuse | skip, default \"refuse\")",
            ]
        );
    }
}

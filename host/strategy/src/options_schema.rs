//! What options a strategy takes: the JSON Schema that it describes itself with.

use std::fmt;

use serde_json::{Map, Value as Json};

use icehost_untrusted::{shown, shown_up_to};

/// Most options of a strategy.
const MAX_OPTIONS: usize = 64;

/// The checked schema of a strategy's options.
pub struct OptionsSchema {
    schema: Json,
    validator: jsonschema::Validator,
    options: Vec<OptionDescription>,
}

/// One option, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionDescription {
    /// Its name.
    pub name: String,
    /// What it takes, for example `text`, `list of text` or `refuse | skip`.
    pub takes: String,
    /// Whether it must be given.
    pub required: bool,
    /// What it is where it is not given, as JSON.
    pub default: Option<String>,
    /// What it does.
    pub description: String,
}

impl fmt::Display for OptionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.takes)?;
        if self.required {
            f.write_str(", required")?;
        }
        if let Some(default) = &self.default {
            write!(f, ", default {default}")?;
        }
        f.write_str(")")?;
        if !self.description.is_empty() {
            write!(f, ": {}", self.description)?;
        }
        Ok(())
    }
}

impl fmt::Debug for OptionsSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OptionsSchema").field(&self.schema).finish()
    }
}

impl OptionsSchema {
    /// Reads a schema, or says why it is unusable.
    pub(crate) fn parse(text: &str) -> Result<OptionsSchema, String> {
        let schema: Json = serde_json::from_str(text)
            .map_err(|e| format!("its options schema is not JSON: {e}"))?;
        if schema["type"] != "object" {
            return Err("its options schema is not that of an object".to_owned());
        }
        refuse_references(&schema)?;
        // A linear-time matcher, since the patterns are the component's.
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .map_err(|e| shown(&format!("its options schema is not a JSON Schema: {e}")))?;
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        if properties.len() > MAX_OPTIONS {
            return Err(format!("it has more than {MAX_OPTIONS} options"));
        }
        let required = |name: &str| {
            let names = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            names.iter().any(|required| required == name)
        };
        let options = properties
            .iter()
            .map(|(name, schema)| OptionDescription {
                name: shown_up_to(name, 64),
                takes: takes(schema, 0),
                required: required(name),
                default: schema.get("default").map(|d| shown(&d.to_string())),
                description: shown(schema["description"].as_str().unwrap_or_default()),
            })
            .collect();
        Ok(OptionsSchema {
            schema,
            validator,
            options,
        })
    }

    /// The schema itself.
    pub fn json(&self) -> &Json {
        &self.schema
    }

    /// The options, by name.
    pub fn options(&self) -> &[OptionDescription] {
        &self.options
    }

    /// The schema of one option.
    pub(crate) fn property(&self, name: &str) -> Option<&Json> {
        self.schema["properties"].get(name)
    }

    /// What is wrong with these options; empty where they fit.
    pub(crate) fn problems(&self, options: &Map<String, Json>) -> Vec<String> {
        let mut problems: Vec<String> = Vec::new();
        let closed = self.schema["additionalProperties"] == false;
        for name in options.keys() {
            if closed && self.property(name).is_none() {
                problems.push(match icehost_untrusted::may_hold_secret(name) {
                    true => "what was given is no option".to_owned(),
                    false => format!("there is no option '{}'", shown_up_to(name, 64)),
                });
            }
        }
        for option in &self.options {
            match options.get(&option.name) {
                None if option.required => {
                    problems.push(format!("option '{}' is missing", option.name));
                }
                _ => {}
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        let options = Json::Object(options.clone());
        self.validator
            .iter_errors(&options)
            .take(8)
            .map(|error| {
                let path = error.instance_path().to_string();
                let option = path.trim_start_matches('/');
                let option = option.split('/').next().unwrap_or(option);
                match self.options.iter().find(|known| known.name == option) {
                    Some(known) => {
                        let given = options.get(option).map(Json::to_string).unwrap_or_default();
                        let given = match icehost_untrusted::may_hold_secret(&given) {
                            true => "what was given".to_owned(),
                            false => shown_up_to(&given, 128),
                        };
                        format!("option '{option}' takes {}, not {given}", known.takes)
                    }
                    None => shown(&error.to_string()),
                }
            })
            .collect()
    }
}

/// A reference could make the schema endless or reach outside it; a schema of options needs none.
fn refuse_references(schema: &Json) -> Result<(), String> {
    match schema {
        Json::Object(members) => {
            for (name, member) in members {
                if matches!(
                    name.as_str(),
                    "$ref" | "$dynamicRef" | "$recursiveRef" | "$id"
                ) {
                    return Err(format!(
                        "its options schema uses {name}, which is not resolved"
                    ));
                }
                refuse_references(member)?;
            }
            Ok(())
        }
        Json::Array(items) => items.iter().try_for_each(refuse_references),
        _ => Ok(()),
    }
}

/// What an option takes, in words.
fn takes(schema: &Json, depth: u8) -> String {
    if depth > 3 {
        return "JSON".to_owned();
    }
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> = choices
            .iter()
            .take(16)
            .map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned))
            .collect();
        return shown(&choices.join(" | "));
    }
    if let Some(choices) = schema["oneOf"]
        .as_array()
        .or_else(|| schema["anyOf"].as_array())
    {
        let choices: Vec<String> = choices
            .iter()
            .take(4)
            .map(|c| takes(c, depth + 1))
            .collect();
        return choices.join(" or ");
    }
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
            (Some(min), Some(max)) => format!("integer from {min} to {max}"),
            (Some(min), None) => format!("integer from {min}"),
            _ => "integer".to_owned(),
        },
        Some("number") => "number".to_owned(),
        Some("boolean") => "true | false".to_owned(),
        Some("array") => format!("list of {}", takes(&schema["items"], depth + 1)),
        Some("object") => {
            let none = Map::new();
            let members = schema["properties"].as_object().unwrap_or(&none);
            let members: Vec<String> = members
                .iter()
                .take(8)
                .map(|(name, schema)| {
                    format!(
                        "\"{}\": {}",
                        shown_up_to(name, 64),
                        takes(schema, depth + 1)
                    )
                })
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        _ => "JSON".to_owned(),
    }
}

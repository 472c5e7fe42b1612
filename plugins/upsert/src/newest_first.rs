//! Which of several rows with one key is kept.

use icehost_sdk::options::OptionType;
use icehost_sdk::prelude::*;
use serde_json::{Value as Json, json};

use crate::UpsertOptions;

/// A column to sort by: its name, or an object with name and direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortColumn {
    name: String,
    direction: Direction,
}

impl OptionType for SortColumn {
    fn schema() -> Json {
        json!({"oneOf": [
            {"type": "string", "minLength": 1},
            {
                "type": "object",
                "properties": {
                    "column": {"type": "string", "minLength": 1},
                    "direction": {"type": "string", "enum": ["ascending", "descending"]},
                },
                "required": ["column", "direction"],
                "additionalProperties": false,
            },
        ]})
    }

    fn from_json(json: Json) -> Result<Self, String> {
        let (name, direction) = match &json {
            Json::String(name) => (name.as_str(), Some(Direction::Descending)),
            object => (
                object["column"].as_str().unwrap_or_default(),
                match object["direction"].as_str() {
                    Some("ascending") => Some(Direction::Ascending),
                    Some("descending") => Some(Direction::Descending),
                    _ => None,
                },
            ),
        };
        match direction {
            Some(direction) if !name.is_empty() => Ok(SortColumn {
                name: name.to_owned(),
                direction,
            }),
            _ => Err("a column's name, or an object with column and direction".to_owned()),
        }
    }

    fn to_json(&self) -> Option<Json> {
        Some(match self.direction {
            Direction::Descending => json!(self.name),
            Direction::Ascending => json!({"column": self.name, "direction": "ascending"}),
        })
    }
}

/// The order in which the first row of each key is kept.
pub(crate) fn sort_keys(context: &MergeContext<UpsertOptions>) -> Result<Vec<SortKey>, Error> {
    let columns = context
        .options
        .deduplicate_by
        .as_deref()
        .unwrap_or_default();
    columns
        .iter()
        .map(|wanted| {
            let column = context.delta.find(&wanted.name).ok_or_else(|| {
                Error::invalid_options(
                    "no-column",
                    format!(
                        "deduplicate-by names '{}', which the rows to merge do not have; they have {}",
                        wanted.name,
                        context.delta.names()
                    ),
                )
            })?;
            Ok(SortKey {
                column,
                direction: wanted.direction,
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sorted(options: &str) -> Result<Vec<SortKey>, Error> {
        let columns = || {
            vec![
                Column::new("Id", LogicalType::Integer, "int").key(0),
                Column::new("Seen", LogicalType::Timestamp, "datetime"),
            ]
        };
        sort_keys(&MergeContext {
            target: Table::new("dbo.Orders", columns()),
            delta: Delta::new(columns(), Contents::Upserts),
            options: icehost_sdk::options::parse(options)?,
        })
    }

    #[test]
    fn the_largest_value_comes_first_unless_said_otherwise() {
        let key = |column, direction| SortKey { column, direction };
        let options = r#"{"deduplicate-by": ["seen", {"column": "Id", "direction": "ascending"}]}"#;
        assert_eq!(
            sorted(options).unwrap(),
            [key(1, Direction::Descending), key(0, Direction::Ascending)]
        );
        assert_eq!(sorted("{}").unwrap(), []);
    }

    #[test]
    fn what_is_not_there_cannot_be_sorted_by() {
        let error = sorted(r#"{"deduplicate-by": ["Nope"]}"#).unwrap_err();
        assert!(
            error.message.ends_with("they have 'Id', 'Seen'"),
            "{error:?}"
        );
        let error = sorted(r#"{"deduplicate-by": [{"column": "Id"}]}"#).unwrap_err();
        assert_eq!(error.code, "malformed-options");
    }
}

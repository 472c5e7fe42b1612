//! Tables and columns as case files write them.

use icehost_plan::{Column, ColumnType, Features, LakeType, SqlType, Table};
use serde::Deserialize;

/// A table: its name and its columns, each as `NAME TYPE` with `null`, `key`, `identity` and `read-only`
/// behind it where they apply.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableText {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// About how many rows it has.
    pub(crate) rows: Option<u64>,
}

impl TableText {
    pub(crate) fn table(&self) -> Result<Table, String> {
        let columns = columns(&self.columns)?;
        Ok(Table {
            name: self.name.clone(),
            features: Features {
                rowversion: columns
                    .iter()
                    .any(|c| c.column_type == ColumnType::Sql(SqlType::RowVersion)),
                ..Features::default()
            },
            columns,
            row_estimate: self.rows,
        })
    }
}

/// Columns; the key's come in the order in which they stand.
pub(crate) fn columns(texts: &[String]) -> Result<Vec<Column>, String> {
    let mut keys = 0;
    texts.iter().map(|text| column(text, &mut keys)).collect()
}

fn column(text: &str, keys: &mut u32) -> Result<Column, String> {
    let wrong = |why: String| format!("column '{text}': {why}");
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let mut flags = Vec::new();
    while let Some(flag) = words
        .last()
        .copied()
        .filter(|word| ["null", "key", "identity", "read-only"].contains(word))
    {
        flags.push(flag);
        words.pop();
    }
    let (name, type_words) = words
        .split_first()
        .filter(|(_, rest)| !rest.is_empty())
        .ok_or_else(|| wrong("a name and a type are wanted, such as Id int".to_owned()))?;
    let type_text = type_words.concat();
    // A lake's types have names of their own; those that both have mean the same here.
    let column_type = match type_text.parse::<SqlType>() {
        Ok(sql_type) => ColumnType::Sql(sql_type),
        Err(error) => match lake_type(&type_text) {
            Some(lake_type) => ColumnType::Lake(lake_type),
            None => return Err(wrong(error.to_string())),
        },
    };
    let mut column = Column::new(*name, column_type, flags.contains(&"null"));
    if flags.contains(&"key") {
        column.key_position = Some(*keys);
        *keys += 1;
    }
    column.identity = flags.contains(&"identity");
    column.read_only =
        flags.contains(&"read-only") || column_type == ColumnType::Sql(SqlType::RowVersion);
    Ok(column)
}

fn lake_type(text: &str) -> Option<LakeType> {
    Some(match text {
        "boolean" => LakeType::Boolean,
        "long" => LakeType::Long,
        "double" => LakeType::Double,
        "string" => LakeType::String,
        "timestamptz" => LakeType::TimestampTz,
        "uuid" => LakeType::Uuid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn columns_are_read_with_their_flags() {
        let texts = [
            "Id int identity key",
            "Price decimal(18, 4) null",
            "V rowversion",
        ];
        let columns = columns(&texts.map(str::to_owned)).unwrap();
        assert_eq!(columns[0].key_position, Some(0));
        assert!(columns[0].identity && !columns[0].nullable);
        assert_eq!(columns[1].column_type.to_string(), "decimal(18,4)");
        assert!(columns[1].nullable && columns[2].read_only);
    }

    #[test]
    fn what_is_no_column_is_refused_by_its_text() {
        for (text, says) in [("Id", "a name and a type"), ("Id inte", "inte")] {
            let error = columns(&[text.to_owned()]).unwrap_err();
            assert!(error.contains(text) && error.contains(says), "{error}");
        }
    }
}

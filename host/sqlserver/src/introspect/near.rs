//! Tables whose names are like one that does not exist.

use icehost_plan::{Length, SqlType, Value};

use super::catalog::Fields;
use crate::driver::Client;
use crate::edits::edits;
use crate::error::Result;
use crate::lower;
use crate::name::{TableName, quote};
use crate::statement::Parameters;

/// At most this many are suggested.
const SUGGESTIONS: usize = 3;
/// Names with at most this many different letters are alike.
const DISTANCE: usize = 2;

/// Up to three tables with a like name, best first.
pub(super) async fn names(client: &mut Client, name: &TableName) -> Result<Vec<String>> {
    let prefix = name
        .database()
        .map(|database| format!("{}.", quote(database)))
        .unwrap_or_default();
    let answer = client
        .batch(&format!(
            "SELECT TOP (2000) s.name, o.name FROM {prefix}sys.objects AS o \
             JOIN {prefix}sys.schemas AS s ON s.schema_id = o.schema_id \
             WHERE o.type IN ('U', 'V') ORDER BY o.name;"
        ))
        .await?;
    let wanted = name.table().to_lowercase();
    let mut alike = Vec::new();
    for row in answer.rows() {
        let mut fields = Fields::of(row);
        let (schema, table) = (fields.text()?, fields.text()?);
        let distance = edits(&wanted, &table.to_lowercase());
        if distance <= DISTANCE {
            alike.push((distance, TableName::new(schema, table).to_string()));
        }
    }
    alike.sort();
    alike.truncate(SUGGESTIONS);
    Ok(alike.into_iter().map(|(_, name)| name).collect())
}

/// What the name stands for, where it is that of a synonym.
pub(super) async fn synonym(client: &mut Client, name: &TableName) -> Result<Option<String>> {
    let mut parameters = Parameters::default();
    let nvarchar = SqlType::NVarChar(Length::Limited(4000));
    let object = parameters.add(nvarchar, Value::Text(name.sql()));
    let statement = parameters.finish(lower::synonym(name, &object));
    match client.run(&statement).await {
        Ok(answer) => match answer.rows().into_iter().next() {
            Some(row) => Fields::of(row).optional_text(),
            None => Ok(None),
        },
        // A server that does not know synonyms has none.
        Err(error) if error.number().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}

//! Which of two sets of keys are one, asked of the server.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use icehost_plan::{Column, ColumnType, Features, LakeType, SqlType, Table};

use super::Loader;
use crate::connection::Connection;
use crate::driver::{Cell, Rows};
use crate::error::{Result, SqlServerError};
use crate::introspect::{SqlColumn, SqlTable, Traits};
use crate::lower;
use crate::name::TableName;

/// More pairs than are told by any server: no more keys are asked about than a million, and few are spelled in more than
/// a handful of ways.
const MOST_PAIRS: usize = 8_000_000;
/// Bytes of a pair; and how many come at a time.
const LARGEST_PAIR: usize = 64;
const BLOCK_ROWS: usize = 8192;
const BLOCK_BYTES: usize = 256 << 10;

/// A column of a key, as the table that the keys are of has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its type.
    pub sql_type: SqlType,
    /// How its text compares.
    pub collation: Option<String>,
}

impl Connection {
    /// The pairs of keys, rows of `left` and of `right` from 0, that the server takes for one: both go into a
    /// temporary table whose columns have these types and collations, and it joins them.
    ///
    /// Any login may make a temporary table. It must not be called within a read that is under way.
    ///
    /// # Errors
    /// A key that a column cannot hold, and whatever the server reports.
    pub async fn same_keys(
        &mut self,
        key: &[KeyColumn],
        left: &[ArrayRef],
        right: &[ArrayRef],
    ) -> Result<Vec<(u32, u32)>> {
        let asking = |error: SqlServerError| error.context("asking which keys are one");
        let table = table(key);
        let columns = columns(key);
        let mut loader = Loader::begin(self, &table, &columns)
            .await
            .map_err(asking)?;
        for (side, keys) in (0..).zip([left, right]) {
            loader
                .stage(&batch(&columns, side, keys)?)
                .await
                .map_err(asking)?;
        }
        loader.end_load().await.map_err(asking)?;
        let statement = lower::keys::pairs(&loader.staging);
        let answer = loader
            .connection
            .client
            .stream(&statement, LARGEST_PAIR)
            .await;
        let pairs = read_pairs(answer.map_err(asking)?).await.map_err(asking)?;
        let drop = lower::keys::drop_staging(&loader.staging);
        loader
            .connection
            .client
            .batch(&drop)
            .await
            .map_err(asking)?;
        Ok(pairs)
    }
}

/// Reads pairs of numbers as they come: there may be more than fit into the bounds of other answers.
async fn read_pairs(mut rows: Rows<'_>) -> Result<Vec<(u32, u32)>> {
    let mut pairs = Vec::new();
    while let Some(block) = rows.next(BLOCK_ROWS, BLOCK_BYTES).await? {
        for row in 0..block.rows {
            match (block.cell(row, 0), block.cell(row, 1)) {
                (Some(Cell::Int(left)), Some(Cell::Int(right))) if left >= 0 && right >= 0 => {
                    pairs.push((left as u32, right as u32));
                }
                _ => {
                    return Err(SqlServerError::protocol(
                        "the server answered something else",
                    ));
                }
            }
            if pairs.len() > MOST_PAIRS {
                return Err(SqlServerError::protocol(format!(
                    "the server told more than {MOST_PAIRS} pairs"
                )));
            }
        }
    }
    Ok(pairs)
}

/// The name of a part of the key.
fn part(at: usize) -> String {
    format!("k{}", at + 1)
}

/// What the staging table takes types and collations from.
fn table(key: &[KeyColumn]) -> SqlTable {
    let columns: Vec<SqlColumn> = key
        .iter()
        .enumerate()
        .map(|(at, column)| SqlColumn {
            id: 0,
            name: part(at),
            sql_type: column.sql_type,
            nullable: true,
            identity: false,
            computed: false,
            collation: column.collation.clone(),
            default: None,
            masked: false,
        })
        .collect();
    let name = TableName::new("dbo", "keys");
    SqlTable {
        object_id: 0,
        created: None,
        database: String::new(),
        is_view: false,
        has_triggers: false,
        snapshot_isolation: false,
        table: Table {
            name: name.to_string(),
            columns: columns
                .iter()
                .map(|c| Column::new(&c.name, ColumnType::Sql(c.sql_type), true))
                .collect(),
            features: Features::default(),
            row_estimate: None,
        },
        name,
        columns,
        unique_keys: Vec::new(),
        clustered_key: Vec::new(),
        skipped: Vec::new(),
        traits: Traits::default(),
    }
}

/// The columns of the staging table: the key, on which side a key is and which it is.
fn columns(key: &[KeyColumn]) -> Vec<Column> {
    let parts = key.iter().enumerate();
    let parts =
        parts.map(|(at, column)| Column::new(part(at), ColumnType::Sql(column.sql_type), true));
    let number = |name| Column::new(name, ColumnType::Lake(LakeType::Int), false);
    parts
        .chain([
            number(lower::keys::SIDE.to_owned()),
            number(lower::keys::NUMBER.to_owned()),
        ])
        .collect()
}

fn batch(columns: &[Column], side: i32, keys: &[ArrayRef]) -> Result<RecordBatch> {
    let rows = keys.first().map_or(0, |column| column.len());
    let numbers = i32::try_from(rows).map(|rows| Int32Array::from_iter_values(0..rows));
    let numbers = numbers.map_err(|_| {
        SqlServerError::unsupported(format!("{rows} keys are more than can be asked about"))
    })?;
    let mut values: Vec<ArrayRef> = keys.to_vec();
    values.push(Arc::new(Int32Array::from_value(side, rows)));
    values.push(Arc::new(numbers));
    let named = columns
        .iter()
        .map(|column| column.name.as_str())
        .zip(values);
    RecordBatch::try_from_iter_with_nullable(named.map(|(name, values)| (name, values, true)))
        .map_err(|error| SqlServerError::protocol(format!("asking which keys are one: {error}")))
}

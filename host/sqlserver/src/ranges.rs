//! A table cut into ranges of its key.

use icehost_plan::{LogicalType, SqlType, Value};

use crate::connection::Connection;
use crate::error::{Result, SqlServerError};
use crate::extract;
use crate::introspect::{Fields, SqlTable};
use crate::lower;

impl SqlTable {
    /// The ordinals of the columns by which the table can be cut into ranges: those of the clustered index,
    /// whose ranges are read without looking at other rows, or else of the primary key or another unique
    /// key. `None` for a heap without a key, and where the keys have columns that are not carried, that have
    /// no order (`bit`), that change with each update (`rowversion`) or that are not `wanted`.
    pub fn range_key(&self, wanted: impl Fn(&str) -> bool) -> Option<Vec<u32>> {
        std::iter::once(&self.clustered_key)
            .chain(&self.unique_keys)
            .filter(|key| !key.is_empty())
            .find_map(|key| {
                key.iter()
                    .map(|name| {
                        let ordinal = self.columns.iter().position(|c| c.name == *name)?;
                        let sql_type = self.columns.get(ordinal)?.sql_type;
                        let has_order = sql_type.logical() != LogicalType::Boolean
                            && sql_type != SqlType::RowVersion
                            && wanted(name);
                        has_order.then_some(ordinal as u32)
                    })
                    .collect()
            })
    }
}

impl Connection {
    /// Reads the key of each `step`-th row in the key's order, as the server has it: ascending boundaries.
    /// `key` are ordinals, those of [`SqlTable::range_key`] for one.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn range_boundaries(
        &mut self,
        table: &SqlTable,
        key: &[u32],
        step: u64,
    ) -> Result<Vec<Vec<Value>>> {
        let statement = lower::range_boundaries(table, key, step)?;
        let context =
            |error: SqlServerError| error.context(format!("cutting {} into ranges", table.name));
        let answer = self.client.run(&statement).await.map_err(context)?;
        let mut boundaries = Vec::new();
        for row in answer.rows() {
            if row.len() != key.len() {
                return Err(SqlServerError::protocol(format!(
                    "cutting {} into ranges: {} values came for a key of {} columns",
                    table.name,
                    row.len(),
                    key.len()
                )));
            }
            boundaries.push(row.into_iter().map(extract::value).collect());
        }
        Ok(boundaries)
    }

    /// Counts the rows, which reads the table's smallest index.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn count_rows(&mut self, table: &SqlTable) -> Result<u64> {
        let sql = format!("SELECT COUNT_BIG(*) FROM {};", table.name.sql());
        let context =
            |error: SqlServerError| error.context(format!("counting the rows of {}", table.name));
        let answer = self.client.batch(&sql).await.map_err(context)?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        let rows = Fields::of(row).integer().map_err(context)?;
        u64::try_from(rows).map_err(|_| {
            context(SqlServerError::protocol(format!(
                "the server counted {rows}"
            )))
        })
    }

    /// Reads one row of the table, so that a SNAPSHOT transaction that has begun sees the database as it is
    /// now: it does so from its first query on.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn pin_read(&mut self, table: &SqlTable) -> Result<()> {
        let sql = format!("SELECT TOP (1) 1 FROM {};", table.name.sql());
        self.client
            .batch(&sql)
            .await
            .map(drop)
            .map_err(|error| error.context(format!("reading {}", table.name)))
    }
}

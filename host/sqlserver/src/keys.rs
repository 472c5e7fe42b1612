//! What only the server knows of keys.

use icehost_plan::Value;

use crate::connection::Connection;
use crate::error::{Result, SqlServerError};
use crate::extract;
use crate::introspect::SqlTable;
use crate::lower;

impl Connection {
    /// A key that stands in several rows of the table, or has NULL; `None` where there is none. `key` are
    /// ordinals. The server reads the whole table, or an index that has the columns.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn repeated_key(
        &mut self,
        table: &SqlTable,
        key: &[u32],
    ) -> Result<Option<Vec<Value>>> {
        let statement = lower::repeated_key(table, key)?;
        let answer = self.client.run(&statement).await;
        let answer = answer.map_err(|error: SqlServerError| {
            error.context(format!("looking for rows of {} with one key", table.name))
        })?;
        let row = answer.rows().into_iter().next();
        Ok(row.map(|row| row.into_iter().map(extract::value).collect()))
    }
}

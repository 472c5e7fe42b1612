//! What is asked of a source before it is read.

use icehost_plan::{Expression, Probe, SqlType, Value};

use crate::connection::Connection;
use crate::error::{Result, SqlServerError};
use crate::extract;
use crate::introspect::{Fields, SqlTable};
use crate::lower;
use crate::name::TableName;

impl Connection {
    /// Reads probes in one round trip, at full precision: ticks of 100 ns, all digits of decimals. The readings of
    /// all probes come one after the other.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a probe that is not SQL Server's, and for `MIN_ACTIVE_ROWVERSION()` where it
    /// would tell nothing of the table; whatever the server reports.
    pub async fn probe(&mut self, table: &SqlTable, probes: &[Probe]) -> Result<Vec<Value>> {
        if probes.is_empty() {
            return Ok(Vec::new());
        }
        if probes.contains(&Probe::MinActiveRowversion) {
            self.check_rowversions(table).await?;
        }
        let statement = lower::probes(table, probes)?;
        let answer = self
            .client
            .run(&statement)
            .await
            .map_err(|error| error.context(format!("probing {}", table.name)))?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        let wanted = Probe::width_of(probes);
        if row.len() != wanted {
            return Err(SqlServerError::protocol(format!(
                "probing {}: {} values came, not {wanted}",
                table.name,
                row.len()
            )));
        }
        Ok(row.into_iter().map(extract::value).collect())
    }

    /// `MIN_ACTIVE_ROWVERSION()` is of the connection's database, and of no use on a read-only replica (T-SQL
    /// reference, "MIN_ACTIVE_ROWVERSION").
    async fn check_rowversions(&mut self, table: &SqlTable) -> Result<()> {
        let database = self.server.database.clone();
        let elsewhere = |name: &TableName, there: &str| {
            SqlServerError::unsupported(format!(
                "{name} is in the database {there}, and MIN_ACTIVE_ROWVERSION() tells of {database} only, which the connection is to",
            ))
            .with_hint("name the table's own database in the connection, and the table without it")
        };
        if table.database != database {
            return Err(elsewhere(&table.name, &table.database));
        }
        if table.is_view {
            let is_rowversion = |name: &str| {
                let mut columns = table.columns.iter();
                columns.any(|c| c.sql_type == SqlType::RowVersion && c.name == *name)
            };
            let bases = self.base_columns(&table.name).await?;
            let mut bases = bases.into_iter().filter(|base| is_rowversion(&base.name));
            if let Some(base) = bases.find(|base| base.database != database) {
                return Err(elsewhere(&base.table, &base.database)
                    .context(format!("{} is a view", table.name)));
            }
        }
        let answer = self
            .client
            .run(&lower::updateability(None))
            .await
            .map_err(|error| error.context(format!("probing {}", table.name)))?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        match Fields::of(row).optional_text()?.as_deref() {
            Some("READ_ONLY") => Err(SqlServerError::unsupported(format!(
                "the database {database} is read-only, a readable secondary perhaps, where MIN_ACTIVE_ROWVERSION() does not hold"
            ))
            .with_hint("read from the primary, or find changes by another strategy, timestamp for example")),
            _ => Ok(()),
        }
    }

    /// Counts the rows that a filter lets through.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`](crate::ErrorKind::Plan) for a filter that is not one over the table; whatever the server reports.
    pub async fn count_of(&mut self, table: &SqlTable, filter: &Expression) -> Result<u64> {
        let context =
            |error: SqlServerError| error.context(format!("counting the rows of {}", table.name));
        let statement = lower::count_of(table, filter)?;
        let answer = self.client.run(&statement).await.map_err(context)?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        let rows = Fields::of(row).integer().map_err(context)?;
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    /// How many rows the table has now, as its server estimates; `None` where it does not.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn row_estimate(&mut self, table: &SqlTable) -> Result<Option<u64>> {
        let context =
            |error: SqlServerError| error.context(format!("counting the rows of {}", table.name));
        let sql = lower::row_estimate(&table.name, table.object_id);
        let answer = self.client.batch(&sql).await.map_err(context)?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        let rows = Fields::of(row).optional_integer().map_err(context)?;
        Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
    }
}

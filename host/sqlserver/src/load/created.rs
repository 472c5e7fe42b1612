//! Tables that a run creates, and takes away again where nothing came of it.

use crate::connection::Connection;
use crate::error::{Result, SqlServerError};
use crate::introspect::{Fields, SqlTable};
use crate::lower::{self, NewColumn};
use crate::name::TableName;
use crate::statement::Parameters;
use icehost_plan::{SqlType, Value};

use super::positions_table::{ALREADY_EXISTS, MAY_NOT_CREATE, PositionsLayout, TABLE};
use super::target_state::{NVARCHAR, key};

/// `Invalid object name …`
const NO_OBJECT: u32 = 208;
/// `… permission denied in database …`
const PERMISSION_DENIED: u32 = 262;

/// What became of a table that is not needed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Dropped,
    /// It has rows or a position, or is another table by now: someone else uses it.
    InUse,
    /// The server cannot look and drop in one step; the table stays, and was empty when it was made.
    Left,
}

impl Connection {
    /// Creates a table with a clustered primary key, and says whether it did: `false` where another run was
    /// faster. A `rowversion` becomes `binary(8)` and identity is not carried over: both get the values that
    /// the rows bring.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn create_table(
        &mut self,
        name: &TableName,
        columns: &[NewColumn],
        key: &[String],
    ) -> Result<bool> {
        let statement = lower::create_table(name, columns, key)?;
        match self.client.run(&statement).await {
            Ok(_) => Ok(true),
            Err(error) if error.number() == Some(ALREADY_EXISTS) => Ok(false),
            Err(error) => {
                let refused = error.number() == Some(PERMISSION_DENIED);
                let error = error.context(format!("creating table {name}"));
                Err(match refused {
                    true => error.with_hint(MAY_NOT_CREATE),
                    false => error,
                })
            }
        }
    }

    /// Whether the schema of a table that is yet to be created is there, as far as the login may know.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn has_schema_of(&mut self, table: &TableName) -> Result<bool> {
        let mut parameters = Parameters::default();
        let schema = table.schema().unwrap_or("dbo");
        let name = parameters.add(NVARCHAR, Value::Text(schema.to_owned()));
        let statement = parameters.finish(lower::schema_is_there(table, &name));
        let answer =
            self.client.run(&statement).await.map_err(|error| {
                error.context(format!("looking for the schema of table {table}"))
            })?;
        Fields::of(answer.rows().into_iter().next().unwrap_or_default()).flag()
    }

    /// Drops a table that this caller has created, if nobody has used it since: it has no row and no position,
    /// and its name still stands for it. Look and drop are one transaction that holds the table's exclusive
    /// lock, so a run that is about to fill it either has done so, and the table stays, or finds it gone.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn drop_unused_table(&mut self, table: &SqlTable) -> Result<Removal> {
        // Someone may fill it between the look and the drop.
        if self.server.quirks.ignores_lock_hints {
            return Ok(Removal::Left);
        }
        let dropping = |error: SqlServerError| {
            error.context(format!(
                "removing the table {} that was created",
                table.name
            ))
        };
        let begin = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN TRANSACTION;";
        self.client.batch(begin).await.map_err(dropping)?;
        let looked = self.look_and_drop(table).await;
        let end = match looked {
            Ok(Removal::Dropped) => "COMMIT TRANSACTION;",
            _ => "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;",
        };
        let ended = self.client.batch(end).await;
        let removal = looked.map_err(dropping)?;
        ended.map_err(dropping)?;
        Ok(removal)
    }

    /// The positions are looked at before the table is locked: a run that has claimed its position is waited
    /// for, and not the other way round.
    async fn look_and_drop(&mut self, table: &SqlTable) -> Result<Removal> {
        if self.has_position(table).await? {
            return Ok(Removal::InUse);
        }
        let sql = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM {} WITH (TABLOCKX, HOLDLOCK)) THEN 1 ELSE 0 END;",
            table.name.sql()
        );
        let filled = match self.client.batch(&sql).await {
            Ok(answer) => {
                let row = answer.rows().into_iter().next().unwrap_or_default();
                Fields::of(row).flag()?
            }
            Err(error) if error.number() == Some(NO_OBJECT) => return Ok(Removal::InUse),
            Err(error) => return Err(error),
        };
        let identity = self.table_identity(&table.name).await?;
        let same = identity.is_some_and(|now| now.object_id == table.object_id);
        if filled || !same {
            return Ok(Removal::InUse);
        }
        self.client
            .batch(&format!("DROP TABLE {};", table.name.sql()))
            .await?;
        Ok(Removal::Dropped)
    }

    /// Whether some lake table has delivered into this very table. A position that does not say which table it
    /// belongs to counts.
    async fn has_position(&mut self, table: &SqlTable) -> Result<bool> {
        let layout = self.find_positions().await?;
        if layout == PositionsLayout::Missing {
            return Ok(false);
        }
        let mut parameters = Parameters::default();
        let name = parameters.add(NVARCHAR, Value::Text(key(table)));
        let this = match layout {
            PositionsLayout::Bound | PositionsLayout::Current => {
                let id = parameters.add(SqlType::Int, Value::Integer(table.object_id.into()));
                format!(" AND ([target_object_id] IS NULL OR [target_object_id] = {id})")
            }
            _ => String::new(),
        };
        let statement = parameters.finish(format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE [target_table] = {name}{this}) THEN 1 ELSE 0 END;"
        ));
        let answer = self.client.run(&statement).await?;
        let row = answer.rows().into_iter().next().unwrap_or_default();
        Fields::of(row).flag()
    }
}

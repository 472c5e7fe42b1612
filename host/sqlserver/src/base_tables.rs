//! Which tables the columns of a view are of.

use icehost_plan::{Length, SqlType, Value};

use crate::connection::Connection;
use crate::driver::Client;
use crate::error::{ErrorKind, Result};
use crate::introspect::Fields;
use crate::lower;
use crate::name::TableName;
use crate::statement::Parameters;

/// A column of a view that a table has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseColumn {
    /// The view's name for it.
    pub name: String,
    /// The database that the table is in.
    pub database: String,
    /// The table, named with its database.
    pub table: TableName,
}

impl Connection {
    /// The columns of a view that tables of its server have, as far as the server tells: none that is computed, none
    /// of a linked server.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn base_columns(&mut self, view: &TableName) -> Result<Vec<BaseColumn>> {
        of_view(&mut self.client, view).await
    }
}

async fn of_view(client: &mut Client, view: &TableName) -> Result<Vec<BaseColumn>> {
    let mut parameters = Parameters::default();
    let nvarchar = SqlType::NVarChar(Length::Limited(4000));
    let query = Value::Text(format!("SELECT * FROM {}", view.sql()));
    let query = parameters.add(nvarchar, query);
    let statement = parameters.finish(lower::base_columns(&query));
    let answer = match client.run(&statement).await {
        Ok(answer) => answer,
        Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {
            tracing::debug!(%error, %view, "the server does not tell what a view is over");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.context(format!("asking what {view} is over"))),
    };
    let mut found = Vec::new();
    for row in answer.rows() {
        let mut fields = Fields::of(row);
        let mut next = || fields.optional_text();
        if let (Some(name), Some(database), Some(schema), Some(table)) =
            (next()?, next()?, next()?, next()?)
        {
            let table = TableName::new(schema, table).within(&database);
            found.push(BaseColumn {
                name,
                database,
                table,
            });
        }
    }
    Ok(found)
}

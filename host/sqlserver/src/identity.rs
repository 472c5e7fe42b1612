//! Which table a name stands for, on whatever server it is reached by whatever address.

use icehost_plan::{Length, SqlType, Value};

use crate::connection::Connection;
use crate::error::{ErrorKind, Result};
use crate::introspect::Fields;
use crate::name::TableName;
use crate::statement::Parameters;

/// A table as its server tells it from all others: two that are equal are one table.
///
/// A server has a name, but a copy of a machine may have the same. So the moment counts at which the instance was
/// started, which is when its `tempdb` was created (SQL Server documentation, "tempdb database").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOnServer {
    server: Option<String>,
    started: Option<String>,
    database: i64,
    database_created: Option<String>,
    object: i64,
}

impl TableOnServer {
    /// The table's name among all, for as long as it exists, however often its server is started; `None` where the
    /// server does not tell enough.
    pub fn lasting(&self) -> Option<String> {
        let (server, created) = (self.server.as_ref()?, self.database_created.as_ref()?);
        Some(format!(
            "{server}/{} of {created}/{}",
            self.database, self.object
        ))
    }
}

impl Connection {
    /// Which table the name stands for; `None` where there is none, and where the server does not tell.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn table_on_server(&mut self, name: &TableName) -> Result<Option<TableOnServer>> {
        let nvarchar = SqlType::NVarChar(Length::Limited(4000));
        let mut parameters = Parameters::default();
        let object = parameters.add(nvarchar, Value::Text(name.sql()));
        let database = match name.database() {
            Some(database) => {
                let database = parameters.add(nvarchar, Value::Text(database.to_owned()));
                format!("DB_ID({database})")
            }
            None => "DB_ID()".to_owned(),
        };
        let created =
            "SELECT CONVERT(nvarchar(40), d.create_date, 121) FROM sys.databases AS d WHERE";
        let statement = parameters.finish(format!(
            "SELECT CONVERT(nvarchar(256), SERVERPROPERTY('ServerName')), ({created} d.name = N'tempdb'),
       {database}, ({created} d.database_id = {database}), OBJECT_ID({object});"
        ));
        let answer = match self.client.run(&statement).await {
            Ok(answer) => answer,
            Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => {
                tracing::debug!(%error, table = %name, "the server does not tell which table it is");
                return Ok(None);
            }
            Err(error) => return Err(error.context(format!("asking which table {name} is"))),
        };
        let mut fields = Fields::of(answer.rows().into_iter().next().unwrap_or_default());
        let (server, started) = (fields.optional_text()?, fields.optional_text()?);
        let database = fields.optional_integer()?;
        let database_created = fields.optional_text()?;
        let object = fields.optional_integer()?;
        Ok(database
            .zip(object)
            .map(|(database, object)| TableOnServer {
                server,
                started,
                database,
                database_created,
                object,
            }))
    }
}

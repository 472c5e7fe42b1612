//! What icehost knows of a SQL Server table.

use icehost_plan::{SqlType, Table};

use super::Traits;
use crate::error::{Result, SqlServerError};
use crate::name::TableName;

/// A table or view of SQL Server, with the columns that the job carries.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlTable {
    /// Its name, spelled as the server does, with the schema that it was found in.
    pub name: TableName,
    /// `object_id`; the server's number for it.
    pub object_id: i32,
    /// `sys.objects.create_date`, as text: a table that is dropped and created again has another one. `None` where
    /// the server has none that stays.
    pub created: Option<String>,
    /// The database that it is in.
    pub database: String,
    /// It is a view.
    pub is_view: bool,
    /// It has a trigger that is not disabled.
    pub has_triggers: bool,
    /// SNAPSHOT transactions can read the database: it allows them, and is not on its way to another state.
    pub snapshot_isolation: bool,
    /// The table as strategies and plans see it; its columns are those of `columns`.
    pub table: Table,
    /// What SQL Server has to say of each column, in the order of `table.columns`.
    pub columns: Vec<SqlColumn>,
    /// The column names of each unique key, the primary key first; only keys whose columns are all carried.
    pub unique_keys: Vec<Vec<String>>,
    /// The columns of the clustered index, unique or not, in whose order the rows lie; empty for a heap, and
    /// where not all of them are carried.
    pub clustered_key: Vec<String>,
    /// What it is beside a table.
    pub traits: Traits,
    /// Columns that were passed over because icehost does not carry their type: name and type.
    pub skipped: Vec<(String, String)>,
}

/// A column of SQL Server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlColumn {
    /// `sys.columns.column_id`; a column that is dropped and added again has another one, under the same name (T-SQL
    /// reference, "sys.columns"). 0 where it is not of a server's table.
    pub id: i32,
    /// As the server spells it.
    pub name: String,
    /// The type; an alias type is resolved to its base type.
    pub sql_type: SqlType,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// An identity column.
    pub identity: bool,
    /// A computed column, or one that the server generates.
    pub computed: bool,
    /// The collation of a text column.
    pub collation: Option<String>,
    /// The expression of its default, empty where the login is not shown it.
    pub default: Option<String>,
    /// The login is shown something else than its values (dynamic data masking).
    pub masked: bool,
}

impl SqlTable {
    /// The column at a plan's ordinal.
    pub(crate) fn column(&self, ordinal: u32) -> Result<&SqlColumn> {
        self.columns.get(ordinal as usize).ok_or_else(|| {
            SqlServerError::plan(format!(
                "{}: column {ordinal} of the plan is not in the table, which has {} columns",
                self.name,
                self.columns.len()
            ))
        })
    }

    /// The ordinal of the column called `name`: exactly so, or else but for the case if that is one only.
    pub fn ordinal(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.name == name);
        exact.or_else(|| {
            let folded = name.to_lowercase();
            let mut alike = (0..self.columns.len()).filter(|&i| {
                self.columns
                    .get(i)
                    .is_some_and(|c| c.name.to_lowercase() == folded)
            });
            match (alike.next(), alike.next()) {
                (Some(only), None) => Some(only),
                _ => None,
            }
        })
    }
}

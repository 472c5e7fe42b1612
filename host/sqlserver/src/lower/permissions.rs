//! Questions about what the login may do (T-SQL reference, "HAS_PERMS_BY_NAME"): each answers 1, 0, or NULL where the
//! server knows none of what is asked.

use icehost_plan::{Length, SqlType, Value};

use crate::name::{TableName, quote};
use crate::permissions::Permission;
use crate::statement::{Parameters, Statement};

/// Whether the login has each of these permissions on a table, in their order. Reading counts column by column, where
/// there are any: it is granted on the table, or on each column that is read.
pub fn table_permissions(table: &TableName, columns: &[&str], wanted: &[Permission]) -> Statement {
    let mut asked = Asked::default();
    let object = asked.name(table.sql());
    for permission in wanted {
        let question = match permission {
            Permission::Select if !columns.is_empty() => {
                let each = columns
                    .iter()
                    .map(|column| asked.of_column(&object, column, "SELECT"));
                each.collect::<Vec<_>>().join(" & ")
            }
            Permission::Select | Permission::Insert | Permission::Update | Permission::Delete => {
                format!("HAS_PERMS_BY_NAME({object}, N'OBJECT', N'{permission}')")
            }
        };
        asked.questions.push(question);
    }
    asked.finish()
}

/// Whether the login may create tables in the connection's database, and whether in this schema.
pub fn create_permissions(schema: &str) -> Statement {
    let mut asked = Asked::default();
    let schema = asked.name(quote(schema));
    asked.questions = vec![
        "HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE')".to_owned(),
        format!("HAS_PERMS_BY_NAME({schema}, N'SCHEMA', N'ALTER')"),
    ];
    asked.finish()
}

/// Whether the login is shown what masks hide, everywhere in the table's database and then in each column.
pub fn unmask_permissions(table: &TableName, columns: &[String]) -> Statement {
    let mut asked = Asked::default();
    let object = asked.name(table.sql());
    let database = match table.database() {
        Some(database) => asked.name(quote(database)),
        None => "DB_NAME()".to_owned(),
    };
    let everywhere = format!("HAS_PERMS_BY_NAME({database}, N'DATABASE', N'UNMASK')");
    asked.questions.push(everywhere);
    for column in columns {
        let question = asked.of_column(&object, column, "UNMASK");
        asked.questions.push(question);
    }
    asked.finish()
}

#[derive(Default)]
struct Asked {
    parameters: Parameters,
    questions: Vec<String>,
}

impl Asked {
    fn name(&mut self, name: String) -> String {
        let nvarchar = SqlType::NVarChar(Length::Limited(4000));
        self.parameters.add(nvarchar, Value::Text(name))
    }

    /// A column is named without brackets.
    fn of_column(&mut self, object: &str, column: &str, permission: &str) -> String {
        let column = self.name(column.to_owned());
        format!("HAS_PERMS_BY_NAME({object}, N'OBJECT', N'{permission}', {column}, N'COLUMN')")
    }

    fn finish(self) -> Statement {
        let sql = format!("SELECT {};", self.questions.join(", "));
        self.parameters.finish(sql)
    }
}

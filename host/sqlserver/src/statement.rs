//! A T-SQL statement with its parameters.

use std::fmt;

use icehost_plan::{SqlType, Value};

/// A statement as it is sent: `sp_executesql` with typed parameters.
///
/// `Display` shows the parameters in front, as `DECLARE`s, so that the whole can be read (and run) by people.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The T-SQL text; parameters are `@v1`, `@v2`, …
    pub sql: String,
    /// The parameters, in order.
    pub parameters: Vec<Parameter>,
}

/// A typed value behind a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// With its `@`.
    pub name: String,
    /// The declared type.
    pub sql_type: SqlType,
    /// The value; one that the type holds exactly.
    pub value: Value,
}

impl Statement {
    /// A statement without parameters.
    pub fn plain(sql: impl Into<String>) -> Statement {
        Statement {
            sql: sql.into(),
            parameters: Vec::new(),
        }
    }

    /// The parameters as `sp_executesql` wants them declared, `@v1 int, @v2 datetime`, each of the type that
    /// it is sent as.
    pub(crate) fn declarations(&self, sent_as: impl Fn(SqlType) -> SqlType) -> String {
        let declared: Vec<String> = self
            .parameters
            .iter()
            .map(|p| format!("{} {}", p.name, sent_as(p.declared_type())))
            .collect();
        declared.join(", ")
    }
}

impl Parameter {
    /// `rowversion` is a column's type only; its values are `binary(8)`.
    fn declared_type(&self) -> SqlType {
        self.sql_type.of_values()
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for parameter in &self.parameters {
            writeln!(
                f,
                "DECLARE {} {} = {};",
                parameter.name,
                parameter.declared_type(),
                literal(&parameter.value)
            )?;
        }
        f.write_str(&self.sql)
    }
}

/// A value as T-SQL writes it; for people, never for the server.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(v) => u8::from(*v).to_string(),
        Value::Text(text) => format!("N'{}'", text.replace('\'', "''")),
        Value::Integer(_) | Value::Double(_) | Value::Decimal { .. } | Value::Binary(_) => {
            value.text()
        }
        Value::Date(_)
        | Value::Time(_)
        | Value::Timestamp(_)
        | Value::TimestampTz { .. }
        | Value::Uuid(_) => format!("'{}'", value.text()),
    }
}

/// Collects the parameters of a statement while its text is written.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<Parameter>);

impl Parameters {
    /// Adds a parameter and gives its name.
    pub(crate) fn add(&mut self, sql_type: SqlType, value: Value) -> String {
        let name = format!("@v{}", self.0.len() + 1);
        self.0.push(Parameter {
            name: name.clone(),
            sql_type,
            value,
        });
        name
    }

    pub(crate) fn finish(self, sql: String) -> Statement {
        Statement {
            sql,
            parameters: self.0,
        }
    }
}

//! Names of tables, and quoting.

use std::fmt;

use crate::error::{Result, SqlServerError};

/// Longest identifier, in UTF-16 units (T-SQL reference, "Database identifiers").
const MAX_IDENTIFIER: usize = 128;

/// `identifier` in brackets, safe to stand in a statement.
pub fn quote(identifier: &str) -> String {
    format!("[{}]", identifier.replace(']', "]]"))
}

/// A table or view: `[database.][schema.]table`.
///
/// `Display` is the shortest form that [`TableName::parse`] reads back; [`TableName::sql`] is the form for
/// statements, always quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    database: Option<String>,
    schema: Option<String>,
    table: String,
}

impl TableName {
    /// A table in a schema of the connection's database.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> TableName {
        TableName {
            database: None,
            schema: Some(schema.into()),
            table: table.into(),
        }
    }

    /// Reads `Customers`, `dbo.Customers`, `db.dbo.Customers`, `db..Customers`, with each part plain, in
    /// brackets (`]` doubled) or in double quotes (`"` doubled). A name without schema is looked up in the
    /// login's default schema.
    ///
    /// # Errors
    /// [`ErrorKind::Address`](crate::ErrorKind::Address) for what is not such a name.
    pub fn parse(text: &str) -> Result<TableName> {
        let wrong = |why: &str| {
            let text = icehost_untrusted::given(text);
            SqlServerError::address(format!("{text} is not a table name: {why}")).with_hint(
                "write schema.table; put a part with special characters in brackets, a ']' doubled",
            )
        };
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, behind) = parse_part(rest).map_err(wrong)?;
            if part.encode_utf16().count() > MAX_IDENTIFIER {
                return Err(wrong("a part has more than 128 characters"));
            }
            if part.contains('\0') {
                return Err(wrong("a part has a NUL character"));
            }
            parts.push(part);
            match behind.strip_prefix('.') {
                Some(behind) => rest = behind,
                None if behind.is_empty() => break,
                None => return Err(wrong("something follows the closing quote")),
            }
        }
        let table = parts.pop().filter(|part| !part.is_empty());
        let table = table.ok_or_else(|| wrong("the table's part is empty"))?;
        let schema = parts.pop();
        let database = parts.pop();
        if !parts.is_empty() {
            return Err(wrong("it has more than three parts"));
        }
        if database.as_deref() == Some("") || (database.is_none() && schema.as_deref() == Some(""))
        {
            return Err(wrong("it starts with an empty part"));
        }
        Ok(TableName {
            database,
            schema: schema.filter(|schema| !schema.is_empty()),
            table,
        })
    }

    /// The database; `None` is the connection's.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The schema; `None` is the login's default schema.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The name as a statement has it: every part in brackets.
    pub fn sql(&self) -> String {
        match (&self.database, &self.schema) {
            (Some(database), schema) => format!(
                "{}.{}.{}",
                quote(database),
                schema.as_deref().map(quote).unwrap_or_default(),
                quote(&self.table)
            ),
            (None, Some(schema)) => format!("{}.{}", quote(schema), quote(&self.table)),
            (None, None) => quote(&self.table),
        }
    }

    /// The same name in a database.
    pub(crate) fn within(self, database: &str) -> TableName {
        TableName {
            database: Some(database.to_owned()),
            ..self
        }
    }

    /// The same table with the schema and spelling that the server has for it.
    pub(crate) fn resolved(&self, schema: String, table: String) -> TableName {
        TableName {
            database: self.database.clone(),
            schema: Some(schema),
            table,
        }
    }
}

/// The first part of a name and what is behind it.
fn parse_part(text: &str) -> std::result::Result<(String, &str), &'static str> {
    let text = text.trim_start();
    let close = match text.chars().next() {
        Some('[') => ']',
        Some('"') => '"',
        _ => {
            let end = text.find('.').unwrap_or(text.len());
            let part = text[..end].trim();
            if part.contains(['[', ']', '"', '\'', ';']) {
                return Err("a part with brackets, quotes or ';' must itself be quoted");
            }
            return Ok((part.to_owned(), &text[end..]));
        }
    };
    let mut part = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            part.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == close) {
            chars.next();
            part.push(close);
        } else {
            return Ok((part, &text[at + c.len_utf8()..]));
        }
    }
    Err("a quoted part does not end")
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |part: &str| {
            let simple = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$');
            if !part.is_empty() && part.chars().all(simple) {
                part.to_owned()
            } else {
                quote(part)
            }
        };
        match (&self.database, &self.schema) {
            (Some(database), Some(schema)) => write!(f, "{}.{}.", plain(database), plain(schema))?,
            (Some(database), None) => write!(f, "{}..", plain(database))?,
            (None, Some(schema)) => write!(f, "{}.", plain(schema))?,
            (None, None) => {}
        }
        f.write_str(&plain(&self.table))
    }
}

impl std::str::FromStr for TableName {
    type Err = SqlServerError;

    fn from_str(text: &str) -> Result<Self> {
        TableName::parse(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_with_every_kind_of_quote() {
        for (text, sql) in [
            ("Customers", "[Customers]"),
            ("dbo.Customers", "[dbo].[Customers]"),
            ("Sales.dbo.Customers", "[Sales].[dbo].[Customers]"),
            ("Sales..Customers", "[Sales]..[Customers]"),
            ("dbo.[we]]ird, \"name\"]", "[dbo].[we]]ird, \"name\"]"),
            ("\"a \"\"b\"\"\".[c.d]", "[a \"b\"].[c.d]"),
            (" dbo . Customers ", "[dbo].[Customers]"),
        ] {
            assert_eq!(TableName::parse(text).unwrap().sql(), sql, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_name_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a.b.c.d", "[a", "[a]b", "a]b", "a;b", "\"a", "dbo.", "[]",
        ] {
            assert!(TableName::parse(text).is_err(), "{text}");
        }
        let long = "x".repeat(129);
        assert!(TableName::parse(&long).is_err());
    }

    proptest! {
        #[test]
        fn display_and_sql_read_back(
            schema in proptest::option::of("[^\0]{1,20}"),
            table in "[^\0]{1,20}",
        ) {
            let name = TableName { database: None, schema, table };
            prop_assert_eq!(&TableName::parse(&name.sql()).unwrap(), &name);
            prop_assert_eq!(&TableName::parse(&name.to_string()).unwrap(), &name);
        }
    }
}

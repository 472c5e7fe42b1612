//! ADO.NET connection strings: `Server=…;Database=…;User Id=…;Password=…`.

use super::Endpoint;
use super::setting::{self, Setting};
use crate::error::{Result, SqlServerError};

/// Reads a connection string. Source: .NET `DbConnectionStringBuilder`: keywords end at `=`, values may stand in single or double quotes, in which the quote is doubled; of two
/// settings of one keyword the last wins.
///
/// An error quotes no value, and no keyword but those that are known: a password that is not quoted, or a `;` that
/// is missing, can make either of anything.
pub(super) fn parse(text: &str) -> Result<Endpoint> {
    let mut endpoint = Endpoint::new();
    let mut rest = Cursor { rest: text };
    let mut behind_password = false;
    while let Some(name) = rest.keyword(behind_password)? {
        let value = rest.value(&name, behind_password)?;
        let Some(setting) = Setting::from_name(&name) else {
            return Err(if behind_password {
                broken_password()
            } else {
                setting::unknown(&name)
            });
        };
        if setting != Setting::Password && !value.quoted && value.text.contains('=') {
            return Err(SqlServerError::address(format!(
                "the value of '{name}' has an '=': a ';' seems to be missing in front of a setting"
            ))
            .with_hint("write Server=host,1433;Database=…;User Id=…;Password=…; a value that has '=' stands in quotes"));
        }
        behind_password = setting == Setting::Password;
        setting.apply(&name, value.text, &mut endpoint)?;
    }
    Ok(endpoint)
}

fn broken_password() -> SqlServerError {
    SqlServerError::address("what follows the password is not a setting that icehost knows")
        .with_hint("a password with ';', '=' or quotes stands in quotes: Password=\"pass;word\"")
}

struct Cursor<'a> {
    rest: &'a str,
}

struct Value {
    text: String,
    quoted: bool,
}

impl Cursor<'_> {
    /// The next keyword, `None` at the end.
    fn keyword(&mut self, behind_password: bool) -> Result<Option<String>> {
        self.rest = self.rest.trim_start_matches([';', ' ', '\t', '\r', '\n']);
        if self.rest.is_empty() {
            return Ok(None);
        }
        let end = self.rest.find(['=', ';']).unwrap_or(self.rest.len());
        let (name, behind) = self.rest.split_at(end);
        if let Some(value) = behind.strip_prefix('=') {
            self.rest = value;
            return Ok(Some(name.trim().to_owned()));
        }
        Err(if behind_password {
            broken_password()
        } else {
            SqlServerError::address("a part of the connection string has no '='")
                .with_hint("write Server=host,1433;Database=…;User Id=…;Password=…")
        })
    }

    /// The value of `name`.
    fn value(&mut self, name: &str, behind_password: bool) -> Result<Value> {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            let end = self.rest.find(';').unwrap_or(self.rest.len());
            let text = self.rest[..end].trim().to_owned();
            self.rest = &self.rest[end..];
            return Ok(Value {
                text,
                quoted: false,
            });
        };
        let unclosed = || match Setting::from_name(name) {
            None if behind_password => broken_password(),
            known => {
                let of = known.map_or(String::new(), |_| format!(" of '{name}'"));
                SqlServerError::address(format!("the quoted value{of} does not end"))
                    .with_hint("close the quotes; inside them, a quote is written twice")
            }
        };
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                text.push(quote);
            } else {
                let behind = self.rest[at + 1..].trim_start_matches([' ', '\t']);
                if !behind.is_empty() && !behind.starts_with(';') {
                    return Err(unclosed());
                }
                self.rest = behind;
                return Ok(Value { text, quoted: true });
            }
        }
        Err(unclosed())
    }
}

//! The parameter declarations of `sp_executesql` and its kin: `@a int, @b nvarchar(50) OUTPUT`.

use icehost_devengine::session::SqlError;
use icehost_devengine::types::SqlType;

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declaration {
    /// With its `@`.
    pub(crate) name: String,
    pub(crate) sql_type: SqlType,
    pub(crate) output: bool,
}

/// Reads the declarations.
///
/// # Errors
/// 102 where they do not parse, 134 for a name that comes twice, 2715 for an unknown type.
pub(crate) fn parse(text: &str) -> Result<Vec<Declaration>, SqlError> {
    let mut declarations: Vec<Declaration> = Vec::new();
    for part in split(text)
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let declaration = parse_one(part)?;
        if declarations
            .iter()
            .any(|earlier| earlier.name.eq_ignore_ascii_case(&declaration.name))
        {
            return Err(error(
                134,
                &format!(
                    "The variable name '{}' has already been declared. Variable names must be unique within a query \
                     batch or stored procedure.",
                    declaration.name
                ),
            ));
        }
        declarations.push(declaration);
    }
    Ok(declarations)
}

/// Splits at the commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0u32;
    let mut start = 0;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

fn parse_one(text: &str) -> Result<Declaration, SqlError> {
    let (name, rest) = text
        .split_once(char::is_whitespace)
        .filter(|(name, _)| name.len() > 1 && name.starts_with('@'))
        .ok_or_else(|| syntax(text))?;
    let mut rest = rest.trim();
    if let Some(after) = strip_word(rest, "as", true) {
        rest = after;
    }
    if rest.contains('=') {
        return Err(refused("a default value in a parameter declaration", text));
    }
    if strip_word(rest, "readonly", false).is_some() {
        return Err(refused("a table-valued parameter", text));
    }
    let mut output = false;
    for word in ["output", "out"] {
        if let Some(before) = strip_word(rest, word, false) {
            rest = before;
            output = true;
        }
    }
    Ok(Declaration {
        name: name.to_owned(),
        sql_type: parse_type(rest)?,
        output,
    })
}

/// Takes a word off the start or the end.
fn strip_word<'a>(text: &'a str, word: &str, at_start: bool) -> Option<&'a str> {
    let cut = text.len().checked_sub(word.len())?;
    let (found, rest, boundary) = if at_start {
        let (found, rest) = text.split_at_checked(word.len())?;
        (found, rest, rest.chars().next())
    } else {
        let (rest, found) = text.split_at_checked(cut)?;
        (found, rest, rest.chars().next_back())
    };
    (found.eq_ignore_ascii_case(word) && boundary.is_some_and(|c| c.is_whitespace() || c == ')'))
        .then(|| rest.trim())
}

fn parse_type(text: &str) -> Result<SqlType, SqlError> {
    let (name, arguments) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let inner = rest.trim().strip_suffix(')').ok_or_else(|| syntax(text))?;
            (
                name,
                Some(inner.split(',').map(str::trim).collect::<Vec<_>>()),
            )
        }
    };
    let name: String = name
        .trim()
        .chars()
        .filter(|c| !matches!(c, '[' | ']' | '"'))
        .collect::<String>()
        .to_ascii_lowercase();
    let name = name.strip_prefix("sys.").unwrap_or(&name);
    let arguments = arguments.as_deref();
    let number = |index: usize, default: u16| match arguments.and_then(|list| list.get(index)) {
        None => Ok(default),
        Some(number) => number.parse::<u16>().map_err(|_| syntax(number)),
    };
    let length = |most: u16| match number(0, 1)? {
        length if (1..=most).contains(&length) => Ok(length),
        length => Err(error(
            131,
            &format!(
                "The size ({length}) given to the type '{name}' exceeds the maximum allowed ({most})."
            ),
        )),
    };
    let length_or_max = |most: u16| match arguments {
        Some([max]) if max.eq_ignore_ascii_case("max") => Ok(None),
        _ => length(most).map(Some),
    };
    let scale = || match number(0, 7)? {
        scale @ 0..=7 => Ok(u8::try_from(scale).unwrap_or(7)),
        scale => Err(error(1002, &format!("Specified scale {scale} is invalid."))),
    };
    Ok(match name {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "money" => SqlType::Money,
        "smallmoney" => SqlType::SmallMoney,
        "real" => SqlType::Real,
        "float" | "double precision" => match number(0, 53)? {
            1..=24 => SqlType::Real,
            25..=53 => SqlType::Float,
            digits => {
                return Err(error(
                    2750,
                    &format!("Specified column precision {digits} is invalid."),
                ));
            }
        },
        "decimal" | "dec" | "numeric" => {
            let precision = u8::try_from(number(0, 18)?).unwrap_or(u8::MAX);
            let scale = u8::try_from(number(1, 0)?).unwrap_or(u8::MAX);
            if !(1..=38).contains(&precision) || scale > precision {
                return Err(error(
                    2750,
                    &format!("Precision {precision} and scale {scale} do not make a {name}."),
                ));
            }
            SqlType::Decimal {
                precision,
                scale,
                numeric: name == "numeric",
            }
        }
        "char" | "character" => SqlType::Char {
            length: length(8000)?,
        },
        "varchar" | "char varying" | "character varying" => SqlType::VarChar {
            length: length_or_max(8000)?,
        },
        "nchar" | "national char" | "national character" => SqlType::NChar {
            length: length(4000)?,
        },
        "nvarchar" | "national char varying" | "national character varying" => SqlType::NVarChar {
            length: length_or_max(4000)?,
        },
        "binary" => SqlType::Binary {
            length: length(8000)?,
        },
        "varbinary" | "binary varying" => SqlType::VarBinary {
            length: length_or_max(8000)?,
        },
        // What old clients declare for large values; the engine knows only their successors.
        "text" => SqlType::VarChar { length: None },
        "ntext" => SqlType::NVarChar { length: None },
        "image" => SqlType::VarBinary { length: None },
        "date" => SqlType::Date,
        "time" => SqlType::Time { scale: scale()? },
        "datetime" => SqlType::DateTime,
        "smalldatetime" => SqlType::SmallDateTime,
        "datetime2" => SqlType::DateTime2 { scale: scale()? },
        "datetimeoffset" => SqlType::DateTimeOffset { scale: scale()? },
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "timestamp" | "rowversion" => SqlType::RowVersion,
        "sysname" => SqlType::SysName,
        "sql_variant" => SqlType::SqlVariant,
        "xml" => return Err(refused("the type xml", text)),
        _ => {
            return Err(error(2715, &format!("Cannot find data type {name}.")));
        }
    })
}

fn error(number: u32, message: &str) -> SqlError {
    SqlError {
        number,
        state: 1,
        class: 15,
        message: message.to_owned(),
        line: 1,
        aborts_batch: true,
    }
}

fn syntax(near: &str) -> SqlError {
    error(102, &format!("Incorrect syntax near '{near}'."))
}

fn refused(what: &str, text: &str) -> SqlError {
    error(
        crate::protocol_error::NOT_SUPPORTED,
        &format!("the development server does not support {what}: {text}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn one(text: &str) -> Declaration {
        let mut all = parse(text).unwrap();
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0)
    }

    #[test]
    fn a_list_is_split_outside_of_parentheses() {
        let all = parse("@a decimal(10, 2),@b nvarchar(max) , @c int OUTPUT").unwrap();
        let names: Vec<_> = all.iter().map(|d| (d.name.as_str(), d.output)).collect();
        assert_eq!(names, [("@a", false), ("@b", false), ("@c", true)]);
        assert_eq!(all[1].sql_type, SqlType::NVarChar { length: None });
    }

    #[test]
    fn types_read_as_t_sql_has_them() {
        for (text, expected) in [
            ("@p varchar", SqlType::VarChar { length: Some(1) }),
            (
                "@p as [nvarchar](4000)",
                SqlType::NVarChar { length: Some(4000) },
            ),
            (
                "@p numeric",
                SqlType::Decimal {
                    precision: 18,
                    scale: 0,
                    numeric: true,
                },
            ),
            ("@p float(24)", SqlType::Real),
            ("@p double precision", SqlType::Float),
            ("@p datetime2", SqlType::DateTime2 { scale: 7 }),
            ("@p time(3)", SqlType::Time { scale: 3 }),
            ("@p sys.sysname", SqlType::SysName),
        ] {
            assert_eq!(one(text).sql_type, expected, "{text}");
        }
    }

    #[test]
    fn output_follows_a_type_with_or_without_blank() {
        assert!(one("@p varchar(5)output").output);
        assert!(one("@p int out").output);
        assert!(!one("@p int").output);
    }

    #[test]
    fn what_is_no_declaration_is_an_error() {
        for (text, number) in [
            ("p int", 102),
            ("@p", 102),
            ("@p int, @P int", 134),
            ("@p geometry", 2715),
            ("@p varchar(8001)", 131),
            ("@p decimal(39)", 2750),
            ("@p datetime2(8)", 1002),
            ("@p varchar(x)", 102),
            ("@p xml", crate::protocol_error::NOT_SUPPORTED),
            ("@p dbo.rows READONLY", crate::protocol_error::NOT_SUPPORTED),
        ] {
            assert_eq!(parse(text).unwrap_err().number, number, "{text}");
        }
    }

    #[test]
    fn none_is_fine() {
        assert_eq!(parse("  ").unwrap(), []);
    }
}

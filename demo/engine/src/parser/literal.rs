//! Literals and the types that T-SQL gives them.

use std::sync::Arc;

use crate::ast::Expr;
use crate::error::{SqlResult, arithmetic_overflow, syntax};
use crate::lexer::{Token, TokenKind};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

/// A literal token as an expression: `12` is int, or numeric where it does not fit; `1.50` numeric(3,2);
/// `1e0` float; `$1` money; `'x'` varchar(1); `N'x'` nvarchar(1); `0x0A` varbinary(1).
pub(super) fn literal(token: &Token<'_>) -> SqlResult<Expr> {
    let (value, sql_type) = match token.kind {
        TokenKind::Integer => match token.text.parse::<i32>() {
            Ok(value) => (Datum::Int(value), SqlType::Int),
            Err(_) => exact(token.text)?,
        },
        TokenKind::Decimal => exact(token.text)?,
        TokenKind::Float => {
            let value: f64 = token.text.parse().map_err(|_| syntax(token.text))?;
            if value.is_infinite() {
                return Err(SqlError::new(
                    168,
                    15,
                    1,
                    format!(
                        "The floating point value '{}' is out of the range of computer representation (8 bytes).",
                        token.text
                    ),
                ));
            }
            (Datum::Float(value), SqlType::Float)
        }
        TokenKind::Money => {
            let text = token.text.trim_start_matches('$');
            let value =
                crate::money::parse(text).ok_or_else(|| arithmetic_overflow("numeric", "money"))?;
            (Datum::Money(value), SqlType::Money)
        }
        TokenKind::Text => text(token.unquoted(), false),
        TokenKind::NationalText => text(token.unquoted(), true),
        TokenKind::Binary => binary(&token.text[2..]),
        _ => return Err(syntax(token.text)),
    };
    Ok(Expr::Literal { value, sql_type })
}

fn exact(text: &str) -> SqlResult<(Datum, SqlType)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = whole.chars().chain(fraction.chars()).collect();
    let significant = digits.trim_start_matches('0');
    let scale = fraction.len();
    if significant.len() > 38 || scale > 38 {
        return Err(SqlError::new(
            1007,
            15,
            1,
            format!(
                "The number '{text}' is out of the range for numeric representation (maximum precision 38)."
            ),
        ));
    }
    let unscaled: i128 = if significant.is_empty() {
        0
    } else {
        significant.parse().map_err(|_| syntax(text))?
    };
    let precision = significant.len().max(scale).max(1) as u8;
    let scale = scale as u8;
    Ok((
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        },
        SqlType::Decimal {
            precision,
            scale,
            numeric: true,
        },
    ))
}

fn text(value: String, national: bool) -> (Datum, SqlType) {
    let value = if national {
        value
    } else {
        crate::collation::to_code_page(&value)
    };
    let units = if national {
        value.encode_utf16().count()
    } else {
        value.chars().count()
    };
    let limit = if national { 4000 } else { 8000 };
    let length = if units > limit {
        None
    } else {
        Some(units.max(1) as u16)
    };
    let sql_type = if national {
        SqlType::NVarChar { length }
    } else {
        SqlType::VarChar { length }
    };
    (
        Datum::Text {
            value: Arc::from(value),
            national,
        },
        sql_type,
    )
}

fn binary(digits: &str) -> (Datum, SqlType) {
    let padded = if digits.len() % 2 == 1 {
        format!("0{digits}")
    } else {
        digits.to_owned()
    };
    let bytes: Vec<u8> = (0..padded.len() / 2)
        .filter_map(|index| u8::from_str_radix(&padded[index * 2..index * 2 + 2], 16).ok())
        .collect();
    let length = if bytes.len() > 8000 {
        None
    } else {
        Some(bytes.len().max(1) as u16)
    };
    (
        Datum::Binary(Arc::from(bytes)),
        SqlType::VarBinary { length },
    )
}

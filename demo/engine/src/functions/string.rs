//! String functions. Positions and lengths count UTF-16 code units for `nvarchar`.

mod evaluate;

use super::{Call, call};
use crate::bind::{Binder, TextCollation, Typed};
use crate::error::SqlResult;
use crate::plan::Evaluator;
use crate::types::{Datum, SqlType};

fn text_type(typed: &Typed) -> SqlType {
    if typed.sql_type.is_text() {
        return match &typed.sql_type {
            SqlType::Char { length } => SqlType::VarChar {
                length: Some(*length),
            },
            SqlType::NChar { length } => SqlType::NVarChar {
                length: Some(*length),
            },
            SqlType::SysName => SqlType::NVarChar { length: Some(128) },
            other => other.clone(),
        };
    }
    SqlType::VarChar { length: Some(8000) }
}

/// `varchar` or `nvarchar` of the largest plain length, max staying max.
fn widest(typed: &Typed) -> SqlType {
    match text_type(typed) {
        SqlType::NVarChar { length } => SqlType::NVarChar {
            length: length.map(|_| 4000),
        },
        SqlType::VarChar { length } => SqlType::VarChar {
            length: length.map(|_| 8000),
        },
        other => other,
    }
}

use evaluate::{
    ascii, char_function, charindex, concat, concat_ws, datalength, left, len, lower, ltrim,
    nchar_function, patindex, quotename, replace, replicate, reverse, right, rtrim, space,
    str_function, stuff, substring, trim, unicode, upper,
};

const ANY_TEXT: SqlType = SqlType::NVarChar { length: None };

/// A function of a text and whole numbers that gives text of the first argument's type.
fn of_text(
    binder: &Binder<'_>,
    mut of: Call<'_>,
    evaluator: Evaluator,
    types: &[SqlType],
    result: SqlType,
) -> SqlResult<Typed> {
    let nullable = of.nullable();
    let collation = of
        .arguments
        .first()
        .map_or(TextCollation::Coercible, |first| first.collation.clone());
    let arguments = of.converted(types)?;
    let typed = call(binder, evaluator, arguments, result.clone(), nullable);
    Ok(if result.is_text() {
        typed.with_collation(collation)
    } else {
        typed
    })
}

fn collation_name(collation: &TextCollation) -> Typed {
    let name = collation.resolved().name;
    Typed::constant(super::national(name), super::NAME)
}

pub(super) fn bind(binder: &mut Binder<'_>, of: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    let int = SqlType::BigInt;
    let evaluator: Evaluator = match of.name {
        "len" => len,
        "datalength" => datalength,
        "left" => left,
        "right" => right,
        "substring" => substring,
        "upper" => upper,
        "lower" => lower,
        "ltrim" => ltrim,
        "rtrim" => rtrim,
        "trim" => trim,
        "replace" => replace,
        "charindex" => charindex,
        "patindex" => patindex,
        "replicate" => replicate,
        "space" => space,
        "stuff" => stuff,
        "concat" => concat,
        "concat_ws" => concat_ws,
        "str" => str_function,
        "char" => char_function,
        "nchar" => nchar_function,
        "ascii" => ascii,
        "unicode" => unicode,
        "reverse" => reverse,
        "quotename" => quotename,
        _ => return Ok(None),
    };
    let mut of = Call {
        name: of.name,
        arguments: std::mem::take(&mut of.arguments),
    };
    let own = of
        .arguments
        .first()
        .map_or(SqlType::VarChar { length: Some(8000) }, text_type);
    let wide = of
        .arguments
        .first()
        .map_or(SqlType::VarChar { length: Some(8000) }, widest);
    Ok(Some(match of.name {
        "len" | "datalength" => {
            of.takes(1, 1)?;
            let first = &of.arguments[0].sql_type;
            let keep = of.name == "datalength" || first.is_text() || first.is_binary();
            let types = if keep { vec![] } else { vec![own.clone()] };
            let max = first.length().is_none() && (first.is_text() || first.is_binary());
            let result = if max { SqlType::BigInt } else { SqlType::Int };
            let typed = of_text(binder, of, evaluator, &types, SqlType::Int)?;
            typed.convert_to(&result)?
        }
        "left" | "right" => {
            of.takes(2, 2)?;
            of_text(binder, of, evaluator, &[own.clone(), int], own)?
        }
        "substring" => {
            of.takes(3, 3)?;
            let own = if of.arguments[0].sql_type.is_binary() {
                SqlType::VarBinary {
                    length: of.arguments[0].sql_type.length(),
                }
            } else {
                own
            };
            of_text(binder, of, evaluator, &[own.clone(), int.clone(), int], own)?
        }
        "upper" | "lower" | "reverse" => {
            of.takes(1, 1)?;
            of_text(
                binder,
                of,
                evaluator,
                std::slice::from_ref(&own),
                own.clone(),
            )?
        }
        "ltrim" | "rtrim" | "trim" => {
            of.takes(1, 2)?;
            of_text(binder, of, evaluator, &[own.clone(), ANY_TEXT], own)?
        }
        "replace" => {
            of.takes(3, 3)?;
            let national = of
                .arguments
                .iter()
                .any(|argument| argument.sql_type.is_national());
            let wide = if national && !wide.is_national() {
                SqlType::NVarChar {
                    length: wide.length().map(|_| 4000),
                }
            } else {
                wide
            };
            let collation = of.arguments[0]
                .collation
                .combine(&of.arguments[1].collation)?;
            of.arguments.push(collation_name(&collation));
            of_text(
                binder,
                of,
                evaluator,
                &[wide.clone(), ANY_TEXT, ANY_TEXT, ANY_TEXT],
                wide,
            )?
        }
        "charindex" => {
            of.takes(2, 3)?;
            if of.arguments.len() == 2 {
                of.arguments
                    .push(Typed::constant(Datum::BigInt(1), SqlType::BigInt));
            }
            let collation = of.arguments[0]
                .collation
                .combine(&of.arguments[1].collation)?;
            of.arguments.push(collation_name(&collation));
            of_text(
                binder,
                of,
                evaluator,
                &[ANY_TEXT, ANY_TEXT, int, ANY_TEXT],
                SqlType::Int,
            )?
        }
        "patindex" => {
            of.takes(2, 2)?;
            let collation = of.arguments[0]
                .collation
                .combine(&of.arguments[1].collation)?;
            of.arguments.push(collation_name(&collation));
            of_text(
                binder,
                of,
                evaluator,
                &[ANY_TEXT, ANY_TEXT, ANY_TEXT],
                SqlType::Int,
            )?
        }
        "replicate" => {
            of.takes(2, 2)?;
            // Without max the result is cut at 8000 bytes.
            let limit = wide.length().map_or(i64::from(i32::MAX), i64::from);
            of.arguments
                .push(Typed::constant(Datum::BigInt(limit), SqlType::BigInt));
            of_text(
                binder,
                of,
                evaluator,
                &[wide.clone(), int.clone(), int],
                wide,
            )?
        }
        "space" => {
            of.takes(1, 1)?;
            of_text(
                binder,
                of,
                evaluator,
                &[int],
                SqlType::VarChar { length: Some(8000) },
            )?
        }
        "stuff" => {
            of.takes(4, 4)?;
            of_text(
                binder,
                of,
                evaluator,
                &[wide.clone(), int.clone(), int, ANY_TEXT],
                wide,
            )?
        }
        "concat" | "concat_ws" => {
            of.takes(2, 254)?;
            let national = of
                .arguments
                .iter()
                .any(|argument| argument.sql_type.is_national());
            let max = of.arguments.iter().any(|argument| {
                argument.sql_type.is_text() && argument.sql_type.length().is_none()
            });
            let sum: u32 = of
                .arguments
                .iter()
                .map(|argument| u32::from(argument.sql_type.length().unwrap_or(30)))
                .sum();
            let result = match (national, max) {
                (true, false) => SqlType::NVarChar {
                    length: Some(sum.clamp(1, 4000) as u16),
                },
                (true, true) => SqlType::NVarChar { length: None },
                (false, false) => SqlType::VarChar {
                    length: Some(sum.clamp(1, 8000) as u16),
                },
                (false, true) => SqlType::VarChar { length: None },
            };
            let part = if national {
                SqlType::NVarChar { length: None }
            } else {
                SqlType::VarChar { length: None }
            };
            let mut collation = TextCollation::Coercible;
            for argument in &of.arguments {
                collation = collation.combine(&argument.collation)?;
            }
            let arguments = of.converted(&[part])?;
            call(binder, evaluator, arguments, result, false).with_collation(collation)
        }
        "str" => {
            of.takes(1, 3)?;
            for default in [10, 0].iter().skip(of.arguments.len().saturating_sub(1)) {
                of.arguments
                    .push(Typed::constant(Datum::BigInt(*default), SqlType::BigInt));
            }
            of_text(
                binder,
                of,
                evaluator,
                &[SqlType::Float, int.clone(), int],
                SqlType::VarChar { length: Some(8000) },
            )?
        }
        "char" => {
            of.takes(1, 1)?;
            of_text(binder, of, evaluator, &[int], SqlType::Char { length: 1 })?
        }
        "nchar" => {
            of.takes(1, 1)?;
            of_text(binder, of, evaluator, &[int], SqlType::NChar { length: 1 })?
        }
        "ascii" | "unicode" => {
            of.takes(1, 1)?;
            of_text(binder, of, evaluator, &[ANY_TEXT], SqlType::Int)?
        }
        _ => {
            of.takes(1, 2)?;
            if of.arguments.len() == 1 {
                of.arguments
                    .push(Typed::constant(super::national("["), super::NAME));
            }
            of_text(
                binder,
                of,
                evaluator,
                &[ANY_TEXT, ANY_TEXT],
                SqlType::NVarChar { length: Some(258) },
            )?
        }
    }))
}

//! Built-in functions: what they take, what they give, how they compute.

mod checksum;
mod conditional;
mod date;
mod date_arithmetic;
mod global;
mod hash;
mod math;
mod metadata;
mod string;
mod system;

use crate::ast::Expr as Ast;
use crate::bind::{Binder, Typed};
use crate::error::{SqlResult, unsupported_function};
use crate::plan::{Environment, Evaluator, Expr};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

pub(crate) use global::global;

/// Functions that exist in T-SQL and are refused by name, so that the message is not "unknown".
const REFUSED: [&str; 21] = [
    "format",
    "parse",
    "json_value",
    "json_query",
    "json_object",
    "json_array",
    "isjson",
    "openjson",
    "approx_count_distinct",
    "soundex",
    "difference",
    "translate",
    "compress",
    "decompress",
    "crypt_gen_random",
    "sql_variant_property",
    "binary_checksum",
    "grouping",
    "percentile_cont",
    "formatmessage",
    "date_bucket",
];

/// Functions whose result hangs on the bytes of a text.
const COUNT_BYTES: [&str; 5] = ["ascii", "checksum", "datalength", "hashbytes", "replicate"];

/// Binds a plain function call.
pub(crate) fn bind(binder: &mut Binder<'_>, name: &str, arguments: &[Ast]) -> SqlResult<Typed> {
    if REFUSED.contains(&name) {
        return Err(unsupported_function(&name.to_uppercase()));
    }
    if let Some(bound) = date::bind_with_part(binder, name, arguments)? {
        return Ok(bound);
    }
    if let Some(bound) = conditional::bind_lazy(binder, name, arguments)? {
        return Ok(bound);
    }
    let mut bound = Vec::with_capacity(arguments.len());
    for argument in arguments {
        bound.push(binder.bind_scalar(argument)?);
    }
    if COUNT_BYTES.contains(&name) {
        for argument in &bound {
            argument.is_of_default_page(&format!("the argument of {}", name.to_uppercase()))?;
        }
    }
    let mut call = Call {
        name,
        arguments: bound,
    };
    for bind in [
        conditional::bind,
        string::bind,
        math::bind,
        date::bind,
        checksum::bind,
        hash::bind,
        system::bind,
        metadata::bind,
    ] {
        if let Some(typed) = bind(binder, &mut call)? {
            return Ok(typed);
        }
    }
    Err(SqlError::new(
        195,
        15,
        10,
        format!("'{name}' is not a recognized built-in function name."),
    )
    .ending_batch())
}

/// A call whose arguments are bound.
pub(crate) struct Call<'n> {
    pub(crate) name: &'n str,
    pub(crate) arguments: Vec<Typed>,
}

impl Call<'_> {
    /// Checks the number of arguments.
    pub(crate) fn takes(&self, low: usize, high: usize) -> SqlResult<()> {
        if (low..=high).contains(&self.arguments.len()) {
            return Ok(());
        }
        let needed = if low == high {
            low.to_string()
        } else {
            format!("{low} to {high}")
        };
        Err(SqlError::new(
            174,
            15,
            1,
            format!("The {} function requires {needed} argument(s).", self.name),
        )
        .ending_batch())
    }

    /// Takes the arguments, each converted to its type.
    pub(crate) fn converted(&mut self, types: &[SqlType]) -> SqlResult<Vec<Expr>> {
        let arguments = std::mem::take(&mut self.arguments);
        arguments
            .into_iter()
            .enumerate()
            .map(
                |(place, argument)| match types.get(place).or(types.last()) {
                    Some(target) => Ok(argument.convert_to(target)?.expr),
                    None => Ok(argument.expr),
                },
            )
            .collect()
    }

    pub(crate) fn nullable(&self) -> bool {
        self.arguments.iter().any(|argument| argument.nullable)
    }
}

/// A call node; one of constants only is computed at once.
pub(crate) fn call(
    binder: &Binder<'_>,
    evaluator: Evaluator,
    arguments: Vec<Expr>,
    result: SqlType,
    nullable: bool,
) -> Typed {
    let constant = arguments
        .iter()
        .all(|argument| matches!(argument, Expr::Const(_)));
    let expr = Expr::Call {
        evaluator,
        arguments,
    };
    let typed = Typed::new(expr, result, nullable);
    if constant && let Ok(value) = typed.expr.eval(binder.context, &Environment::EMPTY) {
        return Typed {
            expr: Expr::Const(value),
            ..typed
        };
    }
    typed
}

/// A call that must run for every row (NEWID, RAND).
pub(crate) fn volatile(evaluator: Evaluator, arguments: Vec<Expr>, result: SqlType) -> Typed {
    Typed::new(
        Expr::Call {
            evaluator,
            arguments,
        },
        result,
        true,
    )
}

/// The text of an argument, `None` for NULL.
pub(crate) fn text(value: &Datum) -> Option<&str> {
    match value {
        Datum::Text { value, .. } => Some(value),
        _ => None,
    }
}

pub(crate) fn integer(value: &Datum) -> Option<i64> {
    Some(match value {
        Datum::Bit(v) => i64::from(*v),
        Datum::TinyInt(v) => i64::from(*v),
        Datum::SmallInt(v) => i64::from(*v),
        Datum::Int(v) => i64::from(*v),
        Datum::BigInt(v) => *v,
        _ => return None,
    })
}

pub(crate) fn national(value: impl Into<std::sync::Arc<str>>) -> Datum {
    Datum::Text {
        value: value.into(),
        national: true,
    }
}

/// `nvarchar(128)`, which most names are.
pub(crate) const NAME: SqlType = SqlType::NVarChar { length: Some(128) };

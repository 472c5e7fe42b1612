//! COALESCE, ISNULL, NULLIF, IIF, CHOOSE.

use super::Call;
use crate::ast::{Comparison, Expr as Ast};
use crate::bind::{Binder, TextCollation, Typed};
use crate::error::SqlResult;
use crate::plan::Expr;
use crate::type_rules::common_type;
use crate::types::{Datum, SqlType};

/// Functions whose first argument is a condition.
pub(super) fn bind_lazy(
    binder: &mut Binder<'_>,
    name: &str,
    arguments: &[Ast],
) -> SqlResult<Option<Typed>> {
    if name != "iif" || arguments.len() != 3 {
        return Ok(None);
    }
    let case = Ast::Case {
        operand: None,
        branches: vec![(arguments[0].clone(), arguments[1].clone())],
        otherwise: Some(Box::new(arguments[2].clone())),
    };
    binder.bind_scalar(&case).map(Some)
}

fn common(arguments: &[Typed]) -> SqlResult<SqlType> {
    let mut result: Option<SqlType> = None;
    for argument in arguments.iter().filter(|argument| !argument.untyped_null) {
        result = Some(match result {
            None => argument.sql_type.clone(),
            Some(current) => common_type(&current, &argument.sql_type)?,
        });
    }
    Ok(result.unwrap_or(SqlType::Int))
}

fn collation(arguments: &[Typed]) -> SqlResult<TextCollation> {
    let mut result = TextCollation::Coercible;
    for argument in arguments {
        result = result.combine(&argument.collation)?;
    }
    Ok(result)
}

pub(super) fn bind(_: &mut Binder<'_>, call: &mut Call<'_>) -> SqlResult<Option<Typed>> {
    Ok(Some(match call.name {
        "coalesce" => {
            call.takes(2, 255)?;
            let sql_type = common(&call.arguments)?;
            let collation = collation(&call.arguments)?;
            let nullable = call.arguments.iter().all(|argument| argument.nullable);
            let list = call.converted(std::slice::from_ref(&sql_type))?;
            Typed::new(Expr::Coalesce(list), sql_type, nullable).with_collation(collation)
        }
        "isnull" => {
            call.takes(2, 2)?;
            // The type is that of the first argument, whatever the second is.
            let first = if call.arguments[0].untyped_null { 1 } else { 0 };
            let sql_type = call.arguments[first].sql_type.clone();
            let collation = collation(&call.arguments)?;
            let nullable = call.arguments[1].nullable;
            let list = call.converted(std::slice::from_ref(&sql_type))?;
            Typed::new(Expr::Coalesce(list), sql_type, nullable).with_collation(collation)
        }
        "nullif" => {
            call.takes(2, 2)?;
            let second = call.arguments.remove(1);
            let first = call.arguments.remove(0);
            let (sql_type, collation) = (first.sql_type.clone(), first.collation.clone());
            let value = first.expr.clone();
            let equal = crate::bind::comparison(Comparison::Equal, first, second)?;
            let case = Expr::Case {
                branches: vec![(equal, Expr::null())],
                otherwise: Box::new(value),
            };
            Typed::new(case, sql_type, true).with_collation(collation)
        }
        "choose" => {
            call.takes(2, 255)?;
            let index = call.arguments.remove(0).convert_to(&SqlType::Int)?;
            let sql_type = common(&call.arguments)?;
            let collation = collation(&call.arguments)?;
            let list = call.converted(std::slice::from_ref(&sql_type))?;
            let mut branches = Vec::new();
            for (place, value) in list.into_iter().enumerate() {
                let position = Typed::constant(Datum::Int(place as i32 + 1), SqlType::Int);
                branches.push((
                    crate::bind::comparison(Comparison::Equal, index.clone(), position)?,
                    value,
                ));
            }
            Typed::new(
                Expr::Case {
                    branches,
                    otherwise: Box::new(Expr::null()),
                },
                sql_type,
                true,
            )
            .with_collation(collation)
        }
        _ => return Ok(None),
    }))
}

//! Which value of a call belongs to which declared parameter.

use icehost_devengine::session::{Parameter, SqlError};
use icehost_devengine::types::Datum;

use crate::declarations::Declaration;
use crate::rpc::Argument;

/// An error of SQL Server's own about how a procedure was called.
pub(crate) fn error(number: u32, message: impl Into<String>) -> SqlError {
    SqlError {
        number,
        state: 1,
        class: 16,
        message: message.into(),
        line: 1,
        aborts_batch: true,
    }
}

/// An output parameter's declared name, its place in the call and the name that the client used.
pub(crate) type OutputPlace = (String, usize, String);

/// Gives each value its declaration: by name where it has one, else by position.
pub(crate) fn bind(
    declarations: &[Declaration],
    values: Vec<Argument>,
) -> Result<(Vec<Parameter>, Vec<OutputPlace>), SqlError> {
    if values.len() > declarations.len() {
        return Err(error(
            8144,
            "Procedure or function has too many arguments specified.",
        ));
    }
    let mut bound: Vec<Option<Parameter>> = vec![None; declarations.len()];
    let mut places = Vec::new();
    for (place, value) in values.into_iter().enumerate() {
        let index = if value.name.is_empty() {
            place
        } else {
            declarations
                .iter()
                .position(|declaration| declaration.name.eq_ignore_ascii_case(&value.name))
                .ok_or_else(|| {
                    error(
                        8145,
                        format!(
                            "{} is not a parameter for procedure sp_executesql.",
                            value.name
                        ),
                    )
                })?
        };
        let (Some(declaration), Some(slot)) = (declarations.get(index), bound.get_mut(index))
        else {
            return Err(error(
                8144,
                "Procedure or function has too many arguments specified.",
            ));
        };
        if slot.is_some() {
            return Err(error(
                8143,
                format!(
                    "Parameter '{}' was supplied multiple times.",
                    declaration.name
                ),
            ));
        }
        let output = value.output && declaration.output;
        if output {
            places.push((declaration.name.clone(), place, value.name));
        }
        *slot = Some(Parameter {
            name: declaration.name.clone(),
            sql_type: declaration.sql_type.clone(),
            value: value.value,
            output,
        });
    }
    let parameters = bound
        .into_iter()
        .zip(declarations)
        .map(|(parameter, declaration)| {
            parameter.ok_or_else(|| {
                error(
                    8178,
                    format!(
                        "The parameterized query expects the parameter '{}', which was not supplied.",
                        declaration.name
                    ),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    Ok((parameters, places))
}

/// The text that a parameter of a system procedure holds; `None` for NULL.
pub(crate) fn text_argument(
    argument: Option<Argument>,
    procedure: &str,
    parameter: &str,
) -> Result<Option<String>, SqlError> {
    match argument.map(|argument| argument.value) {
        Some(Datum::Text { value, .. }) => Ok(Some(value.as_ref().to_owned())),
        Some(Datum::Null) => Ok(None),
        Some(_) => Err(error(
            214,
            format!("Procedure expects parameter '{parameter}' of type 'ntext/nchar/nvarchar'."),
        )),
        None => Err(error(
            201,
            format!(
                "Procedure or function '{procedure}' expects parameter '{parameter}', which was not supplied."
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use icehost_devengine::types::SqlType;

    use super::*;
    use crate::declarations;

    fn argument(name: &str, value: i32) -> Argument {
        Argument {
            name: name.to_owned(),
            sql_type: SqlType::Int,
            value: Datum::Int(value),
            output: false,
        }
    }

    #[test]
    fn values_find_their_declarations_by_name_or_position() {
        let declared = declarations::parse("@a bigint, @b int").unwrap();
        let (parameters, _) = bind(&declared, vec![argument("@B", 2), argument("@a", 1)]).unwrap();
        let names: Vec<_> = parameters
            .iter()
            .map(|p| (p.name.as_str(), p.value.clone()))
            .collect();
        assert_eq!(names, [("@a", Datum::Int(1)), ("@b", Datum::Int(2))]);
        assert_eq!(parameters[0].sql_type, SqlType::BigInt);
        let (parameters, _) = bind(&declared, vec![argument("", 1), argument("", 2)]).unwrap();
        assert_eq!(parameters[1].value, Datum::Int(2));
    }

    #[test]
    fn values_that_do_not_match_are_refused_with_their_names() {
        let declared = declarations::parse("@a int, @b int").unwrap();
        for (values, number) in [
            (vec![argument("@a", 1)], 8178),
            (vec![argument("@a", 1), argument("@c", 2)], 8145),
            (vec![argument("@a", 1), argument("@a", 2)], 8143),
            (
                vec![argument("", 1), argument("", 2), argument("", 3)],
                8144,
            ),
        ] {
            assert_eq!(bind(&declared, values).unwrap_err().number, number);
        }
    }
}

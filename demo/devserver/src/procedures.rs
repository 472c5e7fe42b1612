//! What the procedures that clients call do.

use std::collections::HashMap;

use icehost_devengine::session::{Parameter, ResultSink, SqlError};
use icehost_devengine::types::{Datum, SqlType};

use crate::declarations::{self, Declaration};
use crate::protocol_error::{NOT_SUPPORTED, ProtocolError};
use crate::rpc::{Argument, Call, Procedure};
use crate::token::{done, return_value};
use crate::worker::Worker;

/// How many prepared statements a session may hold.
const MAX_PREPARED: usize = 10_000;

/// A statement under a handle.
#[derive(Debug, Clone)]
pub(crate) struct PreparedStatement {
    text: String,
    declarations: Vec<Declaration>,
}

/// The prepared statements of a session.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    statements: HashMap<i32, PreparedStatement>,
    last_handle: i32,
}

impl Prepared {
    fn add(&mut self, statement: PreparedStatement) -> Result<i32, SqlError> {
        if self.statements.len() >= MAX_PREPARED {
            return Err(error(
                NOT_SUPPORTED,
                format!(
                    "the development server does not support more than {MAX_PREPARED} prepared statements in a session"
                ),
            ));
        }
        self.last_handle = self.last_handle.wrapping_add(1);
        self.statements.insert(self.last_handle, statement);
        Ok(self.last_handle)
    }

    fn get(&self, handle: i32) -> Result<&PreparedStatement, SqlError> {
        self.statements
            .get(&handle)
            .ok_or_else(|| unknown_handle(handle))
    }

    fn remove(&mut self, handle: i32) -> Result<(), SqlError> {
        self.statements
            .remove(&handle)
            .map(|_| ())
            .ok_or_else(|| unknown_handle(handle))
    }

    pub(crate) fn clear(&mut self) {
        self.statements.clear();
    }
}

fn error(number: u32, message: impl Into<String>) -> SqlError {
    SqlError {
        number,
        state: 1,
        class: 16,
        message: message.into(),
        line: 1,
        aborts_batch: true,
    }
}

fn unknown_handle(handle: i32) -> SqlError {
    error(
        8179,
        format!("Could not find prepared statement with handle {handle}."),
    )
}

/// An output parameter on its way back: where the client had it and under which name.
struct Returned {
    ordinal: usize,
    name: String,
    sql_type: SqlType,
    value: Datum,
}

impl Worker {
    /// Runs a call and writes its whole response but for the end of the message.
    pub(crate) fn call(&mut self, call: Call) {
        self.response.begin(true);
        let (returned, status) = match self.dispatch(call) {
            Ok(returned) => returned,
            Err(error) => {
                // Nobody left to tell where even this fails; the caller ends the response.
                let _gone = self.response.error(error);
                (Vec::new(), None)
            }
        };
        let failed = self.response.last_error();
        let status = status
            .unwrap_or_else(|| failed.map_or(0, |number| i32::try_from(number).unwrap_or(-1)));
        self.response
            .write(|out| done::write_return_status(status, out));
        if failed.is_none() {
            for value in returned {
                self.write_returned(&value);
            }
        }
        self.response.end_procedure();
    }

    fn write_returned(&mut self, returned: &Returned) {
        let ordinal = u16::try_from(returned.ordinal).unwrap_or(u16::MAX);
        let mut result = Ok(());
        self.response.write(|out| {
            result = return_value::write(
                ordinal,
                &returned.name,
                &returned.sql_type,
                &returned.value,
                out,
            );
        });
        if let Err(problem) = result {
            let _gone = self.response.error(problem.to_sql_error());
        }
    }

    fn dispatch(&mut self, call: Call) -> Result<(Vec<Returned>, Option<i32>), SqlError> {
        let mut arguments = call.arguments;
        match call.procedure {
            Procedure::ExecuteSql => {
                let values = arguments.split_off(arguments.len().min(2));
                let mut given = arguments.into_iter();
                let text =
                    text_argument(given.next(), "sp_executesql", "@stmt")?.unwrap_or_default();
                let declared = match given.next() {
                    None => String::new(),
                    declared => {
                        text_argument(declared, "sp_executesql", "@params")?.unwrap_or_default()
                    }
                };
                let statement = PreparedStatement {
                    text,
                    declarations: declarations::parse(&declared)?,
                };
                self.run_statement(&statement, values, 2)
                    .map(|returned| (returned, None))
            }
            Procedure::Prepare => {
                let statement = prepared_statement(&arguments, "sp_prepare")?;
                let handle = self.prepared.add(statement)?;
                Ok((vec![handle_value(&arguments, handle)], None))
            }
            Procedure::PrepareAndExecute => {
                let statement = prepared_statement(&arguments, "sp_prepexec")?;
                let handle = self.prepared.add(statement.clone())?;
                let returned_handle = handle_value(&arguments, handle);
                let values = arguments.split_off(arguments.len().min(3));
                let mut returned = vec![returned_handle];
                returned.extend(self.run_statement(&statement, values, 3)?);
                Ok((returned, None))
            }
            Procedure::Execute => {
                let handle = handle_argument(arguments.first(), "sp_execute")?;
                let statement = self.prepared.get(handle)?.clone();
                let values = arguments.split_off(1);
                self.run_statement(&statement, values, 1)
                    .map(|returned| (returned, None))
            }
            Procedure::Unprepare => {
                let handle = handle_argument(arguments.first(), "sp_unprepare")?;
                self.prepared.remove(handle)?;
                Ok((Vec::new(), None))
            }
            Procedure::ResetConnection => {
                self.reset();
                Ok((Vec::new(), None))
            }
            Procedure::Cursor(name) => {
                Err(ProtocolError::Unsupported(format!("server cursors ({name})")).to_sql_error())
            }
            Procedure::Named(name) => self.run_named(&name, arguments),
        }
    }

    /// Runs a statement with its values; `offset` arguments of the call came before them.
    fn run_statement(
        &mut self,
        statement: &PreparedStatement,
        values: Vec<Argument>,
        offset: usize,
    ) -> Result<Vec<Returned>, SqlError> {
        let (parameters, places) = bind(&statement.declarations, values)?;
        let outputs = self.execute(&statement.text, parameters);
        Ok(places
            .into_iter()
            .filter_map(|(declared, place, name)| {
                let output = outputs
                    .iter()
                    .find(|output| output.name.eq_ignore_ascii_case(&declared))?;
                Some(Returned {
                    ordinal: offset + place,
                    name,
                    sql_type: output.sql_type.clone(),
                    value: output.value.clone(),
                })
            })
            .collect())
    }

    /// Any other procedure: the engine's `EXECUTE` knows it or says that it does not.
    fn run_named(
        &mut self,
        name: &str,
        arguments: Vec<Argument>,
    ) -> Result<(Vec<Returned>, Option<i32>), SqlError> {
        if !is_procedure_name(name) {
            return Err(error(
                2812,
                format!("Could not find stored procedure '{name}'."),
            ));
        }
        let mut text = format!("EXECUTE {STATUS} = {name}");
        let mut parameters = vec![Parameter {
            name: STATUS.to_owned(),
            sql_type: SqlType::Int,
            value: Datum::Null,
            output: true,
        }];
        let mut places = Vec::new();
        for (place, argument) in arguments.into_iter().enumerate() {
            let variable = format!("@rpc_{place}");
            text.push_str(if place == 0 { " " } else { ", " });
            if !argument.name.is_empty() {
                if !is_parameter_name(&argument.name) {
                    return Err(error(
                        8145,
                        format!("{} is not a parameter for procedure {name}.", argument.name),
                    ));
                }
                text.push_str(&argument.name);
                text.push_str(" = ");
            }
            text.push_str(&variable);
            if argument.output {
                text.push_str(" OUTPUT");
                places.push((variable.clone(), place, argument.name.clone()));
            }
            parameters.push(Parameter {
                name: variable,
                sql_type: argument.sql_type,
                value: argument.value,
                output: argument.output,
            });
        }
        let outputs = self.execute(&text, parameters);
        let value_of = |name: &str| {
            outputs
                .iter()
                .find(|output| output.name.eq_ignore_ascii_case(name))
        };
        let status = value_of(STATUS).and_then(|status| match status.value {
            Datum::Int(status) => Some(status),
            _ => None,
        });
        let returned = places
            .iter()
            .filter_map(|(variable, place, name)| {
                value_of(variable).map(|output| Returned {
                    ordinal: *place,
                    name: name.clone(),
                    sql_type: output.sql_type.clone(),
                    value: output.value.clone(),
                })
            })
            .collect();
        Ok((returned, status))
    }
}

/// The variable that takes a named procedure's return status.
const STATUS: &str = "@rpc_status";

/// An output parameter's declared name, its place in the call and the name that the client used.
type OutputPlace = (String, usize, String);

/// Gives each value its declaration: by name where it has one, else by position.
fn bind(
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

fn text_argument(
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

/// The statement of `sp_prepare` and `sp_prepexec`: handle, declarations, text.
fn prepared_statement(
    arguments: &[Argument],
    procedure: &str,
) -> Result<PreparedStatement, SqlError> {
    let declared =
        text_argument(arguments.get(1).cloned(), procedure, "@params")?.unwrap_or_default();
    let text = text_argument(arguments.get(2).cloned(), procedure, "@stmt")?.unwrap_or_default();
    Ok(PreparedStatement {
        text,
        declarations: declarations::parse(&declared)?,
    })
}

fn handle_value(arguments: &[Argument], handle: i32) -> Returned {
    Returned {
        ordinal: 0,
        name: arguments
            .first()
            .map(|argument| argument.name.clone())
            .unwrap_or_default(),
        sql_type: SqlType::Int,
        value: Datum::Int(handle),
    }
}

fn handle_argument(argument: Option<&Argument>, procedure: &str) -> Result<i32, SqlError> {
    match argument.map(|argument| &argument.value) {
        Some(&Datum::Int(handle)) => Ok(handle),
        Some(&Datum::SmallInt(handle)) => Ok(handle.into()),
        Some(&Datum::TinyInt(handle)) => Ok(handle.into()),
        Some(&Datum::BigInt(handle)) => i32::try_from(handle).map_err(|_| unknown_handle(i32::MAX)),
        Some(_) => Err(error(
            214,
            "Procedure expects parameter '@handle' of type 'int'.",
        )),
        None => Err(error(
            201,
            format!(
                "Procedure or function '{procedure}' expects parameter '@handle', which was not supplied."
            ),
        )),
    }
}

/// Whether text is one name of up to four parts, each plain or in brackets, and nothing else.
fn is_procedure_name(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..4 {
        let part = if let Some(quoted) = rest.strip_prefix('[') {
            let mut characters = quoted.char_indices().peekable();
            let mut end = None;
            while let Some((at, character)) = characters.next() {
                if character == ']' && characters.next_if(|&(_, next)| next == ']').is_none() {
                    end = Some(at + 2);
                    break;
                }
            }
            end
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let plain = rest.get(..end).unwrap_or_default();
            plain.chars().all(is_name_character).then_some(end)
        };
        rest = match part.and_then(|end| rest.get(end..)) {
            None => return false,
            Some("") => return !text.is_empty(),
            Some(after) => match after.strip_prefix('.') {
                Some(after) => after,
                None => return false,
            },
        };
    }
    false
}

fn is_parameter_name(text: &str) -> bool {
    text.strip_prefix('@')
        .is_some_and(|name| !name.is_empty() && name.chars().all(is_name_character))
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '#' | '$' | '@')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_names_are_names() {
        for name in [
            "sp_help",
            "sys.sp_x",
            "master..sp_x",
            "[we]]ird, name].[p]",
            "a.b.c.d",
        ] {
            assert!(is_procedure_name(name), "{name}");
        }
        for text in ["", "a b", "a;drop", "[a", "[a]b", "a.b.c.d.e", "a--"] {
            assert!(!is_procedure_name(text), "{text}");
        }
    }

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

//! What the procedures that clients call do.

use icehost_devengine::session::{Parameter, ResultSink, SqlError};
use icehost_devengine::types::{Datum, SqlType};

use crate::binding::{bind, error, text_argument};
use crate::declarations;
use crate::prepared::{PreparedStatement, handle_argument, text_and_declarations};
use crate::procedure_name::{is_parameter_name, is_procedure_name};
use crate::protocol_error::ProtocolError;
use crate::rpc::{Argument, Call, Procedure};
use crate::token::{done, return_value};
use crate::worker::Worker;

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
        // A statement that failed has set no output, but what it was prepared as stands.
        for value in returned {
            self.write_returned(&value);
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
                let statement = self.statement(text, &declared)?;
                self.run_statement(&statement, values, 2)
                    .map(|returned| (returned, None))
            }
            Procedure::Prepare => {
                let (text, declared) = text_and_declarations(&arguments, "sp_prepare")?;
                let statement = self.statement(text, &declared)?;
                let handle = self.prepared.add(statement)?;
                Ok((vec![handle_value(&arguments, handle)], None))
            }
            Procedure::PrepareAndExecute => {
                let (text, declared) = text_and_declarations(&arguments, "sp_prepexec")?;
                let statement = self.statement(text, &declared)?;
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

    /// A statement as it came, with its declarations read.
    fn statement(&self, text: String, declared: &str) -> Result<PreparedStatement, SqlError> {
        self.record(&text, declared);
        Ok(PreparedStatement {
            text,
            declarations: declarations::parse(declared)?,
        })
    }

    /// Runs a statement with its values; `offset` arguments of the call came before them.
    fn run_statement(
        &mut self,
        statement: &PreparedStatement,
        values: Vec<Argument>,
        offset: usize,
    ) -> Result<Vec<Returned>, SqlError> {
        let (parameters, places) = bind(&statement.declarations, values)?;
        let outputs = self.execute_body(&statement.text, parameters);
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
        let outputs = self.execute_body(&text, parameters);
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

//! EXEC: text, `sp_executesql`, and the few system procedures that clients call.

use super::batch::{NESTED_STATE, command};
use super::{Batch, MAX_NESTING};
use crate::ast::{Argument, Declaration, Expr as Ast, ObjectName, StatementKind};
use crate::error::{SqlResult, unsupported_procedure};
use crate::frame::Frame;
use crate::lexer::tokenize;
use crate::locks::{Mode, Refusal, Resource, Span, Waiter};
use crate::parser::parse;
use crate::session::{ResultColumn, SqlError};
use crate::types::{Datum, SqlType};

/// A parameter list without its OUTPUT marks: as DECLARE takes it.
fn without_output(declared: &str) -> SqlResult<String> {
    let tokens = tokenize(declared)?;
    let kept = tokens.iter().filter(|token| {
        !["output", "out", "readonly"].contains(&token.text.to_ascii_lowercase().as_str())
    });
    Ok(kept.map(|token| token.text).collect::<Vec<_>>().join(" "))
}

impl Batch<'_> {
    pub(super) fn execute_text(&mut self, parts: &[Ast]) -> SqlResult<()> {
        let mut sql = String::new();
        for part in parts {
            sql.push_str(&self.text(part)?.unwrap_or_default());
        }
        self.nested(&sql, Frame::default()).map(|_| ())
    }

    /// Runs a text as a batch of its own level and returns its variables.
    fn nested(&mut self, sql: &str, frame: Frame) -> SqlResult<Frame> {
        if self.session.nesting >= MAX_NESTING {
            return Err(SqlError::new(
                217,
                16,
                1,
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).",
            )
            .ending_batch());
        }
        // A nested batch's binding errors can be caught out here.
        let outward = |mut error: SqlError| {
            error.state = if error.aborts_batch && error.number < 50000 && error.class <= 16 {
                NESTED_STATE
            } else {
                error.state
            };
            error
        };
        let statements = parse(sql).map_err(outward)?;
        let scope = self.session.begin_scope();
        self.session.nesting += 1;
        let mut inner = Batch::new(self.session, self.sink, self.cancel);
        inner.frame = frame;
        inner.caught.clone_from(&self.caught);
        let outcome = inner.run_list(&statements);
        let frame = inner.frame;
        self.session.nesting -= 1;
        self.session.end_scope(scope, self.sink);
        match outcome {
            Ok(_) => Ok(frame),
            Err(error) => Err(outward(error)),
        }
    }

    pub(super) fn execute_procedure(
        &mut self,
        result: Option<&str>,
        name: &ObjectName,
        arguments: &[Argument],
    ) -> SqlResult<()> {
        let known = name.name.folded();
        let own = name
            .schema
            .as_ref()
            .is_some_and(|schema| schema.is(super::own_procedure::SCHEMA));
        let status = match known.as_str() {
            _ if own => {
                self.own_procedure(name, arguments)?;
                0
            }
            "sp_executesql" => self.sp_executesql(name, arguments)?,
            "sp_getapplock" => self.sp_getapplock(arguments)?,
            "sp_releaseapplock" => self.sp_releaseapplock(arguments)?,
            "sp_tablecollations_100" => self.sp_tablecollations(arguments)?,
            "sp_reset_connection" => {
                self.session.reset();
                0
            }
            "sp_describe_first_result_set" => self.sp_describe_first_result_set(arguments)?,
            _ if known.starts_with("sp_") || known.starts_with("xp_") => {
                return Err(unsupported_procedure(&name.name.0));
            }
            _ => {
                return Err(SqlError::new(
                    2812,
                    16,
                    62,
                    format!("Could not find stored procedure '{name}'."),
                )
                .ending_batch());
            }
        };
        if let Some(result) = result {
            let Some((place, variable)) = self.frame.variable(result) else {
                return Err(crate::error::undeclared_variable(result));
            };
            let sql_type = variable.sql_type.clone();
            let value = crate::convert::convert(
                &Datum::Int(status),
                &sql_type,
                0,
                crate::convert::Excess::Cut,
            )?;
            self.frame.variables[place].value = value;
        }
        self.return_status = status;
        Ok(())
    }

    /// `[database.sys.]sp_executesql`: with a database's name the statement runs in that database.
    fn sp_executesql(&mut self, procedure: &ObjectName, arguments: &[Argument]) -> SqlResult<i32> {
        let missing = || {
            SqlError::new(
                201,
                16,
                10,
                "Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.",
            )
        };
        let statement = match arguments
            .first()
            .and_then(|argument| argument.value.as_ref())
        {
            Some(statement) => self.text(statement)?.ok_or_else(missing)?,
            None => return Err(missing()),
        };
        let declared = match arguments
            .get(1)
            .and_then(|argument| argument.value.as_ref())
        {
            Some(declared) => self.text(declared)?.unwrap_or_default(),
            None => String::new(),
        };
        let mut frame = Frame::default();
        let mut outputs: Vec<(String, String)> = Vec::new();
        if !declared.trim().is_empty() {
            let parsed = parse(&format!("DECLARE {}", without_output(&declared)?))?;
            let Some(StatementKind::Declare(declarations)) =
                parsed.first().map(|statement| statement.kind.clone())
            else {
                return Err(unsupported_procedure("sp_executesql with these parameters"));
            };
            for (place, declaration) in declarations.iter().enumerate() {
                let Declaration::Scalar { name, sql_type, .. } = declaration else {
                    return Err(unsupported_procedure(
                        "sp_executesql with table-valued parameters",
                    ));
                };
                let given = &arguments[2.min(arguments.len())..];
                let argument = given
                    .iter()
                    .find(|argument| {
                        argument
                            .name
                            .as_ref()
                            .is_some_and(|known| known.eq_ignore_ascii_case(name))
                    })
                    .or_else(|| given.get(place).filter(|argument| argument.name.is_none()));
                let Some(argument) = argument else {
                    return Err(SqlError::new(
                        8178,
                        16,
                        1,
                        format!(
                            "The parameterized query '({declared}){statement}' expects the parameter '{name}', which was not supplied."
                        ),
                    ));
                };
                let value = match &argument.value {
                    Some(value) => self.evaluate(value, Some(sql_type))?,
                    None => Datum::Null,
                };
                if let (true, Some(Ast::Variable(variable))) = (argument.output, &argument.value) {
                    outputs.push((name.clone(), variable.clone()));
                }
                frame.declare(name, sql_type.clone(), value)?;
            }
        }
        let home = self.session.database.clone();
        let place = self.session.database_of(procedure)?;
        let elsewhere = place.id != home.id;
        if elsewhere {
            self.session.enter_database(place);
        }
        let outcome = self.nested(&statement, frame);
        if elsewhere {
            self.session.enter_database(home);
        }
        let frame = outcome?;
        for (inner, outer) in outputs {
            let value = frame
                .variable(&inner)
                .map_or(Datum::Null, |(_, variable)| variable.value.clone());
            if let Some((place, variable)) = self.frame.variable(&outer) {
                let sql_type = variable.sql_type.clone();
                self.frame.variables[place].value =
                    crate::convert::convert(&value, &sql_type, 0, crate::convert::Excess::Cut)?;
            }
        }
        Ok(0)
    }

    /// The argument of that name, or at that place where it has none.
    pub(super) fn argument(
        &mut self,
        arguments: &[Argument],
        name: &str,
        place: usize,
    ) -> SqlResult<Option<String>> {
        let found = arguments
            .iter()
            .find(|argument| {
                argument
                    .name
                    .as_ref()
                    .is_some_and(|known| known.eq_ignore_ascii_case(name))
            })
            .or_else(|| {
                arguments
                    .get(place)
                    .filter(|argument| argument.name.is_none())
            });
        match found.and_then(|argument| argument.value.as_ref()) {
            Some(value) => self.text(value),
            None => Ok(None),
        }
    }

    fn lock_span(&mut self, owner: Option<String>) -> SqlResult<Span> {
        let owner = owner.unwrap_or_else(|| "Transaction".to_owned());
        if owner.eq_ignore_ascii_case("Session") {
            return Ok(Span::Session);
        }
        if self.session.transaction_descriptor() == 0 {
            return Err(SqlError::new(
                15247,
                16,
                1,
                "You attempted to acquire a transactional application lock without an active transaction.",
            ));
        }
        Ok(Span::Transaction)
    }

    fn sp_getapplock(&mut self, arguments: &[Argument]) -> SqlResult<i32> {
        let name = self
            .argument(arguments, "@Resource", 0)?
            .unwrap_or_default();
        let mode = self
            .argument(arguments, "@LockMode", 1)?
            .unwrap_or_default();
        let owner = self.argument(arguments, "@LockOwner", 2)?;
        let timeout = self
            .argument(arguments, "@LockTimeout", 3)?
            .and_then(|timeout| timeout.parse().ok());
        let mode = match mode.to_ascii_lowercase().as_str() {
            "shared" | "intentshared" => Mode::Shared,
            "update" => Mode::Update,
            "exclusive" | "intentexclusive" => Mode::Exclusive,
            _ => return Ok(-999),
        };
        let span = self.lock_span(owner)?;
        let waiter = Waiter {
            session: self.session.id(),
            timeout: timeout.unwrap_or(self.session.settings.lock_timeout),
            cancel: self.cancel,
        };
        let resource = Resource::Application(self.session.database.id, name);
        match self
            .session
            .server
            .locks
            .acquire(waiter, resource, mode, span)
        {
            Ok(()) => Ok(0),
            Err(Refusal::Timeout) => Ok(-1),
            Err(Refusal::Cancelled) => Err(Refusal::Cancelled.error(self.session.id())),
            Err(Refusal::Deadlock) => Ok(-3),
        }
    }

    fn sp_releaseapplock(&mut self, arguments: &[Argument]) -> SqlResult<i32> {
        let name = self
            .argument(arguments, "@Resource", 0)?
            .unwrap_or_default();
        let owner = self.argument(arguments, "@LockOwner", 1)?;
        let span = self.lock_span(owner)?;
        let resource = Resource::Application(self.session.database.id, name.clone());
        if self
            .session
            .server
            .locks
            .release(self.session.id(), &resource, span)
        {
            return Ok(0);
        }
        Err(SqlError::new(
            1223,
            16,
            1,
            format!(
                "Cannot release the application lock (Database Principal: 'public', Resource: '{name}') because it is not currently held."
            ),
        ))
    }

    /// What bulk copy clients ask before `INSERT BULK`: each column's collation.
    fn sp_tablecollations(&mut self, arguments: &[Argument]) -> SqlResult<i32> {
        let name = self.argument(arguments, "@object", 0)?.unwrap_or_default();
        let context = self.context();
        let found = crate::catalog::ObjectRef::by_name(&context, name.trim_start_matches('.'));
        let column = |name: &str, sql_type: SqlType| ResultColumn {
            name: name.to_owned(),
            sql_type,
            nullable: true,
            identity: false,
            read_only: true,
            collation: None,
        };
        let columns = [
            column("colid", SqlType::Int),
            column("name", SqlType::SysName),
            column("tds_collation_100", SqlType::Binary { length: 5 }),
            column("collation_100", SqlType::SysName),
        ];
        self.stop(|sink| sink.columns(&columns))?;
        let mut rows = 0;
        if let Some(table) = found.and_then(|found| found.table) {
            let definition = self.session.visible_version(&table).definition.clone();
            for column in &definition.columns {
                let text = column.sql_type.is_text();
                let row = [
                    Datum::Int(column.id),
                    Datum::Text {
                        value: column.name.as_str().into(),
                        national: true,
                    },
                    // The wire form of SQL_Latin1_General_CP1_CI_AS.
                    if text {
                        Datum::Binary([0x09, 0x04, 0xD0, 0x00, 0x34].as_slice().into())
                    } else {
                        Datum::Null
                    },
                    column
                        .collation
                        .as_ref()
                        .filter(|_| text)
                        .map_or(Datum::Null, |collation| Datum::Text {
                            value: collation.name.clone(),
                            national: true,
                        }),
                ];
                rows += 1;
                self.stop(|sink| sink.row(&row))?;
            }
        }
        self.done(command::SELECT, Some(rows))?;
        Ok(0)
    }

    /// The columns of a text's first query.
    fn sp_describe_first_result_set(&mut self, arguments: &[Argument]) -> SqlResult<i32> {
        let sql = self.argument(arguments, "@tsql", 0)?.unwrap_or_default();
        let parameters = self.argument(arguments, "@params", 1)?.unwrap_or_default();
        let described = self.describe(&sql, &parameters)?;
        crate::catalog::describe::send(self, &described)?;
        Ok(0)
    }

    /// Binds a text's first query without running it.
    fn describe(
        &mut self,
        sql: &str,
        parameters: &str,
    ) -> SqlResult<Vec<crate::plan::OutputColumn>> {
        let mut frame = Frame::default();
        if !parameters.trim().is_empty()
            && let Some(StatementKind::Declare(declarations)) =
                parse(&format!("DECLARE {}", without_output(parameters)?))?
                    .first()
                    .map(|first| first.kind.clone())
        {
            for declaration in declarations {
                if let Declaration::Scalar { name, sql_type, .. } = declaration {
                    frame.declare(&name, sql_type, Datum::Null)?;
                }
            }
        }
        for statement in parse(sql)? {
            match statement.kind {
                StatementKind::Query(query) => {
                    let context = self.context();
                    let mut binder =
                        crate::bind::Binder::new(self.session, &frame, &context, self.cancel);
                    return Ok(binder.bind_query(&query)?.columns);
                }
                StatementKind::SetOption(_)
                | StatementKind::Declare(_)
                | StatementKind::SetVariable { .. } => {}
                StatementKind::Insert(_) | StatementKind::Update(_) | StatementKind::Delete(_) => {
                    return Ok(Vec::new());
                }
                _ => {
                    return Err(unsupported_procedure(
                        "sp_describe_first_result_set of this statement",
                    ));
                }
            }
        }
        Ok(Vec::new())
    }
}

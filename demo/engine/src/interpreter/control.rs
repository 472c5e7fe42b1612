//! Statements one by one: dispatch, variables, conditions, settings, waiting.

use std::time::{Duration, Instant};

use super::Batch;
use super::batch::command;
use crate::ast::{Declaration, Expr as Ast, StatementKind};
use crate::bind::{Binder, Scope};
use crate::convert::{Excess, to_text};
use crate::error::{SqlResult, undeclared_variable};
use crate::locks::cancelled;
use crate::plan::{Environment, Expr};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

impl Batch<'_> {
    pub(super) fn execute(&mut self, kind: &StatementKind) -> SqlResult<()> {
        let settings = &self.session.settings;
        let only_settings = settings.no_exec && !matches!(kind, StatementKind::SetOption(_));
        let only_metadata = settings.format_only
            && !matches!(
                kind,
                StatementKind::SetOption(_)
                    | StatementKind::Query(_)
                    | StatementKind::Declare(_)
                    | StatementKind::ExecuteText(_)
            );
        if only_settings || only_metadata {
            return Ok(());
        }
        self.session.permit(kind)?;
        match kind {
            StatementKind::Query(query) => self.query(query),
            StatementKind::Insert(insert) => self.insert(insert),
            StatementKind::Update(update) => self.update(update),
            StatementKind::Delete(delete) => self.delete(delete),
            StatementKind::Merge(merge) => self.merge(merge),
            StatementKind::InsertBulk(bulk) => {
                let target = crate::bulk::BulkTarget::open(self.session, bulk, self.cancel)?;
                self.session.pending_bulk = Some(target);
                self.done(command::INSERT_BULK, None)
            }
            StatementKind::Declare(declarations) => self.declare(declarations),
            StatementKind::SetVariable { variable, value } => self.set_variable(variable, value),
            StatementKind::SetOption(setting) => {
                self.set_option(setting)?;
                self.set_row_count(0);
                self.done(command::SET, None)
            }
            StatementKind::Print(value) => self.print(value),
            StatementKind::Throw(parts) => self.throw(parts.as_ref()),
            StatementKind::RaiseError {
                message,
                severity,
                state,
                arguments,
            } => self.raise_error(message, severity, state, arguments),
            StatementKind::Begin { name } => {
                self.session
                    .begin_transaction(None, name.as_deref(), self.sink);
                self.set_row_count(0);
                self.done(command::BEGIN, None)
            }
            StatementKind::Commit => {
                self.session.commit_transaction(self.sink)?;
                self.set_row_count(0);
                self.done(command::COMMIT, None)
            }
            StatementKind::Rollback { name } => {
                let name = self.transaction_name(name.as_ref())?;
                self.session
                    .rollback_transaction(name.as_deref(), self.sink)?;
                self.done(command::ROLLBACK, None)
            }
            StatementKind::Save { name } => {
                let name = self.transaction_name(Some(name))?.unwrap_or_default();
                self.session.save_transaction(&name)?;
                self.done(command::SAVE, None)
            }
            StatementKind::CheckIdentity(check) => self.check_identity(check),
            StatementKind::WaitDelay(delay) => self.wait(delay),
            StatementKind::ExecuteText(parts) => self.execute_text(parts),
            StatementKind::ExecuteProcedure {
                result,
                name,
                arguments,
            } => self.execute_procedure(result.as_deref(), name, arguments),
            StatementKind::Nothing => self.done(command::OTHER, None),
            ddl => self.define(ddl),
        }
    }

    /// Binds an expression outside any query and computes it.
    pub(crate) fn evaluate(&mut self, ast: &Ast, target: Option<&SqlType>) -> SqlResult<Datum> {
        let context = self.context();
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        let (typed, _) = binder.in_scope(Scope::default(), |binder| binder.bind_scalar(ast))?;
        let typed = match target {
            Some(target) => typed.assign_to(target, Excess::Cut)?,
            None => typed,
        };
        crate::masking::refuse_in_expression(&context, &typed.expr)?;
        typed.expr.eval(&context, &Environment::EMPTY)
    }

    pub(super) fn condition(&mut self, ast: &Ast) -> SqlResult<Option<bool>> {
        let context = self.context();
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        let (predicate, _): (Expr, _) =
            binder.in_scope(Scope::default(), |binder| binder.bind_predicate(ast))?;
        predicate.test(&context, &Environment::EMPTY)
    }

    pub(super) fn integer(&mut self, ast: &Ast) -> SqlResult<Option<i64>> {
        Ok(match self.evaluate(ast, Some(&SqlType::BigInt))? {
            Datum::BigInt(value) => Some(value),
            _ => None,
        })
    }

    /// As [`Self::integer`], for other modules.
    pub(crate) fn integer_of(&mut self, ast: &Ast) -> SqlResult<Option<i64>> {
        self.integer(ast)
    }

    pub(super) fn text(&mut self, ast: &Ast) -> SqlResult<Option<String>> {
        Ok(match self.evaluate(ast, None)? {
            Datum::Null => None,
            value => Some(to_text(&value, 0)?),
        })
    }

    fn transaction_name(&mut self, name: Option<&Ast>) -> SqlResult<Option<String>> {
        match name {
            None => Ok(None),
            Some(Ast::Column { name, .. }) => Ok(Some(name.0.clone())),
            Some(other) => self.text(other),
        }
    }

    fn declare(&mut self, declarations: &[Declaration]) -> SqlResult<()> {
        for declaration in declarations {
            match declaration {
                Declaration::Scalar {
                    name,
                    sql_type,
                    value,
                } => {
                    let value = match value {
                        Some(value) => self.evaluate(value, Some(sql_type))?,
                        // Reached again in a loop, a declaration without a value leaves it alone.
                        None if self.frame.variable(name).is_some() => continue,
                        None => Datum::Null,
                    };
                    self.frame.declare(name, sql_type.clone(), value)?;
                }
                Declaration::Table { name, definition } => {
                    let table = self.table_variable(name, definition)?;
                    self.frame.declare_table(name, table);
                }
            }
        }
        Ok(())
    }

    fn set_variable(&mut self, name: &str, value: &Ast) -> SqlResult<()> {
        let Some((place, variable)) = self.frame.variable(name) else {
            return Err(undeclared_variable(name));
        };
        let sql_type = variable.sql_type.clone();
        let value = self.evaluate(value, Some(&sql_type))?;
        self.frame.variables[place].value = value;
        self.set_row_count(1);
        Ok(())
    }

    fn print(&mut self, value: &Ast) -> SqlResult<()> {
        let text = self.text(value)?.unwrap_or_default();
        self.set_row_count(0);
        self.stop(|sink| sink.message(SqlError::information(text)))
    }

    fn wait(&mut self, delay: &Ast) -> SqlResult<()> {
        let delay = match self.evaluate(delay, Some(&SqlType::Time { scale: 7 }))? {
            Datum::Time { ticks, .. } => Duration::from_nanos(ticks * 100),
            _ => Duration::ZERO,
        };
        let end = Instant::now() + delay;
        while Instant::now() < end {
            if self.cancel.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(cancelled());
            }
            std::thread::sleep(
                end.saturating_duration_since(Instant::now())
                    .min(Duration::from_millis(10)),
            );
        }
        self.done(command::OTHER, None)
    }
}

//! Control of flow, variables, settings, transactions, EXEC.

use super::Parser;
use crate::ast::{Argument, CheckIdentity, Declaration, Expr, Setting, StatementKind};
use crate::error::{SqlResult, unsupported_clause, unsupported_statement};
use crate::lexer::TokenKind;
use crate::session::IsolationLevel;

impl Parser<'_> {
    pub(super) fn declare(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        let declarations = self.comma_separated(|parser| {
            if parser.peek().kind != TokenKind::Variable {
                return Err(unsupported_statement("DECLARE ... CURSOR"));
            }
            let name = parser.variable()?;
            parser.eat_word("AS");
            if parser.eat_word("TABLE") {
                let definition = parser.table_definition()?;
                return Ok(Declaration::Table { name, definition });
            }
            let sql_type = parser.type_name()?;
            let value = if parser.eat_symbol("=") {
                Some(parser.expression()?)
            } else {
                None
            };
            Ok(Declaration::Scalar {
                name,
                sql_type,
                value,
            })
        })?;
        Ok(StatementKind::Declare(declarations))
    }

    pub(super) fn set(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if self.peek().kind == TokenKind::Variable {
            let variable = self.variable()?;
            if let Some(operator) = self.compound_operator(0) {
                self.at += 1;
                let right = Box::new(self.expression()?);
                let left = Box::new(Expr::Variable(variable.clone()));
                return Ok(StatementKind::SetVariable {
                    variable,
                    value: Expr::Binary {
                        operator,
                        left,
                        right,
                    },
                });
            }
            self.expect_symbol("=")?;
            return Ok(StatementKind::SetVariable {
                variable,
                value: self.expression()?,
            });
        }
        self.setting().map(StatementKind::SetOption)
    }

    fn on_off(&mut self) -> SqlResult<bool> {
        let on = self.eat_word("ON");
        if !on {
            self.expect_word("OFF")?;
        }
        Ok(on)
    }

    fn setting(&mut self) -> SqlResult<Setting> {
        if self.eat_words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            return self.isolation_level().map(Setting::Isolation);
        }
        if self.eat_word("IDENTITY_INSERT") {
            let table = self.object_name()?;
            return Ok(Setting::IdentityInsert {
                table,
                on: self.on_off()?,
            });
        }
        let mut names = vec![self.advance().text.to_ascii_uppercase()];
        match names[0].as_str() {
            "LOCK_TIMEOUT" => return self.signed_integer().map(Setting::LockTimeout),
            "DATEFIRST" => return self.signed_integer().map(Setting::DateFirst),
            "TEXTSIZE" | "ROWCOUNT" | "QUERY_GOVERNOR_COST_LIMIT" => {
                let value = self.signed_integer()?;
                if names[0] == "ROWCOUNT" && value != 0 {
                    return Err(unsupported_clause("SET ROWCOUNT with a limit"));
                }
                return Ok(Setting::Several(Vec::new()));
            }
            "DATEFORMAT" => {
                return Ok(Setting::DateFormat(
                    self.advance().unquoted().to_ascii_lowercase(),
                ));
            }
            "LANGUAGE" => return Ok(Setting::Language(self.advance().unquoted())),
            "DEADLOCK_PRIORITY" | "CONTEXT_INFO" => {
                self.eat_symbol("-");
                self.advance();
                return Ok(Setting::Several(Vec::new()));
            }
            "STATISTICS" => {
                self.advance();
                self.on_off()?;
                return Ok(Setting::Several(Vec::new()));
            }
            _ => {}
        }
        while self.eat_symbol(",") {
            names.push(self.advance().text.to_ascii_uppercase());
        }
        let on = self.on_off()?;
        let mut settings = names
            .into_iter()
            .map(|name| named_setting(name, on))
            .collect::<SqlResult<Vec<_>>>()?;
        Ok(if settings.len() == 1 {
            settings.remove(0)
        } else {
            Setting::Several(settings)
        })
    }

    fn isolation_level(&mut self) -> SqlResult<IsolationLevel> {
        let level = if self.eat_words(&["READ", "UNCOMMITTED"]) {
            IsolationLevel::ReadUncommitted
        } else if self.eat_words(&["READ", "COMMITTED"]) {
            IsolationLevel::ReadCommitted
        } else if self.eat_words(&["REPEATABLE", "READ"]) {
            IsolationLevel::RepeatableRead
        } else if self.eat_word("SERIALIZABLE") {
            IsolationLevel::Serializable
        } else if self.eat_word("SNAPSHOT") {
            IsolationLevel::Snapshot
        } else {
            return Err(self.unexpected());
        };
        Ok(level)
    }

    pub(super) fn if_statement(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        let condition = self.expression()?;
        let then = Box::new(self.statement()?);
        let semicolon = self.at_symbol(";") && self.word_ahead(1, "ELSE");
        if semicolon {
            self.at += 1;
        }
        let otherwise = if self.eat_word("ELSE") {
            Some(Box::new(self.statement()?))
        } else {
            None
        };
        Ok(StatementKind::If {
            condition,
            then,
            otherwise,
        })
    }

    pub(super) fn while_statement(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        let condition = self.expression()?;
        Ok(StatementKind::While {
            condition,
            body: Box::new(self.statement()?),
        })
    }

    pub(super) fn begin(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if self.eat_word("TRAN") || self.eat_word("TRANSACTION") {
            let name = self.transaction_name()?.map(|name| match name {
                Expr::Column { name, .. } => name.0,
                Expr::Variable(name) => name,
                _ => String::new(),
            });
            if self.eat_words(&["WITH", "MARK"]) {
                return Err(unsupported_clause("BEGIN TRANSACTION ... WITH MARK"));
            }
            return Ok(StatementKind::Begin { name });
        }
        if self.at_word("DISTRIBUTED") || self.at_word("DIALOG") || self.at_word("CONVERSATION") {
            let what = format!("BEGIN {}", self.peek().text.to_ascii_uppercase());
            return Err(unsupported_statement(&what));
        }
        if self.eat_word("TRY") {
            let mut body = Vec::new();
            self.statements_until(&mut body, |parser| parser.at_word("END"))?;
            self.expect_word("END")?;
            self.expect_word("TRY")?;
            self.eat_symbol(";");
            self.expect_word("BEGIN")?;
            self.expect_word("CATCH")?;
            let mut handler = Vec::new();
            self.statements_until(&mut handler, |parser| parser.at_word("END"))?;
            self.expect_word("END")?;
            self.expect_word("CATCH")?;
            return Ok(StatementKind::TryCatch { body, handler });
        }
        let mut body = Vec::new();
        self.statements_until(&mut body, |parser| parser.at_word("END"))?;
        self.expect_word("END")?;
        if body.is_empty() {
            return Err(self.unexpected());
        }
        Ok(StatementKind::Block(body))
    }

    fn transaction_name(&mut self) -> SqlResult<Option<Expr>> {
        if self.peek().kind == TokenKind::Variable {
            return Ok(Some(Expr::Variable(self.variable()?)));
        }
        if self.at_name() && !self.at_word("THROW") {
            return Ok(Some(Expr::Column {
                qualifier: Vec::new(),
                name: self.name()?,
            }));
        }
        Ok(None)
    }

    pub(super) fn return_statement(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        let token = self.peek();
        let has_value = matches!(token.kind, TokenKind::Integer | TokenKind::Variable)
            || (token.kind == TokenKind::Symbol && matches!(token.text, "(" | "-"));
        Ok(StatementKind::Return(if has_value {
            Some(self.expression()?)
        } else {
            None
        }))
    }

    pub(super) fn throw(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if !matches!(self.peek().kind, TokenKind::Integer | TokenKind::Variable) {
            return Ok(StatementKind::Throw(None));
        }
        let number = self.expression()?;
        self.expect_symbol(",")?;
        let message = self.expression()?;
        self.expect_symbol(",")?;
        let state = self.expression()?;
        Ok(StatementKind::Throw(Some((number, message, state))))
    }

    pub(super) fn raise_error(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        self.expect_symbol("(")?;
        let message = self.expression()?;
        self.expect_symbol(",")?;
        let severity = self.expression()?;
        self.expect_symbol(",")?;
        let state = self.expression()?;
        let mut arguments = Vec::new();
        while self.eat_symbol(",") {
            arguments.push(self.expression()?);
        }
        self.expect_symbol(")")?;
        if self.eat_word("WITH") {
            self.comma_separated(|parser| {
                match parser.advance().text.to_ascii_uppercase().as_str() {
                    "NOWAIT" | "SETERROR" => Ok(()),
                    other => Err(unsupported_clause(&format!("RAISERROR ... WITH {other}"))),
                }
            })?;
        }
        Ok(StatementKind::RaiseError {
            message,
            severity,
            state,
            arguments,
        })
    }

    pub(super) fn commit(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if self.eat_word("TRAN") || self.eat_word("TRANSACTION") {
            self.transaction_name()?;
        } else {
            self.eat_word("WORK");
        }
        Ok(StatementKind::Commit)
    }

    pub(super) fn rollback(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        let name = if self.eat_word("TRAN") || self.eat_word("TRANSACTION") {
            self.transaction_name()?
        } else {
            self.eat_word("WORK");
            None
        };
        Ok(StatementKind::Rollback { name })
    }

    pub(super) fn save(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if !(self.eat_word("TRAN") || self.eat_word("TRANSACTION")) {
            return Err(self.unexpected());
        }
        match self.transaction_name()? {
            Some(name) => Ok(StatementKind::Save { name }),
            None => Err(self.unexpected()),
        }
    }

    pub(super) fn dbcc(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if !self.eat_word("CHECKIDENT") {
            let what = self.peek().text.to_ascii_uppercase();
            return Err(crate::error::unsupported_statement(&format!("DBCC {what}")));
        }
        self.expect_symbol("(")?;
        let table = match self.peek().kind {
            TokenKind::Text | TokenKind::NationalText => {
                super::parse_object_name(&self.advance().unquoted())?
            }
            _ => self.object_name()?,
        };
        let (mut reseed, mut value) = (true, None);
        if self.eat_symbol(",") {
            reseed = !self.eat_word("NORESEED");
            if reseed {
                self.expect_word("RESEED")?;
                if self.eat_symbol(",") {
                    value = Some(self.expression()?);
                }
            }
        }
        self.expect_symbol(")")?;
        let silent = self.eat_words(&["WITH", "NO_INFOMSGS"]);
        Ok(StatementKind::CheckIdentity(Box::new(CheckIdentity {
            table,
            reseed,
            value,
            silent,
        })))
    }

    pub(super) fn wait_for(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if !self.eat_word("DELAY") {
            return Err(unsupported_clause("WAITFOR other than DELAY"));
        }
        Ok(StatementKind::WaitDelay(self.expression()?))
    }

    pub(super) fn execute(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        if self.eat_symbol("(") {
            let mut parts = vec![self.expression()?];
            while self.eat_symbol(",") {
                parts.push(self.expression()?);
            }
            self.expect_symbol(")")?;
            if self.at_word("AT") || self.at_word("AS") {
                return Err(unsupported_clause("EXECUTE (...) AT or AS"));
            }
            return Ok(StatementKind::ExecuteText(parts));
        }
        self.execute_procedure()
    }

    pub(super) fn execute_procedure(&mut self) -> SqlResult<StatementKind> {
        let result = if self.peek().kind == TokenKind::Variable && self.symbol_ahead(1, "=") {
            let variable = self.variable()?;
            self.at += 1;
            Some(variable)
        } else {
            None
        };
        let name = self.object_name()?;
        let mut arguments = Vec::new();
        let token = self.peek();
        let ends = token.kind == TokenKind::End
            || (token.kind == TokenKind::Symbol && token.text == ";")
            || (token.kind == TokenKind::Word
                && super::is_reserved(token.text)
                && !matches!(token.text.to_ascii_uppercase().as_str(), "NULL" | "DEFAULT"));
        if !ends {
            arguments = self.comma_separated(|parser| {
                let name =
                    if parser.peek().kind == TokenKind::Variable && parser.symbol_ahead(1, "=") {
                        let name = parser.variable()?;
                        parser.at += 1;
                        Some(name)
                    } else {
                        None
                    };
                let value = if parser.eat_word("DEFAULT") {
                    None
                } else {
                    Some(parser.procedure_value()?)
                };
                let output = parser.eat_word("OUTPUT") || parser.eat_word("OUT");
                Ok(Argument {
                    name,
                    value,
                    output,
                })
            })?;
        }
        if self.at_word("WITH") {
            return Err(unsupported_clause("EXECUTE ... WITH"));
        }
        Ok(StatementKind::ExecuteProcedure {
            result,
            name,
            arguments,
        })
    }

    /// An argument is a constant or a variable; a bare word counts as text.
    fn procedure_value(&mut self) -> SqlResult<Expr> {
        if self.at_name() && !self.symbol_ahead(1, "(") {
            let text = self.name()?.0;
            let length = Some(text.encode_utf16().count().clamp(1, 4000) as u16);
            let value = crate::types::Datum::Text {
                value: text.into(),
                national: true,
            };
            return Ok(Expr::Literal {
                value,
                sql_type: crate::types::SqlType::NVarChar { length },
            });
        }
        self.expression()
    }
}

fn named_setting(name: String, on: bool) -> SqlResult<Setting> {
    Ok(match name.as_str() {
        "NOCOUNT" => Setting::NoCount(on),
        "XACT_ABORT" => Setting::XactAbort(on),
        "IMPLICIT_TRANSACTIONS" => Setting::ImplicitTransactions(on),
        "FMTONLY" => Setting::FormatOnly(on),
        "NOEXEC" => Setting::NoExec(on),
        "CONCAT_NULL_YIELDS_NULL" => Setting::ConcatNullYieldsNull(on),
        "ANSI_NULLS"
        | "ANSI_PADDING"
        | "ANSI_WARNINGS"
        | "ANSI_NULL_DFLT_ON"
        | "ANSI_NULL_DFLT_OFF"
        | "ANSI_DEFAULTS"
        | "ARITHABORT"
        | "ARITHIGNORE"
        | "QUOTED_IDENTIFIER"
        | "NUMERIC_ROUNDABORT"
        | "CURSOR_CLOSE_ON_COMMIT"
        | "NO_BROWSETABLE"
        | "FORCEPLAN"
        | "REMOTE_PROC_TRANSACTIONS" => Setting::Fixed { name, on },
        other => return Err(unsupported_clause(&format!("SET {other}"))),
    })
}

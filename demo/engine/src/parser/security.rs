//! Security policies and the inline functions behind them.

use super::Parser;
use crate::ast::{CreateFunction, CreatePolicy, PolicyFilter, StatementKind};
use crate::error::{SqlResult, unsupported_clause};
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// `name (@p type, ..) RETURNS TABLE [WITH SCHEMABINDING] AS RETURN [(] SELECT 1 AS x WHERE .. [)]`.
    pub(super) fn create_function(&mut self) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        self.expect_symbol("(")?;
        let mut parameters = Vec::new();
        if !self.at_symbol(")") {
            parameters = self.comma_separated(|parser| {
                let name = parser.variable()?;
                parser.eat_word("AS");
                parser.type_name()?;
                Ok(name)
            })?;
        }
        self.expect_symbol(")")?;
        self.expect_word("RETURNS")?;
        if !self.eat_word("TABLE") {
            return Err(unsupported_clause("functions that are not inline"));
        }
        let _ = self.eat_words(&["WITH", "SCHEMABINDING"]);
        self.expect_word("AS")?;
        self.expect_word("RETURN")?;
        let wrapped = self.eat_symbol("(");
        self.expect_word("SELECT")?;
        self.expression()?;
        if self.eat_word("AS") {
            self.name()?;
        }
        if !self.eat_word("WHERE") {
            return Err(unsupported_clause(
                "an inline function that does more than filter",
            ));
        }
        let start = self.peek().start;
        self.expression()?;
        let predicate = self.text_since(start);
        if wrapped {
            self.expect_symbol(")")?;
        }
        Ok(StatementKind::CreateFunction(Box::new(CreateFunction {
            name,
            parameters,
            predicate,
        })))
    }

    pub(super) fn create_policy(&mut self) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        let filters = self.comma_separated(|parser| {
            parser.expect_word("ADD")?;
            if !parser.eat_word("FILTER") {
                return Err(unsupported_clause("BLOCK PREDICATE"));
            }
            parser.expect_word("PREDICATE")?;
            let function = parser.object_name()?;
            let columns = parser.name_list()?;
            parser.expect_word("ON")?;
            Ok(PolicyFilter {
                function,
                columns,
                table: parser.object_name()?,
            })
        })?;
        let enabled = !self.at_word("WITH") || self.policy_state()?;
        Ok(StatementKind::CreatePolicy(Box::new(CreatePolicy {
            name,
            filters,
            enabled,
        })))
    }

    pub(super) fn alter_policy(&mut self) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        let enabled = self.policy_state()?;
        Ok(StatementKind::AlterPolicy { name, enabled })
    }

    /// `WITH (STATE = ON)`.
    fn policy_state(&mut self) -> SqlResult<bool> {
        self.expect_word("WITH")?;
        self.expect_symbol("(")?;
        self.expect_word("STATE")?;
        self.expect_symbol("=")?;
        let on = self.eat_word("ON");
        if !on {
            self.expect_word("OFF")?;
        }
        self.expect_symbol(")")?;
        Ok(on)
    }
}

/// A function's predicate with columns in the place of its parameters.
pub(crate) fn parse_filter(
    predicate: &str,
    column_of: impl Fn(&str) -> Option<String>,
) -> SqlResult<crate::ast::Expr> {
    let mut text = String::new();
    let mut end = 0;
    for token in crate::lexer::tokenize(predicate)? {
        if token.kind == TokenKind::Variable
            && let Some(column) = column_of(token.text)
        {
            text.push_str(&predicate[end..token.start]);
            text.push_str(&column);
            end = token.start + token.text.len();
        }
    }
    text.push_str(&predicate[end..]);
    let mut parser = Parser {
        sql: &text,
        tokens: crate::lexer::tokenize(&text)?,
        at: 0,
        depth: 0,
    };
    parser.expression()
}

//! Recursive descent over the tokens of one batch.

mod alter;
mod control;
mod ddl;
mod dml;
mod expr;
mod literal;
mod names;
mod query;
mod security;
mod special;
mod table;
mod view;

use crate::ast::{Statement, StatementKind};
use crate::error::{SqlResult, syntax, syntax_keyword, unsupported_statement};
use crate::lexer::{Token, TokenKind, tokenize};
use crate::session::SqlError;
use names::is_reserved;

pub(crate) use security::parse_filter;

/// How deep statements and expressions may nest: SQL Server's own limit is of this order, and the parser
/// and evaluator recurse.
const MAX_DEPTH: usize = 100;

/// Parses a batch.
///
/// # Errors
/// 102, 156 and their kin, with the line; what lies outside the subset is refused by name.
pub(crate) fn parse(sql: &str) -> SqlResult<Vec<Statement>> {
    let tokens = tokenize(sql)?;
    let mut parser = Parser {
        sql,
        tokens,
        at: 0,
        depth: 0,
    };
    let mut statements = Vec::new();
    parser
        .statements_until(&mut statements, |parser| {
            parser.peek().kind == TokenKind::End
        })
        .map_err(|error| parser.located(error))?;
    Ok(statements)
}

pub(crate) struct Parser<'a> {
    sql: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn located(&self, mut error: SqlError) -> SqlError {
        if error.line == 0 {
            error.line = self.peek().line;
        }
        error.ending_batch()
    }

    fn peek(&self) -> &Token<'a> {
        self.peek_ahead(0)
    }

    fn peek_ahead(&self, ahead: usize) -> &Token<'a> {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        if self.at < self.tokens.len() - 1 {
            self.at += 1;
        }
        token
    }

    fn at_word(&self, word: &str) -> bool {
        self.word_ahead(0, word)
    }

    fn word_ahead(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek_ahead(ahead);
        token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.at += 1;
        }
        found
    }

    /// Eats several words, or none.
    fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.word_ahead(ahead, word));
        if found {
            self.at += words.len();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> SqlResult<()> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        self.symbol_ahead(0, symbol)
    }

    fn symbol_ahead(&self, ahead: usize, symbol: &str) -> bool {
        let token = self.peek_ahead(ahead);
        token.kind == TokenKind::Symbol && token.text == symbol
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> SqlResult<()> {
        if self.eat_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// 102 or 156 at the current token.
    fn unexpected(&self) -> SqlError {
        let token = self.peek();
        let mut error = match token.kind {
            TokenKind::Word if is_reserved(token.text) => {
                syntax_keyword(&token.text.to_uppercase())
            }
            TokenKind::End => syntax(
                self.tokens
                    .get(self.at.wrapping_sub(1))
                    .map_or("", |previous| previous.text),
            ),
            _ => syntax(&token.unquoted()),
        };
        error.line = token.line;
        error
    }

    /// Guards recursion.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::new(
                191,
                15,
                1,
                "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.",
            ));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// One or more things with commas between.
    fn comma_separated<T>(
        &mut self,
        mut parse: impl FnMut(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        let mut list = vec![parse(self)?];
        while self.eat_symbol(",") {
            list.push(parse(self)?);
        }
        Ok(list)
    }

    /// The text from `start` to before the current token, without blanks at its end.
    fn text_since(&self, start: usize) -> String {
        let end = self.peek().start;
        self.sql[start..end].trim_end().to_owned()
    }

    fn statements_until(
        &mut self,
        statements: &mut Vec<Statement>,
        end: impl Fn(&Self) -> bool,
    ) -> SqlResult<()> {
        loop {
            while self.eat_symbol(";") {}
            if end(self) {
                return Ok(());
            }
            if self.peek().kind == TokenKind::End {
                return Err(self.unexpected());
            }
            statements.push(self.statement()?);
        }
    }

    fn statement(&mut self) -> SqlResult<Statement> {
        let line = self.peek().line;
        let kind = self.nested(Self::statement_kind)?;
        Ok(Statement { line, kind })
    }

    fn statement_kind(&mut self) -> SqlResult<StatementKind> {
        let token = self.peek().clone();
        if token.kind == TokenKind::Symbol && token.text == "(" {
            return Ok(StatementKind::Query(Box::new(self.query()?)));
        }
        // A batch may start with a procedure's name alone.
        if token.kind == TokenKind::Quoted && self.at == 0 {
            return self.execute_procedure();
        }
        if token.kind != TokenKind::Word {
            return Err(self.unexpected());
        }
        match token.text.to_ascii_uppercase().as_str() {
            "SELECT" => Ok(StatementKind::Query(Box::new(self.query()?))),
            "WITH" => self.with_statement(),
            "INSERT" => self.insert_statement(Vec::new()),
            "UPDATE" => self.update_statement(Vec::new()),
            "DELETE" => self.delete_statement(Vec::new()),
            "MERGE" => self.merge_statement(Vec::new()),
            "TRUNCATE" => self.truncate(),
            "CREATE" => self.create(),
            "DROP" => self.drop_statement(),
            "ALTER" => self.alter(),
            "ENABLE" | "DISABLE" if self.word_ahead(1, "TRIGGER") => self.switch_trigger(),
            "USE" => {
                self.at += 1;
                Ok(StatementKind::Use(self.name()?))
            }
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "IF" => self.if_statement(),
            "WHILE" => self.while_statement(),
            "BEGIN" => self.begin(),
            "BREAK" => self.word_statement(StatementKind::Break),
            "CONTINUE" => self.word_statement(StatementKind::Continue),
            "RETURN" => self.return_statement(),
            "PRINT" => {
                self.at += 1;
                Ok(StatementKind::Print(self.expression()?))
            }
            "THROW" => self.throw(),
            "RAISERROR" => self.raise_error(),
            "COMMIT" => self.commit(),
            "ROLLBACK" => self.rollback(),
            "SAVE" => self.save(),
            "WAITFOR" => self.wait_for(),
            "EXEC" | "EXECUTE" => self.execute(),
            "DBCC" => self.dbcc(),
            "CHECKPOINT" => self.word_statement(StatementKind::Nothing),
            "GO" => Err(syntax("go")),
            _ if self.at == 0 && !is_reserved(token.text) => self.execute_procedure(),
            other if is_reserved(other) && names::starts_statement(other) => {
                Err(unsupported_statement(other))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word_statement(&mut self, kind: StatementKind) -> SqlResult<StatementKind> {
        self.at += 1;
        Ok(kind)
    }
}

/// Reads a name as OBJECT_ID takes it.
pub(crate) fn parse_object_name(text: &str) -> SqlResult<crate::ast::ObjectName> {
    let mut parser = Parser {
        sql: text,
        tokens: tokenize(text)?,
        at: 0,
        depth: 0,
    };
    let name = parser.object_name()?;
    if parser.peek().kind == TokenKind::End {
        Ok(name)
    } else {
        Err(parser.unexpected())
    }
}

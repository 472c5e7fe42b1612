//! FROM: tables with their hints, derived tables, joins.

use super::Parser;
use crate::ast::{Expr, JoinKind, Name, TableRef};
use crate::error::{SqlResult, unsupported_clause, unsupported_function};
use crate::lexer::TokenKind;

/// Table hints, with or without WITH.
const HINTS: [&str; 22] = [
    "NOLOCK",
    "READUNCOMMITTED",
    "UPDLOCK",
    "REPEATABLEREAD",
    "SERIALIZABLE",
    "HOLDLOCK",
    "READCOMMITTED",
    "READCOMMITTEDLOCK",
    "TABLOCK",
    "TABLOCKX",
    "PAGLOCK",
    "ROWLOCK",
    "XLOCK",
    "NOWAIT",
    "SNAPSHOT",
    "READPAST",
    "KEEPIDENTITY",
    "KEEPDEFAULTS",
    "IGNORE_TRIGGERS",
    "IGNORE_CONSTRAINTS",
    "NOEXPAND",
    "FORCESEEK",
];

impl Parser<'_> {
    pub(super) fn table_ref(&mut self) -> SqlResult<TableRef> {
        let mut left = self.table_primary()?;
        loop {
            let kind = if self.eat_words(&["CROSS", "JOIN"]) {
                JoinKind::Cross
            } else if self.eat_words(&["CROSS", "APPLY"]) {
                JoinKind::CrossApply
            } else if self.eat_words(&["OUTER", "APPLY"]) {
                JoinKind::OuterApply
            } else if let Some(kind) = self.join_kind() {
                kind
            } else {
                break;
            };
            if matches!(
                kind,
                JoinKind::Cross | JoinKind::CrossApply | JoinKind::OuterApply
            ) {
                let right = Box::new(self.table_primary()?);
                left = TableRef::Join {
                    kind,
                    left: Box::new(left),
                    right,
                    on: None,
                };
                continue;
            }
            // `a JOIN b JOIN c ON .. ON ..` nests to the right.
            let mut right = self.table_primary()?;
            while !self.at_word("ON") {
                let Some(inner) = self.join_kind() else {
                    return Err(self.unexpected());
                };
                let innermost = self.table_primary()?;
                self.expect_word("ON")?;
                let on = Some(self.expression()?);
                right = TableRef::Join {
                    kind: inner,
                    left: Box::new(right),
                    right: Box::new(innermost),
                    on,
                };
            }
            self.expect_word("ON")?;
            let on = Some(self.expression()?);
            left = TableRef::Join {
                kind,
                left: Box::new(left),
                right: Box::new(right),
                on,
            };
        }
        for word in ["PIVOT", "UNPIVOT", "TABLESAMPLE"] {
            if self.at_word(word) {
                return Err(unsupported_clause(word));
            }
        }
        Ok(left)
    }

    fn join_kind(&mut self) -> Option<JoinKind> {
        let start = self.at;
        let kind = if self.eat_word("INNER") {
            JoinKind::Inner
        } else if self.eat_word("LEFT") {
            JoinKind::Left
        } else if self.eat_word("RIGHT") {
            JoinKind::Right
        } else if self.eat_word("FULL") {
            JoinKind::Full
        } else {
            JoinKind::Inner
        };
        self.eat_word("OUTER");
        // Join hints (HASH, MERGE, LOOP) choose a plan, not a result.
        for hint in ["HASH", "MERGE", "LOOP", "REMOTE"] {
            if self.at > start && self.at_word(hint) && self.word_ahead(1, "JOIN") {
                self.at += 1;
            }
        }
        if self.eat_word("JOIN") {
            Some(kind)
        } else {
            self.at = start;
            None
        }
    }

    fn table_primary(&mut self) -> SqlResult<TableRef> {
        if self.at_symbol("(") {
            return self.nested(Self::parenthesised_table);
        }
        if self.peek().kind == TokenKind::Variable {
            let name = self.variable()?;
            let alias = self.table_alias()?;
            return Ok(TableRef::Variable { name, alias });
        }
        for word in [
            "OPENROWSET",
            "OPENQUERY",
            "OPENJSON",
            "OPENXML",
            "CHANGETABLE",
        ] {
            if self.at_word(word) {
                return Err(unsupported_function(word));
            }
        }
        let name = self.object_name()?;
        if self.at_symbol("(") && !self.hint_parenthesis() {
            self.at += 1;
            let arguments = if self.at_symbol(")") {
                Vec::new()
            } else {
                self.comma_separated(Self::expression)?
            };
            self.expect_symbol(")")?;
            let alias = self.table_alias()?;
            let columns = if alias.is_some() && self.at_symbol("(") {
                self.name_list()?
            } else {
                Vec::new()
            };
            return Ok(TableRef::Function {
                name: name.name,
                arguments,
                alias,
                columns,
            });
        }
        if self.eat_words(&["FOR", "SYSTEM_TIME"]) {
            return Err(unsupported_clause("FOR SYSTEM_TIME"));
        }
        let mut hints = self.table_hints()?;
        let alias = self.table_alias()?;
        hints.extend(self.table_hints()?);
        Ok(TableRef::Table { name, alias, hints })
    }

    fn parenthesised_table(&mut self) -> SqlResult<TableRef> {
        self.expect_symbol("(")?;
        if self.eat_word("VALUES") {
            let rows = self.value_rows()?;
            self.expect_symbol(")")?;
            self.eat_word("AS");
            let alias = self.name()?;
            let columns = self.name_list()?;
            return Ok(TableRef::Values {
                rows,
                alias,
                columns,
            });
        }
        let nested_query = {
            let mut ahead = 0;
            while self.symbol_ahead(ahead, "(") {
                ahead += 1;
            }
            self.word_ahead(ahead, "SELECT") || self.word_ahead(ahead, "WITH")
        };
        if nested_query {
            let query = Box::new(self.query()?);
            self.expect_symbol(")")?;
            self.eat_word("AS");
            let alias = self.name()?;
            let columns = if self.at_symbol("(") {
                self.name_list()?
            } else {
                Vec::new()
            };
            return Ok(TableRef::Derived {
                query,
                alias,
                columns,
            });
        }
        let inner = self.table_ref()?;
        self.expect_symbol(")")?;
        Ok(inner)
    }

    /// `(a, b), (c, d)`.
    pub(super) fn value_rows(&mut self) -> SqlResult<Vec<Vec<Expr>>> {
        self.comma_separated(|parser| {
            parser.expect_symbol("(")?;
            let row = parser.comma_separated(Self::expression)?;
            parser.expect_symbol(")")?;
            Ok(row)
        })
    }

    pub(super) fn table_alias(&mut self) -> SqlResult<Option<Name>> {
        if self.eat_word("AS") {
            return self.name().map(Some);
        }
        if self.at_name() && !self.at_statement_word() {
            return self.name().map(Some);
        }
        Ok(None)
    }

    /// Words that are no keywords but begin a statement when they follow a table.
    fn at_statement_word(&self) -> bool {
        (self.at_word("THROW") || self.at_word("GO")) && self.peek().kind == TokenKind::Word
            || (self.at_word("OFFSET") || self.at_word("USING"))
    }

    fn hint_parenthesis(&self) -> bool {
        HINTS.iter().any(|hint| self.word_ahead(1, hint))
            && (self.symbol_ahead(2, ")") || self.symbol_ahead(2, ","))
    }

    /// `WITH (NOLOCK, ...)` or the old `(NOLOCK)`.
    pub(super) fn table_hints(&mut self) -> SqlResult<Vec<String>> {
        let with = self.at_word("WITH") && self.symbol_ahead(1, "(");
        let old_form = self.at_symbol("(") && self.hint_parenthesis();
        if !with && !old_form {
            return Ok(Vec::new());
        }
        if with {
            self.at += 1;
        }
        self.expect_symbol("(")?;
        let mut hints = Vec::new();
        loop {
            let token = self.advance();
            let hint = token.text.to_ascii_uppercase();
            if hint == "INDEX" || hint == "FORCESEEK" {
                let _ = self.eat_symbol("=");
                if self.at_symbol("(") {
                    self.skip_parentheses()?;
                } else if hint == "INDEX" {
                    self.advance();
                }
            } else if !HINTS.contains(&hint.as_str()) {
                return Err(crate::session::SqlError::new(
                    321,
                    15,
                    1,
                    format!(
                        "\"{}\" is not a recognized table hints option. If it is intended as a parameter to a table-valued function or to the CHANGETABLE function, ensure that your database compatibility mode is set to 90.",
                        token.text
                    ),
                ));
            }
            hints.push(hint);
            self.eat_symbol(",");
            if self.eat_symbol(")") {
                return Ok(hints);
            }
        }
    }
}

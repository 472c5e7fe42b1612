//! INSERT, UPDATE, DELETE, MERGE, TRUNCATE and INSERT BULK.

use super::Parser;
use crate::ast::{
    Assignment, CommonTable, Delete, Expr, Insert, InsertBulk, InsertSource, Merge, MergeAction,
    MergeClause, MergeMatch, Name, Output, StatementKind, Target, Update,
};
use crate::error::{SqlResult, unsupported_clause};
use crate::lexer::TokenKind;
use crate::session::SqlError;

impl Parser<'_> {
    fn target(&mut self) -> SqlResult<Target> {
        if self.peek().kind == TokenKind::Variable {
            return Ok(Target::Variable(self.variable()?));
        }
        let name = self.object_name()?;
        let hints = self.table_hints()?;
        Ok(Target::Table { name, hints })
    }

    pub(super) fn insert_statement(&mut self, with: Vec<CommonTable>) -> SqlResult<StatementKind> {
        self.expect_word("INSERT")?;
        if self.at_word("BULK") {
            return self.insert_bulk();
        }
        let top = self.top()?;
        self.eat_word("INTO");
        // `INSERT t (NOLOCK)` does not exist: a parenthesis here opens the column list.
        let target = if self.peek().kind == TokenKind::Variable {
            Target::Variable(self.variable()?)
        } else {
            let name = self.object_name()?;
            let hints = if self.at_word("WITH") && self.symbol_ahead(1, "(") {
                self.table_hints()?
            } else {
                Vec::new()
            };
            Target::Table { name, hints }
        };
        let columns = if self.at_symbol("(") && !self.query_in_parentheses() {
            self.name_list_dotted()?
        } else {
            Vec::new()
        };
        let output = self.output()?;
        let source = if self.eat_words(&["DEFAULT", "VALUES"]) {
            InsertSource::DefaultValues
        } else if self.eat_word("VALUES") {
            InsertSource::Values(self.value_rows()?)
        } else if self.at_word("EXEC") || self.at_word("EXECUTE") {
            return Err(unsupported_clause("INSERT ... EXEC"));
        } else {
            InsertSource::Query(Box::new(self.query()?))
        };
        self.query_options()?;
        Ok(StatementKind::Insert(Box::new(Insert {
            with,
            top,
            target,
            columns,
            output,
            source,
        })))
    }

    fn query_in_parentheses(&self) -> bool {
        let mut ahead = 0;
        while self.symbol_ahead(ahead, "(") {
            ahead += 1;
        }
        self.word_ahead(ahead, "SELECT") || self.word_ahead(ahead, "WITH")
    }

    /// A column list whose names may be qualified, as some clients write it.
    fn name_list_dotted(&mut self) -> SqlResult<Vec<Name>> {
        self.expect_symbol("(")?;
        let names = self.comma_separated(|parser| Ok(parser.object_name()?.name))?;
        self.expect_symbol(")")?;
        Ok(names)
    }

    /// `OUTPUT items [INTO target [(columns)]]`.
    fn output(&mut self) -> SqlResult<Option<Output>> {
        if !self.eat_word("OUTPUT") {
            return Ok(None);
        }
        let items = self.comma_separated(Self::select_item)?;
        let into = if self.eat_word("INTO") {
            let target = if self.peek().kind == TokenKind::Variable {
                Target::Variable(self.variable()?)
            } else {
                Target::Table {
                    name: self.object_name()?,
                    hints: Vec::new(),
                }
            };
            let columns = if self.at_symbol("(") && !self.query_in_parentheses() {
                self.name_list()?
            } else {
                Vec::new()
            };
            Some((target, columns))
        } else {
            None
        };
        if self.at_word("OUTPUT") {
            return Err(unsupported_clause("a second OUTPUT clause"));
        }
        Ok(Some(Output { items, into }))
    }

    pub(super) fn assignments(&mut self) -> SqlResult<Vec<Assignment>> {
        self.comma_separated(|parser| {
            let mut variable = None;
            if parser.peek().kind == TokenKind::Variable {
                variable = Some(parser.variable()?);
                if let Some(operator) = parser.compound_operator(0) {
                    parser.at += 1;
                    let right = Box::new(parser.expression()?);
                    let left = Box::new(Expr::Variable(variable.clone().unwrap_or_default()));
                    return Ok(Assignment {
                        variable,
                        column: None,
                        value: Expr::Binary {
                            operator,
                            left,
                            right,
                        },
                    });
                }
                parser.expect_symbol("=")?;
                // `@v = column = value` sets both.
                if !(parser.at_name() && parser.symbol_ahead(1, "=")) {
                    return Ok(Assignment {
                        variable,
                        column: None,
                        value: parser.expression()?,
                    });
                }
            }
            let mut parts = vec![parser.name()?];
            while parser.eat_symbol(".") {
                parts.push(parser.name()?);
            }
            let name = parts.pop().ok_or_else(|| parser.unexpected())?;
            let column = Some((parts.clone(), name.clone()));
            if let Some(operator) = parser.compound_operator(0) {
                parser.at += 1;
                let right = Box::new(parser.expression()?);
                let left = Box::new(Expr::Column {
                    qualifier: parts,
                    name,
                });
                return Ok(Assignment {
                    variable,
                    column,
                    value: Expr::Binary {
                        operator,
                        left,
                        right,
                    },
                });
            }
            parser.expect_symbol("=")?;
            Ok(Assignment {
                variable,
                column,
                value: parser.expression()?,
            })
        })
    }

    pub(super) fn update_statement(&mut self, with: Vec<CommonTable>) -> SqlResult<StatementKind> {
        self.expect_word("UPDATE")?;
        if self.eat_word("STATISTICS") {
            self.object_name()?;
            if self.at_symbol("(") {
                self.skip_parentheses()?;
            }
            if self.eat_word("WITH") {
                self.name()?;
            }
            return Ok(StatementKind::Nothing);
        }
        let top = self.top()?;
        let target = self.target()?;
        self.expect_word("SET")?;
        let assignments = self.assignments()?;
        let output = self.output()?;
        let from = if self.eat_word("FROM") {
            self.comma_separated(Self::table_ref)?
        } else {
            Vec::new()
        };
        let filter = self.filter()?;
        self.query_options()?;
        Ok(StatementKind::Update(Box::new(Update {
            with,
            top,
            target,
            assignments,
            output,
            from,
            filter,
        })))
    }

    fn filter(&mut self) -> SqlResult<Option<Expr>> {
        if !self.eat_word("WHERE") {
            return Ok(None);
        }
        if self.at_word("CURRENT") && self.word_ahead(1, "OF") {
            return Err(unsupported_clause("WHERE CURRENT OF"));
        }
        self.expression().map(Some)
    }

    pub(super) fn delete_statement(&mut self, with: Vec<CommonTable>) -> SqlResult<StatementKind> {
        self.expect_word("DELETE")?;
        let top = self.top()?;
        self.eat_word("FROM");
        let target = self.target()?;
        let output = self.output()?;
        let from = if self.eat_word("FROM") {
            self.comma_separated(Self::table_ref)?
        } else {
            Vec::new()
        };
        let filter = self.filter()?;
        self.query_options()?;
        Ok(StatementKind::Delete(Box::new(Delete {
            with,
            top,
            target,
            output,
            from,
            filter,
        })))
    }

    pub(super) fn merge_statement(&mut self, with: Vec<CommonTable>) -> SqlResult<StatementKind> {
        self.expect_word("MERGE")?;
        let top = self.top()?;
        self.eat_word("INTO");
        let target = self.target()?;
        let alias = self.table_alias()?;
        self.expect_word("USING")?;
        let source = self.table_ref()?;
        self.expect_word("ON")?;
        let on = self.expression()?;
        let mut clauses = Vec::new();
        while self.eat_word("WHEN") {
            clauses.push(self.merge_clause()?);
        }
        if clauses.is_empty() {
            return Err(self.unexpected());
        }
        let output = self.output()?;
        self.query_options()?;
        if !self.at_symbol(";") {
            return Err(SqlError::new(
                10713,
                15,
                1,
                "A MERGE statement must be terminated by a semi-colon (;).",
            ));
        }
        Ok(StatementKind::Merge(Box::new(Merge {
            with,
            top,
            target,
            alias,
            source,
            on,
            clauses,
            output,
        })))
    }

    fn merge_clause(&mut self) -> SqlResult<MergeClause> {
        let on = if self.eat_word("MATCHED") {
            MergeMatch::Matched
        } else {
            self.expect_word("NOT")?;
            self.expect_word("MATCHED")?;
            if self.eat_words(&["BY", "SOURCE"]) {
                MergeMatch::NotMatchedBySource
            } else {
                let _ = self.eat_words(&["BY", "TARGET"]);
                MergeMatch::NotMatchedByTarget
            }
        };
        let condition = if self.eat_word("AND") {
            Some(self.expression()?)
        } else {
            None
        };
        self.expect_word("THEN")?;
        let action = if on == MergeMatch::NotMatchedByTarget {
            self.expect_word("INSERT")?;
            let columns = if self.at_symbol("(") {
                self.name_list_dotted()?
            } else {
                Vec::new()
            };
            if self.eat_words(&["DEFAULT", "VALUES"]) {
                MergeAction::Insert {
                    columns: Vec::new(),
                    values: Vec::new(),
                }
            } else {
                self.expect_word("VALUES")?;
                self.expect_symbol("(")?;
                let values = self.comma_separated(Self::expression)?;
                self.expect_symbol(")")?;
                MergeAction::Insert { columns, values }
            }
        } else if self.eat_word("DELETE") {
            MergeAction::Delete
        } else {
            self.expect_word("UPDATE")?;
            self.expect_word("SET")?;
            MergeAction::Update(self.assignments()?)
        };
        Ok(MergeClause {
            on,
            condition,
            action,
        })
    }

    pub(super) fn truncate(&mut self) -> SqlResult<StatementKind> {
        self.at += 1;
        self.expect_word("TABLE")?;
        let name = self.object_name()?;
        if self.at_word("WITH") && self.symbol_ahead(1, "(") {
            return Err(unsupported_clause("TRUNCATE TABLE ... WITH (PARTITIONS)"));
        }
        Ok(StatementKind::Truncate(name))
    }

    /// `INSERT BULK t (c type [COLLATE x], ...) [WITH (option, ...)]`, which only client libraries send.
    fn insert_bulk(&mut self) -> SqlResult<StatementKind> {
        self.expect_word("BULK")?;
        let table = self.object_name()?;
        self.expect_symbol("(")?;
        let columns = self.comma_separated(|parser| {
            let name = parser.name()?;
            let sql_type = parser.type_name()?;
            if parser.eat_word("COLLATE") {
                parser.name()?;
            }
            let _ = parser.eat_words(&["NOT", "NULL"]) || parser.eat_word("NULL");
            Ok((name, sql_type))
        })?;
        self.expect_symbol(")")?;
        let mut bulk = InsertBulk {
            table,
            columns,
            check_constraints: false,
            fire_triggers: false,
            keep_nulls: false,
            keep_identity: false,
            table_lock: false,
        };
        if self.eat_word("WITH") {
            self.expect_symbol("(")?;
            loop {
                let option = self.advance();
                match option.text.to_ascii_uppercase().as_str() {
                    "TABLOCK" => bulk.table_lock = true,
                    "ALLOW_ENCRYPTED_VALUE_MODIFICATIONS" => {}
                    "CHECK_CONSTRAINTS" => bulk.check_constraints = true,
                    "FIRE_TRIGGERS" => bulk.fire_triggers = true,
                    "KEEP_NULLS" => bulk.keep_nulls = true,
                    "KEEP_IDENTITY" | "KEEPIDENTITY" => bulk.keep_identity = true,
                    "ORDER" => self.skip_parentheses()?,
                    "ROWS_PER_BATCH" | "KILOBYTES_PER_BATCH" => {
                        self.expect_symbol("=")?;
                        self.advance();
                    }
                    _ => {
                        self.at -= 1;
                        return Err(self.unexpected());
                    }
                }
                if !self.eat_symbol(",") {
                    break;
                }
            }
            self.expect_symbol(")")?;
        }
        Ok(StatementKind::InsertBulk(Box::new(bulk)))
    }
}

//! SELECT, set operations, FROM.

use super::Parser;
use crate::ast::{
    CommonTable, Expr, Name, Query, QueryBody, Select, SelectItem, SetOperator, StatementKind, Top,
};
use crate::error::{SqlResult, unsupported_clause};
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// `WITH a AS (...) SELECT | INSERT | UPDATE | DELETE | MERGE`.
    pub(super) fn with_statement(&mut self) -> SqlResult<StatementKind> {
        let with = self.common_tables()?;
        if self.at_word("INSERT") {
            self.insert_statement(with)
        } else if self.at_word("UPDATE") {
            self.update_statement(with)
        } else if self.at_word("DELETE") {
            self.delete_statement(with)
        } else if self.at_word("MERGE") {
            self.merge_statement(with)
        } else {
            let mut query = self.query()?;
            query.with = with;
            Ok(StatementKind::Query(Box::new(query)))
        }
    }

    fn common_tables(&mut self) -> SqlResult<Vec<CommonTable>> {
        self.expect_word("WITH")?;
        if self.at_word("XMLNAMESPACES") {
            return Err(unsupported_clause("WITH XMLNAMESPACES"));
        }
        self.comma_separated(|parser| {
            let name = parser.name()?;
            let columns = if parser.at_symbol("(") {
                parser.name_list()?
            } else {
                Vec::new()
            };
            parser.expect_word("AS")?;
            parser.expect_symbol("(")?;
            let query = parser.query()?;
            parser.expect_symbol(")")?;
            Ok(CommonTable {
                name,
                columns,
                query,
            })
        })
    }

    /// A query with CTEs, set operations, ORDER BY and OFFSET.
    pub(super) fn query(&mut self) -> SqlResult<Query> {
        self.nested(|parser| {
            let with = if parser.at_word("WITH") {
                parser.common_tables()?
            } else {
                Vec::new()
            };
            let body = parser.set_expression()?;
            let mut query = Query {
                with,
                body,
                order_by: Vec::new(),
                offset: None,
                fetch: None,
            };
            if parser.eat_words(&["ORDER", "BY"]) {
                query.order_by = parser.comma_separated(Self::order_item)?;
                if parser.eat_word("OFFSET") {
                    query.offset = Some(parser.expression()?);
                    let _ = parser.eat_word("ROWS") || parser.eat_word("ROW");
                    if parser.eat_word("FETCH") {
                        let _ = parser.eat_word("NEXT") || parser.eat_word("FIRST");
                        query.fetch = Some(parser.expression()?);
                        let _ = parser.eat_word("ROWS") || parser.eat_word("ROW");
                        parser.expect_word("ONLY")?;
                    }
                }
            }
            if parser.at_word("FOR")
                && (parser.word_ahead(1, "XML")
                    || parser.word_ahead(1, "JSON")
                    || parser.word_ahead(1, "BROWSE"))
            {
                let what = format!("FOR {}", parser.peek_ahead(1).text.to_ascii_uppercase());
                return Err(unsupported_clause(&what));
            }
            parser.query_options()?;
            Ok(query)
        })
    }

    /// `OPTION (...)`: accepted, since none of the hints changes a result.
    pub(super) fn query_options(&mut self) -> SqlResult<()> {
        if self.at_word("OPTION") && self.symbol_ahead(1, "(") {
            self.at += 1;
            self.skip_parentheses()?;
        }
        Ok(())
    }

    pub(super) fn skip_parentheses(&mut self) -> SqlResult<()> {
        self.expect_symbol("(")?;
        let mut depth = 1;
        while depth > 0 {
            let token = self.advance();
            match (token.kind, token.text) {
                (TokenKind::Symbol, "(") => depth += 1,
                (TokenKind::Symbol, ")") => depth -= 1,
                (TokenKind::End, _) => return Err(self.unexpected()),
                _ => {}
            }
        }
        Ok(())
    }

    fn set_expression(&mut self) -> SqlResult<QueryBody> {
        let mut left = self.intersection()?;
        for _ in 0..super::expr::MAX_CHAIN {
            let operator = if self.eat_word("UNION") {
                if self.eat_word("ALL") {
                    SetOperator::UnionAll
                } else {
                    SetOperator::Union
                }
            } else if self.eat_word("EXCEPT") {
                SetOperator::Except
            } else {
                return Ok(left);
            };
            let right = Box::new(self.intersection()?);
            left = QueryBody::Set {
                operator,
                left: Box::new(left),
                right,
            };
        }
        Err(super::expr::too_deep())
    }

    fn intersection(&mut self) -> SqlResult<QueryBody> {
        let mut left = self.query_primary()?;
        while self.eat_word("INTERSECT") {
            let right = Box::new(self.query_primary()?);
            left = QueryBody::Set {
                operator: SetOperator::Intersect,
                left: Box::new(left),
                right,
            };
        }
        Ok(left)
    }

    fn query_primary(&mut self) -> SqlResult<QueryBody> {
        if self.eat_symbol("(") {
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(QueryBody::Nested(Box::new(query)));
        }
        Ok(QueryBody::Select(Box::new(self.select()?)))
    }

    fn select(&mut self) -> SqlResult<Select> {
        self.expect_word("SELECT")?;
        let distinct = self.eat_word("DISTINCT");
        if !distinct {
            self.eat_word("ALL");
        }
        let top = self.top()?;
        let items = self.comma_separated(Self::select_item)?;
        let into = if self.eat_word("INTO") {
            Some(self.object_name()?)
        } else {
            None
        };
        let from = if self.eat_word("FROM") {
            self.comma_separated(Self::table_ref)?
        } else {
            Vec::new()
        };
        let filter = if self.eat_word("WHERE") {
            Some(self.expression()?)
        } else {
            None
        };
        let mut group_by = Vec::new();
        if self.eat_words(&["GROUP", "BY"]) {
            for word in ["ROLLUP", "CUBE", "GROUPING"] {
                if self.at_word(word) {
                    return Err(unsupported_clause(word));
                }
            }
            group_by = self.comma_separated(Self::expression)?;
            if self.at_word("WITH") && (self.word_ahead(1, "ROLLUP") || self.word_ahead(1, "CUBE"))
            {
                return Err(unsupported_clause("WITH ROLLUP or WITH CUBE"));
            }
        }
        let having = if self.eat_word("HAVING") {
            Some(self.expression()?)
        } else {
            None
        };
        Ok(Select {
            distinct,
            top,
            items,
            into,
            from,
            filter,
            group_by,
            having,
        })
    }

    /// `TOP (n) [PERCENT] [WITH TIES]`.
    pub(super) fn top(&mut self) -> SqlResult<Option<Top>> {
        if !self.eat_word("TOP") {
            return Ok(None);
        }
        let count = if self.eat_symbol("(") {
            let count = self.expression()?;
            self.expect_symbol(")")?;
            count
        } else {
            match self.peek().kind {
                TokenKind::Integer => {
                    let token = self.advance();
                    super::literal::literal(&token)?
                }
                TokenKind::Variable => Expr::Variable(self.variable()?),
                _ => return Err(self.unexpected()),
            }
        };
        if self.at_word("PERCENT") {
            return Err(unsupported_clause("TOP ... PERCENT"));
        }
        let with_ties = self.eat_words(&["WITH", "TIES"]);
        Ok(Some(Top { count, with_ties }))
    }

    pub(super) fn select_item(&mut self) -> SqlResult<SelectItem> {
        if self.eat_symbol("*") {
            return Ok(SelectItem::Star(Vec::new()));
        }
        if let Some(qualifier) = self.star_qualifier() {
            return Ok(SelectItem::Star(qualifier));
        }
        let token = self.peek().clone();
        if token.kind == TokenKind::Variable && !token.text.starts_with("@@") {
            if self.symbol_ahead(1, "=") {
                self.at += 2;
                return Ok(SelectItem::Assign {
                    variable: token.text.to_owned(),
                    expr: self.expression()?,
                });
            }
            if let Some(operator) = self.compound_operator(1) {
                self.at += 2;
                let right = Box::new(self.expression()?);
                let left = Box::new(Expr::Variable(token.text.to_owned()));
                let expr = Expr::Binary {
                    operator,
                    left,
                    right,
                };
                return Ok(SelectItem::Assign {
                    variable: token.text.to_owned(),
                    expr,
                });
            }
        }
        if self.symbol_ahead(1, "=") && (self.at_name() || token.kind == TokenKind::Text) {
            let alias = self.alias_text()?;
            self.at += 1;
            return Ok(SelectItem::Expr {
                expr: self.expression()?,
                alias: Some(alias),
            });
        }
        let expr = self.expression()?;
        let literal_alias = matches!(self.peek().kind, TokenKind::Text | TokenKind::NationalText);
        let alias = if self.eat_word("AS") || self.at_name() || literal_alias {
            Some(self.alias_text()?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    /// `+=` and its kin as the operator that they stand for.
    pub(super) fn compound_operator(&self, ahead: usize) -> Option<crate::ast::BinaryOperator> {
        use crate::ast::BinaryOperator::{
            Add, BitAnd, BitOr, BitXor, Divide, Modulo, Multiply, Subtract,
        };
        let token = self.peek_ahead(ahead);
        if token.kind != TokenKind::Symbol {
            return None;
        }
        Some(match token.text {
            "+=" => Add,
            "-=" => Subtract,
            "*=" => Multiply,
            "/=" => Divide,
            "%=" => Modulo,
            "&=" => BitAnd,
            "|=" => BitOr,
            "^=" => BitXor,
            _ => return None,
        })
    }

    fn alias_text(&mut self) -> SqlResult<Name> {
        match self.peek().kind {
            TokenKind::Text | TokenKind::NationalText => Ok(Name(self.advance().unquoted())),
            // A reserved word after AS is an error, as everywhere.
            _ => self.name(),
        }
    }

    /// `a.b.*`, if that is what stands here.
    fn star_qualifier(&mut self) -> Option<Vec<Name>> {
        let mut ahead = 0;
        let mut qualifier = Vec::new();
        loop {
            let token = self.peek_ahead(ahead);
            if !matches!(token.kind, TokenKind::Word | TokenKind::Quoted)
                || !self.symbol_ahead(ahead + 1, ".")
            {
                return None;
            }
            qualifier.push(Name(token.unquoted()));
            if self.symbol_ahead(ahead + 2, "*") {
                self.at += ahead + 3;
                return Some(qualifier);
            }
            ahead += 2;
        }
    }
}

//! Expressions and predicates.

use super::literal::literal;
use super::{Parser, is_reserved};
use crate::ast::{BinaryOperator, Call, Comparison, Expr, Name, OrderItem, UnaryOperator, Window};
use crate::error::{SqlResult, unsupported_clause};
use crate::lexer::TokenKind;
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

const NO_PARENTHESES: [&str; 5] = [
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
    "USER",
];

/// Reserved words that are called like functions.
const RESERVED_FUNCTIONS: [&str; 9] = [
    "COALESCE",
    "NULLIF",
    "LEFT",
    "RIGHT",
    "CONVERT",
    "TRY_CONVERT",
    "IDENTITY",
    "UPDATE",
    "USER",
];

/// How many operators of one precedence may follow each other: the tree leans left, and binding and
/// evaluation recurse.
pub(super) const MAX_CHAIN: usize = 300;

pub(super) fn too_deep() -> SqlError {
    SqlError::new(
        8631,
        17,
        1,
        "Internal error: Server stack limit has been reached. Please look for potentially deep nesting in your query, and try to simplify it.",
    )
}

/// Combines the terms of AND or OR into a tree of little depth; their order stays.
fn balanced(mut terms: Vec<Expr>, combine: fn(Box<Expr>, Box<Expr>) -> Expr) -> Expr {
    if terms.len() > 1 {
        let right = terms.split_off(terms.len().div_ceil(2));
        return combine(
            Box::new(balanced(terms, combine)),
            Box::new(balanced(right, combine)),
        );
    }
    terms.pop().unwrap_or_else(null)
}

pub(super) fn null() -> Expr {
    Expr::Literal {
        value: Datum::Null,
        sql_type: SqlType::Int,
    }
}

impl Parser<'_> {
    /// An expression or predicate of any precedence.
    pub(super) fn expression(&mut self) -> SqlResult<Expr> {
        self.nested(Self::disjunction)
    }

    fn disjunction(&mut self) -> SqlResult<Expr> {
        let mut terms = vec![self.conjunction()?];
        while self.eat_word("OR") {
            terms.push(self.conjunction()?);
        }
        Ok(balanced(terms, Expr::Or))
    }

    fn conjunction(&mut self) -> SqlResult<Expr> {
        let mut terms = vec![self.negation()?];
        while self.eat_word("AND") {
            terms.push(self.negation()?);
        }
        Ok(balanced(terms, Expr::And))
    }

    fn negation(&mut self) -> SqlResult<Expr> {
        if self.eat_word("NOT") {
            let operand = self.nested(Self::negation)?;
            return Ok(Expr::Not(Box::new(operand)));
        }
        self.predicate()
    }

    fn predicate(&mut self) -> SqlResult<Expr> {
        if self.at_word("EXISTS") && self.symbol_ahead(1, "(") {
            self.at += 2;
            let query = self.query()?;
            self.expect_symbol(")")?;
            return Ok(Expr::Exists(Box::new(query)));
        }
        let left = self.additive()?;
        if let Some(operator) = self.comparison_operator() {
            return self.comparison(left, operator);
        }
        if self.eat_word("IS") {
            let negated = self.eat_word("NOT");
            if self.eat_words(&["DISTINCT", "FROM"]) {
                let right = Box::new(self.additive()?);
                return Ok(Expr::IsDistinct {
                    left: Box::new(left),
                    right,
                    negated,
                });
            }
            self.expect_word("NULL")?;
            return Ok(Expr::IsNull {
                operand: Box::new(left),
                negated,
            });
        }
        let negated = self.at_word("NOT")
            && (self.word_ahead(1, "IN")
                || self.word_ahead(1, "LIKE")
                || self.word_ahead(1, "BETWEEN"));
        if negated {
            self.at += 1;
        }
        let operand = Box::new(left);
        if self.eat_word("BETWEEN") {
            let low = Box::new(self.additive()?);
            self.expect_word("AND")?;
            let high = Box::new(self.additive()?);
            return Ok(Expr::Between {
                operand,
                low,
                high,
                negated,
            });
        }
        if self.eat_word("LIKE") {
            let pattern = Box::new(self.additive()?);
            let escape = if self.eat_word("ESCAPE") {
                Some(Box::new(self.additive()?))
            } else {
                None
            };
            return Ok(Expr::Like {
                operand,
                pattern,
                escape,
                negated,
            });
        }
        if self.eat_word("IN") {
            self.expect_symbol("(")?;
            if self.at_word("SELECT") || self.at_word("WITH") {
                let query = Box::new(self.query()?);
                self.expect_symbol(")")?;
                return Ok(Expr::InQuery {
                    operand,
                    query,
                    negated,
                });
            }
            let list = self.comma_separated(Self::expression)?;
            self.expect_symbol(")")?;
            return Ok(Expr::InList {
                operand,
                list,
                negated,
            });
        }
        Ok(*operand)
    }

    fn comparison(&mut self, left: Expr, operator: Comparison) -> SqlResult<Expr> {
        let all = self.at_word("ALL");
        if (all || self.at_word("ANY") || self.at_word("SOME")) && self.symbol_ahead(1, "(") {
            self.at += 2;
            let query = Box::new(self.query()?);
            self.expect_symbol(")")?;
            return Ok(Expr::Quantified {
                operator,
                all,
                operand: Box::new(left),
                query,
            });
        }
        let right = Box::new(self.additive()?);
        Ok(Expr::Compare {
            operator,
            left: Box::new(left),
            right,
        })
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        if self.peek().kind != TokenKind::Symbol {
            return None;
        }
        let operator = match self.peek().text {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" | "!>" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" | "!<" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn additive(&mut self) -> SqlResult<Expr> {
        let mut left = self.multiplicative()?;
        for _ in 0..MAX_CHAIN {
            let operator = match (self.peek().kind, self.peek().text) {
                (TokenKind::Symbol, "+") => BinaryOperator::Add,
                (TokenKind::Symbol, "-") => BinaryOperator::Subtract,
                (TokenKind::Symbol, "&") => BinaryOperator::BitAnd,
                (TokenKind::Symbol, "|") => BinaryOperator::BitOr,
                (TokenKind::Symbol, "^") => BinaryOperator::BitXor,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = Box::new(self.multiplicative()?);
            left = Expr::Binary {
                operator,
                left: Box::new(left),
                right,
            };
        }
        Err(too_deep())
    }

    fn multiplicative(&mut self) -> SqlResult<Expr> {
        let mut left = self.unary()?;
        for _ in 0..MAX_CHAIN {
            let operator = match (self.peek().kind, self.peek().text) {
                (TokenKind::Symbol, "*") => BinaryOperator::Multiply,
                (TokenKind::Symbol, "/") => BinaryOperator::Divide,
                (TokenKind::Symbol, "%") => BinaryOperator::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = Box::new(self.unary()?);
            left = Expr::Binary {
                operator,
                left: Box::new(left),
                right,
            };
        }
        Err(too_deep())
    }

    fn unary(&mut self) -> SqlResult<Expr> {
        let operator = match (self.peek().kind, self.peek().text) {
            (TokenKind::Symbol, "-") => UnaryOperator::Minus,
            (TokenKind::Symbol, "+") => UnaryOperator::Plus,
            (TokenKind::Symbol, "~") => UnaryOperator::BitNot,
            _ => return self.postfix(),
        };
        self.at += 1;
        let operand = Box::new(self.nested(Self::unary)?);
        Ok(Expr::Unary { operator, operand })
    }

    fn postfix(&mut self) -> SqlResult<Expr> {
        let mut expr = self.primary()?;
        while self.eat_word("COLLATE") {
            let collation = self.name()?;
            expr = Expr::Collate {
                operand: Box::new(expr),
                collation,
            };
        }
        if self.at_word("AT") && self.word_ahead(1, "TIME") {
            return Err(unsupported_clause("AT TIME ZONE"));
        }
        Ok(expr)
    }

    fn primary(&mut self) -> SqlResult<Expr> {
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Integer
            | TokenKind::Decimal
            | TokenKind::Float
            | TokenKind::Money
            | TokenKind::Binary
            | TokenKind::Text
            | TokenKind::NationalText => {
                self.at += 1;
                literal(&token)
            }
            TokenKind::Variable => {
                self.at += 1;
                Ok(match token.text.strip_prefix("@@") {
                    Some(global) => Expr::Global(global.to_ascii_uppercase()),
                    None => Expr::Variable(token.text.to_owned()),
                })
            }
            TokenKind::Symbol if token.text == "(" => {
                self.at += 1;
                let expr = if self.at_word("SELECT") || self.at_word("WITH") {
                    Expr::Subquery(Box::new(self.query()?))
                } else {
                    self.expression()?
                };
                self.expect_symbol(")")?;
                Ok(expr)
            }
            TokenKind::Word => self.word_expression(),
            TokenKind::Quoted => self.column_or_call(),
            _ => Err(self.unexpected()),
        }
    }

    fn word_expression(&mut self) -> SqlResult<Expr> {
        let word = self.peek().text.to_ascii_uppercase();
        let called = self.symbol_ahead(1, "(");
        match word.as_str() {
            "NULL" => {
                self.at += 1;
                Ok(null())
            }
            "DEFAULT" => {
                self.at += 1;
                Ok(Expr::Default)
            }
            "CASE" => self.case(),
            "CAST" | "TRY_CAST" if called => self.cast(word == "TRY_CAST"),
            "CONVERT" | "TRY_CONVERT" if called => self.convert(word == "TRY_CONVERT"),
            "PARSE" | "TRY_PARSE" if called => Err(crate::error::unsupported_function(&word)),
            _ if NO_PARENTHESES.contains(&word.as_str()) && !called => {
                self.at += 1;
                Ok(Expr::Call(Box::new(Call {
                    name: Name(word),
                    arguments: Vec::new(),
                    star: false,
                    distinct: false,
                    within_group: Vec::new(),
                    over: None,
                })))
            }
            _ if called && RESERVED_FUNCTIONS.contains(&word.as_str()) => {
                self.at += 1;
                self.call(Name(word))
            }
            _ if word == "$ACTION" => {
                self.at += 1;
                Ok(Expr::Column {
                    qualifier: Vec::new(),
                    name: Name("$action".to_owned()),
                })
            }
            _ if is_reserved(&word) => Err(self.unexpected()),
            _ => self.column_or_call(),
        }
    }

    fn column_or_call(&mut self) -> SqlResult<Expr> {
        let mut parts = vec![self.name()?];
        if self.at_symbol("(") {
            let name = parts.remove(0);
            return self.call(name);
        }
        while self.eat_symbol(".") {
            if self.at_symbol(".") {
                continue;
            }
            // A column may be called by a reserved word after its table (`$action` aside).
            parts.push(self.name()?);
        }
        if self.at_symbol("(") {
            let path = parts
                .iter()
                .map(|part| part.0.as_str())
                .collect::<Vec<_>>()
                .join(".");
            return Err(crate::error::unsupported_function(&path));
        }
        let name = parts.pop().ok_or_else(|| self.unexpected())?;
        Ok(Expr::Column {
            qualifier: parts,
            name,
        })
    }

    fn case(&mut self) -> SqlResult<Expr> {
        self.at += 1;
        let operand = if self.at_word("WHEN") {
            None
        } else {
            Some(Box::new(self.expression()?))
        };
        let mut branches = Vec::new();
        while self.eat_word("WHEN") {
            let condition = self.expression()?;
            self.expect_word("THEN")?;
            branches.push((condition, self.expression()?));
        }
        if branches.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.eat_word("ELSE") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        self.expect_word("END")?;
        Ok(Expr::Case {
            operand,
            branches,
            otherwise,
        })
    }

    fn cast(&mut self, lenient: bool) -> SqlResult<Expr> {
        self.at += 2;
        let operand = Box::new(self.expression()?);
        self.expect_word("AS")?;
        let target = self.conversion_type()?;
        self.expect_symbol(")")?;
        Ok(Expr::Convert {
            operand,
            target,
            style: None,
            lenient,
        })
    }

    fn convert(&mut self, lenient: bool) -> SqlResult<Expr> {
        self.at += 2;
        let target = self.conversion_type()?;
        self.expect_symbol(",")?;
        let operand = Box::new(self.expression()?);
        let style = if self.eat_symbol(",") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        self.expect_symbol(")")?;
        Ok(Expr::Convert {
            operand,
            target,
            style,
            lenient,
        })
    }

    /// In CAST and CONVERT a length that is left out means 30, not 1.
    fn conversion_type(&mut self) -> SqlResult<SqlType> {
        let start = self.at;
        let sql_type = self.type_name()?;
        let with_length = self.tokens[start..self.at]
            .iter()
            .any(|token| token.text == "(");
        if with_length {
            return Ok(sql_type);
        }
        Ok(match sql_type {
            SqlType::Char { .. } => SqlType::Char { length: 30 },
            SqlType::VarChar { .. } => SqlType::VarChar { length: Some(30) },
            SqlType::NChar { .. } => SqlType::NChar { length: 30 },
            SqlType::NVarChar { .. } => SqlType::NVarChar { length: Some(30) },
            SqlType::Binary { .. } => SqlType::Binary { length: 30 },
            SqlType::VarBinary { .. } => SqlType::VarBinary { length: Some(30) },
            other => other,
        })
    }

    fn call(&mut self, name: Name) -> SqlResult<Expr> {
        self.expect_symbol("(")?;
        let mut call = Call {
            name,
            arguments: Vec::new(),
            star: false,
            distinct: false,
            within_group: Vec::new(),
            over: None,
        };
        if self.eat_symbol("*") {
            call.star = true;
        } else if !self.at_symbol(")") {
            call.distinct = self.eat_word("DISTINCT");
            if !call.distinct {
                self.eat_word("ALL");
            }
            call.arguments = if call.name.is("TRIM") {
                self.trim_arguments()?
            } else {
                self.comma_separated(Self::expression)?
            };
        }
        self.expect_symbol(")")?;
        if self.eat_words(&["WITHIN", "GROUP"]) {
            self.expect_symbol("(")?;
            self.expect_word("ORDER")?;
            self.expect_word("BY")?;
            call.within_group = self.comma_separated(Self::order_item)?;
            self.expect_symbol(")")?;
        }
        if self.eat_word("OVER") {
            call.over = Some(self.window()?);
        }
        Ok(Expr::Call(Box::new(call)))
    }

    /// `TRIM([characters FROM] text)`.
    fn trim_arguments(&mut self) -> SqlResult<Vec<Expr>> {
        let first = self.expression()?;
        if self.eat_word("FROM") {
            let text = self.expression()?;
            return Ok(vec![text, first]);
        }
        Ok(vec![first])
    }

    fn window(&mut self) -> SqlResult<Window> {
        self.expect_symbol("(")?;
        let partition_by = if self.eat_words(&["PARTITION", "BY"]) {
            self.comma_separated(Self::expression)?
        } else {
            Vec::new()
        };
        let order_by = if self.eat_words(&["ORDER", "BY"]) {
            self.comma_separated(Self::order_item)?
        } else {
            Vec::new()
        };
        let mut rows_frame = false;
        if self.at_word("ROWS") || self.at_word("RANGE") {
            rows_frame = self.advance().text.eq_ignore_ascii_case("ROWS");
            let plain = self.eat_words(&["UNBOUNDED", "PRECEDING"])
                || self.eat_words(&["BETWEEN", "UNBOUNDED", "PRECEDING", "AND", "CURRENT", "ROW"]);
            if !plain {
                return Err(unsupported_clause(
                    "window frame other than UNBOUNDED PRECEDING to CURRENT ROW",
                ));
            }
        }
        self.expect_symbol(")")?;
        Ok(Window {
            partition_by,
            order_by,
            rows_frame,
        })
    }

    pub(super) fn order_item(&mut self) -> SqlResult<OrderItem> {
        let expr = self.expression()?;
        let descending = self.eat_word("DESC");
        if !descending {
            self.eat_word("ASC");
        }
        Ok(OrderItem { expr, descending })
    }
}

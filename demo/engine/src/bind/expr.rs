//! Scalar expressions.

use super::Binder;
use super::typed::{TextCollation, Typed, align, unify};
use crate::ast::{BinaryOperator, Comparison, Expr as Ast, Name, UnaryOperator};
use crate::collation::Collation;
use crate::convert::{self, Excess};
use crate::decimal::{self, Shape};
use crate::error::{SqlResult, syntax_keyword};
use crate::functions;
use crate::plan::{Arithmetic, Environment, Expr};
use crate::session::SqlError;
use crate::type_rules::common_type;
use crate::types::{Datum, SqlType};

fn symbol(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "add",
        BinaryOperator::Subtract => "subtract",
        BinaryOperator::Multiply => "multiply",
        BinaryOperator::Divide => "divide",
        BinaryOperator::Modulo => "modulo",
        BinaryOperator::BitAnd => "'&'",
        BinaryOperator::BitOr => "'|'",
        BinaryOperator::BitXor => "'^'",
    }
}

impl Binder<'_> {
    /// Binds an expression that yields a value.
    pub(crate) fn bind_scalar(&mut self, ast: &Ast) -> SqlResult<Typed> {
        if let Some(key) = self.group_key(ast) {
            return Ok(key);
        }
        match ast {
            Ast::Literal { value, sql_type } => {
                let mut typed = Typed::constant(value.clone(), sql_type.clone());
                typed.untyped_null = *value == Datum::Null;
                typed.literal = matches!(value, Datum::Int(_));
                Ok(typed)
            }
            Ast::Column { qualifier, name } => self.bind_column(qualifier, name),
            Ast::Variable(name) => self.bind_variable(name),
            Ast::Global(name) => {
                self.dependencies.other();
                functions::global(self.context, name)
            }
            Ast::Unary { operator, operand } => self.bind_unary(*operator, operand),
            Ast::Binary {
                operator,
                left,
                right,
            } => self.bind_binary(*operator, left, right),
            Ast::Case {
                operand,
                branches,
                otherwise,
            } => self.bind_case(operand.as_deref(), branches, otherwise.as_deref()),
            Ast::Convert {
                operand,
                target,
                style,
                lenient,
            } => self.bind_convert(operand, target, style.as_deref(), *lenient),
            Ast::Collate { operand, collation } => self.bind_collate(operand, collation),
            Ast::Call(call) => self.bind_call(call),
            Ast::Subquery(query) => {
                let plan = self.bind_query(query)?;
                if plan.columns.len() != 1 {
                    return Err(SqlError::new(
                        116,
                        16,
                        1,
                        "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.",
                    )
                    .ending_batch());
                }
                let column = plan.columns[0].clone();
                let expr = Expr::Scalar {
                    query: Box::new(plan),
                    known: std::cell::OnceCell::new(),
                };
                let mut typed = Typed::new(expr, column.sql_type, true);
                if let Some(collation) = column.collation {
                    typed.collation = TextCollation::Implicit(collation);
                }
                Ok(typed)
            }
            Ast::Default => Err(syntax_keyword("DEFAULT")),
            _ => Err(SqlError::new(
                102,
                15,
                1,
                "Incorrect syntax: a condition stands where a value is expected.",
            )
            .ending_batch()),
        }
    }

    /// The group key that an expression is, if it is one.
    fn group_key(&mut self, ast: &Ast) -> Option<Typed> {
        let grouping = self.scopes.last()?.grouping.as_ref()?;
        if !grouping.active || matches!(ast, Ast::Column { .. } | Ast::Literal { .. }) {
            return None;
        }
        let (place, (_, key)) = grouping
            .keys
            .iter()
            .enumerate()
            .find(|(_, (known, _))| known == ast)?;
        Some(Typed {
            expr: Expr::Column {
                depth: 0,
                source: 0,
                column: place,
            },
            ..key.clone()
        })
    }

    /// Replaces an expression of constants by its value, unless computing it fails.
    pub(crate) fn fold(&self, typed: Typed) -> Typed {
        let mut constant = true;
        typed.expr.walk(&mut |expr| {
            constant &= !matches!(
                expr,
                Expr::Column { .. }
                    | Expr::Variable(_)
                    | Expr::InQuery { .. }
                    | Expr::Quantified { .. }
                    | Expr::Exists { .. }
                    | Expr::Scalar { .. }
                    | Expr::Call { .. }
            );
            constant
        });
        if !constant || matches!(typed.expr, Expr::Const(_)) {
            return typed;
        }
        match typed.expr.eval(self.context, &Environment::EMPTY) {
            Ok(value) => Typed {
                expr: Expr::Const(value),
                ..typed
            },
            Err(_) => typed,
        }
    }

    fn bind_unary(&mut self, operator: UnaryOperator, operand: &Ast) -> SqlResult<Typed> {
        let operand = self.bind_scalar(operand)?;
        match operator {
            UnaryOperator::Plus => Ok(operand),
            UnaryOperator::Minus => {
                let literal = operand.literal;
                let operand = if operand.sql_type.is_text() {
                    operand.convert_to(&SqlType::Int)?
                } else {
                    operand
                };
                if !operand.sql_type.is_number() {
                    return Err(invalid_operand(&operand.sql_type, "minus"));
                }
                let sql_type = match &operand.sql_type {
                    SqlType::Bit | SqlType::TinyInt => SqlType::SmallInt,
                    other => other.clone(),
                };
                let nullable = operand.nullable;
                let untyped_null = operand.untyped_null;
                let expr = Expr::Negate(Box::new(operand.expr), sql_type.clone());
                let mut typed = self.fold(Typed::new(expr, sql_type, nullable));
                typed.literal = literal;
                typed.untyped_null = untyped_null;
                // -2147483648 is an int although 2147483648 is not.
                if let Expr::Const(Datum::Decimal {
                    unscaled, scale: 0, ..
                }) = &typed.expr
                    && *unscaled == i128::from(i32::MIN)
                {
                    return Ok(Typed {
                        literal: true,
                        ..Typed::constant(Datum::Int(i32::MIN), SqlType::Int)
                    });
                }
                Ok(typed)
            }
            UnaryOperator::BitNot => {
                if !operand.sql_type.is_integer() {
                    return Err(invalid_operand(&operand.sql_type, "'~'"));
                }
                let (sql_type, nullable) = (operand.sql_type.clone(), operand.nullable);
                Ok(self.fold(Typed::new(
                    Expr::BitNot(Box::new(operand.expr)),
                    sql_type,
                    nullable,
                )))
            }
        }
    }

    pub(crate) fn bind_binary(
        &mut self,
        operator: BinaryOperator,
        left: &Ast,
        right: &Ast,
    ) -> SqlResult<Typed> {
        let (left, right) = (self.bind_scalar(left)?, self.bind_scalar(right)?);
        self.arithmetic(operator, left, right)
    }

    pub(crate) fn arithmetic(
        &mut self,
        operator: BinaryOperator,
        left: Typed,
        right: Typed,
    ) -> SqlResult<Typed> {
        let nullable = left.nullable || right.nullable;
        let text = |typed: &Typed| typed.sql_type.is_text();
        if operator == BinaryOperator::Add
            && (text(&left) || left.untyped_null)
            && (text(&right) || right.untyped_null)
            && (text(&left) || text(&right))
        {
            return self.concatenation(left, right);
        }
        if operator == BinaryOperator::Add
            && left.sql_type.is_binary()
            && right.sql_type.is_binary()
        {
            let length = added_length(left.sql_type.length(), right.sql_type.length(), 8000);
            let sql_type = SqlType::VarBinary { length };
            let expr = operation(
                operator,
                Arithmetic::Binary,
                &sql_type,
                left.expr,
                right.expr,
            );
            return Ok(self.fold(Typed::new(expr, sql_type, nullable)));
        }
        let target = if left.untyped_null {
            right.sql_type.clone()
        } else if right.untyped_null {
            left.sql_type.clone()
        } else {
            common_type(&left.sql_type, &right.sql_type)?
        };
        let (kind, left, right, result) = operands(operator, &target, left, right)?;
        let expr = operation(operator, kind, &result, left.expr, right.expr);
        let mut typed = self.fold(Typed::new(expr, result, nullable));
        typed.literal =
            left.literal && right.literal && matches!(typed.expr, Expr::Const(Datum::Int(_)));
        Ok(typed)
    }

    fn concatenation(&mut self, left: Typed, right: Typed) -> SqlResult<Typed> {
        let national = left.sql_type.is_national() || right.sql_type.is_national();
        let limit = if national { 4000 } else { 8000 };
        let is_max = |typed: &Typed| typed.sql_type.is_text() && typed.sql_type.length().is_none();
        let length = if is_max(&left) || is_max(&right) {
            None
        } else {
            Some(
                added_length(left.sql_type.length(), right.sql_type.length(), limit)
                    .unwrap_or(limit),
            )
        };
        let sql_type = if national {
            SqlType::NVarChar { length }
        } else {
            SqlType::VarChar { length }
        };
        let collation = left.collation.combine(&right.collation)?;
        let nullable = left.nullable || right.nullable;
        let expr = operation(
            BinaryOperator::Add,
            Arithmetic::Text,
            &sql_type,
            left.expr,
            right.expr,
        );
        Ok(self.fold(Typed::new(expr, sql_type, nullable).with_collation(collation)))
    }

    fn bind_case(
        &mut self,
        operand: Option<&Ast>,
        branches: &[(Ast, Ast)],
        otherwise: Option<&Ast>,
    ) -> SqlResult<Typed> {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (when, then) in branches {
            let condition = match operand {
                Some(operand) => {
                    let (left, right) = (self.bind_scalar(operand)?, self.bind_scalar(when)?);
                    let (left, right, collation) = align(left, right)?;
                    Expr::Compare {
                        operator: Comparison::Equal,
                        left: Box::new(left.expr),
                        right: Box::new(right.expr),
                        collation,
                    }
                }
                None => self.bind_predicate(when)?,
            };
            conditions.push(condition);
            values.push(self.bind_scalar(then)?);
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.bind_scalar(otherwise)?,
            None => Typed {
                untyped_null: true,
                ..Typed::constant(Datum::Null, SqlType::Int)
            },
        };
        let alternatives = || values.iter().chain([&otherwise]);
        let Some(sql_type) = unify(alternatives())? else {
            return Err(SqlError::new(
                8133,
                16,
                1,
                "At least one of the result expressions in a CASE specification must be an expression other than the NULL constant.",
            ));
        };
        let nullable = alternatives().any(|value| value.nullable);
        let mut collation = TextCollation::Coercible;
        for value in alternatives() {
            collation = collation.combine(&value.collation)?;
        }
        let mut bound = Vec::new();
        for (condition, value) in conditions.into_iter().zip(values) {
            bound.push((condition, value.convert_to(&sql_type)?.expr));
        }
        let otherwise = Box::new(otherwise.convert_to(&sql_type)?.expr);
        Ok(Typed::new(
            Expr::Case {
                branches: bound,
                otherwise,
            },
            sql_type,
            nullable,
        )
        .with_collation(collation))
    }

    fn bind_convert(
        &mut self,
        operand: &Ast,
        target: &SqlType,
        style: Option<&Ast>,
        lenient: bool,
    ) -> SqlResult<Typed> {
        let operand = self.bind_scalar(operand)?;
        let style = match style {
            None => 0,
            Some(style) => {
                let style = self.bind_scalar(style)?.convert_to(&SqlType::Int)?;
                match self.fold(style).expr {
                    Expr::Const(Datum::Int(style)) => style,
                    Expr::Const(Datum::Null) => {
                        return Ok(Typed {
                            nullable: true,
                            ..Typed::constant(Datum::Null, target.clone())
                        });
                    }
                    _ => {
                        return Err(crate::error::unsupported_clause(
                            "CONVERT with a style that is not constant",
                        ));
                    }
                }
            }
        };
        if operand.untyped_null {
            return Ok(Typed {
                nullable: true,
                ..Typed::constant(Datum::Null, target.clone())
            });
        }
        convert::check(&operand.sql_type, target, true)?;
        operand.keeps_code_page(target)?;
        let nullable = operand.nullable || lenient;
        let collation = operand.collation.clone();
        let expr = match operand.fitted_to_page(target)? {
            Some(arguments) => Expr::Call {
                evaluator: super::typed::in_page,
                arguments,
            },
            None => Expr::Convert {
                operand: Box::new(operand.expr),
                target: target.clone(),
                style,
                lenient,
                excess: Excess::Cut,
            },
        };
        Ok(self.fold(Typed::new(expr, target.clone(), nullable).with_collation(collation)))
    }

    fn bind_collate(&mut self, operand: &Ast, collation: &Name) -> SqlResult<Typed> {
        let operand = self.bind_scalar(operand)?;
        let collation = Collation::named(&collation.0)?;
        collation.holds(&operand.sql_type)?;
        if !operand.sql_type.is_text() && !operand.untyped_null {
            return Err(SqlError::new(
                447,
                16,
                0,
                format!(
                    "Expression type {} is invalid for COLLATE clause.",
                    operand.sql_type.name()
                ),
            ));
        }
        let before = operand.collation.resolved();
        if before.code_page != collation.code_page {
            // Another collation of varchar is another code page, into which the text would have to be translated.
            operand.is_of_default_page(&format!("code page {}", collation.code_page))?;
            if collation.other_page(&operand.sql_type).is_some() {
                return Err(crate::error::unsupported_clause(&format!(
                    "COLLATE {} of {} in code page {}",
                    collation.name,
                    operand.sql_type.name(),
                    before.code_page
                )));
            }
        }
        Ok(operand.with_collation(TextCollation::Explicit(collation)))
    }
}

fn operation(
    operator: BinaryOperator,
    kind: Arithmetic,
    result: &SqlType,
    left: Expr,
    right: Expr,
) -> Expr {
    Expr::Arithmetic {
        operator,
        kind,
        result: result.clone(),
        left: Box::new(left),
        right: Box::new(right),
    }
}

/// The sum of two lengths; `None` where either is max or the sum passes the limit.
fn added_length(a: Option<u16>, b: Option<u16>, limit: u16) -> Option<u16> {
    let sum = a?.checked_add(b?)?;
    (sum <= limit).then_some(sum)
}

fn invalid_operand(sql_type: &SqlType, operator: &str) -> SqlError {
    SqlError::new(
        8117,
        16,
        1,
        format!(
            "Operand data type {} is invalid for {operator} operator.",
            sql_type.name()
        ),
    )
}

/// The shape of an operand of decimal arithmetic.
fn shape_of(typed: &Typed) -> Shape {
    if let (true, Expr::Const(Datum::Int(value))) = (typed.literal, &typed.expr) {
        return Shape {
            precision: value.unsigned_abs().to_string().len() as u8,
            scale: 0,
        };
    }
    typed.sql_type.shape().unwrap_or(Shape {
        precision: 38,
        scale: 0,
    })
}

fn operands(
    operator: BinaryOperator,
    target: &SqlType,
    left: Typed,
    right: Typed,
) -> SqlResult<(Arithmetic, Typed, Typed, SqlType)> {
    use BinaryOperator::{Add, BitAnd, BitOr, BitXor, Divide, Modulo, Multiply, Subtract};
    let bits = matches!(operator, BitAnd | BitOr | BitXor);
    let both = |kind: Arithmetic, sql_type: &SqlType, left: Typed, right: Typed| -> SqlResult<_> {
        Ok((
            kind,
            left.convert_to(sql_type)?,
            right.convert_to(sql_type)?,
            sql_type.clone(),
        ))
    };
    match target {
        SqlType::Bit if !bits => Err(SqlError::new(
            402,
            16,
            1,
            format!(
                "The data types bit and bit are incompatible in the {} operator.",
                symbol(operator)
            ),
        )),
        _ if target.is_integer() => both(Arithmetic::Integer, target, left, right),
        _ if bits => Err(SqlError::new(
            402,
            16,
            1,
            format!(
                "The data types {} and {} are incompatible in the {} operator.",
                left.sql_type.name(),
                right.sql_type.name(),
                symbol(operator)
            ),
        )),
        SqlType::Decimal { .. } => {
            // Text takes the other side's shape, other numbers their own.
            let exact = |typed: Typed| -> SqlResult<Typed> {
                if typed.sql_type.is_text() || typed.untyped_null {
                    return typed.convert_to(target);
                }
                let shape = shape_of(&typed);
                if matches!(typed.sql_type, SqlType::Decimal { .. }) {
                    Ok(typed)
                } else {
                    typed.convert_to(&SqlType::decimal(shape))
                }
            };
            let (left, right) = (exact(left)?, exact(right)?);
            let (a, b) = (shape_of(&left), shape_of(&right));
            let shape = match operator {
                Add | Subtract => decimal::sum_shape(a, b),
                Multiply => decimal::product_shape(a, b),
                Divide => decimal::quotient_shape(a, b),
                _ => decimal::remainder_shape(a, b),
            };
            Ok((
                Arithmetic::Decimal(shape),
                left,
                right,
                SqlType::decimal(shape),
            ))
        }
        SqlType::Money | SqlType::SmallMoney => both(Arithmetic::Money, target, left, right),
        SqlType::Float | SqlType::Real if operator == Modulo => Err(SqlError::new(
            402,
            16,
            1,
            format!(
                "The data types {} and {} are incompatible in the modulo operator.",
                left.sql_type.name(),
                right.sql_type.name()
            ),
        )),
        SqlType::Float => both(Arithmetic::Float, target, left, right),
        SqlType::Real => both(Arithmetic::Real, target, left, right),
        SqlType::DateTime | SqlType::SmallDateTime if matches!(operator, Add | Subtract) => {
            let result = target.clone();
            let (kind, left, right, _) =
                both(Arithmetic::DateTime, &SqlType::DateTime, left, right)?;
            if result == SqlType::SmallDateTime {
                return Err(crate::error::unsupported_clause(
                    "arithmetic with smalldatetime; use DATEADD",
                ));
            }
            Ok((kind, left, right, result))
        }
        // 'a' - 'b' and the like: text is no number without one on the other side.
        _ if target.is_text() || target.is_binary() => {
            Err(invalid_operand(target, symbol(operator)))
        }
        _ if left.sql_type.is_temporal() && right.sql_type.is_temporal()
            || target.is_old_temporal() =>
        {
            Err(invalid_operand(target, symbol(operator)))
        }
        _ => Err(crate::error::type_clash(
            right.sql_type.name(),
            left.sql_type.name(),
        )),
    }
}

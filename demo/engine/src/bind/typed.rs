//! A bound expression with its type, and the implicit conversions between types.

use std::rc::Rc;
use std::sync::Arc;

use crate::collation::{Collation, OtherPage};
use crate::context::Context;
use crate::convert::{self, Excess};
use crate::error::{SqlResult, unsupported_type};
use crate::plan::Expr;
use crate::session::SqlError;
use crate::type_rules::common_type;
use crate::types::{Datum, SqlType};

/// Where an expression's collation comes from (T-SQL reference, "Collation precedence").
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TextCollation {
    /// A literal, a variable, a number: the database's default, giving way to any other.
    Coercible,
    Implicit(Collation),
    Explicit(Collation),
    /// Two different implicit ones met.
    Conflict,
}

impl TextCollation {
    pub(crate) fn resolved(&self) -> Collation {
        match self {
            Self::Implicit(collation) | Self::Explicit(collation) => collation.clone(),
            Self::Coercible | Self::Conflict => Collation::server_default(),
        }
    }

    pub(crate) fn combine(&self, other: &Self) -> SqlResult<Self> {
        Ok(match (self, other) {
            (Self::Explicit(a), Self::Explicit(b)) if a.name != b.name => {
                return Err(conflict(a, b));
            }
            (Self::Explicit(_), _) => self.clone(),
            (_, Self::Explicit(_)) => other.clone(),
            (Self::Conflict, _) | (_, Self::Conflict) => Self::Conflict,
            (Self::Implicit(a), Self::Implicit(b)) => {
                if a.name.eq_ignore_ascii_case(&b.name) {
                    self.clone()
                } else {
                    Self::Conflict
                }
            }
            (Self::Implicit(_), _) => self.clone(),
            _ => other.clone(),
        })
    }

    /// The collation that two texts compare by.
    pub(crate) fn for_comparison(&self, other: &Self) -> SqlResult<Rc<Collation>> {
        match (self, other) {
            (Self::Implicit(a), Self::Implicit(b)) if !a.name.eq_ignore_ascii_case(&b.name) => {
                Err(conflict(a, b))
            }
            _ => Ok(Rc::new(self.combine(other)?.resolved())),
        }
    }
}

fn conflict(a: &Collation, b: &Collation) -> SqlError {
    SqlError::new(
        468,
        16,
        9,
        format!(
            "Cannot resolve the collation conflict between \"{}\" and \"{}\" in the equal to operation.",
            b.name, a.name
        ),
    )
}

#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) sql_type: SqlType,
    pub(crate) nullable: bool,
    pub(crate) collation: TextCollation,
    /// The literal NULL, which takes any type.
    pub(crate) untyped_null: bool,
    /// An integer literal, whose precision is that of its digits.
    pub(crate) literal: bool,
    pub(crate) identity: bool,
}

impl Typed {
    pub(crate) fn new(expr: Expr, sql_type: SqlType, nullable: bool) -> Self {
        Self {
            expr,
            sql_type,
            nullable,
            collation: TextCollation::Coercible,
            untyped_null: false,
            literal: false,
            identity: false,
        }
    }

    pub(crate) fn constant(value: Datum, sql_type: SqlType) -> Self {
        let nullable = value == Datum::Null;
        Self::new(Expr::Const(value), sql_type, nullable)
    }

    pub(crate) fn with_collation(mut self, collation: TextCollation) -> Self {
        self.collation = collation;
        self
    }

    /// Converts for an expression: implicitly, text being cut rather than refused.
    pub(crate) fn convert_to(self, target: &SqlType) -> SqlResult<Self> {
        self.converted(target, Excess::Cut, false)
    }

    /// Converts for assignment to a column or parameter.
    pub(crate) fn assign_to(self, target: &SqlType, excess: Excess) -> SqlResult<Self> {
        self.converted(target, excess, false)
    }

    pub(crate) fn converted(
        self,
        target: &SqlType,
        excess: Excess,
        explicit: bool,
    ) -> SqlResult<Self> {
        if self.sql_type == *target && !self.untyped_null {
            return Ok(self);
        }
        if self.untyped_null {
            return Ok(Self {
                sql_type: target.clone(),
                untyped_null: false,
                ..self
            });
        }
        convert::check(&self.sql_type, target, explicit)?;
        self.keeps_code_page(target)?;
        if let Some(operands) = self.fitted_to_page(target)? {
            return Ok(Self {
                expr: Expr::Call {
                    evaluator: in_page,
                    arguments: operands,
                },
                sql_type: target.clone(),
                literal: false,
                ..self
            });
        }
        let expr = match self.expr {
            // A conversion that fails is left to fail when, and if, it is reached.
            Expr::Const(value) => match convert::convert(&value, target, 0, excess) {
                Ok(value) => Expr::Const(value),
                Err(_) => conversion(Expr::Const(value), target, excess),
            },
            other => conversion(other, target, excess),
        };
        Ok(Self {
            expr,
            sql_type: target.clone(),
            literal: false,
            ..self
        })
    }
}

impl Typed {
    /// Refuses to convert text of another code page than 1252 to what would hang on its bytes: to bytes, and to
    /// `varchar` that is shorter or filled up.
    pub(crate) fn keeps_code_page(&self, target: &SqlType) -> SqlResult<()> {
        let SqlType::VarChar { length } = target else {
            let hangs =
                target.is_binary() || matches!(target, SqlType::Char { .. } | SqlType::SqlVariant);
            return match hangs {
                true => self.is_of_default_page(target.name()),
                false => Ok(()),
            };
        };
        match (length, self.sql_type.length()) {
            (None, _) => Ok(()),
            (Some(longer), Some(length)) if length <= *longer => Ok(()),
            _ => self.is_of_default_page("a shorter varchar"),
        }
    }

    /// Where Unicode becomes `varchar` of a code page other than 1252, which its collation says: the operands of
    /// `in_page`.
    pub(crate) fn fitted_to_page(&self, target: &SqlType) -> SqlResult<Option<Vec<Expr>>> {
        let unicode = self.sql_type.is_text() && self.sql_type.is_national();
        let page = self.collation.resolved().code_page;
        if !unicode || page == 1252 || !target.is_text() || target.is_national() {
            return Ok(None);
        }
        let SqlType::VarChar { length } = target else {
            return Err(unsupported_type(&format!(
                "{} to {} in code page {page}",
                self.sql_type.name(),
                target.name()
            )));
        };
        let most = length.map_or(Datum::Null, |length| Datum::Int(length.into()));
        Ok(Some(vec![
            self.expr.clone(),
            Expr::Const(Datum::Int(page)),
            Expr::Const(most),
        ]))
    }

    /// Refuses text of another code page where its bytes count.
    pub(crate) fn is_of_default_page(&self, what: &str) -> SqlResult<()> {
        let collation = self.collation.resolved();
        match collation.other_page(&self.sql_type) {
            None => Ok(()),
            Some(_) => Err(unsupported_type(&format!(
                "{} in code page {} to {what}",
                self.sql_type.name(),
                collation.code_page
            ))),
        }
    }
}

/// A text as `varchar` of a code page: the text, the page's number, and the most bytes or NULL. What stands for a
/// character that the page lacks, and what becomes of one whose bytes are cut in two, is not documented.
pub(crate) fn in_page(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let [Datum::Text { value, .. }, Datum::Int(number), most] = arguments else {
        return Ok(Datum::Null);
    };
    let Some(page) = OtherPage::numbered(*number) else {
        return Err(unsupported_type(&format!("text in code page {number}")));
    };
    let mut room = match most {
        Datum::Int(bytes) => usize::try_from(*bytes).unwrap_or(0),
        _ => usize::MAX,
    };
    let mut fitted = String::with_capacity(value.len());
    for c in value.chars() {
        let bytes = page.bytes_of(c).ok_or_else(|| {
            unsupported_type(&format!("'{c}' in code page {number}, which lacks it,"))
        })?;
        if bytes > room {
            if room > 0 {
                return Err(unsupported_type("a part of a character's bytes"));
            }
            break;
        }
        room -= bytes;
        fitted.push(c);
    }
    Ok(Datum::Text {
        value: Arc::from(fitted),
        national: false,
    })
}

fn conversion(operand: Expr, target: &SqlType, excess: Excess) -> Expr {
    Expr::Convert {
        operand: Box::new(operand),
        target: target.clone(),
        style: 0,
        lenient: false,
        excess,
    }
}

/// The type that a list of alternatives has (CASE, COALESCE, VALUES).
pub(crate) fn unify<'t>(items: impl Iterator<Item = &'t Typed>) -> SqlResult<Option<SqlType>> {
    let mut result: Option<SqlType> = None;
    for item in items.filter(|item| !item.untyped_null) {
        result = Some(match result {
            None => item.sql_type.clone(),
            Some(current) => common_type(&current, &item.sql_type)?,
        });
    }
    Ok(result)
}

/// Whether two types' values compare without conversion.
fn compares_directly(a: &SqlType, b: &SqlType) -> bool {
    a == b
        || (a.is_text() && b.is_text())
        || (a.is_binary() && b.is_binary())
        || matches!(
            (a, b),
            (SqlType::Decimal { .. }, SqlType::Decimal { .. })
                | (SqlType::DateTime2 { .. }, SqlType::DateTime2 { .. })
                | (
                    SqlType::DateTimeOffset { .. },
                    SqlType::DateTimeOffset { .. }
                )
                | (SqlType::Time { .. }, SqlType::Time { .. })
        )
}

/// Brings two operands of a comparison to one type.
pub(crate) fn align(left: Typed, right: Typed) -> SqlResult<(Typed, Typed, Rc<Collation>)> {
    let text = left.sql_type.is_text() || right.sql_type.is_text();
    let collation = if text {
        left.collation.for_comparison(&right.collation)?
    } else {
        Rc::new(Collation::server_default())
    };
    if left.untyped_null || right.untyped_null || compares_directly(&left.sql_type, &right.sql_type)
    {
        return Ok((left, right, collation));
    }
    // A decimal against an integer only needs the integer as a decimal.
    let target = match (&left.sql_type, &right.sql_type) {
        (a @ SqlType::Decimal { .. }, b) | (b, a @ SqlType::Decimal { .. }) if b.is_integer() => {
            let _ = a;
            let shape = b.shape().unwrap_or(crate::decimal::Shape {
                precision: 19,
                scale: 0,
            });
            let exact = SqlType::decimal(shape);
            let left = if left.sql_type.is_integer() {
                left.convert_to(&exact)?
            } else {
                left
            };
            let right = if right.sql_type.is_integer() {
                right.convert_to(&exact)?
            } else {
                right
            };
            return Ok((left, right, collation));
        }
        (a, b) => common_type(a, b)?,
    };
    if matches!(target, SqlType::Xml) {
        return Err(SqlError::new(
            305,
            16,
            1,
            "The xml data type cannot be compared or sorted, except when using the IS NULL operator.",
        ));
    }
    let target = comparison_target(target, &left.sql_type, &right.sql_type);
    Ok((
        left.convert_to(&target)?,
        right.convert_to(&target)?,
        collation,
    ))
}

/// A text compared with a decimal must not lose its digits to the decimal's scale, nor fixed text be cut.
fn comparison_target(target: SqlType, left: &SqlType, right: &SqlType) -> SqlType {
    match &target {
        SqlType::Binary { .. } | SqlType::VarBinary { .. } => SqlType::VarBinary { length: None },
        SqlType::Char { .. } if left.is_text() != right.is_text() => {
            SqlType::VarChar { length: None }
        }
        SqlType::NChar { .. } if left.is_text() != right.is_text() => {
            SqlType::NVarChar { length: None }
        }
        _ => target,
    }
}

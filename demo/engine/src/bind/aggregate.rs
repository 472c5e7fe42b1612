//! Aggregates, window functions, and calls in general.

use std::rc::Rc;

use super::Binder;
use super::typed::Typed;
use crate::ast::{Call, Expr as Ast, OrderItem, Window};
use crate::collation::Collation;
use crate::decimal::{MAX_PRECISION, Shape};
use crate::error::{SqlResult, unsupported_clause, unsupported_function};
use crate::functions;
use crate::plan::{Aggregate, AggregateKind, Expr, OrderKey, WindowFunction, WindowPlan};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

fn aggregate_kind(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "count" | "count_big" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Avg,
        "min" => AggregateKind::Min,
        "max" => AggregateKind::Max,
        "string_agg" => AggregateKind::StringAgg,
        "checksum_agg" => AggregateKind::ChecksumAgg,
        "stdev" => AggregateKind::Deviation {
            population: false,
            variance: false,
        },
        "stdevp" => AggregateKind::Deviation {
            population: true,
            variance: false,
        },
        "var" => AggregateKind::Deviation {
            population: false,
            variance: true,
        },
        "varp" => AggregateKind::Deviation {
            population: true,
            variance: true,
        },
        _ => return None,
    })
}

/// Whether an expression contains an aggregate of its own query.
pub(crate) fn contains_aggregate(ast: &Ast) -> bool {
    let any = |list: &[Ast]| list.iter().any(contains_aggregate);
    match ast {
        Ast::Call(call) => {
            let own = aggregate_kind(&call.name.folded()).is_some() && call.over.is_none();
            let window = call.over.as_ref().is_some_and(|over| {
                any(&over.partition_by)
                    || over
                        .order_by
                        .iter()
                        .any(|item| contains_aggregate(&item.expr))
            });
            own || any(&call.arguments) || window
        }
        Ast::Unary { operand, .. }
        | Ast::Not(operand)
        | Ast::IsNull { operand, .. }
        | Ast::Collate { operand, .. } => contains_aggregate(operand),
        Ast::Convert { operand, .. }
        | Ast::InQuery { operand, .. }
        | Ast::Quantified { operand, .. } => contains_aggregate(operand),
        Ast::Binary { left, right, .. }
        | Ast::Compare { left, right, .. }
        | Ast::And(left, right)
        | Ast::Or(left, right)
        | Ast::IsDistinct { left, right, .. } => {
            contains_aggregate(left) || contains_aggregate(right)
        }
        Ast::Between {
            operand, low, high, ..
        } => [operand, low, high]
            .iter()
            .any(|part| contains_aggregate(part)),
        Ast::InList { operand, list, .. } => contains_aggregate(operand) || any(list),
        Ast::Like {
            operand, pattern, ..
        } => contains_aggregate(operand) || contains_aggregate(pattern),
        Ast::Case {
            operand,
            branches,
            otherwise,
        } => {
            operand.as_deref().is_some_and(contains_aggregate)
                || branches
                    .iter()
                    .any(|(when, then)| contains_aggregate(when) || contains_aggregate(then))
                || otherwise.as_deref().is_some_and(contains_aggregate)
        }
        _ => false,
    }
}

fn sum_type(argument: &SqlType, average: bool) -> SqlResult<SqlType> {
    Ok(match argument {
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::Int,
        SqlType::BigInt => SqlType::BigInt,
        SqlType::Decimal { scale, .. } => {
            let scale = if average { (*scale).max(6) } else { *scale };
            SqlType::decimal(Shape {
                precision: MAX_PRECISION,
                scale,
            })
        }
        SqlType::Money | SqlType::SmallMoney => SqlType::Money,
        SqlType::Real | SqlType::Float => SqlType::Float,
        other => {
            return Err(SqlError::new(
                8117,
                16,
                1,
                format!(
                    "Operand data type {} is invalid for {} operator.",
                    other.name(),
                    if average { "avg" } else { "sum" }
                ),
            )
            .ending_batch());
        }
    })
}

impl Binder<'_> {
    /// Binds a function call of any kind.
    pub(crate) fn bind_call(&mut self, call: &Call) -> SqlResult<Typed> {
        let name = call.name.folded();
        if let Some(over) = &call.over {
            return self.bind_window(call, over);
        }
        if aggregate_kind(&name).is_some() {
            return self.bind_group_aggregate(call);
        }
        if call.star || call.distinct || !call.within_group.is_empty() {
            return Err(unsupported_function(&call.name.0));
        }
        self.dependencies.function(&name);
        functions::bind(self, &name, &call.arguments)
    }

    fn bind_group_aggregate(&mut self, call: &Call) -> SqlResult<Typed> {
        let level = self.scopes.len().wrapping_sub(1);
        let grouping = self
            .scopes
            .get_mut(level)
            .and_then(|scope| scope.grouping.as_mut())
            .filter(|grouping| grouping.active);
        let Some(grouping) = grouping else {
            return Err(SqlError::new(
                147,
                15,
                1,
                "An aggregate may not appear in the WHERE clause unless it is in a subquery contained in a HAVING clause or a select list, and the column being aggregated is an outer reference.",
            )
            .ending_batch());
        };
        let keys = grouping.keys.len();
        if let Some(place) = grouping
            .aggregates
            .iter()
            .position(|(known, ..)| known == call)
        {
            let typed = grouping.aggregates[place].2.clone();
            return Ok(Typed {
                expr: Expr::Column {
                    depth: 0,
                    source: 0,
                    column: keys + place,
                },
                ..typed
            });
        }
        grouping.active = false;
        let windows = self.scopes[level].windows.take();
        let bound = self.bind_aggregate(call);
        self.scopes[level].windows = windows;
        let Some(grouping) = self.scopes[level].grouping.as_mut() else {
            return Err(unsupported_function(&call.name.0));
        };
        grouping.active = true;
        let (aggregate, mut typed) = bound?;
        let place = grouping.aggregates.len();
        typed.expr = Expr::Column {
            depth: 0,
            source: 0,
            column: keys + place,
        };
        grouping
            .aggregates
            .push((call.clone(), aggregate, typed.clone()));
        Ok(typed)
    }

    /// An aggregate's parts, its argument bound on the rows that it aggregates.
    fn bind_aggregate(&mut self, call: &Call) -> SqlResult<(Aggregate, Typed)> {
        let name = call.name.folded();
        let Some(mut kind) = aggregate_kind(&name) else {
            return Err(unsupported_function(&call.name.0));
        };
        if call.star {
            if kind != AggregateKind::Count {
                return Err(SqlError::new(102, 15, 1, "Incorrect syntax near '*'.").ending_batch());
            }
            kind = AggregateKind::CountRows;
        }
        let expected = match kind {
            AggregateKind::CountRows => 0,
            AggregateKind::StringAgg => 2,
            _ => 1,
        };
        if call.arguments.len() != expected {
            return Err(SqlError::new(
                174,
                15,
                1,
                format!("The {name} function requires {expected} argument(s)."),
            )
            .ending_batch());
        }
        let mut argument = match call.arguments.first() {
            Some(argument) => Some(self.bind_scalar(argument)?),
            None => None,
        };
        let sql_type = argument
            .as_ref()
            .map_or(SqlType::Int, |argument| argument.sql_type.clone());
        let collation = argument.as_ref().map(|argument| argument.collation.clone());
        let result = match kind {
            AggregateKind::CountRows | AggregateKind::Count => {
                if name == "count_big" {
                    SqlType::BigInt
                } else {
                    SqlType::Int
                }
            }
            AggregateKind::Sum | AggregateKind::Avg => {
                let result = sum_type(&sql_type, kind == AggregateKind::Avg)?;
                argument = argument
                    .map(|argument| match &result {
                        SqlType::Decimal { .. } => Ok(argument),
                        other => argument.convert_to(other),
                    })
                    .transpose()?;
                result
            }
            AggregateKind::Min | AggregateKind::Max => {
                if sql_type == SqlType::Bit {
                    return Err(SqlError::new(
                        8117,
                        16,
                        1,
                        format!("Operand data type bit is invalid for {name} operator."),
                    )
                    .ending_batch());
                }
                sql_type
            }
            AggregateKind::StringAgg => {
                let national = sql_type.is_national();
                let max = sql_type.is_text() && sql_type.length().is_none();
                let target = match (national || !sql_type.is_text(), max) {
                    (true, true) => SqlType::NVarChar { length: None },
                    (true, false) => SqlType::NVarChar { length: Some(4000) },
                    (false, true) => SqlType::VarChar { length: None },
                    (false, false) => SqlType::VarChar { length: Some(8000) },
                };
                argument = argument
                    .map(|argument| argument.convert_to(&target))
                    .transpose()?;
                target
            }
            AggregateKind::ChecksumAgg => {
                argument = argument
                    .map(|argument| argument.convert_to(&SqlType::Int))
                    .transpose()?;
                SqlType::Int
            }
            AggregateKind::Deviation { .. } => {
                argument = argument
                    .map(|argument| argument.convert_to(&SqlType::Float))
                    .transpose()?;
                SqlType::Float
            }
        };
        let separator = match call.arguments.get(1) {
            Some(separator) => Some(
                self.bind_scalar(separator)?
                    .convert_to(&SqlType::NVarChar { length: None })?
                    .expr,
            ),
            None => None,
        };
        let order = self.order_keys(&call.within_group)?;
        let never_null = matches!(kind, AggregateKind::CountRows | AggregateKind::Count);
        let mut typed = Typed::new(Expr::null(), result.clone(), !never_null);
        let resolved = collation
            .clone()
            .map_or_else(Collation::server_default, |collation| collation.resolved());
        if let (true, Some(collation)) = (result.is_text(), collation) {
            typed.collation = collation;
        }
        let aggregate = Aggregate {
            kind,
            argument: argument.map(|argument| argument.expr),
            distinct: call.distinct,
            result,
            collation: Rc::new(resolved),
            separator,
            order,
        };
        Ok((aggregate, typed))
    }

    fn order_keys(&mut self, items: &[OrderItem]) -> SqlResult<Vec<OrderKey>> {
        items
            .iter()
            .map(|item| {
                let typed = self.bind_scalar(&item.expr)?;
                Ok(OrderKey {
                    collation: Rc::new(typed.collation.resolved()),
                    expr: typed.expr,
                    descending: item.descending,
                })
            })
            .collect()
    }

    fn bind_window(&mut self, call: &Call, over: &Window) -> SqlResult<Typed> {
        let level = self.scopes.len().wrapping_sub(1);
        let Some(windows) = self
            .scopes
            .get_mut(level)
            .and_then(|scope| scope.windows.take())
        else {
            return Err(SqlError::new(
                4108,
                15,
                1,
                "Windowed functions can only appear in the SELECT or ORDER BY clauses.",
            )
            .ending_batch());
        };
        let bound = self.bind_window_parts(call, over);
        let source = self.scopes[level].window_source;
        let (plan, mut typed) = bound?;
        typed.expr = Expr::Column {
            depth: 0,
            source,
            column: windows.len(),
        };
        let mut windows = windows;
        windows.push(plan);
        self.scopes[level].windows = Some(windows);
        Ok(typed)
    }

    fn bind_window_parts(&mut self, call: &Call, over: &Window) -> SqlResult<(WindowPlan, Typed)> {
        let name = call.name.folded();
        let needs_order = || {
            if over.order_by.is_empty() {
                Err(SqlError::new(
                    4112,
                    15,
                    1,
                    format!(
                        "The function '{}' must have an OVER clause with ORDER BY.",
                        call.name.0
                    ),
                )
                .ending_batch())
            } else {
                Ok(())
            }
        };
        let count = Typed::new(Expr::null(), SqlType::BigInt, true);
        let (function, typed) = match name.as_str() {
            "row_number" => {
                needs_order()?;
                (WindowFunction::RowNumber, count)
            }
            "rank" => {
                needs_order()?;
                (WindowFunction::Rank, count)
            }
            "dense_rank" => {
                needs_order()?;
                (WindowFunction::DenseRank, count)
            }
            "ntile" => {
                needs_order()?;
                let tiles = call
                    .arguments
                    .first()
                    .ok_or_else(|| unsupported_function("NTILE"))?;
                (
                    WindowFunction::Ntile(
                        self.bind_scalar(tiles)?.convert_to(&SqlType::BigInt)?.expr,
                    ),
                    count,
                )
            }
            "lag" | "lead" => {
                needs_order()?;
                self.bind_shift(call, name == "lag")?
            }
            "first_value" => {
                needs_order()?;
                let value = call
                    .arguments
                    .first()
                    .ok_or_else(|| unsupported_function("FIRST_VALUE"))?;
                let typed = self.bind_scalar(value)?;
                (WindowFunction::First(typed.expr.clone()), typed)
            }
            _ if aggregate_kind(&name).is_some() => {
                if call.distinct {
                    return Err(SqlError::new(
                        10759,
                        15,
                        1,
                        "Use of DISTINCT is not allowed with the OVER clause.",
                    )
                    .ending_batch());
                }
                if name == "string_agg" {
                    return Err(unsupported_clause("STRING_AGG with OVER"));
                }
                let (aggregate, typed) = self.bind_aggregate(call)?;
                (WindowFunction::Aggregate(aggregate), typed)
            }
            _ => return Err(unsupported_function(&format!("{} OVER", call.name.0))),
        };
        let mut partition = Vec::new();
        let mut collations = Vec::new();
        for key in &over.partition_by {
            let typed = self.bind_scalar(key)?;
            collations.push(typed.collation.resolved());
            partition.push(typed.expr);
        }
        // `ORDER BY (SELECT NULL)` is the usual way to say that the order is of no matter.
        let order = self.order_keys(&over.order_by)?;
        let plan = WindowPlan {
            function,
            partition,
            collations: collations.into(),
            order,
            rows_frame: over.rows_frame,
        };
        Ok((plan, typed))
    }

    fn bind_shift(&mut self, call: &Call, back: bool) -> SqlResult<(WindowFunction, Typed)> {
        let value = call
            .arguments
            .first()
            .ok_or_else(|| unsupported_function(&call.name.0))?;
        let value = self.bind_scalar(value)?;
        let step = match call.arguments.get(1) {
            Some(step) => self.bind_scalar(step)?.convert_to(&SqlType::BigInt)?.expr,
            None => Expr::Const(Datum::BigInt(1)),
        };
        let default = match call.arguments.get(2) {
            Some(default) => self.bind_scalar(default)?.convert_to(&value.sql_type)?.expr,
            None => Expr::null(),
        };
        let typed = Typed {
            nullable: true,
            ..value.clone()
        };
        Ok((
            WindowFunction::Shift {
                value: value.expr,
                step,
                default,
                back,
            },
            typed,
        ))
    }

    /// `UPDATE(column)` in a trigger: whether the statement assigned the column.
    pub(crate) fn bind_update_predicate(&mut self, call: &Call) -> SqlResult<Expr> {
        let Some(Ast::Column { name, .. }) = call.arguments.first() else {
            return Err(unsupported_function("UPDATE()"));
        };
        let Some(updated) = self.frame.updated_columns() else {
            return Err(SqlError::new(157, 15, 1, "An aggregate may not appear in the set list of an UPDATE statement: UPDATE() stands outside a trigger.").ending_batch());
        };
        let found = updated.iter().any(|column| name.is(column));
        Ok(Expr::Const(Datum::Bit(found)))
    }
}

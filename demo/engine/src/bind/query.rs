//! SELECT and set operations.

use std::rc::Rc;

use super::aggregate::contains_aggregate;
use super::scope::GroupScope;
use super::typed::Typed;
use super::{Binder, Scope, add_seeks, collations_of, push_filter};
use crate::ast::{self, Expr as Ast, OrderItem, Query, QueryBody, Select, SelectItem, SetOperator};
use crate::error::SqlResult;
use crate::plan::{
    Body, Expr, From, Grouping, Limit, OrderKey, OutputColumn, QueryPlan, SelectPlan,
};
use crate::session::SqlError;
use crate::type_rules::common_type;
use crate::types::{Datum, SqlType};

pub(crate) fn output_column(name: String, typed: &Typed, read_only: bool) -> OutputColumn {
    OutputColumn {
        name,
        sql_type: typed.sql_type.clone(),
        nullable: typed.nullable,
        collation: if typed.sql_type.is_text() {
            Some(typed.collation.resolved())
        } else {
            None
        },
        identity: typed.identity,
        read_only,
    }
}

impl QueryPlan {
    /// Converts one result column to another type.
    pub(crate) fn convert_column(&mut self, ordinal: usize, target: &SqlType) {
        let wrap = |expr: &mut Expr| {
            let operand = std::mem::replace(expr, Expr::null());
            *expr = Expr::Convert {
                operand: Box::new(operand),
                target: target.clone(),
                style: 0,
                lenient: false,
                excess: crate::convert::Excess::Cut,
            };
        };
        match &mut self.body {
            Body::Select(select) => wrap(&mut select.projection[ordinal]),
            Body::Set {
                left_conversions,
                right_conversions,
                ..
            } => {
                wrap(&mut left_conversions[ordinal]);
                wrap(&mut right_conversions[ordinal]);
            }
        }
        self.columns[ordinal].sql_type = target.clone();
    }
}

impl Binder<'_> {
    /// Binds a query with everything around its body.
    pub(crate) fn bind_query(&mut self, query: &Query) -> SqlResult<QueryPlan> {
        let known = self.common_tables.len();
        self.add_common_tables(&query.with);
        let plan = self.bind_body(
            &query.body,
            &query.order_by,
            query.offset.as_ref(),
            query.fetch.as_ref(),
        );
        self.common_tables.truncate(known);
        plan
    }

    fn bind_body(
        &mut self,
        body: &QueryBody,
        order: &[OrderItem],
        offset: Option<&Ast>,
        fetch: Option<&Ast>,
    ) -> SqlResult<QueryPlan> {
        match body {
            QueryBody::Select(select) => self.bind_select(select, order, offset, fetch),
            QueryBody::Nested(query) if order.is_empty() => self.bind_query(query),
            QueryBody::Nested(query) => {
                let select = Select {
                    distinct: false,
                    top: None,
                    items: vec![SelectItem::Star(Vec::new())],
                    into: None,
                    from: vec![ast::TableRef::Derived {
                        query: query.clone(),
                        alias: ast::Name("nested".to_owned()),
                        columns: Vec::new(),
                    }],
                    filter: None,
                    group_by: Vec::new(),
                    having: None,
                };
                self.bind_select(&select, order, offset, fetch)
            }
            QueryBody::Set {
                operator,
                left,
                right,
            } => self.bind_set(*operator, left, right, order, offset, fetch),
        }
    }

    fn bind_set(
        &mut self,
        operator: SetOperator,
        left: &QueryBody,
        right: &QueryBody,
        order: &[OrderItem],
        offset: Option<&Ast>,
        fetch: Option<&Ast>,
    ) -> SqlResult<QueryPlan> {
        let left = self.bind_body(left, &[], None, None)?;
        let right = self.bind_body(right, &[], None, None)?;
        if left.columns.len() != right.columns.len() {
            return Err(SqlError::new(
                205,
                16,
                1,
                "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
            )
            .ending_batch());
        }
        let mut columns = Vec::new();
        let (mut left_conversions, mut right_conversions) = (Vec::new(), Vec::new());
        for (ordinal, (a, b)) in left.columns.iter().zip(&right.columns).enumerate() {
            let sql_type = match (null_column(&left, ordinal), null_column(&right, ordinal)) {
                (true, _) => b.sql_type.clone(),
                (_, true) => a.sql_type.clone(),
                _ => common_type(&a.sql_type, &b.sql_type)?,
            };
            let side = |column: &OutputColumn, null: bool| -> SqlResult<Expr> {
                let expr = Expr::Column {
                    depth: 0,
                    source: 0,
                    column: ordinal,
                };
                let typed = Typed {
                    untyped_null: null,
                    ..Typed::new(expr, column.sql_type.clone(), true)
                };
                Ok(typed.convert_to(&sql_type)?.expr)
            };
            left_conversions.push(side(a, null_column(&left, ordinal))?);
            right_conversions.push(side(b, null_column(&right, ordinal))?);
            let collation = if sql_type.is_text() {
                a.collation.clone().or_else(|| b.collation.clone())
            } else {
                None
            };
            columns.push(OutputColumn {
                name: a.name.clone(),
                sql_type,
                nullable: a.nullable || b.nullable,
                collation,
                identity: false,
                read_only: true,
            });
        }
        let collations = collations_of(columns.iter().map(|column| column.collation.as_ref()));
        let mut keys = Vec::new();
        for item in order {
            let ordinal = output_ordinal(&item.expr, &columns).ok_or_else(|| {
                SqlError::new(
                    104,
                    16,
                    1,
                    "ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.",
                )
                .ending_batch()
            })?;
            keys.push(OrderKey {
                expr: Expr::Column {
                    depth: 0,
                    source: 0,
                    column: ordinal,
                },
                descending: item.descending,
                collation: Rc::new(collations[ordinal].clone()),
            });
        }
        let limit = self.bind_limit(None, offset, fetch)?;
        let correlated = left.correlated || right.correlated;
        Ok(QueryPlan {
            columns,
            body: Body::Set {
                operator,
                left: Box::new(left),
                right: Box::new(right),
                left_conversions,
                right_conversions,
                collations,
                order: keys,
                limit,
            },
            correlated,
        })
    }

    fn bind_limit(
        &mut self,
        top: Option<&ast::Top>,
        offset: Option<&Ast>,
        fetch: Option<&Ast>,
    ) -> SqlResult<Limit> {
        let mut count = |ast: &Ast| -> SqlResult<Expr> {
            Ok(self.bind_scalar(ast)?.convert_to(&SqlType::BigInt)?.expr)
        };
        Ok(Limit {
            offset: offset.map(&mut count).transpose()?,
            count: top
                .map(|top| &top.count)
                .or(fetch)
                .map(&mut count)
                .transpose()?,
            with_ties: top.is_some_and(|top| top.with_ties),
        })
    }

    fn bind_select(
        &mut self,
        select: &Select,
        order: &[OrderItem],
        offset: Option<&Ast>,
        fetch: Option<&Ast>,
    ) -> SqlResult<QueryPlan> {
        if order.is_empty() && select.top.as_ref().is_some_and(|top| top.with_ties) {
            return Err(SqlError::new(
                1062,
                15,
                1,
                "The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.",
            ));
        }
        let limit = self.bind_limit(select.top.as_ref(), offset, fetch)?;
        let ((columns, mut plan), scope) = self.in_scope(Scope::default(), |binder| {
            binder.bind_select_in_scope(select, order)
        })?;
        plan.limit = limit;
        Ok(QueryPlan {
            columns,
            body: Body::Select(Box::new(plan)),
            correlated: scope.correlated,
        })
    }

    pub(super) fn scope(&mut self) -> &mut Scope {
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    fn bind_select_in_scope(
        &mut self,
        select: &Select,
        order: &[OrderItem],
    ) -> SqlResult<(Vec<OutputColumn>, SelectPlan)> {
        let mut from = self.bind_from(&select.from)?;
        let width = self.scope().sources.len();
        let filter = match &select.filter {
            Some(filter) => {
                let filter = self.bind_predicate(filter)?;
                distribute(&mut from, filter)
            }
            None => None,
        };
        add_seeks(&mut from);
        let grouped = self.begin_grouping(select, order)?;
        self.scope().windows = Some(Vec::new());
        self.scope().window_source = if grouped { 1 } else { width };
        let items = self.bind_items(&select.items)?;
        let having = match &select.having {
            Some(having) => Some(self.bind_predicate(having)?),
            None => None,
        };
        let distinct = select
            .distinct
            .then(|| collations_of(items.iter().map(|item| item.column.collation.as_ref())));
        let order = self.bind_order(order, &items, select.distinct)?;
        let windows = self.scope().windows.take().unwrap_or_default();
        let scalar = select.group_by.is_empty();
        let grouping = self
            .scope()
            .grouping
            .take()
            .filter(|_| grouped)
            .map(|grouping| Grouping {
                collations: grouping
                    .keys
                    .iter()
                    .map(|(_, key)| key.collation.resolved())
                    .collect(),
                keys: grouping.keys.into_iter().map(|(_, key)| key.expr).collect(),
                aggregates: grouping
                    .aggregates
                    .into_iter()
                    .map(|(_, aggregate, _)| aggregate)
                    .collect(),
                scalar,
            });
        let assigned: Vec<usize> = items.iter().filter_map(|item| item.variable).collect();
        if !assigned.is_empty() && assigned.len() != items.len() {
            return Err(SqlError::new(
                141,
                15,
                1,
                "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.",
            )
            .ending_batch());
        }
        let columns = items.iter().map(|item| item.column.clone()).collect();
        let plan = SelectPlan {
            from,
            width,
            filter,
            grouping,
            having,
            windows,
            projection: items.into_iter().map(|item| item.typed.expr).collect(),
            assignments: assigned,
            distinct,
            order,
            limit: Limit::default(),
        };
        Ok((columns, plan))
    }

    /// Binds GROUP BY; whether the query groups at all.
    fn begin_grouping(&mut self, select: &Select, order: &[OrderItem]) -> SqlResult<bool> {
        let aggregates = select.having.is_some()
            || select.items.iter().any(|item| match item {
                SelectItem::Expr { expr, .. } | SelectItem::Assign { expr, .. } => {
                    contains_aggregate(expr)
                }
                SelectItem::Star(_) => false,
            })
            || order.iter().any(|item| contains_aggregate(&item.expr));
        if select.group_by.is_empty() && !aggregates {
            return Ok(false);
        }
        let mut keys = Vec::new();
        for key in &select.group_by {
            let typed = self.bind_scalar(key)?;
            keys.push((key.clone(), typed));
        }
        self.scope().grouping = Some(GroupScope {
            active: true,
            keys,
            aggregates: Vec::new(),
        });
        Ok(true)
    }
}

/// Whether a result column is the literal NULL.
fn null_column(plan: &QueryPlan, ordinal: usize) -> bool {
    match &plan.body {
        Body::Select(select) => matches!(
            select.projection.get(ordinal),
            Some(Expr::Const(Datum::Null))
        ),
        Body::Set { .. } => false,
    }
}

/// The result column that an ORDER BY item names: by position, or by its name.
pub(super) fn output_ordinal(expr: &Ast, columns: &[OutputColumn]) -> Option<usize> {
    match expr {
        Ast::Literal {
            value: Datum::Int(position),
            ..
        } => {
            let ordinal = usize::try_from(*position).ok()?.checked_sub(1)?;
            (ordinal < columns.len()).then_some(ordinal)
        }
        Ast::Column { qualifier, name } if qualifier.is_empty() => columns
            .iter()
            .position(|column| !column.name.is_empty() && name.is(&column.name)),
        _ => None,
    }
}

/// Moves what it can of a filter into the FROM tree.
pub(crate) fn distribute(from: &mut From, filter: Expr) -> Option<Expr> {
    let mut conjuncts = Vec::new();
    filter.conjuncts(&mut conjuncts);
    let rest: Vec<Expr> = conjuncts
        .into_iter()
        .filter_map(|conjunct| push_filter(from, conjunct))
        .collect();
    Expr::conjunction(rest)
}

//! VALUES, APPLY and table-valued functions.

use super::from::{FromBuilder, column_count, derived};
use super::typed::{TextCollation, Typed, unify};
use super::{Binder, ScopeColumn, ScopeSource};
use crate::ast::{Expr as Ast, JoinKind, Name, Query, TableRef};
use crate::collation::Collation;
use crate::error::{SqlResult, unsupported_clause, unsupported_function};
use crate::plan::{From, Join, Source};
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

impl Binder<'_> {
    /// CROSS APPLY and OUTER APPLY: the right side sees the left one's columns.
    pub(super) fn bind_apply(&mut self, item: &TableRef) -> SqlResult<FromBuilder> {
        let TableRef::Join {
            kind, left, right, ..
        } = item
        else {
            return Err(unsupported_clause("APPLY"));
        };
        let left = self.bind_table_ref(left)?;
        let right = match right.as_ref() {
            TableRef::Derived {
                query,
                alias,
                columns,
            } => {
                let plan = self.bind_query(query)?;
                let (scope, source) = derived(plan, alias, columns)?;
                self.add_source(scope, source)?
            }
            TableRef::Values {
                rows,
                alias,
                columns,
            } => {
                let mut query_rows: Option<crate::ast::QueryBody> = None;
                for row in rows {
                    let select = constant_select(row);
                    query_rows = Some(match query_rows {
                        None => select,
                        Some(left) => crate::ast::QueryBody::Set {
                            operator: crate::ast::SetOperator::UnionAll,
                            left: Box::new(left),
                            right: Box::new(select),
                        },
                    });
                }
                let body = query_rows.ok_or_else(|| unsupported_clause("VALUES without rows"))?;
                let query = Query {
                    with: Vec::new(),
                    body,
                    order_by: Vec::new(),
                    offset: None,
                    fetch: None,
                };
                let plan = self.bind_query(&query)?;
                let (scope, source) = derived(plan, alias, columns)?;
                self.add_source(scope, source)?
            }
            _ => return Err(unsupported_clause("APPLY of anything but a derived table")),
        };
        if *kind == JoinKind::OuterApply {
            self.mark_nullable(&right.slots);
        }
        let join = Join {
            kind: *kind,
            left: left.from,
            right: right.from,
            left_slots: left.slots.clone(),
            right_slots: right.slots.clone(),
            keys: Vec::new(),
            condition: None,
        };
        Ok(FromBuilder {
            from: From::Join(Box::new(join)),
            slots: left.slots.start..right.slots.end,
        })
    }

    pub(super) fn bind_values(
        &mut self,
        rows: &[Vec<Ast>],
        alias: &Name,
        columns: &[Name],
    ) -> SqlResult<FromBuilder> {
        let scope = self.scopes.pop();
        let bound = self.bind_value_rows(rows);
        self.scopes.extend(scope);
        let (types, rows) = bound?;
        if types.len() != columns.len() {
            return Err(column_count(&alias.0, types.len() > columns.len()));
        }
        let columns = columns
            .iter()
            .zip(types)
            .map(|(name, (sql_type, nullable, collation))| ScopeColumn {
                name: name.0.clone(),
                sql_type,
                nullable,
                collation,
                identity: false,
                read_only: true,
                hidden: false,
            })
            .collect();
        let scope = ScopeSource {
            name: alias.0.clone(),
            schema: None,
            columns,
            qualified_only: false,
        };
        self.add_source(scope, Source::Values(rows))
    }

    /// Binds rows of values and settles each column's type.
    #[allow(clippy::type_complexity)]
    pub(crate) fn bind_value_rows(
        &mut self,
        rows: &[Vec<Ast>],
    ) -> SqlResult<(
        Vec<(SqlType, bool, Option<Collation>)>,
        Vec<Vec<crate::plan::Expr>>,
    )> {
        let width = rows.first().map_or(0, Vec::len);
        let mut bound: Vec<Vec<Typed>> = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() != width {
                return Err(SqlError::new(
                    10709,
                    16,
                    1,
                    "The number of columns for each row in a table value constructor must be the same.",
                )
                .ending_batch());
            }
            bound.push(
                row.iter()
                    .map(|value| self.bind_scalar(value))
                    .collect::<SqlResult<_>>()?,
            );
        }
        let mut types = Vec::with_capacity(width);
        for column in 0..width {
            let sql_type = unify(bound.iter().map(|row| &row[column]))?.unwrap_or(SqlType::Int);
            let nullable = bound.iter().any(|row| row[column].nullable);
            let mut collation = TextCollation::Coercible;
            for row in &bound {
                collation = collation.combine(&row[column].collation)?;
            }
            let collation = if sql_type.is_text() {
                Some(collation.resolved())
            } else {
                None
            };
            types.push((sql_type, nullable, collation));
        }
        let rows = bound
            .into_iter()
            .map(|row| {
                row.into_iter()
                    .zip(&types)
                    .map(|(value, (sql_type, ..))| Ok(value.convert_to(sql_type)?.expr))
                    .collect()
            })
            .collect::<SqlResult<_>>()?;
        Ok((types, rows))
    }

    pub(super) fn bind_table_function(
        &mut self,
        name: &Name,
        arguments: &[Ast],
        alias: Option<&Name>,
        columns: &[Name],
    ) -> SqlResult<FromBuilder> {
        let scope = self.scopes.pop();
        let bound: SqlResult<Vec<Typed>> = arguments
            .iter()
            .map(|argument| self.bind_scalar(argument))
            .collect();
        self.scopes.extend(scope);
        let mut bound = bound?;
        let column = |default: &str, sql_type: SqlType, collation: Option<Collation>| ScopeColumn {
            name: columns
                .first()
                .map_or_else(|| default.to_owned(), |name| name.0.clone()),
            sql_type,
            nullable: false,
            collation,
            identity: false,
            read_only: true,
            hidden: false,
        };
        let scope_name = alias.unwrap_or(name).0.clone();
        match (name.folded().as_str(), bound.len()) {
            ("dm_exec_describe_first_result_set", 3) => self.bind_described(scope_name, &bound),
            ("generate_series", 2 | 3) => {
                let sql_type = unify(bound.iter())?.unwrap_or(SqlType::Int);
                if !sql_type.is_integer() || sql_type == SqlType::Bit {
                    return Err(unsupported_function(
                        "GENERATE_SERIES of anything but integers",
                    ));
                }
                if bound.len() == 2 {
                    bound.push(Typed::constant(Datum::Int(1), SqlType::Int));
                }
                let mut values = bound.into_iter().map(|value| value.convert_to(&sql_type));
                let mut next = || {
                    values
                        .next()
                        .unwrap_or_else(|| Err(unsupported_function("GENERATE_SERIES")))
                };
                let (start, stop, step) = (next()?.expr, next()?.expr, next()?.expr);
                let scope = ScopeSource {
                    name: scope_name,
                    schema: None,
                    columns: vec![column("value", sql_type.clone(), None)],
                    qualified_only: false,
                };
                self.add_source(
                    scope,
                    Source::Series {
                        start,
                        stop,
                        step,
                        sql_type,
                    },
                )
            }
            ("string_split", 2) => {
                let separator = bound
                    .remove(1)
                    .convert_to(&SqlType::NVarChar { length: Some(1) })?
                    .expr;
                let text = bound.remove(0);
                let sql_type = if text.sql_type.is_text() {
                    text.sql_type.clone()
                } else {
                    SqlType::NVarChar { length: None }
                };
                let text = text.convert_to(&sql_type)?;
                let collation = Some(text.collation.resolved());
                let scope = ScopeSource {
                    name: scope_name,
                    schema: None,
                    columns: vec![column("value", sql_type, collation)],
                    qualified_only: false,
                };
                self.add_source(
                    scope,
                    Source::Split {
                        text: text.expr,
                        separator,
                    },
                )
            }
            _ => Err(unsupported_function(&name.0)),
        }
    }
}

fn constant_select(row: &[Ast]) -> crate::ast::QueryBody {
    crate::ast::QueryBody::Select(Box::new(crate::ast::Select {
        distinct: false,
        top: None,
        items: row
            .iter()
            .map(|expr| crate::ast::SelectItem::Expr {
                expr: expr.clone(),
                alias: None,
            })
            .collect(),
        into: None,
        from: Vec::new(),
        filter: None,
        group_by: Vec::new(),
        having: None,
    }))
}

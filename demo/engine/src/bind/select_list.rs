//! The select list, `*`, and ORDER BY.

use super::Binder;
use super::query::{output_column, output_ordinal};
use super::typed::Typed;
use crate::ast::{self, Expr as Ast, OrderItem, SelectItem};
use crate::error::{SqlResult, undeclared_variable};
use crate::plan::{Expr, OrderKey, OutputColumn};
use crate::session::SqlError;
use crate::types::Datum;
use std::rc::Rc;

/// An item of the select list: its syntax, its bound form, its column.
pub(super) struct Item {
    pub(super) ast: Option<Ast>,
    pub(super) typed: Typed,
    pub(super) column: OutputColumn,
    pub(super) variable: Option<usize>,
}

impl Binder<'_> {
    /// Binds the items of OUTPUT.
    pub(crate) fn bind_output_items(
        &mut self,
        items: &[SelectItem],
    ) -> SqlResult<(Vec<OutputColumn>, Vec<Expr>)> {
        let items = self.bind_items(items)?;
        Ok(items
            .into_iter()
            .map(|item| (item.column, item.typed.expr))
            .unzip())
    }

    /// The slot of the source known by that name in the innermost scope.
    pub(crate) fn source_named(&self, name: &str) -> Option<usize> {
        self.scopes
            .last()?
            .sources
            .iter()
            .position(|source| source.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn bind_items(&mut self, items: &[SelectItem]) -> SqlResult<Vec<Item>> {
        let mut bound = Vec::new();
        for item in items {
            match item {
                SelectItem::Star(qualifier) => self.bind_star(qualifier, &mut bound)?,
                SelectItem::Expr { expr, alias } => {
                    let typed = self.bind_scalar(expr)?;
                    let name = match (alias, expr) {
                        (Some(alias), _) => alias.0.clone(),
                        (None, Ast::Column { name, .. }) => name.0.clone(),
                        _ => String::new(),
                    };
                    let read_only = !matches!(expr, Ast::Column { .. });
                    let column = output_column(name, &typed, read_only);
                    bound.push(Item {
                        ast: Some(expr.clone()),
                        typed,
                        column,
                        variable: None,
                    });
                }
                SelectItem::Assign { variable, expr } => {
                    let Some((slot, declared)) = self.frame.variable(variable) else {
                        return Err(undeclared_variable(variable));
                    };
                    let sql_type = declared.sql_type.clone();
                    let typed = self
                        .bind_scalar(expr)?
                        .assign_to(&sql_type, crate::convert::Excess::Cut)?;
                    let column = output_column(String::new(), &typed, true);
                    bound.push(Item {
                        ast: None,
                        typed,
                        column,
                        variable: Some(slot),
                    });
                }
            }
        }
        Ok(bound)
    }

    fn bind_star(&mut self, qualifier: &[ast::Name], bound: &mut Vec<Item>) -> SqlResult<()> {
        let mut any = false;
        let sources: Vec<(usize, super::ScopeSource)> =
            self.scope().sources.iter().cloned().enumerate().collect();
        for (_, source) in sources {
            let included = match qualifier.last() {
                None => !source.qualified_only,
                Some(name) => name.is(&source.name),
            };
            if !included {
                continue;
            }
            any = true;
            for column in source.columns.iter().filter(|column| !column.hidden) {
                let mut path = vec![ast::Name(source.name.clone())];
                if let (Some(schema), true) = (&source.schema, source.name.is_empty()) {
                    path.insert(0, ast::Name(schema.clone()));
                }
                let name = ast::Name(column.name.clone());
                let path = if self.is_unique_source(&source.name) {
                    path
                } else {
                    self.full_path(&source)
                };
                let typed = self.bind_column(&path, &name)?;
                let ast = Some(Ast::Column {
                    qualifier: path,
                    name,
                });
                let column = output_column(column.name.clone(), &typed, column.read_only);
                bound.push(Item {
                    ast,
                    typed,
                    column,
                    variable: None,
                });
            }
        }
        if any {
            return Ok(());
        }
        Err(match qualifier.last() {
            None => SqlError::new(263, 16, 1, "Must specify table to select from.").ending_batch(),
            Some(name) => SqlError::new(
                107,
                15,
                1,
                format!("The column prefix '{}' does not match with a table name or alias name used in the query.", name.0),
            )
            .ending_batch(),
        })
    }

    fn is_unique_source(&mut self, name: &str) -> bool {
        self.scope()
            .sources
            .iter()
            .filter(|source| source.name.eq_ignore_ascii_case(name))
            .count()
            == 1
    }

    fn full_path(&self, source: &super::ScopeSource) -> Vec<ast::Name> {
        let schema = source.schema.iter().cloned().map(ast::Name);
        schema.chain([ast::Name(source.name.clone())]).collect()
    }

    pub(super) fn bind_order(
        &mut self,
        order: &[OrderItem],
        items: &[Item],
        distinct: bool,
    ) -> SqlResult<Vec<OrderKey>> {
        let columns: Vec<OutputColumn> = items.iter().map(|item| item.column.clone()).collect();
        let mut keys = Vec::new();
        for item in order {
            let by_ast = items
                .iter()
                .position(|known| known.ast.as_ref() == Some(&item.expr));
            let ordinal =
                output_ordinal(&item.expr, &columns).or(if distinct { by_ast } else { None });
            if ordinal.is_none()
                && let Ast::Literal {
                    value: Datum::Int(position),
                    ..
                } = &item.expr
            {
                return Err(SqlError::new(
                    108,
                    16,
                    1,
                    format!("The ORDER BY position number {position} is out of range of the number of items in the select list."),
                )
                .ending_batch());
            }
            let (expr, collation) = match ordinal {
                Some(ordinal) if distinct => (
                    Expr::Column {
                        depth: 0,
                        source: 0,
                        column: ordinal,
                    },
                    items[ordinal].typed.collation.resolved(),
                ),
                Some(ordinal) => (
                    items[ordinal].typed.expr.clone(),
                    items[ordinal].typed.collation.resolved(),
                ),
                None if distinct => {
                    let typed = self.bind_scalar(&item.expr)?;
                    let column = items
                        .iter()
                        .position(|known| same_column(&known.typed.expr, &typed.expr))
                        .ok_or_else(not_selected)?;
                    (
                        Expr::Column {
                            depth: 0,
                            source: 0,
                            column,
                        },
                        typed.collation.resolved(),
                    )
                }
                None => {
                    let typed = self.bind_scalar(&item.expr)?;
                    let collation = typed.collation.resolved();
                    (typed.expr, collation)
                }
            };
            keys.push(OrderKey {
                expr,
                descending: item.descending,
                collation: Rc::new(collation),
            });
        }
        Ok(keys)
    }
}

/// Whether two expressions are one and the same column.
fn same_column(a: &Expr, b: &Expr) -> bool {
    match (a, b) {
        (
            Expr::Column {
                depth,
                source,
                column,
            },
            Expr::Column {
                depth: other_depth,
                source: other_source,
                column: other,
            },
        ) => (depth, source, column) == (other_depth, other_source, other),
        _ => false,
    }
}

fn not_selected() -> SqlError {
    SqlError::new(
        145,
        15,
        1,
        "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.",
    )
    .ending_batch()
}

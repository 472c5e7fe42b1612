//! FROM: tables, derived tables, joins.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::pushdown::split_join_condition;
use super::{Binder, Scope, ScopeColumn, ScopeSource};
use crate::ast::{Expr as Ast, JoinKind, Name, ObjectName, Query, TableRef};
use crate::error::{SqlResult, unsupported_clause};
use crate::parser::parse_filter;
use crate::plan::{From, Join, Source, TableSource};
use crate::session::SqlError;
use crate::storage::{Table, TableVersion};

/// The FROM clause so far: sources take slots in the order in which they are met.
pub(crate) struct FromBuilder {
    pub(crate) from: From,
    pub(crate) slots: std::ops::Range<usize>,
}

/// The scope's view of a stored table.
pub(crate) fn table_scope(
    table: &Table,
    version: &TableVersion,
    alias: Option<&Name>,
) -> ScopeSource {
    let columns = version
        .definition
        .columns
        .iter()
        .map(|column| ScopeColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            nullable: column.nullable,
            collation: column.collation.clone(),
            identity: column.identity.is_some(),
            read_only: !column.is_writable(),
            hidden: column.generated.is_some_and(|generated| generated.hidden),
        })
        .collect();
    ScopeSource {
        name: alias.map_or_else(|| table.name.clone(), |alias| alias.0.clone()),
        schema: if alias.is_none() {
            Some(table.schema.clone())
        } else {
            None
        },
        columns,
        qualified_only: false,
    }
}

impl Binder<'_> {
    fn scope_mut(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Adds a source to the innermost scope.
    pub(crate) fn add_source(
        &mut self,
        scope: ScopeSource,
        source: Source,
    ) -> SqlResult<FromBuilder> {
        match &source {
            Source::Table(table) => self.dependencies.table(&table.version),
            Source::Rows(_) => self.dependencies.other(),
            Source::Query { .. }
            | Source::Values(_)
            | Source::Series { .. }
            | Source::Split { .. } => {}
        }
        let sources = &mut self.scope_mut().sources;
        let duplicate = sources.iter().any(|known| {
            known.name.eq_ignore_ascii_case(&scope.name)
                && match (&known.schema, &scope.schema) {
                    (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                    (None, None) => true,
                    _ => false,
                }
        });
        if duplicate && !scope.name.is_empty() {
            return Err(SqlError::new(
                1011,
                16,
                1,
                format!(
                    "The correlation name '{}' is specified multiple times in a FROM clause.",
                    scope.name
                ),
            )
            .ending_batch());
        }
        let index = sources.len();
        sources.push(scope);
        Ok(FromBuilder {
            from: From::Source {
                index,
                source,
                filter: None,
            },
            slots: index..index + 1,
        })
    }

    /// Binds a comma-separated FROM list.
    pub(crate) fn bind_from(&mut self, list: &[TableRef]) -> SqlResult<From> {
        let mut whole: Option<FromBuilder> = None;
        for item in list {
            let next = self.bind_table_ref(item)?;
            whole = Some(match whole {
                None => next,
                Some(left) => cross(left, next),
            });
        }
        Ok(whole.map_or(From::Nothing, |builder| builder.from))
    }

    pub(crate) fn bind_table_ref(&mut self, item: &TableRef) -> SqlResult<FromBuilder> {
        match item {
            TableRef::Table { name, alias, hints } => self.bind_named(name, alias.as_ref(), hints),
            TableRef::Variable { name, alias } => {
                let table = self.frame.table_variable(name)?;
                let version = table.committed();
                let scope = table_scope(
                    &table,
                    &version,
                    Some(alias.as_ref().unwrap_or(&Name(name.clone()))),
                );
                self.add_source(
                    scope,
                    Source::Table(TableSource {
                        version,
                        seek: None,
                    }),
                )
            }
            TableRef::Derived {
                query,
                alias,
                columns,
            } => {
                let scope = self.scopes.pop();
                let bound = self.bind_query(query);
                self.scopes.extend(scope);
                let plan = bound?;
                self.scope_mut().correlated |= plan.correlated;
                let (scope, source) = derived(plan, alias, columns)?;
                self.add_source(scope, source)
            }
            TableRef::Values {
                rows,
                alias,
                columns,
            } => self.bind_values(rows, alias, columns),
            TableRef::Function {
                name,
                arguments,
                alias,
                columns,
            } => self.bind_table_function(name, arguments, alias.as_ref(), columns),
            TableRef::Join {
                kind: JoinKind::CrossApply | JoinKind::OuterApply,
                ..
            } => self.bind_apply(item),
            TableRef::Join {
                kind,
                left,
                right,
                on,
            } => {
                let left = self.bind_table_ref(left)?;
                let right = self.bind_table_ref(right)?;
                self.join(*kind, left, right, on.as_ref())
            }
        }
    }

    pub(super) fn mark_nullable(&mut self, slots: &std::ops::Range<usize>) {
        for source in &mut self.scope_mut().sources[slots.clone()] {
            for column in &mut source.columns {
                column.nullable = true;
            }
        }
    }

    pub(crate) fn join(
        &mut self,
        kind: JoinKind,
        left: FromBuilder,
        right: FromBuilder,
        on: Option<&Ast>,
    ) -> SqlResult<FromBuilder> {
        let condition = match on {
            Some(on) => Some(self.bind_predicate(on)?),
            None => None,
        };
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            self.mark_nullable(&right.slots);
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            self.mark_nullable(&left.slots);
        }
        let mut join = Join {
            kind: if kind == JoinKind::Cross {
                JoinKind::Inner
            } else {
                kind
            },
            left: left.from,
            right: right.from,
            left_slots: left.slots.clone(),
            right_slots: right.slots.clone(),
            keys: Vec::new(),
            condition: None,
        };
        if let Some(condition) = condition {
            split_join_condition(&mut join, condition);
        }
        Ok(FromBuilder {
            from: From::Join(Box::new(join)),
            slots: left.slots.start..right.slots.end,
        })
    }

    pub(super) fn bind_named(
        &mut self,
        name: &ObjectName,
        alias: Option<&Name>,
        hints: &[String],
    ) -> SqlResult<FromBuilder> {
        if name.schema.is_none() && name.database.is_none() {
            if let Some(place) = self
                .common_tables
                .iter()
                .rposition(|table| table.name == name.name)
            {
                return self.bind_common_table(place, alias);
            }
            if let Some((table, version)) = self.frame.pseudo_table(&name.name) {
                let named = alias.cloned().unwrap_or_else(|| name.name.clone());
                let scope = table_scope(table, &version, Some(&named));
                return self.add_source(
                    scope,
                    Source::Table(TableSource {
                        version,
                        seek: None,
                    }),
                );
            }
        }
        if let Some((columns, rows)) = self.system_table(name)? {
            let scope = ScopeSource {
                name: alias.map_or_else(|| name.name.0.clone(), |alias| alias.0.clone()),
                schema: if alias.is_none() {
                    name.schema.as_ref().map(|schema| schema.0.clone())
                } else {
                    None
                },
                columns,
                qualified_only: false,
            };
            return self.add_source(scope, Source::Rows(rows));
        }
        if let Some(base) = self.session.behind_synonym(name)? {
            return self.bind_synonym(name, &base, alias, hints);
        }
        if let Some(view) = self
            .session
            .find_table(name)?
            .filter(|table| table.is_view())
        {
            return self.bind_view(name, &view, alias, hints);
        }
        let (table, version) = self.session.open_for_read(name, hints, self.cancel)?;
        let scope = table_scope(&table, &version, alias);
        let known_as = scope.name.clone();
        let source = Source::Table(TableSource {
            version,
            seek: None,
        });
        let mut builder = self.add_source(scope, source)?;
        self.add_policy_filters(&table, &known_as, &mut builder)?;
        Ok(builder)
    }

    /// The filter predicates of security policies, over the columns that they name.
    fn add_policy_filters(
        &mut self,
        table: &Table,
        known_as: &str,
        builder: &mut FromBuilder,
    ) -> SqlResult<()> {
        let Some(database) = self.session.database_with_id(table.database_id) else {
            return Ok(());
        };
        let filters = database.security.lock().filters(table.object_id);
        for filter in filters {
            // Who the reader is decides, so that no result is that of another.
            self.dependencies.other();
            let quoted = |name: &str| format!("[{}]", name.replace(']', "]]"));
            let predicate = parse_filter(&filter.function.predicate, |parameter| {
                let place = filter
                    .function
                    .parameters
                    .iter()
                    .position(|known| known.eq_ignore_ascii_case(parameter))?;
                let column = quoted(&filter.columns[place]);
                Some(format!("{}.{column}", quoted(known_as)))
            })?;
            let bound = self.bind_predicate(&predicate)?;
            if let From::Source { filter, .. } = &mut builder.from {
                *filter = crate::plan::Expr::conjunction(
                    filter.take().into_iter().chain([bound]).collect(),
                );
            }
        }
        Ok(())
    }

    fn bind_common_table(&mut self, place: usize, alias: Option<&Name>) -> SqlResult<FromBuilder> {
        let table = self.common_tables[place].clone();
        if mentions(&table.query, &table.name) {
            return Err(unsupported_clause("recursive common table expressions"));
        }
        let later = self.common_tables.split_off(place);
        let scopes = std::mem::take(&mut self.scopes);
        let bound = self.bind_query(&table.query);
        self.scopes = scopes;
        self.common_tables.truncate(place);
        self.common_tables.extend(later);
        let (scope, source) = derived(bound?, alias.unwrap_or(&table.name), &table.columns)?;
        self.add_source(scope, source)
    }

    /// Adds a table that is already open, as DML does with its target.
    pub(crate) fn add_table(
        &mut self,
        table: &Table,
        version: Arc<TableVersion>,
        alias: Option<&Name>,
    ) -> SqlResult<FromBuilder> {
        let scope = table_scope(table, &version, alias);
        self.add_source(
            scope,
            Source::Table(TableSource {
                version,
                seek: None,
            }),
        )
    }
}

/// The cross product of two parts of a FROM clause.
pub(crate) fn cross(left: FromBuilder, right: FromBuilder) -> FromBuilder {
    let slots = left.slots.start..right.slots.end;
    let join = Join {
        kind: JoinKind::Inner,
        left: left.from,
        right: right.from,
        left_slots: left.slots,
        right_slots: right.slots,
        keys: Vec::new(),
        condition: None,
    };
    FromBuilder {
        from: From::Join(Box::new(join)),
        slots,
    }
}

pub(super) fn column_count(name: &str, more: bool) -> SqlError {
    let (number, word) = if more {
        (8158, "more")
    } else {
        (8159, "fewer")
    };
    SqlError::new(
        number,
        16,
        1,
        format!("'{name}' has {word} columns than were specified in the column list."),
    )
    .ending_batch()
}

pub(super) fn derived(
    plan: crate::plan::QueryPlan,
    alias: &Name,
    columns: &[Name],
) -> SqlResult<(ScopeSource, Source)> {
    if !columns.is_empty() && columns.len() != plan.columns.len() {
        return Err(column_count(&alias.0, plan.columns.len() > columns.len()));
    }
    let mut scope_columns: Vec<ScopeColumn> = Vec::new();
    for (ordinal, column) in plan.columns.iter().enumerate() {
        let name = columns
            .get(ordinal)
            .map_or_else(|| column.name.clone(), |name| name.0.clone());
        if name.is_empty() {
            return Err(SqlError::new(
                8155,
                16,
                2,
                format!(
                    "No column name was specified for column {} of '{}'.",
                    ordinal + 1,
                    alias.0
                ),
            )
            .ending_batch());
        }
        if scope_columns
            .iter()
            .any(|known| known.name.to_lowercase() == name.to_lowercase())
        {
            return Err(SqlError::new(
                8156,
                16,
                1,
                format!(
                    "The column '{name}' was specified multiple times for '{}'.",
                    alias.0
                ),
            )
            .ending_batch());
        }
        scope_columns.push(ScopeColumn {
            name,
            sql_type: column.sql_type.clone(),
            nullable: column.nullable,
            collation: column.collation.clone(),
            identity: column.identity,
            read_only: column.read_only,
            hidden: false,
        });
    }
    let scope = ScopeSource {
        name: alias.0.clone(),
        schema: None,
        columns: scope_columns,
        qualified_only: false,
    };
    Ok((
        scope,
        Source::Query {
            plan: Box::new(plan),
            rows: OnceCell::new(),
        },
    ))
}

/// Whether a query reads a table of that unqualified name in any FROM clause of its own.
fn mentions(query: &Query, name: &Name) -> bool {
    fn table(item: &TableRef, name: &Name) -> bool {
        match item {
            TableRef::Table { name: table, .. } => table.schema.is_none() && table.name == *name,
            TableRef::Derived { query, .. } => mentions(query, name),
            TableRef::Join { left, right, .. } => table(left, name) || table(right, name),
            _ => false,
        }
    }
    fn body(item: &crate::ast::QueryBody, name: &Name) -> bool {
        match item {
            crate::ast::QueryBody::Select(select) => {
                select.from.iter().any(|item| table(item, name))
            }
            crate::ast::QueryBody::Set { left, right, .. } => body(left, name) || body(right, name),
            crate::ast::QueryBody::Nested(query) => mentions(query, name),
        }
    }
    body(&query.body, name)
}

/// Rows behind a shared pointer, as system tables give them.
pub(crate) type SystemRows = Rc<Vec<crate::storage::Row>>;

//! UPDATE.

use std::collections::HashSet;

use super::RowChange;
use super::row::{Verb, check_writable};
use crate::ast::{Assignment, Name, ObjectName, TableRef, Target, Update};
use crate::bind::{Binder, Scope, ScopeSource, cross, distribute};
use crate::context::Context;
use crate::convert;
use crate::error::{SqlResult, invalid_column, undeclared_variable, unsupported_clause};
use crate::exec::{Flow, NO_ROW, for_each_tuple};
use crate::interpreter::{Access, Batch, OpenTable, command};
use crate::plan::{Environment, Expr, From, Limit, SelectPlan};
use crate::session::SqlError;
use crate::storage::TableDefinition;
use crate::types::Datum;

use super::RowBuilder;

/// A bound SET clause.
#[derive(Debug)]
pub(crate) struct Assignments {
    pub(crate) columns: Vec<(usize, Expr)>,
    /// Variables, by slot.
    pub(crate) variables: Vec<(usize, Expr)>,
    pub(crate) names: Vec<String>,
}

/// A bound FROM clause with the target in it.
pub(crate) struct TargetRows {
    pub(crate) plan: SelectPlan,
    pub(crate) sources: Vec<ScopeSource>,
    /// The target's source slot.
    pub(crate) slot: usize,
}

/// The table that `UPDATE x ... FROM` means: the one that has the alias, or the name, `x` in FROM.
pub(crate) fn target_in_from(
    target: &ObjectName,
    from: &[TableRef],
) -> Option<(ObjectName, Option<Name>)> {
    fn search(
        item: &TableRef,
        target: &ObjectName,
        by_alias: bool,
    ) -> Option<(ObjectName, Option<Name>)> {
        match item {
            TableRef::Table { name, alias, .. } => {
                let found = match alias {
                    Some(alias) if by_alias => target.schema.is_none() && *alias == target.name,
                    None if by_alias => false,
                    _ => {
                        name.name == target.name
                            && (target.schema.is_none()
                                || name.schema.is_none()
                                || name.schema == target.schema)
                    }
                };
                found.then(|| (name.clone(), alias.clone()))
            }
            TableRef::Join { left, right, .. } => {
                search(left, target, by_alias).or_else(|| search(right, target, by_alias))
            }
            _ => None,
        }
    }
    [true, false]
        .iter()
        .find_map(|by_alias| from.iter().find_map(|item| search(item, target, *by_alias)))
}

impl Batch<'_> {
    /// Opens the target of UPDATE or DELETE, looking through FROM for what its name means.
    pub(crate) fn open_from_target(
        &mut self,
        target: &Target,
        from: &[TableRef],
        with: &[crate::ast::CommonTable],
        access: Access,
    ) -> SqlResult<(OpenTable, Option<Name>, bool)> {
        let Target::Table { name, hints } = target else {
            let opened = self.open_target(target, access)?;
            let Target::Variable(name) = target else {
                return Ok((opened, None, false));
            };
            let inside = from.iter().any(|item| variable_in(item, name));
            return Ok((opened, Some(Name(name.clone())), inside));
        };
        if name.schema.is_none() && with.iter().any(|table| table.name == name.name) {
            return Err(unsupported_clause(
                "modifying a table through a common table expression",
            ));
        }
        match target_in_from(name, from) {
            Some((actual, alias)) => {
                let actual = Target::Table {
                    name: actual,
                    hints: hints.clone(),
                };
                let opened = self.open_target(&actual, access)?;
                let known_as = alias.unwrap_or_else(|| name.name.clone());
                Ok((opened, Some(known_as), true))
            }
            None => {
                if let Some(aliased) = variable_with_alias(from, &name.name) {
                    let opened = self.open_target(&Target::Variable(aliased), access)?;
                    return Ok((opened, Some(name.name.clone()), true));
                }
                Ok((self.open_target(target, access)?, None, false))
            }
        }
    }

    /// Binds FROM and WHERE of an UPDATE or DELETE.
    pub(crate) fn bind_target_rows(
        &mut self,
        context: &Context,
        (target, known_as, inside): (&OpenTable, Option<&Name>, bool),
        from: &[TableRef],
        filter: Option<&crate::ast::Expr>,
        with: &[crate::ast::CommonTable],
        fold_variables: bool,
    ) -> SqlResult<TargetRows> {
        let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
        binder.fold_variables = fold_variables;
        binder.add_common_tables(with);
        let ((mut tree, slot, filter), scope) = binder.in_scope(Scope::default(), |binder| {
            let (tree, slot) = if inside {
                let tree = binder.bind_from(from)?;
                let name = known_as.map_or("", |name| name.0.as_str());
                let slot = binder.source_named(name).unwrap_or(0);
                (tree, slot)
            } else {
                let own = binder.add_table(&target.table, target.version.clone(), known_as)?;
                if from.is_empty() {
                    (own.from, 0)
                } else {
                    let mut whole = own;
                    for item in from {
                        let next = binder.bind_table_ref(item)?;
                        whole = cross(whole, next);
                    }
                    (whole.from, 0)
                }
            };
            let filter = match filter {
                Some(filter) => Some(binder.bind_predicate(filter)?),
                None => None,
            };
            Ok((tree, slot, filter))
        })?;
        let filter = filter.and_then(|filter| distribute(&mut tree, filter));
        crate::bind::add_seeks(&mut tree);
        Ok(TargetRows {
            plan: row_plan(tree, filter, scope.sources.len()),
            sources: scope.sources,
            slot,
        })
    }

    /// Binds a SET clause in the scope of the FROM row.
    pub(crate) fn bind_assignments(
        &mut self,
        context: &Context,
        target: &OpenTable,
        assignments: &[Assignment],
        sources: &[ScopeSource],
        builder: &RowBuilder,
        fold_variables: bool,
    ) -> SqlResult<Assignments> {
        let definition: std::sync::Arc<TableDefinition> = target.version.definition.clone();
        let mut bound = Assignments {
            columns: Vec::new(),
            variables: Vec::new(),
            names: Vec::new(),
        };
        for assignment in assignments {
            let ordinal = match &assignment.column {
                Some((_, name)) => Some(
                    definition
                        .ordinal(&name.0)
                        .ok_or_else(|| invalid_column(&name.0))?,
                ),
                None => None,
            };
            if let Some(ordinal) = ordinal {
                if bound.columns.iter().any(|(known, _)| *known == ordinal) {
                    return Err(SqlError::new(
                        264,
                        16,
                        1,
                        format!("The column name '{}' is specified more than once in the SET clause or column list of an INSERT. A column cannot be assigned more than one value in the same clause. Modify the clause to make sure that a column is updated only once. If this statement updates or inserts columns into a view, column aliasing can conceal the duplication in your code.", definition.columns[ordinal].name),
                    )
                    .ending_batch());
                }
                check_writable(&definition, ordinal, Verb::Update)?;
            }
            let expr = match (&assignment.value, ordinal) {
                (crate::ast::Expr::Default, Some(ordinal)) => builder.default_of(ordinal),
                (value, _) => {
                    let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
                    binder.fold_variables = fold_variables;
                    let (typed, _) = binder.in_scope(Scope::of(sources.to_vec()), |binder| {
                        binder.bind_scalar(value)
                    })?;
                    if let (Some(ordinal), false) = (ordinal, typed.untyped_null) {
                        convert::check(
                            &typed.sql_type,
                            &definition.columns[ordinal].sql_type,
                            false,
                        )?;
                    }
                    if let (Some(variable), None) = (&assignment.variable, ordinal) {
                        let (slot, declared) = self
                            .frame
                            .variable(variable)
                            .ok_or_else(|| undeclared_variable(variable))?;
                        let sql_type = declared.sql_type.clone();
                        bound
                            .variables
                            .push((slot, typed.assign_to(&sql_type, convert::Excess::Cut)?.expr));
                        continue;
                    }
                    typed.expr
                }
            };
            if let (Some(variable), Some(ordinal)) = (&assignment.variable, ordinal) {
                let _ = ordinal;
                let (slot, _) = self
                    .frame
                    .variable(variable)
                    .ok_or_else(|| undeclared_variable(variable))?;
                bound.variables.push((slot, expr.clone()));
            }
            if let Some(ordinal) = ordinal {
                bound.names.push(definition.columns[ordinal].name.clone());
                bound.columns.push((ordinal, expr));
            }
        }
        Ok(bound)
    }

    pub(crate) fn update(&mut self, update: &Update) -> SqlResult<()> {
        self.settled(|batch, access| batch.try_update(update, access))
    }

    fn try_update(&mut self, update: &Update, access: Access) -> SqlResult<()> {
        let (mut target, known_as, inside) = self.open_from_target(
            &update.target,
            &update.from,
            &update.with,
            access.at_first(),
        )?;
        self.refuse_if_filtered(&target.table)?;
        self.refuse_if_history(&target, "UPDATE")?;
        let context = self.context();
        let fold = !update
            .assignments
            .iter()
            .any(|assignment| assignment.variable.is_some());
        let bind = |batch: &mut Self, target: &OpenTable| {
            batch.bind_target_rows(
                &context,
                (target, known_as.as_ref(), inside),
                &update.from,
                update.filter.as_ref(),
                &update.with,
                fold,
            )
        };
        let mut rows = bind(self, &target)?;
        if self.reach_rows(&context, &mut target, &rows, access)? {
            rows = bind(self, &target)?;
        }
        crate::masking::refuse_in_change(&context, &rows.plan)?;
        let output = self.bind_output(&context, update.output.as_ref(), &target, &rows.sources)?;
        let mut builder = self.row_builder(&context, &target, Verb::Update)?;
        let assignments = self.bind_assignments(
            &context,
            &target,
            &update.assignments,
            &rows.sources,
            &builder,
            fold,
        )?;
        let limit = self.top_limit(update.top.as_ref())?;
        let mut changes: Vec<RowChange> = Vec::new();
        let mut seen: HashSet<u64, rustc_hash::FxBuildHasher> = HashSet::default();
        let keep_tuple = output.is_some();
        let session = &mut *self.session;
        for_each_tuple(&context, &rows.plan, None, &mut |tuple| {
            if limit.is_some_and(|limit| changes.len() as u64 >= limit) {
                return Ok(Flow::Stop);
            }
            let id = tuple.ids[rows.slot];
            if id == NO_ROW || !seen.insert(id) {
                return Ok(Flow::Continue);
            }
            let env = Environment {
                rows: &tuple.rows,
                outer: None,
            };
            for (slot, expr) in &assignments.variables {
                let value = expr.eval(&context, &env)?;
                if let Some((variable, _)) = context.variables.borrow_mut().get_mut(*slot) {
                    *variable = value;
                }
            }
            let given = assignments
                .columns
                .iter()
                .map(|(ordinal, expr)| Ok((*ordinal, expr.eval(&context, &env)?)))
                .collect::<SqlResult<Vec<(usize, Datum)>>>()?;
            let old = tuple.rows[rows.slot].clone();
            let new = builder.update(session, &context, &old, given)?;
            let tuple = if keep_tuple {
                tuple.rows.clone()
            } else {
                Vec::new()
            };
            changes.push(RowChange {
                id,
                old: Some(old),
                new: Some(new),
                tuple,
            });
            Ok(Flow::Continue)
        })?;
        if !assignments.variables.is_empty() {
            for (variable, (value, _)) in self
                .frame
                .variables
                .iter_mut()
                .zip(context.variables.borrow().iter())
            {
                variable.value = value.clone();
            }
        }
        self.finish_modification(
            &context,
            &target,
            changes,
            output.as_ref(),
            (command::UPDATE, &assignments.names),
        )
    }

    /// The number of rows that TOP lets a modification change.
    pub(crate) fn top_limit(&mut self, top: Option<&crate::ast::Top>) -> SqlResult<Option<u64>> {
        match top {
            None => Ok(None),
            Some(top) => Ok(Some(
                self.integer_of(&top.count)?
                    .and_then(|count| u64::try_from(count).ok())
                    .unwrap_or(0),
            )),
        }
    }
}

/// A plan that only produces FROM rows.
pub(crate) fn row_plan(from: From, filter: Option<Expr>, width: usize) -> SelectPlan {
    SelectPlan {
        from,
        width,
        filter,
        grouping: None,
        having: None,
        windows: Vec::new(),
        projection: Vec::new(),
        assignments: Vec::new(),
        distinct: None,
        order: Vec::new(),
        limit: Limit::default(),
    }
}

fn variable_in(item: &TableRef, target: &str) -> bool {
    match item {
        TableRef::Variable { name, .. } => name.eq_ignore_ascii_case(target),
        TableRef::Join { left, right, .. } => {
            variable_in(left, target) || variable_in(right, target)
        }
        _ => false,
    }
}

/// The table variable that FROM gives an alias.
fn variable_with_alias(from: &[TableRef], target: &Name) -> Option<String> {
    fn search(item: &TableRef, target: &Name) -> Option<String> {
        match item {
            TableRef::Variable {
                name,
                alias: Some(alias),
            } if alias == target => Some(name.clone()),
            TableRef::Join { left, right, .. } => {
                search(left, target).or_else(|| search(right, target))
            }
            _ => None,
        }
    }
    from.iter().find_map(|item| search(item, target))
}

//! MERGE.

use std::collections::HashSet;

use super::row::{Verb, check_writable, insert_columns};
use super::update::{Assignments, row_plan};
use super::{RowBuilder, RowChange};
use crate::ast::{
    Expr as Ast, JoinKind, Merge, MergeAction, MergeClause, MergeMatch, Name, Target,
};
use crate::bind::{Binder, Scope, ScopeSource};
use crate::context::Context;
use crate::convert;
use crate::error::{SqlResult, unsupported_clause};
use crate::exec::{Flow, NO_ROW, empty_row, for_each_tuple};
use crate::interpreter::{Access, Batch, OpenTable, command, not_in_memory};
use crate::plan::{Environment, Expr, SelectPlan};
use crate::session::SqlError;
use crate::storage::{Row, RowId, Special};
use crate::types::Datum;

#[derive(Debug)]
enum Action {
    Update(Assignments),
    Delete,
    Insert(Vec<(usize, Option<Expr>)>),
}

#[derive(Debug)]
struct Clause {
    on: MergeMatch,
    condition: Option<Expr>,
    action: Action,
}

/// Everything of a MERGE, bound: the source joined to the target, and what to do.
struct Bound {
    plan: SelectPlan,
    /// The target's slot.
    slot: usize,
    clauses: Vec<Clause>,
}

fn double_update() -> SqlError {
    SqlError::new(
        8672,
        16,
        1,
        "The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a target row matches more than one source row. A MERGE statement cannot UPDATE/DELETE the same row of the target table multiple times. Refine the ON clause to ensure a target row matches at most one source row, or use the GROUP BY clause to group the source rows.",
    )
}

impl Batch<'_> {
    pub(crate) fn merge(&mut self, merge: &Merge) -> SqlResult<()> {
        self.settled(|batch, access| batch.try_merge(merge, access))
    }

    fn try_merge(&mut self, merge: &Merge, access: Access) -> SqlResult<()> {
        if merge.top.is_some() {
            return Err(unsupported_clause("MERGE TOP"));
        }
        let target = self.open_target(&merge.target, access)?;
        self.refuse_if_filtered(&target.table)?;
        self.refuse_if_history(&target, "UPDATE")?;
        if target.version.definition.special == Special::MemoryOptimized {
            return Err(not_in_memory("operation", "MERGE"));
        }
        let context = self.context();
        let known_as = match (&merge.alias, &merge.target) {
            (Some(alias), _) => alias.clone(),
            (None, Target::Table { name, .. }) => name.name.clone(),
            (None, Target::Variable(name)) => Name(name.clone()),
        };
        let mut binder = Binder::new(self.session, &self.frame, &context, self.cancel);
        binder.add_common_tables(&merge.with);
        let ((tree, slot), scope) = binder.in_scope(Scope::default(), |binder| {
            let source = binder.bind_table_ref(&merge.source)?;
            let own = binder.add_table(&target.table, target.version.clone(), Some(&known_as))?;
            let slot = own.slots.start;
            Ok((
                binder
                    .join(JoinKind::Left, source, own, Some(&merge.on))?
                    .from,
                slot,
            ))
        })?;
        let mut sources = scope.sources;
        // The join marked the target's columns nullable; in the clauses they are what the table says.
        let own = crate::bind::table_scope(&target.table, &target.version, Some(&known_as));
        sources[slot] = own;
        let output = self.bind_output(&context, merge.output.as_ref(), &target, &sources)?;
        let mut builder = self.row_builder(&context, &target, Verb::Merge)?;
        let clauses =
            self.bind_clauses(&context, &target, &merge.clauses, &sources, slot, &builder)?;
        let updated = updated_columns(&clauses);
        let bound = Bound {
            plan: row_plan(tree, None, sources.len()),
            slot,
            clauses,
        };
        crate::masking::refuse_in_change(&context, &bound.plan)?;
        let changes =
            self.merge_changes(&context, &target, &bound, &mut builder, output.is_some())?;
        if let Some(identity) = builder.last_identity {
            self.session.last.identity = Some(identity);
            self.session.last.scope_identity = Some(identity);
        }
        self.finish_modification(
            &context,
            &target,
            changes,
            output.as_ref(),
            (command::MERGE, &updated),
        )
    }

    fn bind_clauses(
        &mut self,
        context: &Context,
        target: &OpenTable,
        clauses: &[MergeClause],
        sources: &[ScopeSource],
        slot: usize,
        builder: &RowBuilder,
    ) -> SqlResult<Vec<Clause>> {
        let mut bound = Vec::new();
        for clause in clauses {
            // Each clause sees only the side that has a row.
            let mut visible = sources.to_vec();
            for (number, source) in visible.iter_mut().enumerate() {
                let hidden = match clause.on {
                    MergeMatch::Matched => false,
                    MergeMatch::NotMatchedByTarget => number == slot,
                    MergeMatch::NotMatchedBySource => number != slot,
                };
                if hidden {
                    source.columns.clear();
                }
            }
            let condition = match &clause.condition {
                Some(condition) => {
                    let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
                    Some(
                        binder
                            .in_scope(Scope::of(visible.clone()), |binder| {
                                binder.bind_predicate(condition)
                            })?
                            .0,
                    )
                }
                None => None,
            };
            let action = match &clause.action {
                MergeAction::Delete => Action::Delete,
                MergeAction::Update(assignments) => {
                    if assignments
                        .iter()
                        .any(|assignment| assignment.variable.is_some())
                    {
                        return Err(unsupported_clause("MERGE ... SET @variable"));
                    }
                    Action::Update(self.bind_assignments(
                        context,
                        target,
                        assignments,
                        &visible,
                        builder,
                        true,
                    )?)
                }
                MergeAction::Insert { columns, values } => Action::Insert(
                    self.bind_merge_insert(context, target, columns, values, &visible)?,
                ),
            };
            bound.push(Clause {
                on: clause.on,
                condition,
                action,
            });
        }
        Ok(bound)
    }

    fn bind_merge_insert(
        &mut self,
        context: &Context,
        target: &OpenTable,
        columns: &[Name],
        values: &[Ast],
        sources: &[ScopeSource],
    ) -> SqlResult<Vec<(usize, Option<Expr>)>> {
        let definition = target.version.definition.clone();
        if columns.is_empty() && values.is_empty() {
            return Ok(Vec::new());
        }
        let identity_insert = self.has_identity_insert(target);
        let ordinals = insert_columns(&definition, columns, identity_insert, &target.table)?;
        if ordinals.len() != values.len() {
            return Err(SqlError::new(
                10710,
                15,
                1,
                "The number of columns in the INSERT list of the MERGE statement does not match the number of values.",
            )
            .ending_batch());
        }
        let mut bound = Vec::new();
        for (ordinal, value) in ordinals.into_iter().zip(values) {
            if *value == Ast::Default {
                bound.push((ordinal, None));
                continue;
            }
            check_writable(&definition, ordinal, Verb::Insert)?;
            let mut binder = Binder::new(self.session, &self.frame, context, self.cancel);
            let (typed, _) = binder.in_scope(Scope::of(sources.to_vec()), |binder| {
                binder.bind_scalar(value)
            })?;
            if !typed.untyped_null {
                convert::check(
                    &typed.sql_type,
                    &definition.columns[ordinal].sql_type,
                    false,
                )?;
            }
            bound.push((ordinal, Some(typed.expr)));
        }
        Ok(bound)
    }

    fn merge_changes(
        &mut self,
        context: &Context,
        target: &OpenTable,
        bound: &Bound,
        builder: &mut RowBuilder,
        keep_tuple: bool,
    ) -> SqlResult<Vec<RowChange>> {
        let mut changes = Vec::new();
        let mut matched: HashSet<RowId, rustc_hash::FxBuildHasher> = HashSet::default();
        let mut changed: HashSet<RowId, rustc_hash::FxBuildHasher> = HashSet::default();
        let session = &mut *self.session;
        let mut act = |on: MergeMatch,
                       rows: &[Row],
                       id: RowId,
                       changes: &mut Vec<RowChange>|
         -> SqlResult<()> {
            let env = Environment { rows, outer: None };
            for clause in bound.clauses.iter().filter(|clause| clause.on == on) {
                if let Some(condition) = &clause.condition
                    && condition.test(context, &env)? != Some(true)
                {
                    continue;
                }
                let tuple = if keep_tuple {
                    rows.to_vec()
                } else {
                    Vec::new()
                };
                let old = (on != MergeMatch::NotMatchedByTarget).then(|| rows[bound.slot].clone());
                if old.is_some() && !changed.insert(id) {
                    return Err(double_update());
                }
                let new = match (&clause.action, &old) {
                    (Action::Delete, _) => None,
                    (Action::Update(assignments), Some(old)) => {
                        let given = assignments
                            .columns
                            .iter()
                            .map(|(ordinal, expr)| Ok((*ordinal, expr.eval(context, &env)?)))
                            .collect::<SqlResult<_>>()?;
                        Some(builder.update(session, context, old, given)?)
                    }
                    (Action::Insert(values), _) => {
                        let mut given: Vec<Option<Datum>> =
                            vec![None; target.version.definition.columns.len()];
                        for (ordinal, value) in values {
                            given[*ordinal] = match value {
                                Some(value) => Some(value.eval(context, &env)?),
                                None => None,
                            };
                        }
                        Some(builder.insert(session, context, given)?)
                    }
                    (Action::Update(_), None) => continue,
                };
                changes.push(RowChange {
                    id,
                    old,
                    new,
                    tuple,
                });
                return Ok(());
            }
            Ok(())
        };
        for_each_tuple(context, &bound.plan, None, &mut |tuple| {
            let id = tuple.ids[bound.slot];
            if id == NO_ROW {
                act(
                    MergeMatch::NotMatchedByTarget,
                    &tuple.rows,
                    id,
                    &mut changes,
                )?;
            } else {
                matched.insert(id);
                act(MergeMatch::Matched, &tuple.rows, id, &mut changes)?;
            }
            Ok(Flow::Continue)
        })?;
        if bound
            .clauses
            .iter()
            .any(|clause| clause.on == MergeMatch::NotMatchedBySource)
        {
            let mut rows = vec![empty_row(); bound.plan.width];
            for (id, row) in target.version.rows.iter() {
                context.check_cancel()?;
                if !matched.contains(&id) {
                    rows[bound.slot] = row.clone();
                    act(MergeMatch::NotMatchedBySource, &rows, id, &mut changes)?;
                }
            }
        }
        Ok(changes)
    }
}

fn updated_columns(clauses: &[Clause]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for clause in clauses {
        if let Action::Update(assignments) = &clause.action {
            names.extend(assignments.names.iter().cloned());
        }
    }
    names
}

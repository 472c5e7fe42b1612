//! The clauses of a plan, sorted by occasion and turned into T-SQL's actions.

use icehost_plan::{Action, Clause, LogicalType, Occasion, Succession, ValidMergePlan};

use super::{Context, choice};
use crate::error::{Result, SqlServerError};
use crate::lower::Lowering;
use crate::name::quote;
use crate::statement::Parameters;

/// The clauses that can come into play, by occasion, in their order.
pub(super) struct Clauses<'a> {
    pub(super) matched: Vec<&'a Clause>,
    pub(super) not_matched: Vec<&'a Clause>,
    pub(super) not_matched_by_source: Vec<&'a Clause>,
}

impl<'a> Clauses<'a> {
    pub(super) fn new(plan: &'a ValidMergePlan) -> Clauses<'a> {
        let of = |occasion| {
            let mut clauses: Vec<&Clause> = Vec::new();
            for clause in plan.clauses.iter().filter(|c| c.occasion == occasion) {
                clauses.push(clause);
                // What follows an unconditional clause never applies.
                if clause.condition.is_none() {
                    break;
                }
            }
            // No clause and a clause that skips are the same.
            while clauses
                .last()
                .is_some_and(|last| last.action == Action::Skip)
            {
                clauses.pop();
            }
            clauses
        };
        Clauses {
            matched: of(Occasion::Matched),
            not_matched: of(Occasion::NotMatched),
            not_matched_by_source: of(Occasion::NotMatchedBySource),
        }
    }
}

/// What happens on one occasion: which rows are written, with what, and which are deleted.
#[derive(Default)]
pub(super) struct Effects {
    /// Rows that are updated or inserted.
    pub(super) write: Option<Effect>,
    /// Rows that are deleted.
    pub(super) delete: Option<Effect>,
    /// The delete comes before the write in the plan.
    pub(super) delete_first: bool,
}

/// One action of an occasion.
pub(super) struct Effect {
    /// Which rows; `None` for all. Holds of no row that another effect of the occasion holds of.
    pub(super) condition: Option<String>,
    /// Quoted target columns and their new values; empty for a delete.
    pub(super) assignments: Vec<(String, String)>,
    /// The target's identity column is among them.
    pub(super) identity: bool,
}

/// Turns the clauses of one occasion into at most one write and one delete, the most that MERGE allows.
///
/// `overlapping` leaves the second of exactly one write and one delete without the negation of the first,
/// as is right within one MERGE: there, too, the first clause that applies wins.
pub(super) fn effects(
    context: &Context<'_>,
    clauses: &[&Clause],
    parameters: &mut Parameters,
    overlapping: bool,
) -> Result<Effects> {
    let conditions = choice::conditions(context, clauses, parameters)?;
    let is_delete = |clause: &&Clause| clause.action == Action::Delete;
    let mut effects = Effects {
        delete_first: clauses.first().is_some_and(is_delete),
        ..Effects::default()
    };
    let plain = match clauses {
        [_] => true,
        [first, second] => {
            overlapping && first.action != Action::Skip && is_delete(first) != is_delete(second)
        }
        _ => false,
    };
    if plain {
        for (clause, condition) in clauses.iter().zip(conditions) {
            let effect = Effect {
                condition,
                ..values(context, &[(0, clause)], "", parameters)?
            };
            if is_delete(clause) {
                effects.delete = Some(effect);
            } else {
                effects.write = Some(effect);
            }
        }
        return Ok(effects);
    }
    let numbered: Vec<(usize, &Clause)> = (1..).zip(clauses.iter().copied()).collect();
    let first = choice::first((1..).zip(&conditions), 0);
    let chosen = |wanted: &dyn Fn(&Action) -> bool| -> Vec<(usize, &Clause)> {
        let all = numbered.iter().copied();
        all.filter(|(_, clause)| wanted(&clause.action)).collect()
    };
    let restrict = |chosen: &[(usize, &Clause)]| {
        let numbers: Vec<String> = chosen
            .iter()
            .map(|(number, _)| number.to_string())
            .collect();
        Some(format!("{first} IN ({})", numbers.join(", ")))
    };
    let writes = chosen(&|action| !matches!(action, Action::Delete | Action::Skip));
    if !writes.is_empty() {
        effects.write = Some(Effect {
            condition: restrict(&writes),
            ..values(
                context,
                &writes,
                &choice::writer(&writes, &conditions),
                parameters,
            )?
        });
    }
    let deletes = chosen(&|action| *action == Action::Delete);
    if !deletes.is_empty() {
        effects.delete = Some(Effect {
            condition: restrict(&deletes),
            assignments: Vec::new(),
            identity: false,
        });
    }
    Ok(effects)
}

/// The assignments of clauses that write; of several, `selector` chooses.
pub(super) fn values(
    context: &Context<'_>,
    clauses: &[(usize, &Clause)],
    selector: &str,
    parameters: &mut Parameters,
) -> Result<Effect> {
    let mut effect = Effect {
        condition: None,
        assignments: Vec::new(),
        identity: false,
    };
    let mut lists = Vec::with_capacity(clauses.len());
    for (number, clause) in clauses {
        lists.push((*number, assignments(context, clause, parameters)?));
    }
    if let [(_, only)] = lists.as_slice() {
        for (ordinal, value) in only {
            let column = context.target.column(*ordinal)?;
            effect.identity |= column.identity;
            effect
                .assignments
                .push((quote(&column.name), value.clone()));
        }
        return Ok(effect);
    }
    let inserts = clauses
        .iter()
        .any(|(_, clause)| clause.occasion == Occasion::NotMatched);
    let mut ordinals: Vec<u32> = lists
        .iter()
        .flat_map(|(_, list)| list.iter().map(|(ordinal, _)| *ordinal))
        .collect();
    ordinals.sort_unstable();
    ordinals.dedup();
    for ordinal in ordinals {
        let column = context.target.column(ordinal)?;
        effect.identity |= column.identity;
        let mut text = format!("CASE {selector}");
        for (number, list) in &lists {
            match list.iter().find(|(at, _)| *at == ordinal) {
                Some((_, value)) => text.push_str(&format!(" WHEN {number} THEN {value}")),
                // A column that one insert gives a value and another leaves to its default
                None if inserts => {
                    return Err(SqlServerError::plan(format!(
                        "the plan's insert clauses do not all write column '{}', which SQL Server cannot do at once",
                        column.name
                    )));
                }
                None => {}
            }
        }
        let name = quote(&column.name);
        if !inserts {
            text.push_str(&format!(" ELSE T.{name}"));
        }
        text.push_str(" END");
        effect.assignments.push((name, text));
    }
    Ok(effect)
}

/// The target ordinals that a clause writes and their values.
fn assignments(
    context: &Context<'_>,
    clause: &Clause,
    parameters: &mut Parameters,
) -> Result<Vec<(u32, String)>> {
    match &clause.action {
        Action::Delete | Action::Skip => Ok(Vec::new()),
        Action::WriteAll => by_name(context, clause.occasion),
        // The new row is added by a statement of its own.
        Action::Write(assignments)
        | Action::Supersede(Succession {
            old: assignments, ..
        }) => {
            let mut written = Vec::with_capacity(assignments.len());
            for assignment in assignments {
                let column = context.target.column(assignment.target)?;
                if column.identity && clause.occasion != Occasion::NotMatched {
                    return Err(SqlServerError::plan(format!(
                        "table {}, column '{}': an identity column cannot be updated",
                        context.target.name, column.name
                    )));
                }
                let near = context.target_operands.get(assignment.target as usize);
                let value = match near {
                    Some(near) => lowering(context, parameters).scalar(&assignment.value, near)?,
                    None => continue,
                };
                written.push((assignment.target, value));
            }
            Ok(written)
        }
    }
}

/// Every column of the delta into the target's column of the same name, so far as that can be written.
fn by_name(context: &Context<'_>, occasion: Occasion) -> Result<Vec<(u32, String)>> {
    let mut written = Vec::new();
    for (position, staged) in context.staging.columns.iter().enumerate() {
        let Some(ordinal) = staged.target else {
            let operation = context.delta.operation.map(|ordinal| ordinal as usize);
            if operation == Some(position) {
                continue;
            }
            return Err(SqlServerError::unsupported(format!(
                "table {} has no column '{}' to write the delta's to",
                context.target.name, staged.name
            ))
            .with_hint("add the column to the target, or leave it out of the job"));
        };
        let ordinal = ordinal as u32;
        let column = context.target.column(ordinal)?;
        let plan_column = context.target.table.columns.get(ordinal as usize);
        if plan_column.is_some_and(|column| column.read_only) {
            continue;
        }
        if occasion == Occasion::Matched {
            // Equal keys are the same value, but for text (case, blanks), bytes (zeros) and offsets.
            let is_key = plan_column.is_some_and(|column| column.key_position.is_some());
            let respelled = matches!(
                column.sql_type.logical(),
                LogicalType::Text | LogicalType::Binary | LogicalType::TimestampTz
            );
            if column.identity || (is_key && !respelled) {
                continue;
            }
        }
        written.push((ordinal, staged.image()));
    }
    if written.is_empty() && occasion == Occasion::NotMatched {
        return Err(SqlServerError::unsupported(format!(
            "table {}: no column of the delta can be written",
            context.target.name
        )));
    }
    Ok(written)
}

pub(super) fn lowering<'a>(
    context: &'a Context<'_>,
    parameters: &'a mut Parameters,
) -> Lowering<'a> {
    Lowering::new(
        &context.source_operands,
        &context.target_operands,
        parameters,
    )
}

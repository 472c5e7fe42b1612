//! Deltas and merge plans.

use icehost_plan::extraction::MAX_LIST;
use icehost_plan::{
    Action, Assignment, Clause, Contents, Delta, KeyPair, MergePlan, Occasion, PlanError,
    Succession, WriteMode,
};

use super::expression::{expression, sort_key};
use super::table::column_to_guest;
use super::value::bounded;
use crate::bindings::merge as wit;

/// Columns that a table of SQL Server's has at most (T-SQL reference, "Maximum capacity specifications").
pub(super) const MOST_COLUMNS: usize = 1024;

pub(crate) fn delta_to_guest(delta: &Delta) -> wit::Delta {
    wit::Delta {
        columns: delta.columns.iter().map(column_to_guest).collect(),
        contents: match delta.contents {
            Contents::Upserts => wit::Contents::Upserts,
            Contents::Changes => wit::Contents::Changes,
            Contents::Snapshot => wit::Contents::Snapshot,
        },
        operation: delta.operation,
        rows: delta.rows,
        run_time: delta.run_time,
    }
}

pub(crate) fn merge_plan(plan: wit::MergePlan) -> Result<MergePlan, PlanError> {
    Ok(MergePlan {
        keys: bounded("keys", plan.keys, MAX_LIST)?
            .into_iter()
            .map(|key| KeyPair {
                source: key.source,
                target: key.target,
            })
            .collect(),
        among: plan
            .among
            .map(expression)
            .transpose()
            .map_err(|e| e.at("among"))?,
        deduplicate: bounded("deduplicate", plan.deduplicate, MAX_LIST)?
            .into_iter()
            .map(sort_key)
            .collect(),
        clauses: bounded("clauses", plan.clauses, MAX_LIST)?
            .into_iter()
            .zip(0..)
            .map(|(c, i)| clause(c).map_err(|e| e.at(format!("clauses[{i}]"))))
            .collect::<Result<_, _>>()?,
        mode: match plan.mode {
            wit::WriteMode::Append => WriteMode::Append,
            wit::WriteMode::CopyOnWrite => WriteMode::CopyOnWrite,
            wit::WriteMode::MergeOnRead => WriteMode::MergeOnRead,
        },
    })
}

fn clause(clause: wit::Clause) -> Result<Clause, PlanError> {
    Ok(Clause {
        occasion: match clause.occasion {
            wit::Occasion::Matched => Occasion::Matched,
            wit::Occasion::NotMatched => Occasion::NotMatched,
            wit::Occasion::NotMatchedBySource => Occasion::NotMatchedBySource,
        },
        condition: clause
            .condition
            .map(expression)
            .transpose()
            .map_err(|e| e.at("condition"))?,
        action: match clause.action {
            wit::Action::WriteAll => Action::WriteAll,
            wit::Action::Write(written) => Action::Write(assignments(written)?),
            wit::Action::Delete => Action::Delete,
            wit::Action::Skip => Action::Skip,
            wit::Action::Supersede(succession) => Action::Supersede(Succession {
                old: assignments(succession.old)?,
                new: assignments(succession.new)?,
            }),
        },
    })
}

fn assignments(written: Vec<wit::Assignment>) -> Result<Vec<Assignment>, PlanError> {
    bounded("write", written, MOST_COLUMNS)?
        .into_iter()
        .map(assignment)
        .collect()
}

fn assignment(assignment: wit::Assignment) -> Result<Assignment, PlanError> {
    Ok(Assignment {
        target: assignment.target,
        value: expression(assignment.value).map_err(|e| e.at("write"))?,
    })
}

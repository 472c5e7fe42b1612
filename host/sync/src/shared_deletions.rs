//! Rows that go from a target because one lake table does not have them any more, where others deliver into it, too: a row
//! that has moved from one source to another is brought by one and then taken out by the other.

use arrow_array::{RecordBatch, cast::AsArray, types::Int32Type};
use icehost_plan::{Action, Assignment, Clause, Delta, MergePlan, Node, Occasion, Operation, Side};
use icehost_sqlserver::{MergeCounts, SqlTable};

use crate::delivery_start::Situation;
use crate::landing_at_target::listed;

/// How many rows of a batch are deletions.
pub(crate) fn deletions(batch: &RecordBatch, delta: &Delta) -> u64 {
    let column = delta.operation.map(|ordinal| ordinal as usize);
    let column = column.and_then(|ordinal| batch.columns().get(ordinal));
    let operations = column.and_then(|column| column.as_primitive_opt::<Int32Type>());
    operations.map_or(0, |operations| {
        let delete = Operation::Delete as i32;
        operations.iter().filter(|op| *op == Some(delete)).count() as u64
    })
}

impl Situation<'_> {
    /// What the user should know of the rows that went, out of so many deletions that came.
    pub(crate) fn told_of_deletions(
        &self,
        deletions: u64,
        counts: &MergeCounts,
        plan: &MergePlan,
        lake_table: &str,
        target: &SqlTable,
    ) -> Option<String> {
        let others: Vec<String> = self
            .shared_with()
            .iter()
            .map(|other| other.lake_table.clone())
            .collect();
        let (rows, how) = match marks(plan) {
            true => (deletions.min(counts.updated), "marked or closed"),
            false => (deletions.min(counts.deleted), "deleted"),
        };
        (rows > 0 && !others.is_empty()).then(|| {
            format!(
                "rows that lake table {lake_table} no longer has were {how} in target table {} ({rows}), into which {} {} \
                 delivered, too: where one of those has a row of the same key, `icehost load --full` of it brings the row again",
                target.name,
                listed(&others),
                if others.len() == 1 { "is" } else { "are" },
            )
        })
    }
}

/// Whether the plan keeps rows that are gone, and writes into them that they are.
fn marks(plan: &MergePlan) -> bool {
    let of_delta = |assignment: &Assignment| {
        let mut nodes = assignment.value.nodes.iter();
        nodes.any(|node| matches!(node, Node::Column { side, .. } if *side == Side::Source))
    };
    let marks = |clause: &Clause| match &clause.action {
        Action::Write(assignments) => {
            clause.occasion == Occasion::Matched
                && clause.condition.is_some()
                && !assignments.iter().any(of_delta)
        }
        _ => false,
    };
    plan.clauses.iter().any(marks)
}

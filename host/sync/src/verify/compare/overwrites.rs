//! Whether a merge writes rows again that are there.

use icehost_plan::{Action, Clause, Expression, Node, Occasion, ValidMergePlan};

/// Whether a row that is there is written again where the delta has another image of it.
pub(crate) fn overwrites(plan: &ValidMergePlan) -> bool {
    let writes = |clause: &Clause| match &clause.action {
        Action::WriteAll | Action::Supersede(_) => true,
        Action::Write(assignments) => assignments
            .iter()
            .any(|assignment| reads_source(&assignment.value)),
        Action::Delete | Action::Skip => false,
    };
    plan.keys.is_empty()
        || plan
            .clauses
            .iter()
            .any(|clause| clause.occasion == Occasion::Matched && writes(clause))
}

fn reads_source(expression: &Expression) -> bool {
    let columns = expression.nodes.iter();
    columns.into_iter().any(
        |node| matches!(node, Node::Column { side, .. } if *side == icehost_plan::Side::Source),
    )
}

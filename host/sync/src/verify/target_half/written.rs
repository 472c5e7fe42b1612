//! What a merge writes of a row that is new to the target.

use icehost_plan::{Action, Expression, Node, Occasion, Table, ValidMergePlan, Value};

use crate::delivery::table::Taken;
use crate::verify::report::LeftOut;

/// What is the same in a row of the lake and in the one that it becomes.
pub(crate) struct Written {
    /// Ordinals of columns in lake and target that then hold the same.
    pub(crate) pairs: Vec<(u32, u32)>,
    /// Columns of the target that hold the same value in every row that counts.
    pub(crate) literals: Vec<(u32, Value)>,
}

impl Written {
    /// By the clause that adds rows. `dated` is the same merge at another time: what it gives other values says when a
    /// run was, and nothing of a row.
    pub(crate) fn of(
        plan: &ValidMergePlan,
        dated: &ValidMergePlan,
        target: &Table,
        takes: &[Taken],
    ) -> Written {
        let mut written = Written {
            pairs: Vec::new(),
            literals: Vec::new(),
        };
        let Some(action) = adding(plan) else {
            return written;
        };
        let Action::Write(assignments) = action else {
            let pair = |taken: &Taken| {
                let there = target.ordinal(&taken.column.name)?;
                Some((taken.ordinal, there))
            };
            written.pairs = takes.iter().filter_map(pair).collect();
            return written;
        };
        let other: &[_] = match adding(dated) {
            Some(Action::Write(other)) => other,
            _ => &[],
        };
        for assignment in assignments {
            if !other.contains(assignment) {
                continue;
            }
            match root(&assignment.value) {
                Some(Node::Column { column, .. }) => {
                    if let Some(taken) = takes.get(*column as usize) {
                        written.pair(taken, assignment.target, target);
                    }
                }
                Some(Node::Literal(value)) => {
                    written.literals.push((assignment.target, value.clone()));
                }
                _ => {}
            }
        }
        written
    }

    /// A lake column that goes to two columns is a copy in the one of its name. In the other it says something of the
    /// version, since when it counts for example, and need not follow.
    fn pair(&mut self, taken: &Taken, there: u32, target: &Table) {
        let known = self.pairs.iter_mut().find(|pair| pair.0 == taken.ordinal);
        match known {
            None => self.pairs.push((taken.ordinal, there)),
            Some(known) if target.ordinal(&taken.column.name) == Some(there) => known.1 = there,
            Some(_) => {}
        }
    }

    /// Lake columns that are not compared.
    pub(crate) fn left_out(&self, lake: &Table, takes: &[Taken]) -> Vec<LeftOut> {
        let why = |ordinal: u32| {
            if self.pairs.iter().any(|(pair, _)| *pair == ordinal) {
                None
            } else if takes.iter().any(|taken| taken.ordinal == ordinal) {
                Some("the merge does not write it as it is")
            } else {
                Some("the target does not take it")
            }
        };
        let columns = (0u32..).zip(&lake.columns).filter_map(|(ordinal, column)| {
            Some(LeftOut {
                column: column.name.clone(),
                why: why(ordinal)?.to_owned(),
            })
        });
        columns.collect()
    }
}

fn root(expression: &Expression) -> Option<&Node> {
    expression.node(expression.root)
}

/// What a plan does with a row that is new.
fn adding(plan: &ValidMergePlan) -> Option<&Action> {
    let mut adding = plan.clauses.iter().filter(|clause| {
        clause.occasion == Occasion::NotMatched
            && matches!(clause.action, Action::WriteAll | Action::Write(_))
    });
    // The last one: those before it have conditions, or it would never be reached.
    adding.next_back().map(|clause| &clause.action)
}

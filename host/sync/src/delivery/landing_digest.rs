//! How rows land, as a digest. A position says by which merge the rows before it came, since another one would have
//! made other rows of them: a mark that stays, a version that was not closed, a column that was left out.

use icehost_plan::{
    Action, Assignment, Clause, Delta, Expression, KeyPair, MergePlan, Node, Side, SortKey,
};
use icehost_sqlserver::SqlTable;
use sha2::{Digest, Sha256};

/// Bytes of the hash that are kept.
const BYTES: usize = 16;
/// What the digest begins with, so that one that is made in another way says nothing.
const FORM: &str = "1:";

/// The digest of a plan: what it does with which columns, by their names. `delta` is of changes, of a fixed time.
pub(crate) fn of(plan: &MergePlan, delta: &Delta, target: &SqlTable) -> String {
    // What was there before is no matter to a merge that only adds rows.
    let text = match plan.keys.is_empty() {
        true => String::new(),
        false => Described { delta, target }.plan(plan),
    };
    let hash = Sha256::digest(text);
    let digits: String = hash
        .iter()
        .take(BYTES)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{FORM}{digits}")
}

/// Whether a plan is another one than that of a digest which was noted. What is not known is no other.
pub(crate) fn differs(noted: Option<&str>, now: Option<&str>) -> bool {
    match (noted, now) {
        (Some(noted), Some(now)) => noted.starts_with(FORM) && noted != now,
        _ => false,
    }
}

struct Described<'a> {
    delta: &'a Delta,
    target: &'a SqlTable,
}

impl Described<'_> {
    fn name(&self, side: Side, ordinal: u32) -> &str {
        let at = ordinal as usize;
        let columns = match side {
            Side::Source => &self.delta.columns,
            Side::Target => &self.target.table.columns,
        };
        columns.get(at).map_or("", |column| &column.name)
    }

    fn plan(&self, plan: &MergePlan) -> String {
        let key = |key: &KeyPair| {
            let names = [(Side::Source, key.source), (Side::Target, key.target)];
            names.map(|(side, at)| self.name(side, at))
        };
        let order = |key: &SortKey| (self.name(Side::Source, key.column), key.direction);
        let mut columns: Vec<&str> = self.delta.columns.iter().map(|c| c.name.as_str()).collect();
        columns.sort_unstable();
        let parts = [
            format!("{columns:?}"),
            format!("{:?}", plan.keys.iter().map(key).collect::<Vec<_>>()),
            format!(
                "{:?}",
                plan.among.as_ref().map(|among| self.expression(among))
            ),
            format!(
                "{:?}",
                plan.deduplicate.iter().map(order).collect::<Vec<_>>()
            ),
            format!(
                "{:?}",
                plan.clauses
                    .iter()
                    .map(|c| self.clause(c))
                    .collect::<Vec<_>>()
            ),
        ];
        parts.join("\n")
    }

    fn clause(&self, clause: &Clause) -> String {
        let action = match &clause.action {
            Action::Write(assignments) => self.assignments(assignments),
            Action::Supersede(succession) => format!(
                "{} beside {}",
                self.assignments(&succession.old),
                self.assignments(&succession.new)
            ),
            other => format!("{other:?}"),
        };
        let condition = clause.condition.as_ref().map(|c| self.expression(c));
        format!("{:?} {condition:?} {action}", clause.occasion)
    }

    /// In no order that counts.
    fn assignments(&self, assignments: &[Assignment]) -> String {
        let mut texts: Vec<String> = assignments
            .iter()
            .map(|a| {
                format!(
                    "{:?} = {}",
                    self.name(Side::Target, a.target),
                    self.expression(&a.value)
                )
            })
            .collect();
        texts.sort_unstable();
        format!("{texts:?}")
    }

    fn expression(&self, expression: &Expression) -> String {
        let node = |node: &Node| match node {
            Node::Column { side, column } => format!("{side:?} {:?}", self.name(*side, *column)),
            other => format!("{other:?}"),
        };
        let nodes: Vec<String> = expression.nodes.iter().map(node).collect();
        format!("{nodes:?} {}", expression.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_differs() {
        assert!(differs(Some("1:a"), Some("1:b")));
        assert!(!differs(Some("1:a"), Some("1:a")));
        assert!(!differs(None, Some("1:a")) && !differs(Some("1:a"), None));
        assert!(!differs(Some("0:a"), Some("1:a")), "made in another way");
    }
}

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

/// The digest of a plan: what it does with which columns, by their names and numbers. `delta` is of changes, of a fixed
/// time.
pub(crate) fn of(plan: &MergePlan, delta: &Delta, target: &SqlTable) -> String {
    let described = Described { delta, target };
    // What was there before is no matter to a merge that only adds rows, as long as its columns are.
    if plan.keys.is_empty() {
        return format!("{}{}", form(""), described.numbers());
    }
    form(&described.plan(plan))
}

/// A digest as a position notes it. Of a merge that adds every row: how many columns it writes, and the largest number of
/// a column of the table.
pub(crate) fn noted(digest: &str) -> String {
    match written(digest) {
        Some((merge, largest, numbers)) => format!("{merge}/{largest},{}", numbers.len()),
        None => digest.to_owned(),
    }
}

fn form(text: &str) -> String {
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
        (Some(noted), Some(now)) if noted.starts_with(FORM) => {
            match (counted(noted), written(now)) {
                (Some((noted, largest, count)), Some((now, _, numbers))) => {
                    noted != now || has_replaced(&numbers, largest, count)
                }
                _ => noted != now,
            }
        }
        _ => false,
    }
}

/// Whether columns with these numbers have taken the place of others since so many were written and this was the largest
/// number of the table: a column that is dropped and added again has a larger one than any before (T-SQL reference,
/// "sys.columns"), and so has a new one, of which the rows that are there need no value.
fn has_replaced(numbers: &[i32], largest: i32, count: usize) -> bool {
    let new = numbers.iter().filter(|number| **number > largest).count();
    new > numbers.len().saturating_sub(count)
}

/// The merge, the largest number of a column of the table, and the numbers of those that are written.
fn written(digest: &str) -> Option<(&str, i32, Vec<i32>)> {
    let (merge, columns) = digest.split_once('/')?;
    let (largest, numbers) = columns.split_once(':')?;
    let numbers = numbers.split(',').filter_map(|number| number.parse().ok());
    Some((merge, largest.parse().ok()?, numbers.collect()))
}

/// The same as a position notes it.
fn counted(noted: &str) -> Option<(&str, i32, usize)> {
    let (merge, columns) = noted.split_once('/')?;
    let (largest, count) = columns.split_once(',')?;
    Some((merge, largest.parse().ok()?, count.parse().ok()?))
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

    /// The number of the target's column of this name; 0 where there is none.
    fn number(&self, name: &str) -> i32 {
        let column = self.target.ordinal(name);
        let column = column.and_then(|at| self.target.columns.get(at));
        column.map_or(0, |column| column.id)
    }

    /// The largest number of a column of the target, and those of the columns that are written.
    fn numbers(&self) -> String {
        let largest = self.target.columns.iter().map(|column| column.id).max();
        let columns = self.delta.columns.iter();
        let numbers = columns.map(|column| self.number(&column.name));
        let numbers: Vec<String> = numbers
            .filter(|number| *number > 0)
            .map(|number| number.to_string())
            .collect();
        format!("/{}:{}", largest.unwrap_or(0), numbers.join(","))
    }

    fn plan(&self, plan: &MergePlan) -> String {
        let key = |key: &KeyPair| {
            let names = [(Side::Source, key.source), (Side::Target, key.target)];
            names.map(|(side, at)| self.name(side, at))
        };
        let order = |key: &SortKey| (self.name(Side::Source, key.column), key.direction);
        let columns = self.delta.columns.iter();
        let mut columns: Vec<(&str, i32)> = columns
            .map(|column| (column.name.as_str(), self.number(&column.name)))
            .collect();
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

    #[test]
    fn a_column_in_the_place_of_another_is_told_and_a_new_one_is_not() {
        let before = noted("1:a/4:1,2,4");
        assert_eq!(before, "1:a/4,3");
        for (now, wanted) in [
            ("1:a/4:1,2,4", false),
            ("1:a/5:1,2,5", true),
            ("1:a/5:1,2,4,5", false),
            ("1:a/6:1,2,5,6", true),
            ("1:a/4:1,2", false),
            ("1:b/4:1,2,4", true),
        ] {
            assert_eq!(differs(Some(&before), Some(now)), wanted, "{now}");
        }
        // A merge that knows rows by their key is another one.
        assert!(differs(Some(&before), Some("1:c")));
        assert!(differs(Some("1:c"), Some("1:a/4:1,2,4")));
    }
}

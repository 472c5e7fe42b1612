//! Comparison of several columns at once, from the left: the first that differ decide.
//!
//! The contract has no node for it. It is written as SQL Server can seek by an index over the columns, in a form in
//! which the host finds the bound again: `a >= x and (a > x or (a = x and b >= y))`.

use crate::{ColumnId, Comparison, Predicate, Scalar, Value, col, lit};

/// Rows that lie at or after these values.
///
/// As everywhere in SQL, a column is only looked at where those before it are equal: a row with NULL in a later one
/// may well be among them. One value alone is `column >= value`; of none, no row is asked for.
pub fn rows_from(place: &[(ColumnId, Value)]) -> Predicate {
    compared(place, Comparison::Gt, Comparison::Ge)
}

/// Rows that lie after these values.
pub fn rows_after(place: &[(ColumnId, Value)]) -> Predicate {
    compared(place, Comparison::Gt, Comparison::Gt)
}

/// Rows that lie at or before these values.
pub fn rows_through(place: &[(ColumnId, Value)]) -> Predicate {
    compared(place, Comparison::Lt, Comparison::Le)
}

/// Rows that lie before these values.
pub fn rows_before(place: &[(ColumnId, Value)]) -> Predicate {
    compared(place, Comparison::Lt, Comparison::Lt)
}

/// `beyond` in a column before the last one, `last` in the last one.
fn compared(place: &[(ColumnId, Value)], beyond: Comparison, last: Comparison) -> Predicate {
    let Some((leading, rest)) = place.split_first() else {
        return lit(0).ne(lit(0));
    };
    if rest.is_empty() {
        return part(leading, last);
    }
    // It follows from the rest, and lets a server seek by the first column.
    let inclusive = match beyond {
        Comparison::Lt => Comparison::Le,
        _ => Comparison::Ge,
    };
    part(leading, inclusive).and(level(leading, rest, beyond, last))
}

/// Beyond in this column, or level with it and so on in those behind it.
fn level(
    own: &(ColumnId, Value),
    rest: &[(ColumnId, Value)],
    beyond: Comparison,
    last: Comparison,
) -> Predicate {
    let behind = match rest.split_first() {
        None => return part(own, last),
        Some((next, rest)) => level(next, rest, beyond, last),
    };
    part(own, beyond).or(part(own, Comparison::Eq).and(behind))
}

fn part((column, value): &(ColumnId, Value), op: Comparison) -> Predicate {
    let (left, right): (Scalar, Scalar) = (col(*column), lit(value.clone()));
    match op {
        Comparison::Eq => left.eq(right),
        Comparison::Ne => left.ne(right),
        Comparison::Lt => left.lt(right),
        Comparison::Le => left.le(right),
        Comparison::Gt => left.gt(right),
        Comparison::Ge => left.ge(right),
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;
    use crate::{Expression, Node};

    /// Of parts that all have to be true, or of which one has to be.
    fn joined(parts: impl Iterator<Item = Option<bool>>, all: bool) -> Option<bool> {
        let parts: Vec<Option<bool>> = parts.collect();
        match parts.contains(&Some(!all)) {
            true => Some(!all),
            false => (!parts.contains(&None)).then_some(all),
        }
    }

    /// Whether an expression over columns of integers holds for a row.
    fn holds(of: &Expression, row: &[Option<i64>]) -> bool {
        let mut done: Vec<(Option<i64>, Option<bool>)> = Vec::new();
        for node in &of.nodes {
            let scalar = |id: &u32| done[*id as usize].0;
            let predicate = |id: &u32| done[*id as usize].1;
            done.push(match node {
                Node::Column(of) => (row[of.column as usize], None),
                Node::Literal(value) => (value.as_integer(), None),
                Node::Compare(of) => {
                    let pair = scalar(&of.left).zip(scalar(&of.right));
                    let told = pair.map(|(a, b)| match of.op {
                        Comparison::Eq => a == b,
                        Comparison::Ne => a != b,
                        Comparison::Lt => a < b,
                        Comparison::Le => a <= b,
                        Comparison::Gt => a > b,
                        Comparison::Ge => a >= b,
                    });
                    (None, told)
                }
                Node::AllOf(all) => (None, joined(all.iter().map(predicate), true)),
                Node::AnyOf(any) => (None, joined(any.iter().map(predicate), false)),
                other => panic!("{other:?}"),
            });
        }
        done[of.root as usize].1 == Some(true)
    }

    #[test]
    fn rows_are_compared_from_the_left() {
        let values = || (0..3).map(Some).chain([None]);
        let rows =
            values().flat_map(|a| values().flat_map(move |b| values().map(move |c| [a, b, c])));
        let place = [(0, 1.into()), (1, 1.into()), (2, 1.into())];
        for row in rows {
            for parts in 1..=3 {
                let place = &place[..parts];
                let wanted: Option<std::cmp::Ordering> = row[..parts]
                    .iter()
                    .map(|value| value.map(|value: i64| value.cmp(&1)))
                    .find(|order| *order != Some(std::cmp::Ordering::Equal))
                    .unwrap_or(Some(std::cmp::Ordering::Equal));
                let ask = |of: Predicate| holds(&of.into(), &row);
                let told = [
                    ask(rows_before(place)),
                    ask(rows_through(place)),
                    ask(rows_from(place)),
                    ask(rows_after(place)),
                ];
                use std::cmp::Ordering::{Equal, Greater, Less};
                let expected = match wanted {
                    Some(Less) => [true, true, false, false],
                    Some(Equal) => [false, true, true, false],
                    Some(Greater) => [false, false, true, true],
                    None => [false; 4],
                };
                assert_eq!(told, expected, "{row:?}, {parts} columns");
            }
        }
    }

    #[test]
    fn one_column_is_compared_as_it_is() {
        let same =
            |a: Predicate, b: Predicate| assert_eq!(Expression::from(a), Expression::from(b));
        let place = [(4, Value::from(7))];
        same(rows_from(&place), col(4).ge(lit(7)));
        same(rows_through(&place), col(4).le(lit(7)));
        let two = [(4, Value::from(7)), (1, Value::from(2))];
        same(
            rows_from(&two),
            col(4).ge(lit(7)).and(
                col(4)
                    .gt(lit(7))
                    .or(col(4).eq(lit(7)).and(col(1).ge(lit(2)))),
            ),
        );
    }
}

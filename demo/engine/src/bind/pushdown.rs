//! Conditions moved to where they are cheap: join keys, filters of single sources, seeks by key.

use std::cell::RefCell;
use std::rc::Rc;

use crate::ast::{Comparison, JoinKind};
use crate::collation::Collation;
use crate::plan::{Expr, From, Join, JoinKey, Seek, Source};
use crate::storage::TableVersion;

fn within(sources: &[usize], slots: &std::ops::Range<usize>) -> bool {
    sources.iter().all(|source| slots.contains(source))
}

/// Splits a join condition into equalities between the sides and the rest.
pub(crate) fn split_join_condition(join: &mut Join, condition: Expr) {
    let mut conjuncts = Vec::new();
    condition.conjuncts(&mut conjuncts);
    let mut rest: Vec<Expr> = join.condition.take().into_iter().collect();
    for conjunct in conjuncts {
        // For an inner join a condition on one side only may filter that side first; for a left join
        // one on the right side may.
        let conjunct = match (join.kind, conjunct.sources()) {
            (JoinKind::Inner, Some(sources))
                if !sources.is_empty() && within(&sources, &join.left_slots) =>
            {
                push_filter(&mut join.left, conjunct)
            }
            (JoinKind::Inner | JoinKind::Left, Some(sources))
                if !sources.is_empty() && within(&sources, &join.right_slots) =>
            {
                push_filter(&mut join.right, conjunct)
            }
            _ => Some(conjunct),
        };
        match conjunct.map(|conjunct| as_key(conjunct, &join.left_slots, &join.right_slots)) {
            Some(Ok(key)) => join.keys.push(key),
            Some(Err(other)) => rest.push(other),
            None => {}
        }
    }
    join.condition = Expr::conjunction(rest);
}

fn as_key(
    conjunct: Expr,
    left_slots: &std::ops::Range<usize>,
    right_slots: &std::ops::Range<usize>,
) -> Result<JoinKey, Expr> {
    let Expr::Compare {
        operator: Comparison::Equal,
        left,
        right,
        collation,
    } = conjunct
    else {
        return Err(conjunct);
    };
    let on = |expr: &Expr, slots: &std::ops::Range<usize>| {
        expr.sources()
            .is_some_and(|sources| !sources.is_empty() && within(&sources, slots))
    };
    if on(&left, left_slots) && on(&right, right_slots) {
        Ok(JoinKey {
            left: *left,
            right: *right,
            collation,
        })
    } else if on(&left, right_slots) && on(&right, left_slots) {
        Ok(JoinKey {
            left: *right,
            right: *left,
            collation,
        })
    } else {
        Err(Expr::Compare {
            operator: Comparison::Equal,
            left,
            right,
            collation,
        })
    }
}

/// Pushes one conjunct of WHERE into the FROM tree as far as it goes; returns it where it cannot go.
pub(crate) fn push_filter(from: &mut From, conjunct: Expr) -> Option<Expr> {
    let Some(sources) = conjunct.sources() else {
        return Some(conjunct);
    };
    if sources.is_empty() {
        return Some(conjunct);
    }
    match from {
        From::Nothing => Some(conjunct),
        From::Source { index, filter, .. } => {
            if sources != [*index] {
                return Some(conjunct);
            }
            *filter = Some(match filter.take() {
                Some(present) => Expr::And(Box::new(present), Box::new(conjunct)),
                None => conjunct,
            });
            None
        }
        From::Join(join) => {
            let keeps_left = matches!(
                join.kind,
                JoinKind::Inner | JoinKind::Left | JoinKind::CrossApply | JoinKind::OuterApply
            );
            let keeps_right = matches!(
                join.kind,
                JoinKind::Inner | JoinKind::Right | JoinKind::CrossApply
            );
            if keeps_left && within(&sources, &join.left_slots) {
                return push_filter(&mut join.left, conjunct);
            }
            if keeps_right && within(&sources, &join.right_slots) {
                // What an APPLY's right side is filtered by must be evaluated after it, with its row in place.
                return push_filter(&mut join.right, conjunct);
            }
            if join.kind == JoinKind::Inner {
                split_join_condition(join, conjunct);
                return None;
            }
            Some(conjunct)
        }
    }
}

/// Turns equality filters on stored tables into seeks.
pub(crate) fn add_seeks(from: &mut From) {
    match from {
        From::Nothing => {}
        From::Source {
            index,
            source: Source::Table(table),
            filter: Some(filter),
        } => {
            table.seek = find_seek(*index, &table.version, filter);
        }
        From::Source { .. } => {}
        From::Join(join) => {
            add_seeks(&mut join.left);
            add_seeks(&mut join.right);
        }
    }
}

/// `column = value` pairs of a filter, the value depending on no source of this query.
fn equalities(index: usize, filter: &Expr, found: &mut Vec<(usize, Expr, Rc<Collation>)>) {
    match filter {
        Expr::And(left, right) => {
            equalities(index, left, found);
            equalities(index, right, found);
        }
        Expr::Compare {
            operator: Comparison::Equal,
            left,
            right,
            collation,
        } => {
            for (column, value) in [(left, right), (right, left)] {
                if let Expr::Column {
                    depth: 0,
                    source,
                    column,
                } = column.as_ref()
                    && *source == index
                    && value.sources().is_some_and(|sources| sources.is_empty())
                {
                    found.push((*column, value.as_ref().clone(), collation.clone()));
                    return;
                }
            }
        }
        _ => {}
    }
}

fn find_seek(index: usize, version: &TableVersion, filter: &Expr) -> Option<Seek> {
    let mut found = Vec::new();
    equalities(index, filter, &mut found);
    if found.is_empty() {
        return None;
    }
    for (handle, ordinals, collations) in version.unique_keys() {
        let values: Vec<Expr> = ordinals
            .iter()
            .zip(collations)
            .filter_map(|(ordinal, collation)| {
                found
                    .iter()
                    .find(|(column, _, by)| column == ordinal && **by == *collation)
                    .map(|(_, value, _)| value.clone())
            })
            .collect();
        if values.len() == ordinals.len() {
            return Some(Seek::Unique { handle, values });
        }
    }
    // Worth a hash table only where it is probed again and again: with values of an outer row.
    let outer = |value: &Expr| {
        let mut outer = false;
        value.walk(&mut |expr| {
            outer |= matches!(expr, Expr::Column { depth: 1.., .. });
            true
        });
        outer
    };
    found.retain(|(_, value, _)| outer(value));
    if found.is_empty() {
        return None;
    }
    Some(Seek::Lookup {
        ordinals: found.iter().map(|(column, ..)| *column).collect(),
        values: found.iter().map(|(_, value, _)| value.clone()).collect(),
        collations: found
            .iter()
            .map(|(.., collation)| Collation::clone(collation))
            .collect(),
        built: Rc::new(RefCell::new(None)),
    })
}

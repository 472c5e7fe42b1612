//! Columns that the delta and the target both have: comparing them, and writing them.

use crate::{
    Action, Assignment, Column, ColumnId, Delta, MergeContext, Predicate, Scalar, Succession, col,
    lit, target_col,
};

/// A column of the delta and the target's of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedColumn {
    /// Ordinal in the delta.
    pub source: ColumnId,
    /// Ordinal in the target.
    pub target: ColumnId,
    /// Both may be NULL.
    nullable: bool,
}

impl SharedColumn {
    /// The delta's value into the target's column.
    pub fn assignment(self) -> Assignment {
        Assignment::new(self.target, col(self.source))
    }

    fn same(self) -> Predicate {
        let (delta, target) = (col(self.source), target_col(self.target));
        match self.nullable {
            true => delta.same_as(target),
            // NULL on one side only makes this unknown, and so not the same.
            false => delta.eq(target),
        }
    }
}

impl<O> MergeContext<O> {
    /// The columns that both sides have and the target lets be written, other than the delta's operation, in the
    /// target's order.
    pub fn shared(&self) -> Vec<SharedColumn> {
        (0..)
            .zip(&self.target.columns)
            .filter(|(_, column)| column.writable)
            .filter_map(|(target, column)| {
                let source = self.delta.find(&column.name)?;
                let found: &Column = self.delta.columns.get(source as usize)?;
                (Some(source) != self.delta.operation).then_some(SharedColumn {
                    source,
                    target,
                    nullable: column.nullable && found.nullable,
                })
            })
            .collect()
    }
}

/// Every one of these columns has the same value on both sides, where NULL is the same as NULL. `None` without
/// columns.
///
/// A clause that skips where this holds, before one without it, costs less than one with [`any_differs`].
pub fn none_differs(columns: &[SharedColumn]) -> Option<Predicate> {
    let same = columns.iter().map(|column| column.same());
    same.reduce(Predicate::and)
}

/// One of these columns at least has another value in the delta than in the target, where NULL is a value like
/// others. `None` without columns.
pub fn any_differs(columns: &[SharedColumn]) -> Option<Predicate> {
    let differs = columns.iter().map(|column| {
        let (delta, target) = (col(column.source), target_col(column.target));
        delta.differs_from(target)
    });
    differs.reduce(Predicate::or)
}

impl Delta {
    /// Whether a row of the delta says that it is gone; `None` where the delta has no operations.
    pub fn deleted(&self) -> Option<Predicate> {
        /// What the operation column holds then.
        const DELETE: i64 = 0;
        Some(col(self.operation?).eq(lit(DELETE)))
    }
}

impl Assignment {
    /// A value for a column of the target.
    pub fn new(target: ColumnId, value: Scalar) -> Self {
        Assignment {
            target,
            value: value.into(),
        }
    }
}

impl Action {
    /// Changes the row that is there and adds another one.
    pub fn supersede(old: Vec<Assignment>, new: Vec<Assignment>) -> Self {
        Action::Supersede(Succession { old, new })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contents, Expression, LogicalType, NoOptions, Node, Table};

    fn context() -> MergeContext<NoOptions> {
        let column = |name: &str| Column::new(name, LogicalType::Integer, "int");
        let mut computed = column("Sum");
        computed.writable = false;
        let mut delta = Delta::new(
            vec![
                column("op"),
                column("B").nullable(),
                column("a"),
                column("C").nullable(),
                column("Sum"),
            ],
            Contents::Changes,
        );
        delta.operation = Some(0);
        MergeContext {
            target: Table::new(
                "dbo.T",
                vec![
                    column("A").nullable(),
                    column("B").nullable(),
                    column("C"),
                    computed,
                    column("op"),
                    column("Own"),
                ],
            ),
            delta,
            options: NoOptions,
        }
    }

    fn text(predicate: Option<Predicate>) -> Vec<Node> {
        predicate.map_or(Vec::new(), |predicate| Expression::from(predicate).nodes)
    }

    #[test]
    fn shared_columns_are_found_by_name_and_can_be_written() {
        let shared = context().shared();
        let pairs: Vec<_> = shared.iter().map(|c| (c.source, c.target)).collect();
        assert_eq!(pairs, [(2, 0), (1, 1), (3, 2)]);
        assert_eq!(shared[0].assignment(), Assignment::new(0, col(2)));
    }

    #[test]
    fn null_is_looked_for_only_where_both_sides_may_have_it() {
        let shared = context().shared();
        let wanted = col(2)
            .eq(target_col(0))
            .and(col(1).same_as(target_col(1)))
            .and(col(3).eq(target_col(2)));
        assert_eq!(text(none_differs(&shared)), text(Some(wanted)));
        assert_eq!(text(none_differs(&[])), []);
    }

    #[test]
    fn a_difference_in_one_column_is_enough() {
        let shared = context().shared();
        let wanted = col(2)
            .differs_from(target_col(0))
            .or(col(1).differs_from(target_col(1)));
        assert_eq!(text(any_differs(&shared[..2])), text(Some(wanted)));
    }

    #[test]
    fn only_a_delta_with_operations_has_deletes() {
        assert_eq!(
            text(context().delta.deleted()),
            text(Some(col(0).eq(lit(0))))
        );
        let snapshot = Delta::new(Vec::new(), Contents::Snapshot);
        assert!(snapshot.deleted().is_none());
    }
}

//! What a merge plan means for a lake table: the rows to write, and the keys to take out.

use std::fmt;

use icehost_plan::{
    Action, Clause, Column, Comparison, Delta, Expression, LakeType, LogicalType, MergePlan, Node,
    Occasion, Operation, Side, SortKey, Table, ValidMergePlan, Value, WriteMode,
};

use crate::error::{LakeError, Result};
use crate::keys::KeyFold;

/// What happens to the table's row where a row of the delta has its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    /// The delta's row takes its place.
    Replace,
    /// It goes.
    Delete,
    /// It stays.
    Keep,
}

/// What happens to a row of the delta whose key is not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotMatched {
    /// It is written.
    Insert,
    /// It is not.
    Ignore,
}

/// An outcome, and the condition on the delta's row under which it is chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule<T> {
    pub(crate) condition: Option<Expression>,
    pub(crate) outcome: T,
}

/// Where a written column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Origin {
    /// A column of the delta.
    Column(u32),
    /// Computed from columns of the delta.
    Expression(Expression),
    /// NULL.
    Null,
}

/// A part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyColumn {
    /// Ordinal in the delta.
    pub(crate) source: u32,
    /// Ordinal in the table.
    pub(crate) target: u32,
}

/// A checked merge plan, lowered for a lake table.
///
/// Every decision reads the delta's row only, so it is taken while rows are staged; what depends on the
/// table's rows (is the key there?) is settled by position deletes at commit.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    /// The delta's columns.
    pub(crate) source: Vec<Column>,
    /// Type of each of the table's columns.
    pub(crate) target_types: Vec<LakeType>,
    /// Name of each of the table's columns.
    pub(crate) target_names: Vec<String>,
    /// Empty: every row of the delta is written, and none of the table's goes.
    pub(crate) keys: Vec<KeyColumn>,
    /// Which of several rows with one key counts: the first in this order, the last to arrive of equals.
    pub(crate) order: Vec<SortKey>,
    /// One for each of the table's columns.
    pub(crate) image: Vec<Origin>,
    /// The first whose condition holds; [`Matched::Keep`] without one.
    pub(crate) matched: Vec<Rule<Matched>>,
    /// The first whose condition holds; [`NotMatched::Ignore`] without one.
    pub(crate) not_matched: Vec<Rule<NotMatched>>,
    /// Whether rows of the table go whose key is not in the delta.
    pub(crate) delete_unlisted: bool,
}

impl RowChange {
    /// Lowers a plan. `target` is the table as [`LakeTable::describe`](crate::LakeTable::describe) gives it.
    ///
    /// Text keys are compared by the collation of the delta's column, where it has one.
    ///
    /// # Errors
    /// Names what a lake table cannot do: conditions or values that read the table's row, a row image that
    /// differs between matched and not matched rows or leaves a column as it was, copy-on-write.
    pub fn from_plan(plan: &ValidMergePlan, target: &Table, delta: &Delta) -> Result<RowChange> {
        Lowering {
            plan,
            target,
            delta,
        }
        .lower()
    }

    /// The same change for a delta that has one more column, an [`Operation`]: a row that says delete takes out
    /// the table's row with its key, and is itself never written, whatever else the change says of rows.
    ///
    /// # Errors
    /// A change that matches no rows.
    pub fn with_withdrawals(mut self) -> Result<RowChange> {
        if self.keys.is_empty() {
            return Err(LakeError::internal(
                "rows are to be taken out by a change without a key",
            ));
        }
        let withdrawn = Expression {
            nodes: vec![
                Node::Column {
                    side: Side::Source,
                    column: self.source.len() as u32,
                },
                Node::Literal(Value::Integer(Operation::Delete as i64)),
                Node::Compare {
                    op: Comparison::Eq,
                    left: 0,
                    right: 1,
                },
            ],
            root: 2,
        };
        self.source.push(Delta::operation_column());
        self.matched.insert(
            0,
            Rule {
                condition: Some(withdrawn.clone()),
                outcome: Matched::Delete,
            },
        );
        self.not_matched.insert(
            0,
            Rule {
                condition: Some(withdrawn),
                outcome: NotMatched::Ignore,
            },
        );
        Ok(self)
    }

    /// The same change where each row of the delta is to stand in the table afterwards, alone of its key, whatever the
    /// change does with rows that are there: for rows of which somebody has found that they should.
    #[must_use]
    pub fn replacing(mut self) -> RowChange {
        self.matched = vec![Rule {
            condition: None,
            outcome: Matched::Replace,
        }];
        self.not_matched = vec![Rule {
            condition: None,
            outcome: NotMatched::Insert,
        }];
        self
    }

    /// Ordinals in the delta of the columns by which rows are matched.
    pub fn key_columns(&self) -> Vec<u32> {
        self.keys.iter().map(|key| key.source).collect()
    }

    /// Whether the rows of a delta only need to be written where the table has none that they could match.
    /// `unique_keys`: no two of them have the same key.
    pub fn only_adds(&self, unique_keys: bool) -> bool {
        self.keys.is_empty() || (unique_keys && !self.delete_unlisted)
    }

    /// Whether rows of the table go because a complete delta does not have their keys.
    pub fn deletes_unlisted(&self) -> bool {
        self.delete_unlisted
    }

    /// Whether an order says which of several rows with one key counts.
    pub fn has_order(&self) -> bool {
        !self.order.is_empty()
    }

    /// Whether rows are matched by a key.
    pub fn has_key(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether a row that comes again takes the place of the one that is there.
    pub fn replaces_by_key(&self) -> bool {
        let replaces = |rule: &Rule<Matched>| rule.outcome == Matched::Replace;
        !self.keys.is_empty() && self.matched.iter().any(replaces)
    }

    /// How the key's text compares.
    pub(crate) fn fold(&self) -> KeyFold {
        KeyFold::new(self.keys.iter().map(|key| {
            self.source
                .get(key.source as usize)
                .and_then(|column| column.collation.clone())
        }))
    }

    /// Types of the key columns, as the table has them.
    pub(crate) fn key_types(&self) -> Vec<LakeType> {
        self.keys
            .iter()
            .filter_map(|key| self.target_types.get(key.target as usize).copied())
            .collect()
    }
}

struct Lowering<'a> {
    plan: &'a MergePlan,
    target: &'a Table,
    delta: &'a Delta,
}

impl Lowering<'_> {
    fn lower(&self) -> Result<RowChange> {
        match self.plan.mode {
            WriteMode::CopyOnWrite => {
                return Err(self
                    .refusal("copy-on-write is asked for")
                    .with_hint("use merge-on-read, which marks lost rows by position deletes"));
            }
            WriteMode::Append if !self.plan.keys.is_empty() => {
                return Err(self
                    .refusal("the plan appends, and yet names a key that decides what is new")
                    .with_hint("drop the key to append every row, or use merge-on-read"));
            }
            WriteMode::Append | WriteMode::MergeOnRead => {}
        }
        if self.plan.among.is_some() {
            return Err(self
                .refusal("only some rows of the table would take part")
                .with_hint("a history is kept in a SQL Server target; in the lake, append-only keeps every image"));
        }
        let image = self.image()?;
        let mut change = RowChange {
            source: self.delta.columns.clone(),
            target_types: self
                .target
                .columns
                .iter()
                .map(|c| c.column_type.lake())
                .collect(),
            target_names: self.target.columns.iter().map(|c| c.name.clone()).collect(),
            keys: Vec::new(),
            order: Vec::new(),
            image,
            matched: Vec::new(),
            not_matched: Vec::new(),
            delete_unlisted: false,
        };
        if !self.plan.keys.is_empty() {
            change.keys = self.keys()?;
            self.check_versions()?;
            change.order = self.plan.deduplicate.clone();
        }
        let mut unlisted_decided = false;
        for clause in &self.plan.clauses {
            self.check_condition(clause)?;
            let condition = clause.condition.clone();
            match clause.occasion {
                Occasion::Matched => change.matched.push(Rule {
                    condition,
                    outcome: match clause.action {
                        Action::WriteAll | Action::Write(_) => Matched::Replace,
                        Action::Delete => Matched::Delete,
                        Action::Skip => Matched::Keep,
                        Action::Supersede(_) => {
                            return Err(self
                                .refusal("rows would be superseded")
                                .with_hint("a history is kept in a SQL Server target; in the lake, append-only keeps every image"));
                        }
                    },
                }),
                Occasion::NotMatched => change.not_matched.push(Rule {
                    condition,
                    outcome: match clause.action {
                        Action::WriteAll | Action::Write(_) => NotMatched::Insert,
                        // The last is for matched rows only.
                        Action::Delete | Action::Skip | Action::Supersede(_) => NotMatched::Ignore,
                    },
                }),
                // Without a condition, the first such clause is the only one that ever applies.
                Occasion::NotMatchedBySource if unlisted_decided => {}
                Occasion::NotMatchedBySource => {
                    unlisted_decided = true;
                    change.delete_unlisted = match clause.action {
                        Action::Delete => true,
                        Action::Skip => false,
                        Action::WriteAll | Action::Write(_) | Action::Supersede(_) => {
                            return Err(self.refusal(
                                "rows that are not in the delta would be rewritten from their own values",
                            ));
                        }
                    };
                }
            }
        }
        Ok(change)
    }

    fn refusal(&self, why: &str) -> LakeError {
        LakeError::unsupported(format!(
            "the merge plan cannot be applied to lake table {}: {why}",
            self.target.name
        ))
    }

    fn keys(&self) -> Result<Vec<KeyColumn>> {
        let mut keys = Vec::with_capacity(self.plan.keys.len());
        for key in &self.plan.keys {
            self.check_types(key.source, key.target)?;
            keys.push(KeyColumn {
                source: key.source,
                target: key.target,
            });
        }
        Ok(keys)
    }

    /// The one image that all writing clauses share.
    fn image(&self) -> Result<Vec<Origin>> {
        let mut shared: Option<Vec<Origin>> = None;
        for clause in &self.plan.clauses {
            if clause.occasion == Occasion::NotMatchedBySource {
                continue;
            }
            let Some(image) = self.clause_image(clause)? else {
                continue;
            };
            match &shared {
                None => shared = Some(image),
                Some(first) if *first == image => {}
                Some(_) => {
                    return Err(self
                        .refusal("its clauses write different values for one row of the delta")
                        .with_hint(
                            "write the same columns whether the key is in the table or not",
                        ));
                }
            }
        }
        // A plan that only deletes writes no rows.
        Ok(shared.unwrap_or_else(|| vec![Origin::Null; self.target.columns.len()]))
    }

    fn clause_image(&self, clause: &Clause) -> Result<Option<Vec<Origin>>> {
        let mut image = Vec::with_capacity(self.target.columns.len());
        match &clause.action {
            Action::Delete | Action::Skip | Action::Supersede(_) => return Ok(None),
            Action::WriteAll => {
                self.check_nothing_lost()?;
                for column in &self.target.columns {
                    let source = (0u32..)
                        .zip(&self.delta.columns)
                        .find(|(_, candidate)| candidate.name == column.name);
                    image.push(source.map_or(Origin::Null, |(ordinal, _)| Origin::Column(ordinal)));
                }
            }
            Action::Write(assignments) => {
                for ordinal in (0u32..).take(self.target.columns.len()) {
                    let assigned = assignments.iter().find(|a| a.target == ordinal);
                    image.push(match assigned {
                        None => Origin::Null,
                        Some(assignment) => self.origin(&assignment.value)?,
                    });
                }
            }
        }
        for (ordinal, (origin, column)) in (0u32..).zip(image.iter().zip(&self.target.columns)) {
            match origin {
                Origin::Column(source) => self.check_types(*source, ordinal)?,
                Origin::Null
                    if clause.occasion == Occasion::Matched
                        && clause.action == Action::WriteAll =>
                {
                    return Err(self
                        .refusal(&format!(
                            "what is read has no column '{}', and a row that is replaced would lose its value",
                            column.name
                        ))
                        .with_hint(
                            "drop the column from the lake table, by another engine, or sync into a new lake table",
                        ));
                }
                Origin::Null if clause.occasion == Occasion::Matched => {
                    return Err(self
                        .refusal(&format!(
                            "column '{}' would keep the value that the table's row has",
                            column.name
                        ))
                        .with_hint("give every column of the lake table a value from the delta"));
                }
                Origin::Null if !column.nullable => {
                    return Err(self.refusal(&format!(
                        "column '{}' is required and gets no value",
                        column.name
                    )));
                }
                Origin::Null | Origin::Expression(_) => {}
            }
        }
        Ok(Some(image))
    }

    fn origin(&self, value: &Expression) -> Result<Origin> {
        self.check_reads(value, "a value")?;
        Ok(match value.node(value.root) {
            Some(Node::Column { column, .. }) => Origin::Column(*column),
            _ => Origin::Expression(value.clone()),
        })
    }

    /// Writing "all columns" must not drop one that the table does not have.
    fn check_nothing_lost(&self) -> Result<()> {
        let lost = (0u32..).zip(&self.delta.columns).find(|(ordinal, column)| {
            Some(*ordinal) != self.delta.operation && self.target.ordinal(&column.name).is_none()
        });
        match lost {
            None => Ok(()),
            Some((_, column)) => Err(self
                .refusal(&format!("it has no column '{}'", column.name))
                .with_hint("add the column to the lake table, or leave it out of the sync")),
        }
    }

    fn check_condition(&self, clause: &Clause) -> Result<()> {
        let Some(condition) = &clause.condition else {
            return Ok(());
        };
        if clause.occasion == Occasion::NotMatchedBySource {
            return Err(self
                .refusal("a condition decides which rows that are not in the delta go")
                .with_hint("lake merges decide by the delta's rows only"));
        }
        self.check_reads(condition, "a condition")?;
        self.check_order(condition)
    }

    fn check_reads(&self, expression: &Expression, what: &str) -> Result<()> {
        let read = expression.nodes.iter().find_map(|node| match node {
            Node::Column {
                side: Side::Target,
                column,
            } => self.target.columns.get(*column as usize),
            _ => None,
        });
        match read {
            None => Ok(()),
            Some(column) => Err(self
                .refusal(&format!(
                    "{what} reads column '{}' of the table's row",
                    column.name
                ))
                .with_hint("lake merges decide by the delta's rows only")),
        }
    }

    /// The row that counts must be the one that a server would choose.
    fn check_versions(&self) -> Result<()> {
        let column = |key: &SortKey| self.delta.columns.get(key.column as usize);
        let mut columns = self.plan.deduplicate.iter().filter_map(column);
        let unordered = |column: &&Column| is_ordered_by_each(column.column_type.logical());
        match columns.find(unordered) {
            None => Ok(()),
            Some(column) => Err(self
                .refusal(&format!(
                    "which of several rows with one key counts would go by column '{}', and systems order {} differently",
                    column.name, column.column_type
                ))
                .with_hint(
                    "choose a column of numbers or times (the merge's option deduplicate-by), or keep every row in the \
                     lake (--lake-merge append-only) and let the target's server choose",
                )),
        }
    }

    /// Text and UUIDs have no order that every system shares.
    fn check_order(&self, condition: &Expression) -> Result<()> {
        for node in &condition.nodes {
            let Node::Compare { op, left, right } = node else {
                continue;
            };
            if matches!(op, Comparison::Eq | Comparison::Ne) {
                continue;
            }
            for operand in [left, right] {
                let kind = match condition.node(*operand) {
                    Some(Node::Column { column, .. }) => self
                        .delta
                        .columns
                        .get(*column as usize)
                        .map(|c| c.column_type.logical()),
                    Some(Node::Literal(value)) => value.kind(),
                    _ => None,
                };
                if kind.is_some_and(is_ordered_by_each) {
                    return Err(self.refusal(
                        "a condition orders text or UUIDs, which systems order differently",
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_types(&self, source: u32, target: u32) -> Result<()> {
        let (Some(from), Some(to)) = (
            self.delta.columns.get(source as usize),
            self.target.columns.get(target as usize),
        ) else {
            return Err(LakeError::internal(
                "a checked plan names a column that is not there",
            ));
        };
        if fits(from.column_type.lake(), to.column_type.lake()) {
            return Ok(());
        }
        Err(self
            .refusal(&format!(
                "column '{}' is {} in the delta and {} in the table",
                to.name,
                from.column_type.lake(),
                to.column_type.lake()
            ))
            .with_hint("write to a new lake table, or leave the column out"))
    }
}

/// Whether each system has an order of its own for values of this kind: text by its collations, UUIDs by their bytes
/// in some sequence (SQL Server begins with the last six).
fn is_ordered_by_each(kind: LogicalType) -> bool {
    matches!(kind, LogicalType::Text | LogicalType::Uuid)
}

/// Whether every value of the one type either has an exact place in the other, or an error when it is cast.
fn fits(from: LakeType, to: LakeType) -> bool {
    use LakeType as L;
    match (from, to) {
        (L::Int, L::Long) | (L::Long, L::Int) | (L::Float, L::Double) => true,
        (L::Int | L::Long, L::Decimal { .. }) => true,
        // Fewer digits behind the point would round.
        (L::Decimal { scale: a, .. }, L::Decimal { scale: b, .. }) => b >= a,
        (L::Fixed(_), L::Binary) => true,
        _ => from == to,
    }
}

/// One line a part, for people and for tests.
impl fmt::Display for RowChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = |ordinal: u32| match self.source.get(ordinal as usize) {
            Some(column) => column.name.as_str(),
            None => "?",
        };
        let target = |ordinal: u32| match self.target_names.get(ordinal as usize) {
            Some(name) => name.as_str(),
            None => "?",
        };
        if self.keys.is_empty() {
            writeln!(f, "append")?;
        } else {
            writeln!(f, "by key, merge on read")?;
        }
        for (key, collation) in self
            .keys
            .iter()
            .enumerate()
            .map(|(i, key)| (key, self.fold().get(i).cloned()))
        {
            write!(f, "key: {} = {}", target(key.target), source(key.source))?;
            match collation {
                Some(collation) => writeln!(f, " as {collation} compares")?,
                None => writeln!(f)?,
            }
        }
        for key in &self.order {
            writeln!(
                f,
                "keep first by: {} {:?}",
                source(key.column),
                key.direction
            )?;
        }
        for (name, origin) in self.target_names.iter().zip(&self.image) {
            match origin {
                Origin::Column(ordinal) => writeln!(f, "write: {name} = {}", source(*ordinal))?,
                Origin::Expression(_) => writeln!(f, "write: {name} = (computed)")?,
                Origin::Null => writeln!(f, "write: {name} = NULL")?,
            }
        }
        for rule in &self.matched {
            let when = if rule.condition.is_some() {
                " if it holds"
            } else {
                ""
            };
            writeln!(f, "matched{when}: {:?}", rule.outcome)?;
        }
        for rule in &self.not_matched {
            let when = if rule.condition.is_some() {
                " if it holds"
            } else {
                ""
            };
            writeln!(f, "not matched{when}: {:?}", rule.outcome)?;
        }
        if self.delete_unlisted {
            writeln!(f, "not matched by the delta: Delete")?;
        }
        Ok(())
    }
}

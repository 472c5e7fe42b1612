//! What an operator lets a strategy see of a table, and what its plans then mean for the whole of it.
//!
//! A hidden column is carried like any other: whatever a strategy decides, it decides for rows. Where a plan lists
//! columns, so that a hidden one would be left out without anybody's having said so, it is widened or refused.

use crate::expression::{Expression, Node, Side};
use crate::{
    Action, Assignment, Column, Delta, MergePlan, Occasion, PlanError, Probe, SortKey, Table,
    ValidExtractionPlan, ValidMergePlan,
};

/// The columns that a strategy may see, of whatever table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ColumnGrant {
    /// All of them.
    #[default]
    All,
    /// Those of these names, without regard to case; a table need not have them.
    Only(Vec<String>),
    /// All but those of these names, without regard to case: their values are changed before they are written, and
    /// the operator has not said that the strategy may go by what they were.
    AllBut(Vec<String>),
}

impl ColumnGrant {
    /// Whether a column of this name is shown.
    pub fn admits(&self, name: &str) -> bool {
        match self {
            ColumnGrant::All => true,
            ColumnGrant::Only(names) => has(names, name),
            ColumnGrant::AllBut(names) => !has(names, name),
        }
    }

    /// The same without columns that a rule changes, unless they are granted by their names.
    #[must_use]
    pub fn without<'a>(&self, ruled: impl IntoIterator<Item = &'a str>) -> ColumnGrant {
        let ruled: Vec<String> = ruled.into_iter().map(str::to_owned).collect();
        match self {
            ColumnGrant::All if !ruled.is_empty() => ColumnGrant::AllBut(ruled),
            other => other.clone(),
        }
    }
}

fn has(names: &[String], name: &str) -> bool {
    let folded = name.to_lowercase();
    names.iter().any(|known| known.to_lowercase() == folded)
}

/// Which columns of a list are shown: a strategy's ordinals, and the list's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// By the strategy's ordinal: the list's.
    shown: Vec<u32>,
    hidden: Vec<u32>,
}

impl View {
    /// What a grant shows of columns. The column of a delta's operation always is.
    pub fn new(grant: &ColumnGrant, columns: &[Column], operation: Option<u32>) -> View {
        let (shown, hidden) = (0u32..)
            .zip(columns)
            .partition::<Vec<_>, _>(|(ordinal, column)| {
                operation == Some(*ordinal) || grant.admits(&column.name)
            });
        let ordinals = |columns: Vec<(u32, &Column)>| columns.into_iter().map(|(o, _)| o).collect();
        View {
            shown: ordinals(shown),
            hidden: ordinals(hidden),
        }
    }

    /// The columns that are shown. A key of which a part is hidden is none: what is left of it identifies no row.
    pub fn columns(&self, columns: &[Column]) -> Vec<Column> {
        let keyless = self.hidden(columns).any(|c| c.key_position.is_some());
        let shown = self.shown.iter();
        shown
            .filter_map(|&ordinal| columns.get(ordinal as usize).cloned())
            .map(|column| Column {
                key_position: column.key_position.filter(|_| !keyless),
                ..column
            })
            .collect()
    }

    /// The table as the strategy sees it.
    pub fn table(&self, table: &Table) -> Table {
        Table {
            columns: self.columns(&table.columns),
            ..table.clone()
        }
    }

    /// The delta as the strategy sees it.
    pub fn delta(&self, delta: &Delta) -> Delta {
        let position = |ordinal| self.shown.iter().position(|&shown| shown == ordinal);
        let operation = delta.operation.and_then(position);
        Delta {
            columns: self.columns(&delta.columns),
            operation: operation.and_then(|position| u32::try_from(position).ok()),
            ..delta.clone()
        }
    }

    /// Probes that were checked against the table that was shown.
    pub fn probes(&self, mut probes: Vec<Probe>) -> Vec<Probe> {
        for probe in &mut probes {
            let filter = match probe {
                Probe::Aggregate { of, filter } => {
                    of.column = self.ordinal(of.column);
                    filter
                }
                Probe::Greatest(extreme) | Probe::Least(extreme) => {
                    for column in &mut extreme.columns {
                        *column = self.ordinal(*column);
                    }
                    &mut extreme.filter
                }
                Probe::MinActiveRowversion
                | Probe::ChangeTrackingCurrent
                | Probe::ChangeTrackingMinValid
                | Probe::CaptureMinLsn
                | Probe::CaptureMaxLsn
                | Probe::SourceTime
                | Probe::CurrentSnapshot => continue,
            };
            if let Some(filter) = filter {
                renumber(filter, self, self);
            }
        }
        probes
    }

    /// A plan that was checked against the table that was shown. What is hidden is read too; columns in the
    /// table's order stay in it.
    pub fn extraction(&self, plan: ValidExtractionPlan) -> ValidExtractionPlan {
        let mut plan = plan.into_inner();
        let in_order = plan.columns.is_sorted();
        plan.columns = plan.columns.into_iter().map(|c| self.ordinal(c)).collect();
        plan.columns.extend(&self.hidden);
        if in_order {
            plan.columns.sort_unstable();
        }
        if let Some(filter) = &mut plan.filter {
            renumber(filter, self, self);
        }
        self.sort_keys(&mut plan.order_by);
        if let Some((column, _)) = &mut plan.split_on {
            *column = self.ordinal(*column);
        }
        for aggregate in &mut plan.observe {
            aggregate.column = self.ordinal(aggregate.column);
        }
        ValidExtractionPlan::trusted(plan)
    }

    /// The columns of a list that are not shown.
    pub fn hidden<'c>(&self, columns: &'c [Column]) -> impl Iterator<Item = &'c Column> {
        let hidden = self.hidden.iter();
        hidden.filter_map(|&ordinal| columns.get(ordinal as usize))
    }

    /// The list's ordinal of one that was checked against what was shown.
    fn ordinal(&self, shown: u32) -> u32 {
        // Beyond the list it stays beyond it.
        let known = self.shown.get(shown as usize).copied();
        known.unwrap_or(u32::MAX)
    }

    fn sort_keys(&self, keys: &mut [SortKey]) {
        for key in keys {
            key.column = self.ordinal(key.column);
        }
    }
}

fn renumber(expression: &mut Expression, source: &View, target: &View) {
    for node in &mut expression.nodes {
        if let Node::Column { side, column } = node {
            *column = match side {
                Side::Source => source.ordinal(*column),
                Side::Target => target.ordinal(*column),
            };
        }
    }
}

/// What a merger sees of both sides.
#[derive(Debug, Clone)]
pub struct MergeViews {
    /// Of the table.
    pub target: View,
    /// Of the rows.
    pub delta: View,
}

impl MergeViews {
    /// A plan that was checked against what was shown.
    ///
    /// # Errors
    /// A plan that takes values from the rows column by column, while columns of theirs are hidden: they would be
    /// lost.
    pub fn merge(&self, plan: ValidMergePlan, delta: &Delta) -> Result<ValidMergePlan, PlanError> {
        let hidden: Vec<&Column> = self.delta.hidden(&delta.columns).collect();
        let mut plan: MergePlan = plan.into_inner();
        for (i, clause) in plan.clauses.iter_mut().enumerate() {
            if let Some(column) = hidden.first()
                && takes_columns(clause.occasion, &clause.action)
            {
                return Err(PlanError::new(format!(
                    "it writes column by column and would lose '{}', which is hidden from it",
                    column.name
                ))
                .at(format!("clauses[{i}]")));
            }
            if let Some(condition) = &mut clause.condition {
                renumber(condition, &self.delta, &self.target);
            }
            match &mut clause.action {
                Action::Write(assignments) => self.assignments(assignments),
                Action::Supersede(succession) => {
                    self.assignments(&mut succession.old);
                    self.assignments(&mut succession.new);
                }
                Action::WriteAll | Action::Delete | Action::Skip => {}
            }
        }
        for key in &mut plan.keys {
            key.source = self.delta.ordinal(key.source);
            key.target = self.target.ordinal(key.target);
        }
        if let Some(among) = &mut plan.among {
            renumber(among, &self.delta, &self.target);
        }
        self.delta.sort_keys(&mut plan.deduplicate);
        Ok(ValidMergePlan::trusted(plan))
    }

    fn assignments(&self, assignments: &mut [Assignment]) {
        for assignment in assignments {
            assignment.target = self.target.ordinal(assignment.target);
            renumber(&mut assignment.value, &self.delta, &self.target);
        }
    }
}

/// Whether an action lists what it takes from a row of the delta. A mark on a row that is there, such as that it
/// is deleted, takes nothing.
fn takes_columns(occasion: Occasion, action: &Action) -> bool {
    match action {
        Action::WriteAll | Action::Delete | Action::Skip => false,
        Action::Supersede(_) => true,
        Action::Write(assignments) => {
            let reads = |assignment: &Assignment| {
                assignment.value.nodes.iter().any(|node| {
                    matches!(
                        node,
                        Node::Column {
                            side: Side::Source,
                            ..
                        }
                    )
                })
            };
            occasion == Occasion::NotMatched || assignments.iter().any(reads)
        }
    }
}

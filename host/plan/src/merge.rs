//! Plans that say how a delta lands: `merge` in the contract.

use crate::expression::{Expression, Scope, check_ordinal};
use crate::extraction::{check_length, check_sort_keys};
use crate::{Column, ColumnType, LogicalType, PlanError, SortKey, Table};

/// What the rows of a delta are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// New images of rows.
    Upserts,
    /// Rows with an operation.
    Changes,
    /// Every row there is.
    Snapshot,
}

/// What happened to a row: the values of the operation column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Operation {
    /// The row is gone; its last image is given.
    Delete = 0,
    /// The row is new.
    Insert = 1,
    /// The row changed; its new image is given.
    Update = 2,
}

/// The rows to be merged, without the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// The columns of the rows, the operation column among them.
    pub columns: Vec<Column>,
    /// What the rows are.
    pub contents: Contents,
    /// For [`Contents::Changes`]: ordinal of the integer column that holds an [`Operation`].
    pub operation: Option<u32>,
    /// Number of rows; an upper bound where rows are counted only while they are read.
    pub rows: u64,
    /// When the host began to deliver it: 100 ns ticks since 1970-01-01T00:00Z.
    pub run_time: i64,
}

/// A pair of columns that identify a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPair {
    /// Ordinal in the delta.
    pub source: u32,
    /// Ordinal in the target.
    pub target: u32,
}

/// A value for a column of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Ordinal in the target.
    pub target: u32,
    /// The value.
    pub value: Expression,
}

/// When a clause applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The key stands in both.
    Matched,
    /// The key stands in the delta only.
    NotMatched,
    /// The key stands in the target only. Sound over [`Contents::Snapshot`] alone.
    NotMatchedBySource,
}

/// A row that takes another one's place.
#[derive(Debug, Clone, PartialEq)]
pub struct Succession {
    /// What becomes of the row that is there; may read both rows.
    pub old: Vec<Assignment>,
    /// The row that is added beside it; reads the delta's row only.
    pub new: Vec<Assignment>,
}

/// What a clause does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Assign columns by equal name.
    WriteAll,
    /// Assign these.
    Write(Vec<Assignment>),
    /// Delete the target's row.
    Delete,
    /// Nothing.
    Skip,
    /// For [`Occasion::Matched`] only: change the row that is there and add another one.
    Supersede(Succession),
}

/// The first clause whose occasion and condition hold wins; no clause, no action.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// When it applies.
    pub occasion: Occasion,
    /// And only if this holds.
    pub condition: Option<Expression>,
    /// What it does.
    pub action: Action,
}

/// How an Iceberg table takes the change; SQL Server has one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// New files only.
    Append,
    /// Files that lose rows are written again.
    CopyOnWrite,
    /// Lost rows are marked by position deletes.
    MergeOnRead,
}

/// What a merger asks the host to do with a delta.
#[derive(Debug, Clone, PartialEq)]
pub struct MergePlan {
    /// What identifies a row; empty: every row of the delta is not matched.
    pub keys: Vec<KeyPair>,
    /// Which of the target's rows take part; the others neither match nor are missing from the delta.
    pub among: Option<Expression>,
    /// Of several delta rows with one key, keep the first in this order; where it ties, the row that
    /// arrived last.
    pub deduplicate: Vec<SortKey>,
    /// What happens to rows.
    pub clauses: Vec<Clause>,
    /// How an Iceberg table takes it.
    pub mode: WriteMode,
}

impl MergePlan {
    /// Checks the plan against the target and the delta that the strategy was shown.
    pub fn validate(self, target: &Table, delta: &Delta) -> Result<ValidMergePlan, PlanError> {
        check_length("keys", self.keys.len())?;
        for (i, key) in self.keys.iter().enumerate() {
            check_key(key, target, delta).map_err(|e| e.at(format!("keys[{i}]")))?;
        }
        if let Some(among) = &self.among {
            if self.keys.is_empty() {
                return Err(PlanError::new("among: a plan without keys matches no row"));
            }
            let scope = Scope {
                source: &[],
                target: Some(&target.columns),
            };
            among
                .validate_predicate(&scope)
                .map_err(|e| e.at("among"))?;
        }
        check_sort_keys("deduplicate", &self.deduplicate, &delta.columns)?;
        check_length("clauses", self.clauses.len())?;
        for (i, clause) in self.clauses.iter().enumerate() {
            self.check_clause(clause, target, delta)
                .map_err(|e| e.at(format!("clauses[{i}]")))?;
        }
        if self
            .clauses
            .iter()
            .all(|clause| clause.action == Action::Skip)
        {
            return Err(PlanError::new("clauses: the plan never writes anything"));
        }
        Ok(ValidMergePlan(self))
    }

    fn check_clause(
        &self,
        clause: &Clause,
        target: &Table,
        delta: &Delta,
    ) -> Result<(), PlanError> {
        if self.keys.is_empty() && clause.occasion != Occasion::NotMatched {
            return Err(PlanError::new(
                "a plan without keys has only not-matched clauses",
            ));
        }
        if self.mode == WriteMode::Append && clause.occasion != Occasion::NotMatched {
            return Err(PlanError::new(
                "a plan that appends has only not-matched clauses",
            ));
        }
        if clause.occasion == Occasion::NotMatchedBySource && delta.contents != Contents::Snapshot {
            return Err(PlanError::new(
                "the delta does not hold every row, so that nothing is known of rows that are not in it: only over \
                 a snapshot may a plan say what becomes of them",
            ));
        }
        // Each occasion sees only the rows that exist then.
        let scope = Scope {
            source: if clause.occasion == Occasion::NotMatchedBySource {
                &[]
            } else {
                &delta.columns
            },
            target: (clause.occasion != Occasion::NotMatched).then_some(&target.columns),
        };
        if let Some(condition) = &clause.condition {
            condition
                .validate_predicate(&scope)
                .map_err(|e| e.at("condition"))?;
        }
        match (&clause.action, clause.occasion) {
            (Action::Delete, Occasion::NotMatched) => Err(PlanError::new(
                "a row that is not in the target cannot be deleted",
            )),
            (Action::WriteAll, Occasion::NotMatchedBySource) => Err(PlanError::new(
                "a row that is not in the delta has nothing to write by name",
            )),
            (Action::Write(assignments), _) => {
                check_assignments("write", assignments, target, &scope)
            }
            (Action::Supersede(succession), Occasion::Matched) => {
                check_assignments("supersede.old", &succession.old, target, &scope)?;
                let added = Scope {
                    source: &delta.columns,
                    target: None,
                };
                check_assignments("supersede.new", &succession.new, target, &added)
            }
            (Action::Supersede(_), _) => Err(PlanError::new(
                "only a row that is in the target and in the delta is superseded",
            )),
            _ => Ok(()),
        }
    }
}

fn check_key(key: &KeyPair, target: &Table, delta: &Delta) -> Result<(), PlanError> {
    let source = check_ordinal(key.source, &delta.columns).map_err(|e| e.at("source"))?;
    let target = check_ordinal(key.target, &target.columns).map_err(|e| e.at("target"))?;
    let (left, right) = (source.column_type.logical(), target.column_type.logical());
    if !left.comparable_with(right) {
        return Err(PlanError::new(format!(
            "'{}' is {left} but '{}' is {right}",
            source.name, target.name
        )));
    }
    if left == LogicalType::Double {
        return Err(PlanError::new(format!(
            "'{}' is a floating-point column, which cannot identify a row",
            source.name
        )));
    }
    Ok(())
}

fn check_assignments(
    what: &str,
    assignments: &[Assignment],
    target: &Table,
    scope: &Scope<'_>,
) -> Result<(), PlanError> {
    if assignments.is_empty() {
        return Err(PlanError::new(format!("{what}: no column is assigned")));
    }
    for (i, assignment) in assignments.iter().enumerate() {
        let place = format!("{what}[{i}]");
        let column = check_ordinal(assignment.target, &target.columns).map_err(|e| e.at(&place))?;
        if column.read_only {
            return Err(PlanError::new(format!("'{}' cannot be written", column.name)).at(place));
        }
        if assignments[..i]
            .iter()
            .any(|a| a.target == assignment.target)
        {
            return Err(PlanError::new(format!("'{}' is assigned twice", column.name)).at(place));
        }
        let kind = assignment
            .value
            .validate_scalar(scope)
            .map_err(|e| e.at(&place))?;
        let wanted = column.column_type.logical();
        if kind.is_some_and(|kind| !kind.comparable_with(wanted)) {
            return Err(PlanError::new(format!(
                "'{}' is {wanted} and the value is not",
                column.name
            ))
            .at(place));
        }
    }
    Ok(())
}

/// A [`MergePlan`] that has been checked; the only form that is carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidMergePlan(MergePlan);

impl ValidMergePlan {
    /// One whose columns were renumbered after it was checked.
    pub(crate) fn trusted(plan: MergePlan) -> ValidMergePlan {
        ValidMergePlan(plan)
    }

    pub(crate) fn into_inner(self) -> MergePlan {
        self.0
    }
}

impl std::ops::Deref for ValidMergePlan {
    type Target = MergePlan;

    fn deref(&self) -> &MergePlan {
        &self.0
    }
}

impl Delta {
    /// The operation column for [`Contents::Changes`], to be put behind a table's own columns.
    pub fn operation_column() -> Column {
        Column::new(
            "icehost_operation",
            ColumnType::Lake(crate::LakeType::Int),
            false,
        )
    }
}

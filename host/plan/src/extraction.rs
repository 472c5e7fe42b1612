//! Plans that say which rows to read: `change-detection` in the contract.

use crate::expression::{Expression, Scope, check_ordinal};
use crate::{Column, LogicalType, PlanError, Table, Value};

/// Largest number of probes, sort keys, observed aggregates or split boundaries in a plan.
pub const MAX_LIST: usize = 256;

/// An aggregate over one column of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateFunction {
    /// Smallest value.
    Min,
    /// Largest value.
    Max,
    /// Values that are not NULL.
    Count,
    /// NULLs.
    CountNull,
    /// Different values that are not NULL.
    CountDistinct,
}

/// An aggregate and the column that it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregate {
    /// The function.
    pub function: AggregateFunction,
    /// Ordinal of the column.
    pub column: u32,
}

/// Exclusive lower bound, inclusive upper bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Read what comes after this.
    pub after: Option<Value>,
    /// Up to and including this.
    pub through: Option<Value>,
}

/// Where the changes are read from.
#[derive(Debug, Clone, PartialEq)]
pub enum ChangeSource {
    /// The table's rows.
    Rows,
    /// `CHANGETABLE(CHANGES …)`.
    ChangeTracking(Window),
    /// Every change that CDC recorded.
    CaptureAll(Window),
    /// The net change per row that CDC recorded.
    CaptureNet(Window),
    /// The history of a temporal table.
    SystemVersioned(Window),
    /// Iceberg snapshots.
    Snapshots(Window),
}

/// Whether a plan reads the changes or everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Rows that changed since the watermark.
    Incremental,
    /// Every row.
    Full,
}

/// Ascending or descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    Ascending,
    Descending,
}

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// Ordinal of the column.
    pub column: u32,
    /// Ascending or descending.
    pub direction: Direction,
}

/// What a change detector asks the host to read.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtractionPlan {
    /// Where to read.
    pub source: ChangeSource,
    /// Changes or everything.
    pub coverage: Coverage,
    /// Ordinals of the columns to read, each at most once.
    pub columns: Vec<u32>,
    /// Which rows; `None` for all.
    pub filter: Option<Expression>,
    /// In which order.
    pub order_by: Vec<SortKey>,
    /// Boundaries at which the host may cut the read into ranges; it need not.
    pub split_on: Option<(u32, Vec<Value>)>,
    /// Aggregates over what was extracted.
    pub observe: Vec<Aggregate>,
}

/// What the host tells a strategy after extraction.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Rows extracted.
    pub rows: u64,
    /// What the probes had read, one after the other.
    pub readings: Vec<Value>,
    /// One value per aggregate in `observe`.
    pub observed: Vec<Value>,
}

impl ExtractionPlan {
    /// Checks the plan against the table that the strategy was shown.
    pub fn validate(self, table: &Table) -> Result<ValidExtractionPlan, PlanError> {
        let features = &table.features;
        match &self.source {
            ChangeSource::Rows => {}
            ChangeSource::ChangeTracking(_) => {
                need(features.change_tracking, "Change Tracking").map_err(|e| e.at("source"))?
            }
            ChangeSource::CaptureAll(_) | ChangeSource::CaptureNet(_) => {
                need(features.capture, "Change Data Capture").map_err(|e| e.at("source"))?;
            }
            ChangeSource::SystemVersioned(_) => {
                need(features.system_versioned, "system versioning").map_err(|e| e.at("source"))?;
            }
            ChangeSource::Snapshots(_) => {
                need(features.snapshots, "snapshots").map_err(|e| e.at("source"))?;
            }
        }
        check_window(&self.source).map_err(|e| e.at("source"))?;
        if self.columns.is_empty() {
            return Err(PlanError::new("columns: the plan reads no column"));
        }
        for (i, &column) in self.columns.iter().enumerate() {
            let place = format!("columns[{i}]");
            check_ordinal(column, &table.columns).map_err(|e| e.at(&place))?;
            if self.columns[..i].contains(&column) {
                return Err(PlanError::new(format!("column {column} stands twice")).at(place));
            }
        }
        let scope = Scope {
            source: &table.columns,
            target: None,
        };
        if let Some(filter) = &self.filter {
            filter
                .validate_predicate(&scope)
                .map_err(|e| e.at("filter"))?;
        }
        check_sort_keys("order-by", &self.order_by, &table.columns)?;
        if let Some((column, values)) = &self.split_on {
            let column = check_ordinal(*column, &table.columns).map_err(|e| e.at("split-on"))?;
            check_length("split-on", values.len())?;
            let kind = column.column_type.logical();
            for value in values {
                check_bound(value, kind).map_err(|e| e.at("split-on"))?;
            }
        }
        check_length("observe", self.observe.len())?;
        for (i, aggregate) in self.observe.iter().enumerate() {
            let place = format!("observe[{i}]");
            check_aggregate(aggregate, &table.columns).map_err(|e| e.at(&place))?;
            if !self.columns.contains(&aggregate.column) {
                return Err(PlanError::new("the plan does not read the column").at(place));
            }
        }
        Ok(ValidExtractionPlan(self))
    }
}

/// An [`ExtractionPlan`] that has been checked; the only form that is lowered to SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidExtractionPlan(ExtractionPlan);

impl ValidExtractionPlan {
    /// One whose columns were renumbered after it was checked.
    pub(crate) fn trusted(plan: ExtractionPlan) -> ValidExtractionPlan {
        ValidExtractionPlan(plan)
    }

    pub(crate) fn into_inner(self) -> ExtractionPlan {
        self.0
    }

    /// The columns of a table that are read, in the plan's order.
    pub fn columns_of(&self, table: &Table) -> Vec<Column> {
        self.columns
            .iter()
            .filter_map(|&ordinal| table.columns.get(ordinal as usize).cloned())
            .collect()
    }

    /// The same rows in whatever order the server finds them.
    #[must_use]
    pub fn unordered(mut self) -> ValidExtractionPlan {
        self.0.order_by.clear();
        self
    }
}

impl std::ops::Deref for ValidExtractionPlan {
    type Target = ExtractionPlan;

    fn deref(&self) -> &ExtractionPlan {
        &self.0
    }
}

pub(crate) fn check_length(what: &str, length: usize) -> Result<(), PlanError> {
    if length > MAX_LIST {
        return Err(PlanError::new(format!(
            "{what}: at most {MAX_LIST} entries, not {length}"
        )));
    }
    Ok(())
}

pub(crate) fn check_sort_keys(
    what: &str,
    keys: &[SortKey],
    columns: &[Column],
) -> Result<(), PlanError> {
    check_length(what, keys.len())?;
    for (i, key) in keys.iter().enumerate() {
        check_ordinal(key.column, columns).map_err(|e| e.at(format!("{what}[{i}]")))?;
    }
    Ok(())
}

pub(crate) fn check_aggregate(aggregate: &Aggregate, columns: &[Column]) -> Result<(), PlanError> {
    let column = check_ordinal(aggregate.column, columns)?;
    let kind = column.column_type.logical();
    match aggregate.function {
        // MIN and MAX do not take bit (T-SQL reference, "MAX").
        AggregateFunction::Min | AggregateFunction::Max if kind == LogicalType::Boolean => {
            Err(PlanError::new(format!(
                "column '{}' is a bit, which has no smallest or largest value",
                column.name
            )))
        }
        _ => Ok(()),
    }
}

/// Checks that the bounds of a window are of the kind by which its source counts.
fn check_window(source: &ChangeSource) -> Result<(), PlanError> {
    let (window, kind) = match source {
        ChangeSource::Rows => return Ok(()),
        ChangeSource::ChangeTracking(window) | ChangeSource::Snapshots(window) => {
            (window, LogicalType::Integer)
        }
        ChangeSource::CaptureAll(window) | ChangeSource::CaptureNet(window) => {
            (window, LogicalType::Binary)
        }
        ChangeSource::SystemVersioned(window) => (window, LogicalType::Timestamp),
    };
    let bounds = [&window.after, &window.through];
    bounds
        .into_iter()
        .flatten()
        .try_for_each(|bound| check_bound(bound, kind))
}

fn check_bound(bound: &Value, wanted: LogicalType) -> Result<(), PlanError> {
    bound.validate()?;
    match bound.kind() {
        Some(kind) if kind.comparable_with(wanted) => Ok(()),
        _ => Err(PlanError::new(format!(
            "a bound of kind {wanted} is wanted, not {bound}"
        ))),
    }
}

pub(crate) fn need(has: bool, what: &str) -> Result<(), PlanError> {
    if has {
        Ok(())
    } else {
        Err(PlanError::new(format!("the table does not offer {what}")))
    }
}

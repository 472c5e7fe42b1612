//! What a change detector asks the host to read before it plans: `probe` in the contract.

use crate::expression::{Expression, Scope, check_ordinal};
use crate::extraction::{check_aggregate, check_length, need};
use crate::{Aggregate, AggregateFunction, LogicalType, Node, PlanError, Table, Value};

/// Most columns that a row is found by: as many as an index has (T-SQL reference, "Maximum capacity
/// specifications").
const MAX_EXTREME_COLUMNS: usize = 16;

/// One row's values of several columns, compared from the left: the first that differ decide. Only rows that have a
/// value in each of the columns are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Extreme {
    /// Ordinals of the columns, each at most once.
    pub columns: Vec<u32>,
    /// Among which rows; `None` for all.
    pub filter: Option<Expression>,
}

/// What the host reads from the source before planning: one value, or one for each column of an [`Extreme`].
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// An aggregate.
    Aggregate {
        /// Which one, of which column.
        of: Aggregate,
        /// Over which rows; `None` for the whole table.
        filter: Option<Expression>,
    },
    /// The row that is last by its columns; all NULL where there is none.
    Greatest(Extreme),
    /// The row that is first by its columns; all NULL where there is none.
    Least(Extreme),
    /// `MIN_ACTIVE_ROWVERSION()`, as eight bytes.
    MinActiveRowversion,
    /// `CHANGE_TRACKING_CURRENT_VERSION()`.
    ChangeTrackingCurrent,
    /// `CHANGE_TRACKING_MIN_VALID_VERSION()`.
    ChangeTrackingMinValid,
    /// `sys.fn_cdc_get_min_lsn()`.
    CaptureMinLsn,
    /// `sys.fn_cdc_get_max_lsn()`.
    CaptureMaxLsn,
    /// The server's clock, UTC.
    SourceTime,
    /// The current Iceberg snapshot.
    CurrentSnapshot,
}

impl From<Aggregate> for Probe {
    /// Over the whole table.
    fn from(of: Aggregate) -> Probe {
        Probe::Aggregate { of, filter: None }
    }
}

impl Probe {
    /// How many values it reads.
    pub fn width(&self) -> usize {
        match self {
            Probe::Greatest(extreme) | Probe::Least(extreme) => extreme.columns.len(),
            _ => 1,
        }
    }

    /// How many values these read, one after the other.
    pub fn width_of(probes: &[Probe]) -> usize {
        probes.iter().map(Probe::width).sum()
    }

    /// Each probe with what it has read. Ends where readings are missing.
    pub fn with_readings<'p>(
        probes: &'p [Probe],
        readings: &'p [Value],
    ) -> impl Iterator<Item = (&'p Probe, &'p [Value])> {
        let mut rest = readings;
        probes.iter().map_while(move |probe| {
            let (own, others) = rest.split_at_checked(probe.width())?;
            rest = others;
            Some((probe, own))
        })
    }

    /// Which rows it looks at; `None` for all, and for what is not read from rows.
    pub fn filter(&self) -> Option<&Expression> {
        match self {
            Probe::Aggregate { filter, .. } => filter.as_ref(),
            Probe::Greatest(extreme) | Probe::Least(extreme) => extreme.filter.as_ref(),
            _ => None,
        }
    }

    /// The columns whose largest values it reads, compared from the left; none where it reads something else.
    pub fn largest_of(&self) -> &[u32] {
        match self {
            Probe::Aggregate {
                of:
                    Aggregate {
                        function: AggregateFunction::Max,
                        column,
                    },
                ..
            } => std::slice::from_ref(column),
            Probe::Greatest(extreme) => &extreme.columns,
            _ => &[],
        }
    }

    /// Every column that it reads or looks at.
    pub fn columns(&self) -> Vec<u32> {
        let mut columns = match self {
            Probe::Aggregate { of, .. } => vec![of.column],
            Probe::Greatest(extreme) | Probe::Least(extreme) => extreme.columns.clone(),
            _ => Vec::new(),
        };
        let nodes = self.filter().into_iter().flat_map(|filter| &filter.nodes);
        columns.extend(nodes.filter_map(|node| match node {
            Node::Column { column, .. } => Some(*column),
            _ => None,
        }));
        columns
    }

    fn validate(&self, table: &Table) -> Result<(), PlanError> {
        let features = &table.features;
        match self {
            Probe::Aggregate { of, .. } => check_aggregate(of, &table.columns)?,
            Probe::Greatest(extreme) | Probe::Least(extreme) => extreme.validate(table)?,
            Probe::MinActiveRowversion => need(features.rowversion, "a rowversion column")?,
            Probe::ChangeTrackingCurrent | Probe::ChangeTrackingMinValid => {
                need(features.change_tracking, "Change Tracking")?;
            }
            Probe::CaptureMinLsn | Probe::CaptureMaxLsn => {
                need(features.capture, "Change Data Capture")?;
            }
            Probe::CurrentSnapshot => need(features.snapshots, "snapshots")?,
            Probe::SourceTime => {}
        }
        let Some(filter) = self.filter() else {
            return Ok(());
        };
        let scope = Scope {
            source: &table.columns,
            target: None,
        };
        filter
            .validate_predicate(&scope)
            .map_err(|e| e.at("filter"))
    }
}

impl Extreme {
    fn validate(&self, table: &Table) -> Result<(), PlanError> {
        if self.columns.is_empty() || self.columns.len() > MAX_EXTREME_COLUMNS {
            return Err(PlanError::new(format!(
                "a row is found by 1 to {MAX_EXTREME_COLUMNS} columns, not by {}",
                self.columns.len()
            )));
        }
        for (i, &ordinal) in self.columns.iter().enumerate() {
            let place = format!("columns[{i}]");
            let column = check_ordinal(ordinal, &table.columns).map_err(|e| e.at(&place))?;
            if self.columns[..i].contains(&ordinal) {
                return Err(PlanError::new(format!("column {ordinal} stands twice")).at(place));
            }
            // As for MIN and MAX, so that the readings are values that the contract can compare.
            if column.column_type.logical() == LogicalType::Boolean {
                let why = format!("column '{}' is a bit, which has no order", column.name);
                return Err(PlanError::new(why).at(place));
            }
        }
        Ok(())
    }
}

/// Checks the probes that a strategy asks for against the table that it was shown.
pub fn validate_probes(probes: &[Probe], table: &Table) -> Result<(), PlanError> {
    check_length("probes", probes.len())?;
    for (i, probe) in probes.iter().enumerate() {
        probe
            .validate(table)
            .map_err(|e| e.at(format!("probes[{i}]")))?;
    }
    Ok(())
}

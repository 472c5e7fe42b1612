//! What a change detector wants read, and what it knew when it decided.

use icehost_lake::TableUpdate;
use icehost_plan::{Aggregate, AggregateFunction, Probe, ValidExtractionPlan, Value};
use icehost_sqlserver::SqlTable;

use crate::detection::change::LakeChange;
use crate::source::ahead_of_clock;
use crate::watermark::record::StoredWatermark;

/// What a change detector wants read, and what it knew when it decided.
pub(crate) struct Detected {
    pub(crate) stored: Option<StoredWatermark>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) readings: Vec<Value>,
    pub(crate) plan: ValidExtractionPlan,
    /// How the delta lands in the lake.
    pub(crate) change: LakeChange,
    /// What makes the lake remember the source's columns as they are now, where that is something else.
    pub(crate) columns: Option<TableUpdate>,
    /// What the user should know of the source.
    pub(crate) warnings: Vec<String>,
}

impl Detected {
    /// What the server answered to an aggregate over a column of all rows, where the detector asked for it.
    pub(crate) fn aggregate(&self, function: AggregateFunction, column: u32) -> Option<&Value> {
        let wanted = Probe::from(Aggregate { function, column });
        let mut answers = Probe::with_readings(&self.probes, &self.readings);
        answers.find_map(|(probe, readings)| readings.first().filter(|_| *probe == wanted))
    }

    /// The last moment of a column that may be one of the server's clock, where the detector has asked for both.
    pub(crate) fn last_of_clock(&self, table: &SqlTable, column: u32) -> Option<Value> {
        self.aggregate(AggregateFunction::Max, column)?;
        ahead_of_clock::last_reached(table, &self.probes, &self.readings, column)
    }
}

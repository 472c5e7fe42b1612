//! One range of a first load: what to read in, data files out.
//!
//! A task and its result are plain values that can be written down or sent elsewhere. Nothing here knows how
//! many tasks run, or on which threads or machines.

use icehost_lake::{KeptFiles, LakeTable, RowChange, StageOptions};
use icehost_plan::{ExtractionPlan, KeyRange, ValidExtractionPlan, Value};
use icehost_sqlserver::{Connection, ExtractOptions, SqlTable};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::SyncError;
use crate::error::Doing;
use crate::failpoint;
use crate::reading::preparation::Preparation;
use crate::reading::transfer::{Transfer, Transferred};

/// What all ranges of a first load have in common.
///
/// It follows from the sync's own settings and from what its probes have read, so that whoever has these can
/// work on any range.
pub(crate) struct RangeContext {
    pub(crate) table: SqlTable,
    /// What the change detector wants read, all ranges together.
    pub(crate) plan: ValidExtractionPlan,
    /// Ordinals of the columns that the ranges are of.
    pub(crate) key: Vec<u32>,
    pub(crate) lake: LakeTable,
    pub(crate) change: RowChange,
    pub(crate) preparation: Preparation,
    pub(crate) extract: ExtractOptions,
    pub(crate) stage: StageOptions,
    /// Names the files.
    pub(crate) run_id: Uuid,
}

/// A range that has been read into files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RangeDone {
    /// Rows read.
    pub(crate) rows: u64,
    /// Bytes of their values in Arrow.
    pub(crate) bytes: u64,
    /// The plan's `observe`, of this range.
    pub(crate) observed: Vec<Value>,
    /// Columns of which a 100 ns digit was cut off.
    pub(crate) truncated: Vec<String>,
    /// Columns that lost an offset.
    pub(crate) offsets_lost: Vec<String>,
    /// Rows that a transformer has left out; `None` where an earlier version has read the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dropped: Option<u64>,
    pub(crate) files: KeptFiles,
}

impl RangeContext {
    /// The plan for one range: the rows that the whole plan wants and that lie in the range. The whole plan has
    /// no order left: what is read in ranges either adds every row or has no two with one key.
    pub(crate) fn plan_of(&self, range: &KeyRange) -> Result<ValidExtractionPlan, SyncError> {
        let columns = &self.table.table.columns;
        let plan = &self.plan;
        range
            .within(plan.filter.as_ref(), &self.key, columns)
            .and_then(|filter| {
                let within = ExtractionPlan {
                    filter,
                    ..ExtractionPlan::clone(plan)
                };
                within.validate(&self.table.table)
            })
            .map_err(|error| SyncError::Plan {
                doing: format!("cutting source table {} into ranges", self.table.name),
                error,
                hint: "read it in one piece, with --parallel 1".to_owned(),
            })
    }

    /// Reads a range into data files, which stay. Where it fails, nothing stays.
    pub(crate) async fn run(
        &self,
        connection: &mut Connection,
        range: &KeyRange,
        progress: impl FnMut(u64, u64) + Send,
        cancel: &CancellationToken,
    ) -> Result<RangeDone, SyncError> {
        let plan = self.plan_of(range)?;
        let transfer = Transfer {
            table: &self.table,
            plan: &plan,
            lake: &self.lake,
            change: &self.change,
            preparation: &self.preparation,
            extract: self.extract.clone(),
            stage: self.stage.clone(),
            run_id: self.run_id,
            look: None,
        };
        let Transferred {
            extracted,
            staged,
            dropped,
        } = transfer.run(connection, None, progress, cancel).await?;
        failpoint(failpoint::RANGE_READ)?;
        let files = staged
            .keep()
            .doing(|| format!("keeping files of lake table {}", self.lake.name()))?;
        Ok(RangeDone {
            rows: extracted.rows,
            bytes: extracted.bytes,
            observed: extracted.observed,
            truncated: extracted.truncated,
            offsets_lost: extracted.offsets_lost,
            dropped: Some(dropped),
            files,
        })
    }
}

//! A watermark with what it belongs to.

use icehost_plan::Watermark;
use icehost_sqlserver::TableOnServer;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::SyncError;
use crate::watermark::row_shape::RowShape;

/// Snapshot summary entry that holds a [`WatermarkRecord`] as JSON, or `null` for a cleared one.
pub const SUMMARY_WATERMARK: &str = "icehost.watermark";
/// Snapshot summary entry that holds the run's id.
pub const SUMMARY_RUN_ID: &str = "icehost.run-id";
/// Snapshot summary entry that identifies the first load that the snapshot is of.
pub const SUMMARY_FIRST_LOAD: &str = "icehost.first-load";
/// Snapshot summary entry that holds the SHA-256 of the change detector's component.
pub const SUMMARY_STRATEGY_DIGEST: &str = "icehost.strategy-sha256";

/// How far a source was read, by which strategy, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatermarkRecord {
    /// The strategy's own name. Another strategy cannot read its marks.
    pub strategy: String,
    /// The source: `database.schema.table`, or the name that the user gave it.
    pub source: String,
    /// The marks.
    #[serde(flatten)]
    pub watermark: Watermark,
    /// The run that wrote it.
    pub run_id: String,
    /// Rows that the run extracted.
    pub rows: u64,
    /// When, in RFC 3339.
    pub time: String,
    /// Rows that the source had then, as its server estimates; `None` where it does not, or an earlier version wrote
    /// the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_rows: Option<u64>,
    /// Rows that the lake was to have at least, as the source's server had estimated before the run read; `None` where
    /// that is not compared, or an earlier version wrote the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_rows: Option<u64>,
    /// Whether every row that was read up to then is in the lake, as far as no transformer has left one out; `None`
    /// where an earlier version wrote the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_row: Option<bool>,
    /// Which table the source's name stood for then; `None` for a view, where the server does not tell, where somebody
    /// has set the watermark, and where an earlier version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_table: Option<SourceTable>,
    /// The SHA-256 of what the source table is called among all tables of all servers, in hexadecimal; `None` where
    /// its server does not tell, or an earlier version wrote the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_digest: Option<String>,
    /// What the rows before it were shaped by; `None` where an earlier version wrote the watermark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<RowShape>,
}

/// Which table a name stands for: one that is dropped and created again is another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTable {
    /// `object_id`.
    pub object: i32,
    /// `create_date`, as the server writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

/// What a watermark has of a table, so that it is known again: the name itself is not for readers of the lake.
pub(crate) fn source_digest(table: &TableOnServer) -> Option<String> {
    let digest = Sha256::digest(table.lasting()?.as_bytes());
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl WatermarkRecord {
    /// Whether somebody has set it, who knows how far the source was read.
    pub(crate) fn was_set(&self) -> bool {
        self.rows == 0 && self.source_rows.is_none() && self.source_table.is_none()
    }

    /// Refuses to continue from another strategy's or another source's watermark: its marks would mean
    /// something else, and rows would be missed.
    pub fn check_belongs_to(&self, strategy: &str, source: &str) -> Result<(), SyncError> {
        if self.strategy != strategy {
            return Err(SyncError::watermark(
                format!(
                    "the stored watermark was written by strategy '{}', not '{strategy}'",
                    self.strategy
                ),
                format!(
                    "go on with --strategy '{}', or start over with `icehost watermark clear`",
                    self.strategy
                ),
            ));
        }
        if self.source != source {
            return Err(SyncError::watermark(
                format!(
                    "the stored watermark belongs to source '{}', not '{source}'",
                    self.source
                ),
                format!(
                    "if it is the same table under another name, pass --source-name '{}'; if not, write to another lake table",
                    self.source
                ),
            ));
        }
        Ok(())
    }

    pub(crate) fn to_summary(&self) -> Result<String, SyncError> {
        serde_json::to_string(self).map_err(|e| {
            SyncError::watermark(
                format!("cannot write the watermark as JSON: {e}"),
                "please report this as a defect",
            )
        })
    }

    /// Reads a summary entry; `None` for a cleared watermark.
    pub(crate) fn from_summary(text: &str, snapshot_id: i64) -> Result<Option<Self>, SyncError> {
        let malformed = |reason: String| {
            SyncError::watermark(
                format!("snapshot {snapshot_id} has a watermark that cannot be read: {reason}"),
                "set one with `icehost watermark set`, or start over with `icehost watermark clear`",
            )
        };
        let record: Option<WatermarkRecord> =
            serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?;
        if let Some(record) = &record {
            record
                .watermark
                .validate()
                .map_err(|e| malformed(e.to_string()))?;
        }
        Ok(record)
    }
}

/// A watermark and the snapshot that it was committed with.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWatermark {
    /// The watermark.
    pub record: WatermarkRecord,
    /// The snapshot.
    pub snapshot_id: i64,
    /// The snapshot's sequence number.
    pub sequence_number: i64,
}

impl StoredWatermark {
    /// The marks alone.
    pub fn watermark(&self) -> &Watermark {
        &self.record.watermark
    }
}

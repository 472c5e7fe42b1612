//! A new snapshot: its position deletes, its manifests (`manifests`), and what its summary says.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use iceberg::spec::{
    DataContentType, DataFile, Operation, Snapshot, SnapshotSummaryCollector, Summary,
    TableMetadata,
};
use uuid::Uuid;

use crate::commit::effect::{Effect, Positions};
use crate::commit::manifests::{Of, Plan};
use crate::error::Result;
use crate::failpoint;
use crate::read::deletes::position_delete_columns;
use crate::read::live_files::TableFiles;
use crate::schema;
use crate::staging::parquet_file::ParquetFile;
use crate::staging::staged_files::{StagedFiles, data_dir};
use crate::staging::statistics;
use crate::storage::below;
use crate::table::LakeTable;

/// Rows in a batch of position deletes.
const BATCH_ROWS: usize = 8192;
/// Size at which a row group of position deletes ends.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// Totals that a summary carries on, with what adds to each and what takes from it (Iceberg table spec,
/// "Metrics" of the optional snapshot summary fields).
const TOTALS: [(&str, &str, &str); 6] = [
    ("total-records", "added-records", "deleted-records"),
    ("total-files-size", "added-files-size", "removed-files-size"),
    ("total-data-files", "added-data-files", "deleted-data-files"),
    (
        "total-delete-files",
        "added-delete-files",
        "removed-delete-files",
    ),
    (
        "total-position-deletes",
        "added-position-deletes",
        "removed-position-deletes",
    ),
    (
        "total-equality-deletes",
        "added-equality-deletes",
        "removed-equality-deletes",
    ),
];

/// A snapshot whose files are there, and which is in no metadata yet.
pub(crate) struct NewSnapshot {
    pub(crate) snapshot: Snapshot,
    /// Removes the snapshot's own files unless they are kept. Data files are the caller's.
    pub(crate) files: StagedFiles,
}

/// Writes everything that a snapshot needs but its version of the metadata.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn write(
    base: &LakeTable,
    effect: &Effect,
    properties: &BTreeMap<String, String>,
) -> Result<NewSnapshot> {
    let mut writer = SnapshotWriter {
        base,
        snapshot_id: new_snapshot_id(&base.metadata),
        sequence_number: base.metadata.next_sequence_number(),
        commit: Uuid::new_v4(),
        files: StagedFiles::new(base),
    };
    let of = Of {
        base,
        snapshot_id: writer.snapshot_id,
        sequence_number: writer.sequence_number,
        commit: writer.commit,
    };
    let mut plan = Plan::new(of, effect.data.len(), !effect.deletes.is_empty())?;
    let left = plan.leave(&effect.deletes)?;
    let delete_file = writer.write_position_deletes(left.as_ref().unwrap_or(&effect.deletes))?;
    let deletes: Vec<DataFile> = delete_file.into_iter().collect();
    let summary = writer.summary(&effect.data, &deletes, plan.gone(), properties)?;
    let manifest_list = plan.write(&effect.data, &deletes, &mut writer.files)?;
    failpoint(failpoint::AFTER_MANIFESTS)?;
    Ok(NewSnapshot {
        snapshot: writer.snapshot(manifest_list, summary),
        files: writer.files,
    })
}

struct SnapshotWriter<'a> {
    base: &'a LakeTable,
    snapshot_id: i64,
    sequence_number: i64,
    /// Names the files of this attempt.
    commit: Uuid,
    files: StagedFiles,
}

impl SnapshotWriter<'_> {
    fn write_position_deletes(&mut self, deletes: &Positions) -> Result<Option<DataFile>> {
        if deletes.is_empty() {
            return Ok(None);
        }
        let name = format!("{}-deletes.parquet", self.commit);
        let location = below(&data_dir(self.base), &name);
        self.files.add(location.clone());
        let columns = position_delete_columns();
        let arrow_schema = schema::arrow_schema(&columns);
        let storage = &*self.base.storage;
        let mut file =
            ParquetFile::create_unabridged(storage, location, columns.clone(), ROW_GROUP_BYTES)?;
        for (data_file, positions) in deletes {
            let mut positions = positions.iter();
            loop {
                let chunk: Vec<i64> = positions
                    .by_ref()
                    .take(BATCH_ROWS)
                    .map(|position| position as i64)
                    .collect();
                if chunk.is_empty() {
                    break;
                }
                let paths = std::iter::repeat_n(data_file, chunk.len());
                let values: [ArrayRef; 2] = [
                    Arc::new(StringArray::from_iter_values(paths)),
                    Arc::new(Int64Array::from(chunk)),
                ];
                file.write(&RecordBatch::try_new(
                    Arc::clone(&arrow_schema),
                    values.into(),
                )?)?;
            }
        }
        let referenced = match deletes.len() {
            1 => deletes.keys().next().cloned(),
            _ => None,
        };
        let finished = file.finish()?;
        statistics::describe(
            DataContentType::PositionDeletes,
            &finished,
            &columns,
            referenced,
        )
        .map(Some)
    }

    fn summary<'f>(
        &self,
        data: &[DataFile],
        deletes: &[DataFile],
        gone: impl Iterator<Item = &'f DataFile>,
        properties: &BTreeMap<String, String>,
    ) -> Result<Summary> {
        let metadata = &self.base.metadata;
        let mut collector = SnapshotSummaryCollector::default();
        for file in data.iter().chain(deletes) {
            collector.add_file(
                file,
                Arc::clone(metadata.current_schema()),
                Arc::clone(metadata.default_partition_spec()),
            );
        }
        let mut any_gone = false;
        for file in gone {
            any_gone = true;
            collector.remove_file(
                file,
                Arc::clone(metadata.current_schema()),
                Arc::clone(metadata.default_partition_spec()),
            );
        }
        let counted = collector.build();
        let mut all: HashMap<String, String> = properties
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let before = self.totals_before()?;
        for (total, added, removed) in TOTALS {
            let number = |key: &str| {
                counted
                    .get(key)
                    .and_then(|v| v.parse().ok())
                    .unwrap_or(0u64)
            };
            let before = before.get(total).copied().unwrap_or(0);
            let after = (before + number(added)).saturating_sub(number(removed));
            all.insert(total.to_owned(), after.to_string());
        }
        all.extend(counted);
        Ok(Summary {
            operation: match (data.is_empty(), deletes.is_empty() && !any_gone) {
                (_, true) => Operation::Append,
                (true, false) => Operation::Delete,
                (false, false) => Operation::Overwrite,
            },
            additional_properties: all,
        })
    }

    /// The totals of the parent's summary, or counted afresh where it lacks one.
    fn totals_before(&self) -> Result<HashMap<&'static str, u64>> {
        let Some(parent) = self.base.current_snapshot() else {
            return Ok(HashMap::new());
        };
        let stated: Option<HashMap<&str, u64>> = TOTALS
            .iter()
            .map(|(total, _, _)| Some((*total, parent.summary_number(total)?)))
            .collect();
        if let Some(stated) = stated {
            return Ok(stated);
        }
        let live = TableFiles::new(self.base).live_files(parent.id)?;
        let mut counted: HashMap<&'static str, u64> = HashMap::new();
        let mut add = |total, number: u64| *counted.entry(total).or_default() += number;
        for file in live.data.iter().chain(&live.deletes) {
            let file = file.file();
            add("total-files-size", file.file_size_in_bytes());
            match file.content_type() {
                DataContentType::Data => {
                    add("total-data-files", 1);
                    add("total-records", file.record_count());
                }
                DataContentType::PositionDeletes => {
                    add("total-delete-files", 1);
                    add("total-position-deletes", file.record_count());
                }
                DataContentType::EqualityDeletes => {
                    add("total-delete-files", 1);
                    add("total-equality-deletes", file.record_count());
                }
            }
        }
        Ok(counted)
    }

    fn snapshot(&self, manifest_list: String, summary: Summary) -> Snapshot {
        let base = &self.base.metadata;
        // A clock that was set back must not disorder the history.
        let now = chrono::Utc::now().timestamp_millis();
        Snapshot::builder()
            .with_snapshot_id(self.snapshot_id)
            .with_parent_snapshot_id(base.current_snapshot_id())
            .with_sequence_number(self.sequence_number)
            .with_timestamp_ms(now.max(base.last_updated_ms()))
            .with_manifest_list(manifest_list)
            .with_schema_id(base.current_schema_id())
            .with_summary(summary)
            .build()
    }
}

fn new_snapshot_id(metadata: &TableMetadata) -> i64 {
    loop {
        let random = Uuid::new_v4().as_u128() as i64 & i64::MAX;
        if random != 0 && metadata.snapshot_by_id(random).is_none() {
            return random;
        }
    }
}

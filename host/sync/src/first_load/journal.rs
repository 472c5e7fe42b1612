//! What is left of a first load that was interrupted: which ranges there are, which are done, in which files.
//!
//! The journal is a file beside the lake table. It is replaced as a whole, so that a crash leaves the state before
//! or after a range, and a lease tells other runs that one is at work. It is gone once the load is committed.

use icehost_lake::{ClaimedSidecar, LakeError, LakeTable, Sidecar};
use icehost_plan::{KeyRange, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::SyncError;
use crate::blocking::blocking;
use crate::first_load::range::RangeDone;

const NAME: &str = "icehost-first-load";
const HINT: &str = "the warehouse must be writable, on a file system that locks files";
/// Most bytes of the file: a load of a million ranges has some hundred for each.
const MOST_BYTES: u64 = 1 << 30;
/// The layout of the file.
const FORMAT: u32 = 1;

/// A first load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LoadRecord {
    format: u32,
    /// Identifies the load in the summaries of the snapshots that it makes, through all its runs.
    pub(crate) id: Uuid,
    /// When it began, in RFC 3339.
    pub(crate) started: String,
    /// The load has created the lake table.
    pub(crate) created_table: bool,
    pub(crate) inputs: Inputs,
    /// What the change detector wanted read, and how it was to land in the lake.
    pub(crate) plans: String,
    /// What the probes had read: the bounds that all ranges are read under.
    pub(crate) readings: Vec<Value>,
    /// The columns whose values bound the ranges.
    pub(crate) key: Vec<String>,
    pub(crate) ranges: Vec<RangeEntry>,
}

/// What must not change between the runs of one load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inputs {
    pub(crate) source: String,
    pub(crate) server: String,
    /// A table dropped and created again has another one.
    pub(crate) object_id: i32,
    /// Name, type, nullability and collation of each column.
    pub(crate) columns: Vec<String>,
    /// Name, SHA-256 and options of the change detector.
    pub(crate) strategy: String,
    /// Name, SHA-256 and options of the lake's merger.
    pub(crate) lake_merge: String,
    pub(crate) time_precision: String,
    #[serde(default)]
    pub(crate) column_rules: Vec<String>,
    /// Strategies that change rows, with their options.
    #[serde(default)]
    pub(crate) transforms: Vec<String>,
}

/// A range and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RangeEntry {
    pub(crate) range: KeyRange,
    /// Its files and counts, once it has been read.
    pub(crate) done: Option<RangeDone>,
    /// The snapshot that holds its rows.
    pub(crate) snapshot_id: Option<i64>,
}

impl LoadRecord {
    pub(crate) fn new(inputs: Inputs, plans: String, readings: Vec<Value>) -> LoadRecord {
        LoadRecord {
            format: FORMAT,
            id: Uuid::now_v7(),
            started: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            created_table: false,
            inputs,
            plans,
            readings,
            key: Vec::new(),
            ranges: Vec::new(),
        }
    }

    /// Ranges that have been read.
    pub(crate) fn done(&self) -> usize {
        let done = |entry: &&RangeEntry| entry.done.is_some();
        self.ranges.iter().filter(done).count()
    }

    /// Whether a snapshot holds a part of the load already.
    pub(crate) fn partly_committed(&self) -> bool {
        self.ranges.iter().any(|entry| entry.snapshot_id.is_some())
    }
}

impl Inputs {
    /// What differs, for people; `None` where nothing does.
    pub(crate) fn difference(&self, now: &Inputs) -> Option<&'static str> {
        let pairs = [
            (self.source == now.source, "the source"),
            (self.server == now.server, "the server"),
            (
                self.object_id == now.object_id && self.columns == now.columns,
                "the source table or the choice of its columns",
            ),
            (self.strategy == now.strategy, "the strategy or its options"),
            (
                self.lake_merge == now.lake_merge,
                "the lake's merge strategy or its options",
            ),
            (
                self.time_precision == now.time_precision,
                "--time-precision",
            ),
            (self.column_rules == now.column_rules, "the column rules"),
            (self.transforms == now.transforms, "the transformers"),
        ];
        pairs
            .into_iter()
            .find_map(|(same, what)| (!same).then_some(what))
    }
}

/// The right to work on a table's first load, and its journal.
#[derive(Debug)]
pub(crate) struct Journal(ClaimedSidecar);

impl Journal {
    /// Whether an interrupted load, or one that is under way, has left a journal.
    pub(crate) async fn is_present(table: &LakeTable) -> Result<bool, SyncError> {
        sidecar(table)?.is_present().await.map_err(failed)
    }

    /// Claims the first load of a table, which must exist.
    ///
    /// # Errors
    /// Another process has claimed it.
    pub(crate) async fn claim(table: &LakeTable) -> Result<Journal, SyncError> {
        match sidecar(table)?.claim().await.map_err(failed)? {
            Some(claimed) => Ok(Journal(claimed)),
            None => Err(SyncError::settings(
                format!(
                    "another run is at work on the first load of lake table {}",
                    table.name()
                ),
                "wait for it to end, or stop it; what it has read by then is not read again",
            )),
        }
    }

    /// The load that the journal tells of.
    pub(crate) async fn read(&self) -> Result<Option<LoadRecord>, SyncError> {
        let Some(text) = self.0.read(MOST_BYTES).await.map_err(failed)? else {
            return Ok(None);
        };
        let location = self.0.location().to_owned();
        blocking(move || {
            let malformed = |reason: String| {
                SyncError::settings(
                    format!(
                        "the journal of a first load, {location}, cannot be read: {reason}"
                    ),
                    "start the load over with --restart; ranges that are committed are replaced by their keys, and a merge without one needs a new lake table",
                )
            };
            let record = opened(&text).map_err(malformed)?;
            match record.format {
                FORMAT => Ok(Some(record)),
                other => Err(malformed(format!("it is of format {other}"))),
            }
        })
        .await
    }

    /// Replaces the journal.
    pub(crate) async fn write(&self, record: &LoadRecord) -> Result<(), SyncError> {
        let text = sealed(record).map_err(|e| {
            let location = self.0.location();
            SyncError::settings(format!("cannot write {location}: {e}"), HINT)
        })?;
        self.0.write(text).await.map_err(failed)
    }

    /// Removes the journal; the right ends when the value is dropped.
    pub(crate) async fn remove(&self) -> Result<(), SyncError> {
        self.0.remove().await.map_err(failed)
    }
}

fn sidecar(table: &LakeTable) -> Result<Sidecar, SyncError> {
    table.sidecar(NAME).map_err(failed)
}

fn failed(error: LakeError) -> SyncError {
    SyncError::settings(error.to_string(), HINT)
}

/// The record as JSON, whose last field is the checksum of all before it: a flipped bit in a bound would leave rows
/// out.
fn sealed(record: &LoadRecord) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(record)?;
    text.pop();
    let end = checksum_field(&text);
    text.extend_from_slice(end.as_bytes());
    Ok(text)
}

/// The record, or why it cannot be read. An earlier version's has no checksum.
fn opened(text: &[u8]) -> Result<LoadRecord, String> {
    let end = checksum_field(&[]).len();
    let parts = text.len().checked_sub(end);
    if let Some((content, found)) = parts.and_then(|at| text.split_at_checked(at))
        && found.starts_with(CHECKSUM.as_bytes())
        && found != checksum_field(content).as_bytes()
    {
        return Err("it is not what was written".to_owned());
    }
    serde_json::from_slice(text).map_err(|e| e.to_string())
}

/// How the field of the checksum begins.
const CHECKSUM: &str = ",\"crc32\":\"";

fn checksum_field(content: &[u8]) -> String {
    format!("{CHECKSUM}{:08x}\"}}", crc32fast::hash(content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use icehost_lake::Warehouse;
    use icehost_lake::kit::{MemoryCatalog, MemoryStorage, numbers};

    use super::*;

    fn record() -> LoadRecord {
        let inputs = Inputs {
            source: "Shop.dbo.T".to_owned(),
            server: "db".to_owned(),
            object_id: 7,
            columns: vec!["Id int".to_owned()],
            strategy: "timestamp".to_owned(),
            lake_merge: "upsert".to_owned(),
            time_precision: "truncate".to_owned(),
            column_rules: Vec::new(),
            transforms: Vec::new(),
        };
        LoadRecord::new(inputs, "plans".to_owned(), vec![Value::Integer(41)])
    }

    #[test]
    fn a_flipped_bit_in_a_journal_is_an_error_or_has_no_effect() {
        let record = record();
        let text = sealed(&record).unwrap();
        assert_eq!(opened(&text).as_ref(), Ok(&record));
        let mut without = 0;
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            if let Some(byte) = flipped.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            match opened(&flipped) {
                Err(_) => {}
                Ok(read) => {
                    assert_eq!(read, record, "{bit}");
                    without += 1;
                }
            }
        }
        // Flips in the field's own name.
        assert!(without <= 8 * "crc32".len(), "{without}");
    }

    #[test]
    fn a_journal_of_an_earlier_version_has_no_checksum() {
        let record = record();
        let text = serde_json::to_vec(&record).unwrap();
        assert_eq!(opened(&text), Ok(record));
    }

    /// As the version before wrote it, byte for byte.
    const EARLIER: &str = concat!(
        r#"{"format":1,"id":"0198c0de-0000-7000-8000-000000000001","#,
        r#""started":"2026-11-30T12:00:00.000Z","created_table":true,"inputs":{"source":"Shop.dbo.T","#,
        r#""server":"db","object_id":7,"columns":["Id int"],"strategy":"timestamp","lake_merge":"upsert","#,
        r#""time_precision":"truncate","column_rules":[],"transforms":[]},"plans":"plans","readings":[],"#,
        r#""key":["Id"],"ranges":[],"crc32":"c50d49f2"}"#,
    );

    async fn table(warehouse: &Warehouse) -> LakeTable {
        let name = "demo.t".parse().unwrap();
        warehouse.create_table(&name, &numbers()).await.unwrap()
    }

    #[tokio::test]
    async fn a_journal_needs_no_directory() {
        let storage = Arc::new(MemoryStorage::new());
        let catalog = MemoryCatalog::new(storage, "memory://lake");
        let table = table(&Warehouse::of(Arc::new(catalog))).await;
        let journal = Journal::claim(&table).await.unwrap();
        assert_eq!(journal.read().await.unwrap(), None);
        let record = record();
        journal.write(&record).await.unwrap();
        assert!(Journal::is_present(&table).await.unwrap());
        assert!(Journal::claim(&table).await.is_err());
        drop(journal);
        let journal = Journal::claim(&table).await.unwrap();
        assert_eq!(journal.read().await.unwrap(), Some(record));
        journal.remove().await.unwrap();
        assert!(!Journal::is_present(&table).await.unwrap());
    }

    #[tokio::test]
    async fn a_load_that_an_earlier_version_was_at_is_found_where_it_left_it() {
        let directory = tempfile::tempdir().unwrap();
        let table = table(&Warehouse::open(directory.path()).unwrap()).await;
        assert!(!Journal::is_present(&table).await.unwrap());

        let metadata = directory.path().join("demo/t/metadata");
        let file = metadata.join("icehost-first-load.json");
        std::fs::write(&file, EARLIER).unwrap();
        let lock = std::fs::File::create(metadata.join("icehost-first-load.lock")).unwrap();
        lock.lock().unwrap();
        assert!(Journal::is_present(&table).await.unwrap());
        // A run of the version before is at work.
        let error = Journal::claim(&table).await.unwrap_err();
        assert!(
            error.to_string().contains("another run is at work"),
            "{error}"
        );
        drop(lock);

        let journal = Journal::claim(&table).await.unwrap();
        let record = journal.read().await.unwrap().unwrap();
        assert!(record.created_table);
        assert_eq!(record.key, ["Id"]);
        assert_eq!(record.inputs.source, "Shop.dbo.T");
        // And what this version writes is what the version before reads.
        journal.write(&record).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), EARLIER);
        assert!(Journal::claim(&table).await.is_err());
        journal.remove().await.unwrap();
        assert!(!Journal::is_present(&table).await.unwrap());
    }
}

//! A directory of JSON files with a copy of each watermark.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use icehost_files::{Kind, Lock};
use icehost_lake::{LakeTable, Stopping};
use serde::{Deserialize, Serialize};

use crate::blocking::blocking;
use crate::bounds::stop::OfAttempt;
use crate::watermark::find::find;
use crate::watermark::place::Kept;
use crate::watermark::record::{StoredWatermark, WatermarkRecord};
use crate::watermark::store::WatermarkStore;
use crate::{Event, Observer, SyncError};

/// How long another process may hold the lock, which it needs for as long as a small file takes to write.
const LONGEST_LOCK: Duration = Duration::from_secs(5);
/// Most bytes of a file: a watermark has 16 KiB at most, which JSON can make six times as long.
const MOST_BYTES: u64 = 1 << 20;

/// Keeps one JSON file per lake table, `demo.customers.json`, beside the watermark in the snapshot.
///
/// Files are replaced atomically, under a lock, and never by an older watermark, so any number of writers
/// may share the directory. Where the file is behind the snapshot (the run ended between commit and copy),
/// or belongs to another table of the same name, the snapshot wins. Where it stands at the snapshot's own
/// watermark, the file is what counts: its marks may have been edited by hand.
#[derive(Debug, Clone)]
pub struct DirectoryWatermarks {
    directory: PathBuf,
}

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// The lake table.
    table: String,
    /// The lake table's identity: a table created anew under the same name does not inherit.
    table_uuid: uuid::Uuid,
    #[serde(flatten)]
    record: WatermarkRecord,
    snapshot_id: i64,
    sequence_number: i64,
}

impl DirectoryWatermarks {
    /// The store in this directory, which is created when it is first written to.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        DirectoryWatermarks {
            directory: directory.into(),
        }
    }

    fn path(&self, table: &LakeTable) -> PathBuf {
        // A table opened by its path has slashes in its name.
        let name = table.name().replace(['/', '\\'], "%2F");
        self.directory.join(format!("{name}.json"))
    }
}

#[async_trait]
impl WatermarkStore for DirectoryWatermarks {
    async fn load(
        &self,
        table: &LakeTable,
        observer: &dyn Observer,
    ) -> Result<Option<StoredWatermark>, SyncError> {
        let path = self.path(table);
        let entry = blocking({
            let path = path.clone();
            move || read(&path)
        })
        .await?;
        let Some(entry) = entry else {
            return find(table, None).await;
        };
        let copy = (entry.table_uuid == table.uuid()).then(|| Kept {
            snapshot_id: entry.snapshot_id,
            sequence_number: entry.sequence_number,
            record: Some(entry.record.clone()),
        });
        let in_snapshot = find(table, copy).await?;
        let same = in_snapshot.as_ref().is_some_and(|stored| {
            entry.table_uuid == table.uuid()
                && entry.snapshot_id == stored.snapshot_id
                && entry.record == stored.record
        });
        if same {
            return Ok(in_snapshot);
        }
        observer.event(Event::Warning(&format!(
            "the watermark in {} is not that of the table's snapshot; the snapshot's is used",
            path.display()
        )));
        Ok(in_snapshot)
    }

    async fn committed(
        &self,
        table: &LakeTable,
        stored: &StoredWatermark,
    ) -> Result<(), SyncError> {
        let entry = Entry {
            table: table.name().to_owned(),
            table_uuid: table.uuid(),
            record: stored.record.clone(),
            snapshot_id: stored.snapshot_id,
            sequence_number: stored.sequence_number,
        };
        let path = self.path(table);
        let attempt = OfAttempt::new();
        blocking(move || replace(&path, &entry, &attempt)).await
    }

    async fn cleared(&self, table: &LakeTable) -> Result<(), SyncError> {
        let path = self.path(table);
        blocking(move || match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed("remove", &path, e)),
            _ => Ok(()),
        })
        .await
    }
}

fn read(path: &Path) -> Result<Option<Entry>, SyncError> {
    let text = match icehost_untrusted::read(path, MOST_BYTES) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("read", path, e)),
    };
    let malformed = |reason: String| {
        SyncError::watermark(
            format!("watermark file {} cannot be read: {reason}", path.display()),
            "mend it, or remove it: the snapshot has the watermark too",
        )
    };
    let entry: Entry = serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))?;
    entry
        .record
        .watermark
        .validate()
        .map_err(|e| malformed(e.to_string()))?;
    Ok(Some(entry))
}

/// Replaces the file, unless a later commit was there first.
fn replace(path: &Path, entry: &Entry, attempt: &OfAttempt) -> Result<(), SyncError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    icehost_files::create_directories(directory).map_err(|e| failed("create", directory, e))?;
    let lock_path = path.with_extension("lock");
    let _held = Lock::take_within(&lock_path, LONGEST_LOCK, || attempt.is_asked())
        .map_err(|e| failed("lock", &lock_path, e))?;
    // A file that cannot be read is replaced: the snapshot is the truth.
    if let Ok(Some(present)) = read(path)
        && present.table_uuid == entry.table_uuid
        && present.sequence_number > entry.sequence_number
    {
        return Ok(());
    }
    let mut text = serde_json::to_vec_pretty(entry)
        .map_err(|e| failed("write", path, std::io::Error::other(e)))?;
    text.push(b'\n');
    icehost_files::replace(path, &text, Kind::Private).map_err(|e| failed("write", path, e))
}

fn failed(doing: &str, path: &Path, error: std::io::Error) -> SyncError {
    let hint = match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file stands where the directory of --watermark-dir is to be: move it away, or name another directory; the \
             watermark itself is in the snapshot"
        }
        ErrorKind::IsADirectory => {
            "a directory stands where the copy of the watermark is to be: move it away; the watermark itself is in the snapshot"
        }
        _ => {
            "the watermark itself is safe in the snapshot; make the directory writable, or leave out --watermark-dir"
        }
    };
    SyncError::watermark(format!("cannot {doing} {}: {error}", path.display()), hint)
}

//! The files that make up a snapshot.

use std::sync::Arc;

use bytes::Bytes;
use iceberg::spec::{
    DataContentType, DataFile, FormatVersion, Manifest, ManifestEntryRef, ManifestFile,
    ManifestList, TableMetadata,
};
use icehost_files::blocking::wait;

use crate::checksum::named;
use crate::error::{LakeError, Result};
use crate::library_files::LibraryFiles;
use crate::location::Locator;
use crate::read::packed::check_avro;
use crate::read::room::Room;
use crate::table::LakeTable;

/// Most bytes of a list of manifests, which has some hundred for each, and of a manifest, which has as many for each
/// file: packed or not.
const MOST_LIST: u64 = 256 << 20;
const MOST_MANIFEST: u64 = 1 << 30;

/// What reading a table's files needs to know.
#[derive(Debug, Clone)]
pub(crate) struct TableFiles {
    pub(crate) name: Arc<str>,
    pub(crate) metadata: Arc<TableMetadata>,
    pub(crate) locator: Locator,
    pub(crate) room: Room,
}

/// A data or delete file that is part of a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct LiveFile {
    entry: ManifestEntryRef,
    /// Data sequence number (Iceberg table spec, "Sequence Numbers").
    pub(crate) sequence: i64,
    /// The partition spec that the file was written with.
    pub(crate) spec_id: i32,
}

impl LiveFile {
    pub(crate) fn file(&self) -> &DataFile {
        self.entry.data_file()
    }

    pub(crate) fn path(&self) -> &str {
        self.entry.file_path()
    }

    /// The snapshot that added it.
    pub(crate) fn added_by(&self) -> Option<i64> {
        self.entry.snapshot_id()
    }
}

/// A snapshot's files.
#[derive(Debug, Default)]
pub(crate) struct LiveFiles {
    /// Data files in the order of their commits.
    pub(crate) data: Vec<LiveFile>,
    /// Position and equality delete files.
    pub(crate) deletes: Vec<LiveFile>,
}

impl TableFiles {
    pub(crate) fn new(table: &LakeTable) -> Self {
        TableFiles {
            name: Arc::clone(&table.display),
            metadata: Arc::clone(&table.metadata),
            locator: Locator::new(&table.storage, table.metadata.location(), &table.location),
            room: table.room,
        }
    }

    /// The manifests of a snapshot, with their paths as recorded.
    pub(crate) fn manifests(&self, snapshot_id: i64) -> Result<Vec<ManifestFile>> {
        let snapshot = self
            .metadata
            .snapshot_by_id(snapshot_id)
            .ok_or_else(|| LakeError::internal(format!("snapshot {snapshot_id} is gone")))?;
        let path = self.locator.find(snapshot.manifest_list())?;
        let bytes = self.read(&path, MOST_LIST, "manifest list")?;
        named::check("manifest list", &path, &bytes)?;
        // A table that was upgraded still has lists in the older form.
        let list = ManifestList::parse_with_version(&bytes, self.metadata.format_version())
            .or_else(|e| {
                ManifestList::parse_with_version(&bytes, FormatVersion::V1).map_err(|_| e)
            });
        let list = list.map_err(|e| LakeError::corrupt("manifest list", &path, e))?;
        Ok(list.consume_entries().into_iter().collect())
    }

    fn manifest(&self, manifest: &ManifestFile) -> Result<Manifest> {
        let path = self.locator.find(&manifest.manifest_path)?;
        let bytes = self.read(&path, MOST_MANIFEST, "manifest")?;
        named::check("manifest", &path, &bytes)?;
        let mut manifest = manifest.clone();
        LibraryFiles::default()
            .with(bytes, async |io, in_memory| {
                manifest.manifest_path = in_memory.to_owned();
                manifest.load_manifest(io).await
            })
            .map_err(|e| LakeError::corrupt("manifest", &path, e))
    }

    fn read(&self, path: &str, most: u64, what: &str) -> Result<Bytes> {
        let bytes = wait(self.locator.storage().read(path, most));
        let bytes = bytes.map_err(|e| missing_file(what, &self.name, path, e))?;
        check_avro(&bytes, most).map_err(|e| LakeError::corrupt(what, path, e))?;
        Ok(bytes)
    }

    /// The files of a snapshot.
    ///
    /// Must run on a thread that may block, inside a Tokio runtime.
    pub(crate) fn live_files(&self, snapshot_id: i64) -> Result<LiveFiles> {
        let mut live = LiveFiles::default();
        for manifest in self.manifests(snapshot_id)? {
            if has_live_files(&manifest) {
                live.add(&manifest, self.live_entries(&manifest)?);
            }
        }
        // Stable: the files of one commit stay in the order in which they were written.
        live.data.sort_by_key(|file| file.sequence);
        Ok(live)
    }

    /// The entries of a manifest whose files are there, with what they inherit of the list.
    pub(crate) fn live_entries(&self, manifest: &ManifestFile) -> Result<Vec<ManifestEntryRef>> {
        let (mut entries, _) = self.manifest(manifest)?.into_parts();
        entries.retain(|entry| entry.is_alive());
        Ok(entries)
    }
}

/// Whether a manifest may have files that are there.
pub(crate) fn has_live_files(manifest: &ManifestFile) -> bool {
    manifest.has_added_files() || manifest.has_existing_files()
}

impl LiveFiles {
    /// Takes the live entries of a manifest.
    pub(crate) fn add(&mut self, manifest: &ManifestFile, entries: Vec<ManifestEntryRef>) {
        for entry in entries {
            let content = entry.content_type();
            let file = LiveFile {
                sequence: entry.sequence_number().unwrap_or(0),
                spec_id: manifest.partition_spec_id,
                entry,
            };
            match content {
                DataContentType::Data => self.data.push(file),
                DataContentType::PositionDeletes | DataContentType::EqualityDeletes => {
                    self.deletes.push(file);
                }
            }
        }
    }
}

/// The error for a file that the metadata names and that cannot be read.
pub(crate) fn missing_file(
    what: &str,
    table: &str,
    path: &str,
    error: std::io::Error,
) -> LakeError {
    let gone = error.kind() == std::io::ErrorKind::NotFound;
    let failed = LakeError::io(
        &format!("read the {what} of lake table {table} at"),
        path,
        error,
    );
    match gone {
        true => failed.with_hint(
            "the file may have been removed when old snapshots expired; ask for a newer snapshot",
        ),
        false => failed,
    }
}

//! The versions of a table's metadata on bare files: the Hadoop table layout.
//!
//! `metadata/v{N}.metadata.json` holds version N (Iceberg table spec, "File System Tables"). A version is
//! published by moving a complete, synced file to a name that must not exist yet; so of two writers of one
//! version exactly one succeeds. `version-hint.text` only saves readers a directory listing: it may be
//! missing or behind, and is then repaired by looking for higher versions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use iceberg::io::FileIO;
use iceberg::spec::TableMetadata;
use icehost_files::Kind;

use crate::checksum;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::failpoint;

/// The file that names the newest version, for readers that look no further.
pub(crate) const HINT: &str = "version-hint.text";

/// How names of metadata files end. Compressed metadata bears one of two names (Iceberg table spec, "Naming
/// for GZIP compressed Metadata JSON files").
const SUFFIXES: [&str; 3] = [".metadata.json", ".gz.metadata.json", ".metadata.json.gz"];

/// Most bytes of the hint, which is a number, or a name.
const MOST_HINT: u64 = 4 << 10;
/// Most bytes of a version of the metadata, compressed or not.
const MOST_METADATA: u64 = 512 << 20;

/// A metadata file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetadataFile {
    /// The version; `None` for a file that another catalog named, which only that catalog may follow.
    pub(crate) version: Option<u64>,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// What became of an attempt to publish a version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Publication {
    /// It is the table's state now.
    Done(PathBuf),
    /// Somebody else published that version first.
    Conflict,
}

/// The metadata files of a table's directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The newest of the layout's own versions.
    pub(crate) newest: Option<MetadataFile>,
    /// Files that another catalog has named, sorted.
    pub(crate) foreign: Vec<String>,
    /// What the hint says, where that is no version.
    pub(crate) odd_hint: Option<String>,
}

impl Listing {
    /// Whether there is a table.
    pub(crate) fn is_table(&self) -> bool {
        self.newest.is_some() || !self.foreign.is_empty()
    }
}

/// Looks for the metadata files of the table in this directory.
pub(crate) fn list(table_dir: &Path) -> Result<Listing> {
    let dir = metadata_dir(table_dir);
    let (own, foreign): (Vec<String>, Vec<String>) = file_names(&dir)?
        .into_iter()
        .filter(|name| SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
        .filter(|name| !name.starts_with('.'))
        .partition(|name| version_of(name).is_some());
    let versions: BTreeSet<u64> = own.iter().filter_map(|name| version_of(name)).collect();
    let hint = match (own.is_empty(), foreign.is_empty()) {
        (true, true) => None,
        _ => read_text_of_hint(&dir),
    };
    let hinted = hint.as_deref().and_then(|text| text.trim().parse().ok());
    let start = hinted.filter(|version| versions.contains(version));
    let newest = start.or(versions.last().copied());
    let newest = newest.map(|version| newest_from(&dir, version));
    let mut listing = Listing {
        newest: newest.and_then(|version| {
            version_path(&dir, version).map(|path| MetadataFile {
                version: Some(version),
                path,
            })
        }),
        foreign,
        odd_hint: hint.filter(|text| hinted.is_none() && !text.trim().is_empty()),
    };
    listing.foreign.sort_unstable();
    Ok(listing)
}

/// The version that a file of the layout's own is of.
fn version_of(name: &str) -> Option<u64> {
    let (version, suffix) = name.strip_prefix('v')?.split_once('.')?;
    let known = SUFFIXES
        .iter()
        .any(|known| known.strip_prefix('.') == Some(suffix));
    version.parse().ok().filter(|_| known)
}

/// Reads a metadata file, gzipped or not.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn read(path: &Path) -> Result<TableMetadata> {
    let location = path_text(path)?;
    let unreadable = |e| LakeError::io("read", path, e);
    let name = path.file_name().and_then(|name| name.to_str());
    if let Some(version) = name.and_then(version_of) {
        let bytes = icehost_untrusted::read(path, MOST_METADATA).map_err(unreadable)?;
        checksum::metadata::check(version, path, &bytes)?;
    } else {
        icehost_untrusted::check(path, MOST_METADATA).map_err(unreadable)?;
    }
    let io = FileIO::new_with_fs();
    tokio::runtime::Handle::current()
        .block_on(TableMetadata::read_from(&io, location))
        .map_err(|e| {
            LakeError::corrupt("table metadata", path, e).with_hint(
                "restore the file from a backup; the versions before it are in the same directory",
            )
        })
}

/// Publishes a version, unless it exists.
pub(crate) fn publish(
    table_dir: &Path,
    version: u64,
    metadata: &TableMetadata,
) -> Result<Publication> {
    let dir = metadata_dir(table_dir);
    create_dir_all(&dir)?;
    let content = checksum::metadata::sealed(version, metadata)?;
    let target = dir.join(format!("v{version}.metadata.json"));
    // A version may stand there compressed, under another name.
    if version_path(&dir, version).is_some() {
        return Ok(Publication::Conflict);
    }
    failpoint(failpoint::BEFORE_METADATA_LINK)?;
    let created = icehost_files::create(&target, &content, Kind::Shared).map_err(|e| {
        LakeError::io("publish", &target, e).with_hint(
            "the warehouse's file system must support hard links or a rename that does not replace",
        )
    })?;
    // A network file system may have done it and lost the answer; snapshot ids make content unique.
    match created || fs::read(&target).ok().as_deref() == Some(content.as_slice()) {
        true => Ok(Publication::Done(target)),
        false => Ok(Publication::Conflict),
    }
}

/// Makes a published version durable and points the hint at the newest version.
pub(crate) fn settle(table_dir: &Path, version: u64) -> Result<()> {
    let dir = metadata_dir(table_dir);
    sync_dir(&dir)?;
    failpoint(failpoint::AFTER_METADATA_LINK)?;
    point_hint(&dir, version)?;
    Ok(failpoint(failpoint::AFTER_HINT)?)
}

/// Points a hint that is behind at the newest version: a writer that ended between the two left it so, and
/// some readers look no further than the hint.
pub(crate) fn mend_hint(table_dir: &Path, version: u64) -> Result<()> {
    let dir = metadata_dir(table_dir);
    match read_hint(&dir) {
        Some(hinted) if hinted >= version => Ok(()),
        _ => point_hint(&dir, version),
    }
}

fn point_hint(dir: &Path, version: u64) -> Result<()> {
    // Two writers may rename their hints in the wrong order; whoever comes last looks again.
    let mut newest = newest_from(dir, version);
    loop {
        let hint = dir.join(HINT);
        icehost_files::replace(&hint, newest.to_string().as_bytes(), Kind::Shared)
            .map_err(|e| LakeError::io("replace", &hint, e))?;
        let now = newest_from(dir, newest);
        if now == newest {
            return Ok(());
        }
        newest = now;
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    icehost_files::sync_directory(dir).map_err(|e| LakeError::io("sync directory", dir, e))
}

/// Creates a directory with its parents, and syncs the directories that hold new ones.
pub(crate) fn create_dir_all(dir: &Path) -> Result<()> {
    icehost_files::create_directories(dir).map_err(|e| LakeError::io("create directory", dir, e))
}

/// The path as text, which Iceberg's metadata needs.
pub(crate) fn path_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        LakeError::new(
            LakeErrorKind::InvalidName,
            format!("the path {} is not valid Unicode", path.display()),
        )
        .with_hint("Iceberg records paths as text; choose another directory")
    })
}

pub(crate) fn metadata_dir(table_dir: &Path) -> PathBuf {
    table_dir.join("metadata")
}

fn read_hint(dir: &Path) -> Option<u64> {
    read_text_of_hint(dir)?.trim().parse().ok()
}

fn read_text_of_hint(dir: &Path) -> Option<String> {
    let bytes = icehost_untrusted::read(&dir.join(HINT), MOST_HINT).ok()?;
    String::from_utf8(bytes).ok()
}

fn version_path(dir: &Path, version: u64) -> Option<PathBuf> {
    SUFFIXES
        .iter()
        .map(|suffix| dir.join(format!("v{version}{suffix}")))
        .find(|path| path.is_file())
}

fn newest_from(dir: &Path, version: u64) -> u64 {
    let mut newest = version;
    while version_path(dir, newest + 1).is_some() {
        newest += 1;
    }
    newest
}

fn file_names(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) if e.kind() == std::io::ErrorKind::NotADirectory => return Ok(Vec::new()),
        Err(e) => return Err(LakeError::io("list", dir, e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| LakeError::io("list", dir, e))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

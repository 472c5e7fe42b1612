//! The versions of a table's metadata on bare files: the Hadoop table layout.
//!
//! `metadata/v{N}.metadata.json` holds version N (Iceberg table spec, "File System Tables"). A version is
//! published by moving a complete, synced file to a name that must not exist yet; so of two writers of one
//! version exactly one succeeds. `version-hint.text` only saves readers a directory listing: it may be
//! missing or behind, and is then repaired by looking for higher versions.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use iceberg::io::FileIO;
use iceberg::spec::TableMetadata;

use crate::checksum;
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::failpoint::failpoint;
use crate::left_over;

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
    if !dir.is_dir() {
        // The table, and the namespaces above it.
        dir.ancestors().try_for_each(check_link)?;
    }
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
    let staged = synced_temporary(&dir, &content)?;
    failpoint("lake::before-metadata-link")?;
    // A rename that never replaces, or a hard link where the file system has no such rename.
    if let Err(failed) = staged.persist_noclobber(&target) {
        if failed.error.kind() != std::io::ErrorKind::AlreadyExists {
            return Err(LakeError::io("publish", &target, failed.error).with_hint(
                "the warehouse's file system must support hard links or a rename that does not replace",
            ));
        }
        // A network file system may have done it and lost the answer; snapshot ids make content unique.
        if fs::read(&target).ok().as_deref() != Some(content.as_slice()) {
            return Ok(Publication::Conflict);
        }
    }
    Ok(Publication::Done(target))
}

/// Makes a published version durable and points the hint at the newest version.
pub(crate) fn settle(table_dir: &Path, version: u64) -> Result<()> {
    let dir = metadata_dir(table_dir);
    sync_dir(&dir)?;
    failpoint("lake::after-metadata-link")?;
    point_hint(&dir, version)?;
    failpoint("lake::after-hint")
}

/// Points a hint that is behind at the newest version: a writer that ended between the two left it so, and
/// some readers look no further than the hint.
pub(crate) fn mend_hint(table_dir: &Path, version: u64) -> Result<()> {
    let dir = metadata_dir(table_dir);
    left_over::remove(&dir);
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
        synced_temporary(dir, newest.to_string().as_bytes())?
            .persist(&hint)
            .map_err(|failed| LakeError::io("replace", &hint, failed.error))?;
        let now = newest_from(dir, newest);
        if now == newest {
            break;
        }
        newest = now;
    }
    sync_dir(dir)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|handle| handle.sync_all())
        .map_err(|e| LakeError::io("sync directory", dir, e))
}

/// Refuses a link that leads nowhere: what it names is a place that is away, a volume that is not mounted for example,
/// and no place for something new.
pub(crate) fn check_link(path: &Path) -> Result<()> {
    let is_link = path
        .symlink_metadata()
        .is_ok_and(|found| found.is_symlink());
    if !is_link || path.exists() {
        return Ok(());
    }
    let to = fs::read_link(path).unwrap_or_default();
    Err(LakeError::new(
        LakeErrorKind::Io,
        format!(
            "{} is a link to {}, which is not there",
            path.display(),
            to.display()
        ),
    )
    .with_hint("mount or bring back what it leads to; or remove the link, and a new table is made in its place"))
}

/// Creates a directory with its parents, and syncs the directories that hold new ones.
pub(crate) fn create_dir_all(dir: &Path) -> Result<()> {
    let missing: Vec<&Path> = dir.ancestors().take_while(|dir| !dir.is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing.iter().try_for_each(|dir| check_link(dir))?;
    fs::create_dir_all(dir).map_err(|e| LakeError::io("create directory", dir, e))?;
    for parent in missing.iter().rev().filter_map(|dir| dir.parent()) {
        sync_dir(parent)?;
    }
    Ok(())
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

fn synced_temporary(dir: &Path, content: &[u8]) -> Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(left_over::PREFIX).suffix(left_over::SUFFIX);
    // Temporary files are private by default; table files are everybody's, less the umask.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder
        .tempfile_in(dir)
        .map_err(|e| LakeError::io("create a temporary file in", dir, e))?;
    file.write_all(content)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|e| LakeError::io("write", file.path(), e))?;
    Ok(file)
}

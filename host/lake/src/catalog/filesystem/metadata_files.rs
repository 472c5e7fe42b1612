//! The versions of a table's metadata on bare files: the Hadoop table layout.
//!
//! `metadata/v{N}.metadata.json` holds version N (Iceberg table spec, "File System Tables"). A version is
//! published by moving a complete, synced file to a name that must not exist yet; so of two writers of one
//! version exactly one succeeds. `version-hint.text` only saves readers a directory listing: it may be
//! missing or behind, and is then repaired by looking for higher versions.

use std::collections::BTreeSet;

use bytes::Bytes;
use iceberg::spec::TableMetadata;
use icehost_files::blocking::wait;

use crate::catalog::TableVersion;
use crate::catalog::filesystem::state;
use crate::catalog::metadata_bytes::{self, MOST_METADATA};
use crate::checksum;
use crate::error::{LakeError, Result};
use crate::failpoint;
use crate::storage::{Storage, below, file_name, lost_answer};

/// The file that names the newest version, for readers that look no further.
pub(crate) const HINT: &str = "version-hint.text";

/// How names of metadata files end. Compressed metadata bears one of two names (Iceberg table spec, "Naming
/// for GZIP compressed Metadata JSON files").
const SUFFIXES: [&str; 3] = [".metadata.json", ".gz.metadata.json", ".metadata.json.gz"];

/// Most bytes of the hint, which is a number, or a name.
const MOST_HINT: u64 = 4 << 10;

/// What became of an attempt to publish a version.
#[derive(Debug)]
pub(crate) enum Publication {
    /// It is the table's state now, and is here.
    Done(String),
    /// Somebody else published that version first.
    Conflict,
    /// It is the table's state now, and is here, but may not outlive a power failure.
    Unsound(String, LakeError),
    /// Nobody knows whether it is there.
    Unknown(LakeError),
}

/// The metadata files of a table's directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The newest of the layout's own versions.
    pub(crate) newest: Option<TableVersion>,
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

    /// The state of a version that has this tag.
    pub(crate) fn state(&self, tag: &str) -> String {
        state(tag, &self.foreign.join("/"))
    }
}

/// Looks for the metadata files of the table in this directory.
pub(crate) fn list(storage: &dyn Storage, table_dir: &str) -> Result<Listing> {
    let dir = metadata_dir(table_dir);
    let found = wait(storage.list(&dir)).map_err(|e| LakeError::io("list", &dir, e))?;
    let (own, mut foreign): (Vec<String>, Vec<String>) = found
        .files
        .into_iter()
        .filter(|name| SUFFIXES.iter().any(|suffix| name.ends_with(suffix)))
        .filter(|name| !name.starts_with('.'))
        .partition(|name| version_of(name).is_some());
    foreign.sort_unstable();
    let versions: BTreeSet<u64> = own.iter().filter_map(|name| version_of(name)).collect();
    let hint = match (own.is_empty(), foreign.is_empty()) {
        (true, true) => None,
        _ => read_text_of_hint(storage, &dir),
    };
    let hinted = hint.as_deref().and_then(|text| text.trim().parse().ok());
    let start = hinted.filter(|version| versions.contains(version));
    let start = start.or(versions.last().copied());
    let newest = match start {
        None => None,
        Some(start) => version_path(storage, &dir, newest_from(storage, &dir, start)?)?,
    };
    let mut listing = Listing {
        newest: None,
        foreign,
        odd_hint: hint.filter(|text| hinted.is_none() && !text.trim().is_empty()),
    };
    listing.newest = newest.map(|(location, tag)| TableVersion {
        number: version_of(file_name(&location)),
        location,
        state: listing.state(&tag),
    });
    Ok(listing)
}

/// The version that a file of the layout's own is of.
pub(crate) fn version_of(name: &str) -> Option<u64> {
    let (version, suffix) = name.strip_prefix('v')?.split_once('.')?;
    let known = SUFFIXES
        .iter()
        .any(|known| known.strip_prefix('.') == Some(suffix));
    version.parse().ok().filter(|_| known)
}

/// The name of a version that is not compressed.
pub(crate) fn name_of(version: u64) -> String {
    format!("v{version}.metadata.json")
}

/// Reads a metadata file of at most so many bytes, gzipped or not. Gives its size, too.
///
/// Must run on a thread that may block, inside a Tokio runtime.
pub(crate) fn read(
    storage: &dyn Storage,
    location: &str,
    most: u64,
) -> Result<(TableMetadata, u64)> {
    let bytes = wait(storage.read(location, most.min(MOST_METADATA)))
        .map_err(|e| LakeError::io("read", location, e))?;
    if let Some(version) = version_of(file_name(location)) {
        checksum::metadata::check(version, location, &bytes)?;
    }
    let size = bytes.len() as u64;
    Ok((metadata_bytes::decode(location, bytes)?, size))
}

/// Publishes a version, unless it exists.
///
/// # Errors
/// Nothing is published.
pub(crate) fn publish(
    storage: &dyn Storage,
    table_dir: &str,
    version: u64,
    metadata: &TableMetadata,
) -> Result<Publication> {
    let dir = metadata_dir(table_dir);
    let content = Bytes::from(checksum::metadata::sealed(version, metadata)?);
    let target = below(&dir, &name_of(version));
    // A version may stand there compressed, under another name.
    if version_path(storage, &dir, version)?.is_some() {
        return Ok(Publication::Conflict);
    }
    failpoint(failpoint::BEFORE_METADATA_LINK)?;
    let created = wait(storage.create(&target, content.clone()));
    if matches!(created, Ok(true)) {
        return Ok(Publication::Done(target));
    }
    // It may have been done and the answer lost; snapshot ids make content unique.
    let there = wait(storage.read(&target, content.len() as u64));
    let is_ours = there.as_ref().is_ok_and(|there| *there == content);
    let error = match created {
        Ok(_) if is_ours => return Ok(Publication::Done(target)),
        Ok(_) => {
            return taken(storage, table_dir, version, target).map(|()| Publication::Conflict);
        }
        Err(error) => error,
    };
    let lost = lost_answer(&error);
    let told = LakeError::io("publish", &target, error).or_hint(
        "the warehouse's file system must support hard links or a rename that does not replace",
    );
    match there {
        Ok(_) if is_ours && lost => Ok(Publication::Done(target)),
        Ok(_) if is_ours => Ok(Publication::Unsound(target, told)),
        Ok(_) => Ok(Publication::Conflict),
        Err(_) if lost => Ok(Publication::Unknown(told)),
        // What cannot be read may be there all the same: whoever takes it for missing removes the files of a snapshot.
        Err(_) => match wait(storage.stat(&target)) {
            Ok(None) => Err(told),
            Ok(Some(_)) | Err(_) => Ok(Publication::Unknown(told)),
        },
    }
}

/// Whether the name of a version is taken by a file, which is then another writer's version. A link that leads nowhere
/// or a directory is no version, and stays: trying again would not end.
fn taken(storage: &dyn Storage, table_dir: &str, version: u64, target: String) -> Result<()> {
    let why = match wait(storage.stat(&target)) {
        Ok(Some(_)) => return Ok(()),
        // It was, and others have gone so far beyond it meanwhile that it was removed.
        Ok(None)
            if list(storage, table_dir)?
                .newest
                .is_some_and(|n| n.number > Some(version)) =>
        {
            return Ok(());
        }
        Ok(None) => std::io::Error::other("what stands there is no file that can be read"),
        Err(error) => error,
    };
    Err(LakeError::io("publish", &target, why).or_hint(
        "see what stands there, a directory or a link whose file is away, and move it to another place",
    ))
}

/// Points the hint at a version that was published.
pub(crate) fn settle(storage: &dyn Storage, table_dir: &str, version: u64) -> Result<()> {
    failpoint(failpoint::AFTER_METADATA_LINK)?;
    point_hint(storage, &metadata_dir(table_dir), version)?;
    Ok(failpoint(failpoint::AFTER_HINT)?)
}

/// Points a hint that is behind at the newest version: a writer that ended between the two left it so, and
/// some readers look no further than the hint.
pub(crate) fn mend_hint(storage: &dyn Storage, table_dir: &str, version: u64) -> Result<()> {
    let dir = metadata_dir(table_dir);
    storage.tidy(&dir);
    let hinted = read_text_of_hint(storage, &dir).and_then(|text| text.trim().parse().ok());
    match hinted {
        Some(hinted) if version <= hinted => Ok(()),
        _ => point_hint(storage, &dir, version),
    }
}

fn point_hint(storage: &dyn Storage, dir: &str, version: u64) -> Result<()> {
    // Two writers may replace the hint in the wrong order; whoever comes last looks again.
    let mut newest = newest_from(storage, dir, version)?;
    loop {
        let hint = below(dir, HINT);
        let content = Bytes::from(newest.to_string());
        wait(storage.write(vec![(hint.clone(), content)]))
            .map_err(|e| LakeError::io("replace", &hint, e))?;
        let now = newest_from(storage, dir, newest)?;
        if now == newest {
            return Ok(());
        }
        newest = now;
    }
}

pub(crate) fn metadata_dir(table_dir: &str) -> String {
    below(table_dir, "metadata")
}

fn read_text_of_hint(storage: &dyn Storage, dir: &str) -> Option<String> {
    let bytes = wait(storage.read(&below(dir, HINT), MOST_HINT)).ok()?;
    String::from_utf8(bytes.into()).ok()
}

fn version_path(
    storage: &dyn Storage,
    dir: &str,
    version: u64,
) -> Result<Option<(String, String)>> {
    for suffix in SUFFIXES {
        let location = below(dir, &format!("v{version}{suffix}"));
        let found = wait(storage.stat(&location));
        if let Some(found) = found.map_err(|e| LakeError::io("look for", &location, e))? {
            return Ok(Some((location, found.tag)));
        }
    }
    Ok(None)
}

fn newest_from(storage: &dyn Storage, dir: &str, version: u64) -> Result<u64> {
    let mut newest = version;
    while version_path(storage, dir, newest + 1)?.is_some() {
        newest += 1;
    }
    Ok(newest)
}

//! Versions of the metadata that a table no longer remembers.
//!
//! The metadata log names at most so many earlier versions (`write.metadata.previous-versions-max`, 100 unless the
//! table says otherwise), which the library sees to. Where `write.metadata.delete-after-commit.enabled` says so, a
//! version that leaves the log is removed with the commit that has it leave, as Iceberg's Java library does.
//!
//! The oldest goes first, so that as long as a version is there, none behind it was removed. A writer that has built
//! on a version, and finds after its own is published that it is no longer there, has taken a number again that was
//! given away before (`metadata_files::publish`).

use std::collections::HashSet;

use iceberg::spec::TableMetadata;
use icehost_files::blocking::wait;

use crate::catalog::filesystem::metadata_files::{metadata_dir, version_of};
use crate::error::Result;
use crate::storage::{Storage, below, file_name};
use crate::table_property::flag;

const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

/// The versions that the log of one version names and that of the next does not, where they are to be removed: their
/// numbers with their names, the oldest first. Only files of the layout's own in the table's own directory are: what
/// else a log may name is not this catalog's.
///
/// # Errors
/// The table's property is neither true nor false.
pub(crate) fn leaving(
    table: &str,
    directory: &str,
    storage: &dyn Storage,
    (before, after): (&TableMetadata, &TableMetadata),
) -> Result<Vec<(u64, String)>> {
    if !flag(after, table, DELETE_AFTER_COMMIT, false)? {
        return Ok(Vec::new());
    }
    let after = after.metadata_log().iter();
    let after: HashSet<&str> = after.map(|entry| entry.metadata_file.as_str()).collect();
    let here = metadata_dir(directory);
    let mut leaving: Vec<(u64, String)> = before
        .metadata_log()
        .iter()
        .map(|entry| entry.metadata_file.as_str())
        .filter(|file| !after.contains(file))
        .filter_map(|file| {
            let name = file_name(file);
            let own = storage.resolve(file)? == below(&here, name);
            Some((version_of(name).filter(|_| own)?, name.to_owned()))
        })
        .collect();
    leaving.sort_unstable();
    leaving.dedup();
    Ok(leaving)
}

/// Removes versions. What cannot be removed stays, with all that are newer: the commit is made.
pub(crate) fn remove(storage: &dyn Storage, directory: &str, versions: &[(u64, String)]) {
    let here = metadata_dir(directory);
    for (_, name) in versions {
        // Hadoop's local file system keeps a checksum beside each file.
        for file in [below(&here, name), below(&here, &format!(".{name}.crc"))] {
            if let Err(error) = wait(storage.delete(&file)) {
                tracing::warn!(%file, %error, "an old version of the metadata could not be removed");
                return;
            }
        }
    }
}

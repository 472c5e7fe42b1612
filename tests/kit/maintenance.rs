//! What other engines do to a lake table between two runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::python_script;

/// Carries out steps of `tests/readers/maintain.py` on the table in a directory: `compact`, `expire`,
/// `rollback=ID`, …
pub fn maintain(table: &Path, steps: &[&str]) {
    let arguments = std::iter::once(table.display().to_string());
    let arguments = arguments.chain(steps.iter().map(|&step| step.to_owned()));
    python_script("readers/maintain.py", &arguments.collect::<Vec<_>>());
}

/// The table's newest version: its number and its file.
pub fn newest_version(table: &Path) -> (u64, PathBuf) {
    let dir = table.join("metadata");
    let versions = fs::read_dir(&dir).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name()?.to_str()?;
        let version = name.strip_prefix('v')?.strip_suffix(".metadata.json")?;
        Some((version.parse().ok()?, path))
    });
    versions.max().expect("a version of the table")
}

/// Changes the table's newest metadata in its place.
pub fn edit_metadata(table: &Path, edit: impl FnOnce(&mut Value)) {
    let (_, path) = newest_version(table);
    let mut metadata: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // Whoever edits in place takes out the checksum, as icehost's hint says.
    if let Some(properties) = metadata["properties"].as_object_mut() {
        properties.remove("icehost.metadata-crc32");
    }
    edit(&mut metadata);
    fs::write(&path, serde_json::to_vec(&metadata).unwrap()).unwrap();
}

/// Removes every version but the newest, as engines do that keep none.
pub fn forget_older_versions(table: &Path) {
    let (newest, _) = newest_version(table);
    for version in 1..newest {
        let _ = fs::remove_file(table.join(format!("metadata/v{version}.metadata.json")));
    }
}

/// Expires all snapshots but the current one as Java does: its parent's id stays.
pub fn expire_keeping_parents(table: &Path) {
    edit_metadata(table, |metadata| {
        let current = metadata["current-snapshot-id"].clone();
        for list in ["snapshots", "snapshot-log"] {
            let entries = metadata[list].as_array_mut().unwrap();
            entries.retain(|entry| entry["snapshot-id"] == current);
        }
    });
}

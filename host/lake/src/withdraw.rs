//! Taking back a table that has never held anything.

use std::fs;
use std::io::ErrorKind;

use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::metadata_files::{self, metadata_dir, sync_dir};
use crate::table::LakeTable;

impl LakeTable {
    /// Removes a table that has no snapshot, so that one with other columns can be created under its name.
    /// A crash on the way leaves the table as it was, or none.
    ///
    /// # Errors
    /// [`LakeErrorKind::Unsupported`] for a table that has a snapshot, and one that another catalog keeps.
    pub async fn withdraw(self) -> Result<()> {
        blocking(move || withdraw(&self)).await
    }
}

fn withdraw(table: &LakeTable) -> Result<()> {
    let Some(version) = table.version() else {
        return Err(refusal(table, "another catalog keeps it"));
    };
    let current = metadata_files::list(&table.dir)?;
    if current.newest != table.file || table.metadata.snapshots().len() > 0 {
        return Err(refusal(table, "it has been written to"));
    }
    // Readers follow the versions upwards: the oldest goes last.
    let dir = metadata_dir(&table.dir);
    let versions = (1..=version).rev();
    let names = versions.map(|version| format!("v{version}.metadata.json"));
    for name in std::iter::once(metadata_files::HINT.to_owned()).chain(names) {
        let path = dir.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(LakeError::io("remove", &path, e));
            }
            _ => {}
        }
    }
    sync_dir(&dir)
}

fn refusal(table: &LakeTable, why: &str) -> LakeError {
    LakeError::new(
        LakeErrorKind::Unsupported,
        format!("lake table {} cannot be withdrawn: {why}", table.display),
    )
}

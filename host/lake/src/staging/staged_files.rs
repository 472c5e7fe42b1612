//! Files that no snapshot refers to yet, and their removal when none ever will.

use std::collections::HashSet;
use std::sync::Arc;

use iceberg::spec::DataFile;

use crate::storage::{Storage, below};
use crate::table::LakeTable;

/// Removes its files when it is dropped, unless they were kept.
#[derive(Debug)]
pub(crate) struct StagedFiles {
    storage: Arc<dyn Storage>,
    table: Arc<str>,
    table_exists: bool,
    locations: Vec<String>,
}

/// Where a table's data and delete files go.
pub(crate) fn data_dir(table: &LakeTable) -> String {
    below(&table.location, "data")
}

/// Where a table's manifests go.
pub(crate) fn metadata_dir(table: &LakeTable) -> String {
    below(&table.location, "metadata")
}

impl StagedFiles {
    pub(crate) fn new(table: &LakeTable) -> Self {
        StagedFiles {
            storage: Arc::clone(&table.storage),
            table: Arc::clone(&table.location),
            table_exists: table.exists(),
            locations: Vec::new(),
        }
    }

    /// Takes charge of a file that is about to be created.
    pub(crate) fn add(&mut self, location: String) {
        self.locations.push(location);
    }

    /// The files belong to the table now, or may.
    pub(crate) fn keep(&mut self) {
        self.locations.clear();
    }

    /// These files belong to the table now; the others are removed.
    pub(crate) fn keep_only(&mut self, files: &[DataFile]) {
        let kept: HashSet<&str> = files.iter().map(DataFile::file_path).collect();
        self.locations
            .retain(|location| !kept.contains(location.as_str()));
        self.table_exists = true;
        self.remove();
    }

    /// Removes the files now.
    pub(crate) fn remove(&mut self) {
        if self.locations.is_empty() {
            return;
        }
        let files = std::mem::take(&mut self.locations);
        // A table that never came into being leaves no directories either; those in use stay.
        let directories = match self.table_exists {
            true => Vec::new(),
            false => self.directories(),
        };
        self.storage.discard(&files, &directories);
    }

    /// The table's directories, and that of its namespace.
    fn directories(&self) -> Vec<String> {
        let inner = ["data", "metadata"].map(|part| below(&self.table, part));
        let outer = self.table.rsplit_once('/').map(|(outer, _)| outer);
        let outer = [Some(&*self.table), outer];
        inner
            .into_iter()
            .chain(outer.into_iter().flatten().map(str::to_owned))
            .collect()
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        self.remove();
    }
}

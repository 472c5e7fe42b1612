//! Files that no snapshot refers to yet, and their removal when none ever will.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use iceberg::spec::DataFile;

/// Removes its files when it is dropped, unless they were kept.
#[derive(Debug)]
pub(crate) struct StagedFiles {
    table_dir: PathBuf,
    table_exists: bool,
    paths: Vec<PathBuf>,
}

impl StagedFiles {
    pub(crate) fn new(table_dir: &Path, table_exists: bool) -> Self {
        StagedFiles {
            table_dir: table_dir.to_owned(),
            table_exists,
            paths: Vec::new(),
        }
    }

    /// Takes charge of a file that is about to be created.
    pub(crate) fn add(&mut self, path: PathBuf) {
        self.paths.push(path);
    }

    /// The files belong to the table now.
    pub(crate) fn keep(&mut self) {
        self.paths.clear();
    }

    /// These files belong to the table now; the others are removed.
    pub(crate) fn keep_only(&mut self, files: &[DataFile]) {
        let kept: HashSet<&Path> = files.iter().map(|f| Path::new(f.file_path())).collect();
        self.paths.retain(|path| !kept.contains(path.as_path()));
        self.table_exists = true;
        self.remove();
    }

    /// Removes the files now.
    pub(crate) fn remove(&mut self) {
        if self.paths.is_empty() {
            return;
        }
        for path in self.paths.drain(..) {
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => {
                    tracing::warn!(file = %path.display(), error = %e, "cannot remove a staged file");
                }
            }
        }
        // A table that never came into being leaves no directories either; those in use stay.
        if !self.table_exists {
            let inner = ["data", "metadata"].map(|part| self.table_dir.join(part));
            let outer = self.table_dir.ancestors().take(2).map(Path::to_owned);
            for dir in inner.into_iter().chain(outer) {
                let _in_use = std::fs::remove_dir(dir);
            }
        }
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        self.remove();
    }
}

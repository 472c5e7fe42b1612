//! Directories that outlive a power failure.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes the names in a directory durable.
///
/// # Errors
/// A directory that is not there, or that cannot be synced.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    Opened::new(directory)?.sync()
}

/// A directory that is open to be synced: what can keep it from being opened, too many open files above all, then does
/// so before a name in it has changed.
pub(crate) struct Opened(File);

impl Opened {
    /// Opens it.
    pub(crate) fn new(directory: &Path) -> io::Result<Opened> {
        File::open(directory).map(Opened)
    }

    /// Makes its names durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Creates a directory with its parents, and syncs the directories that hold new ones.
///
/// # Errors
/// Something else that is in the way; a directory that cannot be written to.
pub fn create_directories(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|directory| !directory.as_os_str().is_empty() && !directory.is_dir())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    for parent in missing.iter().rev().filter_map(|made| made.parent()) {
        match parent.as_os_str().is_empty() {
            true => sync_directory(Path::new("."))?,
            false => sync_directory(parent)?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_where_they_are_missing() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        create_directories(&deep).unwrap();
        create_directories(&deep).unwrap();
        assert!(deep.is_dir());
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(create_directories(&file).is_err());
        assert!(create_directories(&file.join("below")).is_err());
    }
}

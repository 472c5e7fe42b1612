//! What writers that were killed have left in a directory.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::atomic::{PREFIX, SUFFIX};

/// From this age on a temporary file is nobody's: it is written, synced and renamed at once, and a clock may be wrong
/// by hours.
const AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes temporary files that nobody will rename any more. They do no harm but take room, so none that cannot be
/// removed is an error.
pub fn remove_left_over(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let is_old = || {
            let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some(found.modified().ok()?.elapsed().ok()? > AGE)
        };
        if is_ours && is_old() == Some(true) {
            let _in_use = fs::remove_file(entry.path());
        }
    }
}

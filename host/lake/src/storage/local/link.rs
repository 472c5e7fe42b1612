//! Links that lead nowhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A link names a place that is away, a volume that is not mounted for example. That is no place for something new.
#[derive(Debug, thiserror::Error)]
#[error("{} is a link to {}, which is not there", link.display(), to.display())]
pub(crate) struct LeadsNowhere {
    link: PathBuf,
    to: PathBuf,
}

impl LeadsNowhere {
    /// What to do about it.
    pub(crate) const HINT: &str = "mount or bring back what it leads to; or remove the link, and a new table is made in its \
                                   place";

    /// Whether that is why a file could not be reached.
    pub(crate) fn is_why(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

/// Refuses a path where it, or something above it, is such a link.
pub(super) fn check(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    for link in path.ancestors() {
        let is_link = link.symlink_metadata().is_ok_and(|l| l.is_symlink());
        if is_link && !link.exists() {
            return Err(io::Error::other(LeadsNowhere {
                link: link.to_owned(),
                to: fs::read_link(link).unwrap_or_default(),
            }));
        }
    }
    Ok(())
}

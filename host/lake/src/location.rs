//! From the locations that Iceberg metadata records to paths on this machine.

use std::path::{Path, PathBuf};

use crate::error::{LakeError, Result};

/// The path behind a recorded location; `None` for one that is on no local file system.
pub(crate) fn local_path(location: &str) -> Option<PathBuf> {
    let rest = match location.strip_prefix("file:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if has_scheme(location) => return None,
        None => location,
    };
    Some(PathBuf::from(rest))
}

fn has_scheme(location: &str) -> bool {
    location.split_once("://").is_some_and(|(scheme, _)| {
        scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+')
    })
}

/// Finds the files of one table, also after its directory was moved or copied.
#[derive(Debug, Clone)]
pub(crate) struct Locator {
    /// Where the metadata says that the table is.
    recorded: Option<PathBuf>,
    /// Where it is.
    actual: PathBuf,
}

impl Locator {
    pub(crate) fn new(recorded: &str, actual: &Path) -> Self {
        Locator {
            recorded: local_path(recorded),
            actual: actual.to_owned(),
        }
    }

    /// The file at a recorded location.
    pub(crate) fn find(&self, location: &str) -> Result<PathBuf> {
        let Some(path) = local_path(location) else {
            return Err(LakeError::unsupported(format!(
                "the file {location} is not on a local file system"
            ))
            .with_hint("icehost reads tables on local or mounted file systems"));
        };
        // A table that was copied still names the original's files; its own come first.
        let moved = self
            .recorded
            .as_deref()
            .filter(|recorded| *recorded != self.actual)
            .and_then(|recorded| path.strip_prefix(recorded).ok())
            .map(|inside| self.actual.join(inside))
            .filter(|candidate| candidate.exists());
        Ok(moved.unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn file_urls_and_plain_paths_are_local() {
        assert_eq!(local_path("/a/b"), Some("/a/b".into()));
        assert_eq!(local_path("file:///a/b"), Some("/a/b".into()));
        assert_eq!(local_path("file:/a/b c"), Some("/a/b c".into()));
        assert_eq!(local_path("s3://bucket/a"), None);
    }

    #[test]
    fn a_copied_table_reads_its_own_files() {
        let here = tempfile::tempdir().unwrap();
        std::fs::create_dir(here.path().join("data")).unwrap();
        std::fs::write(here.path().join("data/1.parquet"), b"x").unwrap();
        let locator = Locator::new("file:///old/place", here.path());
        let own = locator.find("file:///old/place/data/1.parquet").unwrap();
        assert_eq!(own, here.path().join("data/1.parquet"));
        let missing = locator.find("/old/place/data/2.parquet").unwrap();
        assert_eq!(missing, Path::new("/old/place/data/2.parquet"));
        assert!(locator.find("s3://bucket/data/1.parquet").is_err());
    }
}

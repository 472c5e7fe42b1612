//! From the locations that Iceberg metadata records to those of the table's storage.

use std::sync::Arc;

use icehost_files::blocking::wait;

use crate::error::{LakeError, Result};
use crate::storage::{Storage, below};

/// Finds the files of one table, also after its directory was moved or copied.
#[derive(Debug, Clone)]
pub(crate) struct Locator {
    storage: Arc<dyn Storage>,
    /// Where the metadata says that the table is.
    recorded: Option<String>,
    /// Where it is.
    actual: Arc<str>,
}

impl Locator {
    pub(crate) fn new(storage: &Arc<dyn Storage>, recorded: &str, actual: &Arc<str>) -> Self {
        Locator {
            storage: Arc::clone(storage),
            recorded: storage.resolve(recorded),
            actual: Arc::clone(actual),
        }
    }

    /// The file at a recorded location.
    ///
    /// Must run on a thread that may block, inside a Tokio runtime.
    pub(crate) fn find(&self, location: &str) -> Result<String> {
        let Some(path) = self.storage.resolve(location) else {
            return Err(LakeError::unsupported(format!(
                "the file {location} is not on a local file system"
            ))
            .with_hint("icehost reads tables on local or mounted file systems"));
        };
        // A table that was copied still names the original's files; its own come first.
        if let Some(own) = self.moved(&path)
            && let Ok(Some(_)) = wait(self.storage.size(&own))
        {
            return Ok(own);
        }
        Ok(path)
    }

    /// Where a file would be that has moved with its table.
    fn moved(&self, path: &str) -> Option<String> {
        let recorded = self.recorded.as_deref()?.trim_end_matches('/');
        if *recorded == *self.actual {
            return None;
        }
        let inside = path.strip_prefix(recorded)?.strip_prefix('/')?;
        Some(below(&self.actual, inside))
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::storage::LocalStorage;

    #[tokio::test]
    async fn a_copied_table_reads_its_own_files() {
        let here = tempfile::tempdir().unwrap();
        std::fs::create_dir(here.path().join("data")).unwrap();
        std::fs::write(here.path().join("data/1.parquet"), b"x").unwrap();
        let directory = here.path().to_str().unwrap().to_owned();
        let found = icehost_files::blocking::spawn(move || {
            let storage: Arc<dyn Storage> = Arc::new(LocalStorage);
            let locator = Locator::new(&storage, "file:///old/place", &directory.into());
            [
                "file:///old/place/data/1.parquet",
                "/old/place/data/2.parquet",
                "/old/places/data/1.parquet",
                "s3://bucket/data/1.parquet",
            ]
            .map(|recorded| locator.find(recorded))
        });
        let [own, missing, elsewhere, remote] = found.await.unwrap();
        assert_eq!(
            own.unwrap(),
            format!("{}/data/1.parquet", here.path().display())
        );
        assert_eq!(missing.unwrap(), "/old/place/data/2.parquet");
        assert_eq!(elsewhere.unwrap(), "/old/places/data/1.parquet");
        assert!(remote.is_err());
    }
}

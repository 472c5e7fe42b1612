//! A small file beside a table, for what must outlive a run and is no part of the table.
//!
//! It lies in the table's metadata directory under a name that no Iceberg reader looks for, and goes where the
//! table goes: on files, and on an object store. It is replaced as a whole, so that a crash leaves the state
//! before or after, and whoever works with it holds a lease, which is gone when its holder is dead.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{LakeError, Result};
use crate::storage::{Lease, Storage, below};
use crate::table::LakeTable;

/// A small file beside a table, which need not be there.
#[derive(Debug, Clone)]
pub struct Sidecar {
    storage: Arc<dyn Storage>,
    location: String,
    lease: String,
}

/// A small file beside a table that nobody else works with.
#[derive(Debug)]
pub struct ClaimedSidecar {
    file: Sidecar,
    _lease: Box<dyn Lease>,
}

impl LakeTable {
    /// The file beside this table that is called `NAME.json`.
    ///
    /// # Errors
    /// [`crate::LakeErrorKind::Internal`] for a name that others may use: letters, digits and dashes are ours.
    pub fn sidecar(&self, name: &str) -> Result<Sidecar> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.starts_with("icehost-") || !name.chars().all(plain) {
            return Err(LakeError::internal(format!(
                "'{name}' is no name for a file beside a table"
            )));
        }
        let directory = below(&self.location, "metadata");
        Ok(Sidecar {
            storage: Arc::clone(&self.storage),
            location: below(&directory, &format!("{name}.json")),
            lease: below(&directory, &format!("{name}.lock")),
        })
    }
}

impl Sidecar {
    /// Where it is, for messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Whether the file is there.
    ///
    /// # Errors
    /// A storage that cannot be asked.
    pub async fn is_present(&self) -> Result<bool> {
        let size = self.storage.size(&self.location).await;
        let size = size.map_err(|e| LakeError::io("look for", &self.location, e))?;
        Ok(size.is_some())
    }

    /// Takes the lease, until the value is dropped; `None` where somebody else holds it.
    ///
    /// # Errors
    /// A storage without leases.
    pub async fn claim(&self) -> Result<Option<ClaimedSidecar>> {
        let lease = self.storage.lease(&self.lease).await;
        let lease = lease.map_err(|e| LakeError::io("lock", &self.lease, e))?;
        Ok(lease.map(|lease| ClaimedSidecar {
            file: self.clone(),
            _lease: lease,
        }))
    }
}

impl ClaimedSidecar {
    /// Where it is, for messages.
    pub fn location(&self) -> &str {
        &self.file.location
    }

    /// What is in the file, of at most so many bytes; `None` where it is not there.
    ///
    /// # Errors
    /// A file that is larger, or that cannot be read.
    pub async fn read(&self, most: u64) -> Result<Option<Bytes>> {
        match self.file.storage.read(self.location(), most).await {
            Ok(content) => Ok(Some(content)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(LakeError::io("read", self.location(), e)),
        }
    }

    /// Replaces the file; it is durable then.
    ///
    /// # Errors
    /// A storage that cannot be written to. The old file is still there then.
    pub async fn write(&self, content: impl Into<Bytes>) -> Result<()> {
        let file = (self.location().to_owned(), content.into());
        let written = self.file.storage.write(vec![file]).await;
        written.map_err(|e| LakeError::io("write", self.location(), e))
    }

    /// Removes the file; it may be gone already.
    ///
    /// # Errors
    /// A storage that cannot be written to.
    pub async fn remove(&self) -> Result<()> {
        let removed = self.file.storage.delete(self.location()).await;
        removed.map_err(|e| LakeError::io("remove", self.location(), e))
    }
}

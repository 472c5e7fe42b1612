//! Taking back a table that has never held anything.

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::table::LakeTable;

impl LakeTable {
    /// Removes a table that has no snapshot, so that one with other columns can be created under its name.
    /// A crash on the way leaves the table as it was, or none.
    ///
    /// # Errors
    /// [`LakeErrorKind::Unsupported`] for a table that has a snapshot, and one that another catalog keeps.
    pub async fn withdraw(self) -> Result<()> {
        let refusal = |why: &str| {
            Err(LakeError::new(
                LakeErrorKind::Unsupported,
                format!("lake table {} cannot be withdrawn: {why}", self.display),
            ))
        };
        let Some(version) = &self.version else {
            return Ok(());
        };
        if self.kept_by_another {
            return refusal("another catalog keeps it");
        }
        let is_blank = self.metadata.snapshots().len() == 0;
        if is_blank && self.catalog.drop_table(&self.name, version).await? {
            return Ok(());
        }
        refusal("it has been written to")
    }
}

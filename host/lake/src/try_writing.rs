//! Whether a run could write a table, found out by trying: nothing of it stays.

use crate::error::{LakeError, LakeErrorKind, Result};
use crate::storage::{Unwritable, below};
use crate::table::LakeTable;

impl LakeTable {
    /// Tries whether files could be put where a run would write the table's.
    ///
    /// # Errors
    /// [`LakeErrorKind::Io`] where that fails; [`LakeErrorKind::InvalidName`] where something else stands in the place of
    /// a directory. Either names the place.
    pub async fn try_writing(&self) -> Result<()> {
        for part in ["metadata", "data"] {
            let directory = below(&self.location, part);
            let tried = self.storage.try_writing(&directory).await;
            tried.map_err(|unwritable| told(&self.display, unwritable))?;
        }
        Ok(())
    }
}

fn told(table: &str, Unwritable { place, error }: Unwritable) -> LakeError {
    let Some(error) = error else {
        let message = format!("cannot write to lake table {table}: {place} is no directory");
        return LakeError::new(LakeErrorKind::InvalidName, message)
            .with_hint("move away what is there, or give another warehouse or lake table");
    };
    let error = LakeError::io("write to", &place, error);
    match error.hint() {
        Some(_) => error,
        None => error.with_hint("give a warehouse in a directory that files can be made in"),
    }
}

//! A property of the table, in a version of its metadata that has no snapshot of its own.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::TableUpdate;

use crate::commit::{
    Guard, MAX_ATTEMPTS, SHORTEST_PAUSE, catch_up, dating, jittered, new_metadata,
};
use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::metadata_files::{self, Publication};
use crate::table::LakeTable;

impl LakeTable {
    /// Sets a property on top of the table's newest state, as long as the guard lets it. The table's rows and
    /// snapshots stay as they are. This machine's clock must agree with another one.
    ///
    /// # Errors
    /// The guard's; [`LakeErrorKind::Conflict`] where other writers are faster again and again. Nothing is changed.
    pub async fn set_property(&self, name: &str, value: &str, guard: Guard) -> Result<()> {
        let updates: HashMap<String, String> = [(name.to_owned(), value.to_owned())].into();
        let (mut base, guard) = (self.clone(), Arc::new(guard));
        for _ in 0..MAX_ATTEMPTS {
            let (updates, guard) = (updates.clone(), Arc::clone(&guard));
            let done;
            (base, done) = blocking(move || {
                catch_up(&mut base)?;
                base.check_writable()?;
                guard(&base)?;
                dating::set_right(&mut base)?;
                let set = vec![TableUpdate::SetProperties { updates }];
                let metadata = new_metadata::apply(&base, set)?;
                let version = base.version().unwrap_or(0) + 1;
                let done = match metadata_files::publish(&base.dir, version, &metadata)? {
                    Publication::Done(_) => {
                        metadata_files::settle(&base.dir, version)?;
                        true
                    }
                    Publication::Conflict => false,
                };
                Ok((base, done))
            })
            .await?;
            if done {
                return Ok(());
            }
            tokio::time::sleep(jittered(SHORTEST_PAUSE)).await;
        }
        Err(LakeError::new(
            LakeErrorKind::Conflict,
            format!(
                "other writers were faster {MAX_ATTEMPTS} times in committing to lake table {}",
                self.display
            ),
        )
        .with_hint("run again when fewer writers are at work"))
    }
}

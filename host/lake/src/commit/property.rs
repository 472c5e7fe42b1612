//! A property of the table, in a version of its metadata that has no snapshot of its own.

use std::collections::HashMap;
use std::sync::Arc;

use iceberg::TableUpdate;
use icehost_files::blocking::wait;

use crate::catalog::{Outcome, TableCommit};
use crate::commit::{
    Guard, MAX_ATTEMPTS, SHORTEST_PAUSE, catch_up, dating, jittered, new_metadata, stands_although,
    too_many_writers,
};
use crate::error::{Result, blocking};
use crate::table::LakeTable;

impl LakeTable {
    /// Sets a property on top of the table's newest state, as long as the guard lets it. The table's rows and
    /// snapshots stay as they are. This machine's clock must agree with another one.
    ///
    /// # Errors
    /// The guard's; [`crate::LakeErrorKind::Conflict`] where other writers are faster again and again, and nothing is
    /// changed.
    pub async fn set_property(&self, name: &str, value: &str, guard: Guard) -> Result<()> {
        let updates: HashMap<String, String> = [(name.to_owned(), value.to_owned())].into();
        let (mut base, guard) = (self.clone(), Arc::new(guard));
        // The answer to an attempt was lost, which may have been made.
        let mut lost = false;
        for _ in 0..MAX_ATTEMPTS {
            let (updates, guard) = (updates.clone(), Arc::clone(&guard));
            let done;
            (base, done, lost) = blocking(move || {
                catch_up(&mut base)?;
                let is_set = |(name, value)| base.metadata.properties().get(name) == Some(value);
                if lost && updates.iter().all(is_set) {
                    return Ok((base, true, lost));
                }
                base.check_writable()?;
                guard(&base)?;
                dating::set_right(&mut base)?;
                let commit = TableCommit {
                    requirements: new_metadata::requirements(&base),
                    updates: vec![TableUpdate::SetProperties { updates }],
                    ..base.commit_of_nothing()
                };
                match wait(base.catalog.commit(&base.name, commit))? {
                    Outcome::Done(_) => Ok((base, true, lost)),
                    Outcome::Conflict => Ok((base, false, lost)),
                    Outcome::Unsound(table, error) => {
                        tracing::warn!("{}", stands_although(&base.at(*table), &error));
                        Ok((base, true, lost))
                    }
                    Outcome::Unknown(_) => Ok((base, false, true)),
                }
            })
            .await?;
            if done {
                return Ok(());
            }
            tokio::time::sleep(jittered(SHORTEST_PAUSE)).await;
        }
        Err(too_many_writers(self))
    }
}

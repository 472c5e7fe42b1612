//! Where the files of tables are kept.
//!
//! A [`Storage`] is a local file system or an object store. It knows files by their locations, as texts, and
//! nothing of tables. What waits is asynchronous; what computes on a file piece by piece, as the Parquet reader
//! and writer do, has a [`StoredFile`] or a [`FileWriter`] and a thread that may block.
//!
//! Errors are [`io::Error`]s, whose kinds callers tell apart; whoever calls says what was tried on which file.

pub(crate) mod local;

use std::fmt;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

pub use local::LocalStorage;

/// Files by their locations.
///
/// Whoever implements it runs the suite in `icehost_lake::kit::storage_contract`, which says the same in code.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync {
    /// The location as this storage spells it, from one that metadata records; `None` for those of other
    /// storages.
    fn resolve(&self, recorded: &str) -> Option<String>;

    /// A name for where a location is that no other place has, and that its other spellings share; `None` where
    /// nothing is there. Found without waiting.
    fn place(&self, location: &str) -> Option<String>;

    /// The content of a file of at most so many bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; [`io::ErrorKind::InvalidInput`] for what is larger or no file.
    async fn read(&self, location: &str, most: u64) -> io::Result<Bytes>;

    /// What is known of a file without reading it; `None` where no file is there.
    async fn stat(&self, location: &str) -> io::Result<Option<Stat>>;

    /// The size of a file, in bytes; `None` where no file is there.
    async fn size(&self, location: &str) -> io::Result<Option<u64>> {
        Ok(self.stat(location).await?.map(|found| found.size))
    }

    /// Opens a file to be read in ranges.
    ///
    /// # Errors
    /// As [`Storage::read`].
    async fn open(&self, location: &str) -> io::Result<Box<dyn StoredFile>>;

    /// Begins a file, which nothing may be at the place of; where the storage has directories, they are made.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], here or when the file is finished.
    async fn writer(&self, location: &str) -> io::Result<Box<dyn FileWriter>>;

    /// Writes files, each as a whole: a crash leaves the old file or the new one. All are durable when it
    /// returns, and may be written at the same time.
    async fn write(&self, files: Vec<(String, Bytes)>) -> io::Result<()>;

    /// Creates a file as a whole, unless one is there. Of several that try at once one succeeds. Gives whether
    /// this one did; the file is durable then.
    ///
    /// # Errors
    /// Whether the file is there is not known after an error that [`lost_answer`] tells of.
    async fn create(&self, location: &str, content: Bytes) -> io::Result<bool>;

    /// Removes a file; it may be gone already.
    async fn delete(&self, location: &str) -> io::Result<()>;

    /// What is directly below a directory; nothing where there is no such directory.
    async fn list(&self, directory: &str) -> io::Result<Listing>;

    /// Whether files can be put into a directory and those above it without making them first: always where the
    /// storage has no directories of its own.
    async fn has_directory(&self, directory: &str) -> io::Result<bool>;

    /// Tries whether files could be put into a directory, which need not be there. Nothing of it stays.
    ///
    /// # Errors
    /// They could not be, and why.
    async fn try_writing(&self, directory: &str) -> Result<(), Unwritable>;

    /// Takes a lease, which nobody else then has until it is dropped, or whoever holds it is dead; `None` where
    /// somebody else has it. A small file may stay at the location.
    async fn lease(&self, location: &str) -> io::Result<Option<Box<dyn Lease>>>;

    /// Removes files of something that came to nothing, and after them those directories that hold nothing.
    /// Called where nobody can wait or be told: what fails is logged, and left behind.
    fn discard(&self, files: &[String], directories: &[String]);

    /// Removes what writers that were killed have left in a directory, where it is certain that nobody needs it. They
    /// leave nothing where a file is there as a whole or not at all.
    fn tidy(&self, _directory: &str) {}

    /// A directory of this machine for files without a name, which go with whoever has made them: beside the
    /// table where that is local, since there is room for its rows.
    fn scratch(&self, directory: &str) -> PathBuf;
}

/// A file that is open for reading, in ranges, on threads that may block.
pub trait StoredFile: fmt::Debug + Send + Sync {
    /// Its size, in bytes.
    fn length(&self) -> u64;

    /// Fills the buffer from a place on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file ends before.
    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()>;
}

/// A file that is being written, on a thread that may block. Dropped before it is finished, it may be there in
/// part, or not at all.
pub trait FileWriter: io::Write + Send {
    /// Ends the file, which is durable then. Gives its size.
    fn finish(self: Box<Self>) -> io::Result<u64>;
}

/// Held until it is dropped.
pub trait Lease: fmt::Debug + Send + Sync {}

/// Why no file could be put somewhere.
#[derive(Debug)]
pub struct Unwritable {
    /// Where it was tried: the nearest directory that is there, or what stands in its place.
    pub place: String,
    /// What trying ended with; `None` where something else stands in the place of a directory.
    pub error: Option<io::Error>,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its size, in bytes.
    pub size: u64,
    /// Another one whenever a file is put in the place of another, or is removed and created again.
    pub tag: String,
}

/// What is directly below a directory, by names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files, in any order.
    pub files: Vec<String>,
    /// Directories, in any order. Links are none: they could lead in circles.
    pub directories: Vec<String>,
}

/// Whether an operation may have been done all the same: what was lost is the answer.
pub fn lost_answer(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::TimedOut
            | E::Interrupted
            | E::ConnectionReset
            | E::ConnectionAborted
            | E::BrokenPipe
            | E::UnexpectedEof
            | E::StaleNetworkFileHandle
    )
}

/// A location below a directory's.
pub(crate) fn below(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

/// The last part of a location.
pub(crate) fn file_name(location: &str) -> &str {
    location.rsplit(['/', '\\']).next().unwrap_or(location)
}

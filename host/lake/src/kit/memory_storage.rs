//! Files in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::storage::{FileWriter, Lease, Listing, Stat, Storage, StoredFile, Unwritable};

/// What its locations begin with.
const SCHEME: &str = "memory://";

/// A storage in memory, which has no directories of its own, as object stores have none. Its locations begin with
/// `memory://`. Clones share its files.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    files: BTreeMap<String, (u64, Bytes)>,
    /// Counts the files that were ever put.
    puts: u64,
    leases: BTreeSet<String>,
}

impl Contents {
    fn put(&mut self, location: String, content: Bytes) {
        self.puts += 1;
        self.files.insert(location, (self.puts, content));
    }
}

impl MemoryStorage {
    /// One without files.
    pub fn new() -> Self {
        MemoryStorage::default()
    }

    /// The locations of all files, sorted.
    pub fn locations(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, location: &str) -> io::Result<Bytes> {
        let found = self.lock().files.get(location).cloned();
        let found = found.map(|(_, content)| content);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file in memory"))
    }

    fn put_new(&self, location: &str, content: Bytes) -> bool {
        let mut contents = self.lock();
        if contents.files.contains_key(location) {
            return false;
        }
        contents.put(location.to_owned(), content);
        true
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn resolve(&self, recorded: &str) -> Option<String> {
        recorded.starts_with(SCHEME).then(|| recorded.to_owned())
    }

    fn place(&self, location: &str) -> Option<String> {
        Some(location.trim_end_matches('/').to_owned())
    }

    async fn read(&self, location: &str, most: u64) -> io::Result<Bytes> {
        let found = self.find(location)?;
        match found.len() as u64 > most {
            true => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("it has more than {most} bytes"),
            )),
            false => Ok(found),
        }
    }

    async fn stat(&self, location: &str) -> io::Result<Option<Stat>> {
        let contents = self.lock();
        let found = contents.files.get(location);
        Ok(found.map(|(put, content)| Stat {
            size: content.len() as u64,
            tag: put.to_string(),
        }))
    }

    async fn open(&self, location: &str) -> io::Result<Box<dyn StoredFile>> {
        Ok(Box::new(MemoryFile(self.find(location)?)))
    }

    async fn writer(&self, location: &str) -> io::Result<Box<dyn FileWriter>> {
        Ok(Box::new(MemoryWriter {
            storage: self.clone(),
            location: location.to_owned(),
            content: Vec::new(),
        }))
    }

    async fn write(&self, files: Vec<(String, Bytes)>) -> io::Result<()> {
        let mut contents = self.lock();
        for (location, content) in files {
            contents.put(location, content);
        }
        Ok(())
    }

    async fn create(&self, location: &str, content: Bytes) -> io::Result<bool> {
        Ok(self.put_new(location, content))
    }

    async fn delete(&self, location: &str) -> io::Result<()> {
        self.lock().files.remove(location);
        Ok(())
    }

    async fn list(&self, directory: &str) -> io::Result<Listing> {
        let prefix = format!("{}/", directory.trim_end_matches('/'));
        let contents = self.lock();
        let mut directories = BTreeSet::new();
        let mut files = Vec::new();
        for location in contents.files.keys() {
            match location.strip_prefix(&prefix) {
                None => {}
                Some(inside) => match inside.split_once('/') {
                    Some((directory, _)) => {
                        directories.insert(directory.to_owned());
                    }
                    None => files.push(inside.to_owned()),
                },
            }
        }
        Ok(Listing {
            files,
            directories: directories.into_iter().collect(),
        })
    }

    async fn has_directory(&self, _: &str) -> io::Result<bool> {
        Ok(true)
    }

    async fn try_writing(&self, _: &str) -> Result<(), Unwritable> {
        Ok(())
    }

    async fn lease(&self, location: &str) -> io::Result<Option<Box<dyn Lease>>> {
        let taken = self.lock().leases.insert(location.to_owned());
        Ok(taken.then(|| {
            Box::new(MemoryLease {
                storage: self.clone(),
                location: location.to_owned(),
            }) as Box<dyn Lease>
        }))
    }

    fn discard(&self, files: &[String], _: &[String]) {
        let mut contents = self.lock();
        for file in files {
            contents.files.remove(file);
        }
    }

    fn scratch(&self, _: &str) -> PathBuf {
        std::env::temp_dir()
    }
}

#[derive(Debug)]
struct MemoryFile(Bytes);

impl StoredFile for MemoryFile {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(place).unwrap_or(usize::MAX);
        let to = from.saturating_add(into.len());
        match self.0.get(from..to) {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

struct MemoryWriter {
    storage: MemoryStorage,
    location: String,
    content: Vec<u8>,
}

impl io::Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for MemoryWriter {
    fn finish(self: Box<Self>) -> io::Result<u64> {
        let size = self.content.len() as u64;
        match self.storage.put_new(&self.location, self.content.into()) {
            true => Ok(size),
            false => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }
}

#[derive(Debug)]
struct MemoryLease {
    storage: MemoryStorage,
    location: String,
}

impl Lease for MemoryLease {}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.storage.lock().leases.remove(&self.location);
    }
}

//! Local and mounted file systems. A location is an absolute path.

mod directory;
mod link;
mod try_writing;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use bytes::Bytes;
use icehost_files::{Kind, Lock, ThreadFailed};

pub use directory::local_directory;
pub(crate) use directory::{absolute, path_text};
pub(crate) use link::LeadsNowhere;

use crate::storage::local::try_writing::try_directory;
use crate::storage::{FileWriter, Lease, Listing, Stat, Storage, StoredFile, Unwritable};

/// The files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalStorage;

/// An I/O error on its way through [`icehost_files::blocking`].
struct Failed(io::Error);

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed(error)
    }
}

impl From<ThreadFailed> for Failed {
    fn from(failed: ThreadFailed) -> Self {
        Failed(io::Error::other(failed))
    }
}

/// Runs work on a path on a thread that may block.
async fn at<T: Send + 'static>(
    location: &str,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let path = PathBuf::from(location);
    let done = icehost_files::blocking(move || work(&path).map_err(Failed));
    done.await.map_err(|Failed(error)| error)
}

#[async_trait]
impl Storage for LocalStorage {
    fn resolve(&self, recorded: &str) -> Option<String> {
        directory::local_path(recorded).map(str::to_owned)
    }

    fn place(&self, location: &str) -> Option<String> {
        let path = fs::canonicalize(location).ok()?;
        Some(format!("{}{}", this_machine(), path.display()))
    }

    async fn read(&self, location: &str, most: u64) -> io::Result<Bytes> {
        at(location, move |path| icehost_untrusted::read(path, most))
            .await
            .map(Bytes::from)
    }

    async fn stat(&self, location: &str) -> io::Result<Option<Stat>> {
        at(location, |path| match fs::metadata(path) {
            Ok(found) if found.is_dir() => Ok(None),
            Ok(found) => {
                // A pipe that stands in a file's place is not nothing, and is refused in its name.
                if !found.is_file() {
                    icehost_untrusted::check(path, u64::MAX)?;
                }
                Ok(Some(Stat {
                    size: found.len(),
                    tag: tag(&found),
                }))
            }
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(e),
        })
        .await
    }

    async fn open(&self, location: &str) -> io::Result<Box<dyn StoredFile>> {
        at(location, |path| {
            let file = icehost_untrusted::open(path)?;
            let length = file.metadata()?.len();
            Ok(Box::new(LocalFile { file, length }) as Box<dyn StoredFile>)
        })
        .await
    }

    async fn writer(&self, location: &str) -> io::Result<Box<dyn FileWriter>> {
        at(location, |path| {
            icehost_files::create_directories(parent(path))?;
            let file = OpenOptions::new().write(true).create_new(true).open(path)?;
            let path = path.to_owned();
            Ok(Box::new(LocalWriter { file, path }) as Box<dyn FileWriter>)
        })
        .await
    }

    async fn write(&self, files: Vec<(String, Bytes)>) -> io::Result<()> {
        at("", move |_| {
            let files = files.iter();
            let files = files.map(|(location, content)| (Path::new(location), &content[..]));
            let files: Vec<(&Path, &[u8])> = files.collect();
            for (path, _) in &files {
                icehost_files::create_directories(parent(path))?;
            }
            icehost_files::replace_all(files, Kind::Shared)
        })
        .await
    }

    async fn create(&self, location: &str, content: Bytes) -> io::Result<bool> {
        at(location, move |path| {
            icehost_files::create_directories(parent(path))?;
            icehost_files::create(path, &content, Kind::Shared)
        })
        .await
    }

    async fn delete(&self, location: &str) -> io::Result<()> {
        at(location, |path| match fs::remove_file(path) {
            Ok(()) => icehost_files::sync_directory(parent(path)),
            Err(e) if is_absent(&e) => Ok(()),
            Err(e) => Err(e),
        })
        .await
    }

    async fn list(&self, directory: &str) -> io::Result<Listing> {
        at(directory, |path| {
            let mut listing = Listing::default();
            let entries = match fs::read_dir(path) {
                Ok(entries) => entries,
                Err(e) if is_absent(&e) => return link::check(path).map(|()| listing),
                Err(e) => return Err(e),
            };
            for entry in entries {
                let entry = entry?;
                // What is no text nobody has recorded.
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                match entry.file_type()?.is_dir() {
                    true => listing.directories.push(name),
                    false => listing.files.push(name),
                }
            }
            Ok(listing)
        })
        .await
    }

    async fn has_directory(&self, directory: &str) -> io::Result<bool> {
        at(directory, |path| Ok(path.is_dir())).await
    }

    async fn try_writing(&self, directory: &str) -> Result<(), Unwritable> {
        let path = PathBuf::from(directory);
        let tried = icehost_files::blocking(move || Ok(try_directory(&path)));
        tried.await.unwrap_or_else(|Failed(error)| {
            Err(Unwritable {
                place: directory.to_owned(),
                error: Some(error),
            })
        })
    }

    async fn lease(&self, location: &str) -> io::Result<Option<Box<dyn Lease>>> {
        at(location, |path| {
            icehost_files::create_directories(parent(path))?;
            Ok(Lock::try_take(path)?.map(|lock| Box::new(lock) as Box<dyn Lease>))
        })
        .await
    }

    fn discard(&self, files: &[String], directories: &[String]) {
        for file in files {
            match fs::remove_file(file) {
                Err(error) if !is_absent(&error) => {
                    tracing::warn!(file, %error, "cannot remove a file that nobody needs");
                }
                _ => {}
            }
        }
        for directory in directories {
            // One that holds something stays.
            let _in_use = fs::remove_dir(directory);
        }
    }

    fn tidy(&self, directory: &str) {
        icehost_files::remove_left_over(Path::new(directory));
    }

    fn scratch(&self, directory: &str) -> PathBuf {
        PathBuf::from(directory)
    }
}

/// The path of a place that is on this machine.
pub(crate) fn on_this_machine(place: &str) -> Option<&str> {
    place.strip_prefix(&this_machine())
}

/// Two machines may each have something at the same path.
fn this_machine() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:", host.trim())
}

/// Files are replaced by others, which differ in one of these.
fn tag(found: &fs::Metadata) -> String {
    let since = found.modified().ok();
    let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = since.map_or(0, |since| since.as_nanos());
    #[cfg(unix)]
    let identity = std::os::unix::fs::MetadataExt::ino(found);
    #[cfg(not(unix))]
    let identity = found.len();
    format!("{identity:x}-{modified:x}")
}

/// Nothing is there; a file in the place of a directory above counts as nothing, too.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(error.kind(), E::NotFound | E::NotADirectory)
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

impl Lease for Lock {}

#[derive(Debug)]
struct LocalFile {
    file: File,
    length: u64,
}

impl StoredFile for LocalFile {
    fn length(&self) -> u64 {
        self.length
    }

    #[cfg(unix)]
    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, into, place)
    }

    #[cfg(not(unix))]
    fn read_at(&self, place: u64, into: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        // One at a time: a file has one place that reading goes on from.
        static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let _turn = TURN.lock();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(place))?;
        file.read_exact(into)
    }
}

struct LocalWriter {
    file: File,
    path: PathBuf,
}

impl Write for LocalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FileWriter for LocalWriter {
    fn finish(self: Box<Self>) -> io::Result<u64> {
        self.file.sync_all()?;
        icehost_files::sync_directory(parent(&self.path))?;
        Ok(self.file.metadata()?.len())
    }
}

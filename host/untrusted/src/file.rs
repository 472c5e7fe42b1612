//! Files, with a kind and a size.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a pipe may take to give what it holds, where one is taken.
pub const PIPE_TIME_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait before a pipe is asked again.
const PIPE_PAUSE: Duration = Duration::from_millis(10);

/// Opens a file for reading. A directory, a pipe, a socket or a device is refused at once, without waiting for
/// whoever may write into it.
///
/// # Errors
/// What the file is instead, or why it cannot be opened; the text does not name it.
pub fn open(path: &Path) -> io::Result<File> {
    let (file, kind) = open_any(path)?;
    match kind {
        Kind::File => Ok(file),
        other => Err(other.refused()),
    }
}

/// Opens a file for locking, made if need be; what is in it stays.
///
/// # Errors
/// As [`open`]; a place where no file can be made.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = without_waiting(&mut options).open(path)?;
    match Kind::of(&file.metadata()?) {
        Kind::File => Ok(file),
        other => Err(other.refused()),
    }
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// As [`open`]; a file that is larger, whatever size it was when it was opened.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    if file.metadata()?.len() > most {
        return Err(too_large(most));
    }
    to_end(file, most)
}

/// Whether a path can be read as a file of at most so many bytes, for those who let others read it.
///
/// # Errors
/// As [`read`].
pub fn check(path: &Path, most: u64) -> io::Result<()> {
    match open(path)?.metadata()?.len() > most {
        true => Err(too_large(most)),
        false => Ok(()),
    }
}

/// The same for what people like to give to a program without writing it to a disk: a pipe, such as a shell's
/// `<(…)`, is taken too. It has [`PIPE_TIME_LIMIT`] to be written to its end.
///
/// A pipe gives what it holds once, and several parts of a run may want it: several pipelines with one connection, for
/// example. So what it gave is kept for the life of the process.
///
/// # Errors
/// As [`read`]; a pipe that nobody writes into, or that takes too long.
pub fn read_file_or_pipe(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, kind) = open_any(path)?;
    match kind {
        Kind::File if file.metadata()?.len() > most => Err(too_large(most)),
        Kind::File => to_end(file, most),
        Kind::Pipe => pipe_once(path, file, most),
        other => Err(other.refused()),
    }
}

/// A pipe: its path, and its device and inode, since another one may be at the path by now.
type Pipe = (PathBuf, u64, u64);

/// What pipes have given.
static GIVEN: Mutex<Option<HashMap<Pipe, Vec<u8>>>> = Mutex::new(None);

/// What is written into a pipe, or was when it was read before. Of several that ask at once, one reads and the others
/// wait for it.
fn pipe_once(path: &Path, pipe: File, most: u64) -> io::Result<Vec<u8>> {
    let (device, inode) = identity(&pipe.metadata()?);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_with(HashMap::new);
    let key = (path.to_owned(), device, inode);
    if let Some(bytes) = given.get(&key) {
        return match bytes.len() as u64 > most {
            true => Err(too_large(most)),
            false => Ok(bytes.clone()),
        };
    }
    let bytes = pipe_to_end(pipe, most)?;
    given.insert(key, bytes.clone());
    Ok(bytes)
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Pipe,
    Other,
}

impl Kind {
    fn of(metadata: &Metadata) -> Kind {
        let kind = metadata.file_type();
        if kind.is_file() {
            return Kind::File;
        }
        if kind.is_dir() {
            return Kind::Directory;
        }
        #[cfg(unix)]
        if std::os::unix::fs::FileTypeExt::is_fifo(&kind) {
            return Kind::Pipe;
        }
        Kind::Other
    }

    fn refused(self) -> io::Error {
        invalid(match self {
            Kind::File => "it is a file",
            Kind::Directory => "it is a directory, not a file",
            Kind::Pipe => "it is a pipe, not a file",
            Kind::Other => "it is a device or a socket, not a file",
        })
    }
}

/// Opens whatever is there, without waiting, but not what is neither file nor pipe: opening a device can do things.
fn open_any(path: &Path) -> io::Result<(File, Kind)> {
    let before = Kind::of(&std::fs::metadata(path)?);
    if !matches!(before, Kind::File | Kind::Pipe) {
        return Err(before.refused());
    }
    let file = without_waiting(OpenOptions::new().read(true)).open(path)?;
    // Something else may stand there by now: what was opened counts.
    let kind = Kind::of(&file.metadata()?);
    Ok((file, kind))
}

/// Opening a pipe waits for its other end otherwise.
fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK);
    options
}

/// The rest of a file; it may have grown since it was measured.
fn to_end(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(too_large(most)),
        false => Ok(bytes),
    }
}

/// What is written into a pipe, up to its end.
fn pipe_to_end(mut pipe: File, most: u64) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + PIPE_TIME_LIMIT;
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    loop {
        match pipe.read(&mut piece) {
            Ok(0) if bytes.is_empty() => {
                return Err(invalid("it is a pipe that nobody writes into"));
            }
            Ok(0) => return Ok(bytes),
            Ok(read) => bytes.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::sleep(PIPE_PAUSE);
            }
            Err(error) => return Err(error),
        }
        if bytes.len() as u64 > most {
            return Err(too_large(most));
        }
        if Instant::now() >= deadline {
            let seconds = PIPE_TIME_LIMIT.as_secs();
            return Err(invalid(&format!(
                "it is a pipe that did not end within {seconds} seconds"
            )));
        }
    }
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// The error for what has more bytes than are taken; whoever shows it names what that is.
pub fn too_large(most: u64) -> io::Error {
    invalid(&format!("it has more than {most} bytes"))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use super::*;

    fn refused(result: io::Result<Vec<u8>>, why: &str) {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    fn make_pipe(path: &Path) {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }

    /// Held open both ways, so that there is a writer from the start.
    fn writer_of(path: &Path) -> File {
        let mut both = OpenOptions::new();
        both.read(true).write(true).open(path).unwrap()
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        make_pipe(&pipe);
        let started = Instant::now();
        refused(read(&pipe, 10), "a pipe, not a file");
        refused(read_file_or_pipe(&pipe, 10), "nobody writes into");
        for reader in [read, read_file_or_pipe] {
            refused(reader(directory.path(), 10), "a directory");
            refused(reader(Path::new("/dev/zero"), 10), "a device");
            refused(reader(Path::new("/dev/null"), 10), "a device");
            refused(reader(&directory.path().join("none"), 10), "No such file");
        }
        assert!(open_lock(&pipe).is_err());
        assert!(open_lock(&directory.path().join("lock")).is_ok());
        assert!(started.elapsed() < PIPE_TIME_LIMIT);
    }

    #[test]
    fn a_file_has_a_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        refused(read(&path, 9), "more than 9 bytes");
        refused(read_file_or_pipe(&path, 9), "more than 9 bytes");
        // Files that say that they are empty and are not
        refused(read(Path::new("/proc/self/status"), 9), "more than 9 bytes");
    }

    #[test]
    fn a_pipe_is_read_to_its_end_where_it_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        make_pipe(&path);
        let mut writer = writer_of(&path);
        let reader = {
            let path = path.clone();
            std::thread::spawn(move || read_file_or_pipe(&path, 100))
        };
        std::thread::sleep(Duration::from_millis(50));
        writer.write_all(b"secret").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        drop(writer);
        assert_eq!(reader.join().unwrap().unwrap(), b"secret");
        // Nobody writes into it any more, and another part of the run wants it too.
        assert_eq!(read_file_or_pipe(&path, 100).unwrap(), b"secret");
        refused(read_file_or_pipe(&path, 5), "more than 5 bytes");

        let path = directory.path().join("another");
        make_pipe(&path);
        let mut writer = writer_of(&path);
        writer.write_all(&[b'x'; 101]).unwrap();
        refused(read_file_or_pipe(&path, 100), "more than 100 bytes");
    }
}

//! Whose files these are.

use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// The user that this process acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User(u32);

/// Makes the directory, or makes sure that it is the user's and that nobody else can write to it.
pub(super) fn prepare_directory(directory: &Path) -> io::Result<User> {
    create(directory)?;
    // Of a symbolic link, the directory that it leads to.
    let metadata = fs::metadata(directory)?;
    let user = User::current(directory)?;
    user.check(&metadata)?;
    Ok(user)
}

impl User {
    /// Reads a file that is the user's and that nobody else can write to.
    pub(super) fn read_own(self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = icehost_untrusted::open(path)?;
        // Of the open file, so that another cannot take its place in between.
        self.check(&file.metadata()?)?;
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other("it is too large"));
        }
        Ok(bytes)
    }
}

#[cfg(unix)]
fn create(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(unix)]
impl User {
    /// The owner of a file that this process makes.
    fn current(directory: &Path) -> io::Result<User> {
        use std::os::unix::fs::MetadataExt;
        Ok(User(tempfile::tempfile_in(directory)?.metadata()?.uid()))
    }

    fn check(self, metadata: &Metadata) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt;
        if metadata.uid() != self.0 {
            return Err(io::Error::other("it belongs to another user"));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(io::Error::other("others can write to it"));
        }
        Ok(())
    }
}

/// Elsewhere nothing here can tell who may write to a file, so there is no cache.
#[cfg(not(unix))]
fn create(_: &Path) -> io::Result<()> {
    Err(io::Error::other(
        "it is not known who can write to files on this system",
    ))
}

#[cfg(not(unix))]
impl User {
    fn current(_: &Path) -> io::Result<User> {
        Err(io::Error::other(
            "it is not known who can write to files on this system",
        ))
    }

    fn check(self, _: &Metadata) -> io::Result<()> {
        Err(io::Error::other(
            "it is not known who can write to files on this system",
        ))
    }
}

//! Files that are there whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::directory::Opened;

/// How the temporary files begin and end that become the files; nobody else looks for such names.
pub(crate) const PREFIX: &str = ".icehost-";
pub(crate) const SUFFIX: &str = ".tmp";

/// Who may read a file, and whether it outlives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Everybody's, less the umask; durable when it is written.
    Shared,
    /// Its owner's; durable when it is written.
    Private,
    /// Its owner's, and not synced: a power failure may leave it cut or empty, so whoever reads it must be able
    /// to tell.
    Cache,
}

/// Puts a file in the place of whatever file is there. A crash leaves the one or the other.
///
/// # Errors
/// A directory that is not there or cannot be written to, a full disk. The old file is still there then, unless
/// only syncing the directory failed.
pub fn replace(path: &Path, content: &[u8], kind: Kind) -> io::Result<()> {
    replace_all([(path, content)], kind)
}

/// The same for several files, one after the other; each directory is synced once, behind them all.
///
/// # Errors
/// As [`replace`]; those before the one that failed are replaced then.
pub fn replace_all<'a>(
    files: impl IntoIterator<Item = (&'a Path, &'a [u8])>,
    kind: Kind,
) -> io::Result<()> {
    let mut directories: Vec<(&Path, Option<Opened>)> = Vec::new();
    for (path, content) in files {
        let new = written(path, content, kind)?;
        if directories.iter().all(|(known, _)| *known != parent(path)) {
            directories.push((parent(path), opened(parent(path), kind)?));
        }
        new.persist(path).map_err(|failed| failed.error)?;
    }
    directories
        .iter()
        .try_for_each(|(_, directory)| settle(directory.as_ref()))
}

/// Creates a file, unless something is at its path. Of several that try at once, one succeeds. Gives whether
/// this one did.
///
/// # Errors
/// As [`replace`]; a file system that has neither hard links nor a rename that does not replace.
pub fn create(path: &Path, content: &[u8], kind: Kind) -> io::Result<bool> {
    let new = written(path, content, kind)?;
    let directory = opened(parent(path), kind)?;
    match new.persist_noclobber(path) {
        Ok(_) => settle(directory.as_ref()).map(|()| true),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

/// The content under a temporary name in the same directory, synced where it is to last.
fn written(path: &Path, content: &[u8], kind: Kind) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // Opened and written here: what the library opens or writes itself fails with an error that has lost the system's
    // own number, by which a shortage of files is told from a fault of the directory.
    let mut file = builder.make_in(parent(path), |path| create_new(path, kind))?;
    file.as_file_mut().write_all(content)?;
    if kind != Kind::Cache {
        file.as_file().sync_all()?;
    }
    Ok(file)
}

fn create_new(path: &Path, kind: Kind) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(match kind {
            Kind::Shared => 0o666,
            Kind::Private | Kind::Cache => 0o600,
        });
    }
    options.open(path)
}

/// The directory, where its names are to last.
fn opened(directory: &Path, kind: Kind) -> io::Result<Option<Opened>> {
    match kind {
        Kind::Cache => Ok(None),
        Kind::Shared | Kind::Private => Opened::new(directory).map(Some),
    }
}

/// Makes the names in a directory durable, where they are to last.
fn settle(directory: Option<&Opened>) -> io::Result<()> {
    directory.map_or(Ok(()), Opened::sync)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_or_created_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for kind in [Kind::Shared, Kind::Private, Kind::Cache] {
            replace(&path, b"old", kind).unwrap();
            assert!(!create(&path, b"other", kind).unwrap());
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            replace(&path, b"new", kind).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"new");
            std::fs::remove_file(&path).unwrap();
            assert!(create(&path, b"first", kind).unwrap());
            assert_eq!(names(directory.path()), ["file"]);
        }
        let nowhere = directory.path().join("no/directory");
        assert!(replace(&nowhere, b"x", Kind::Shared).is_err());
        assert!(create(&nowhere, b"x", Kind::Shared).is_err());
        // A directory is in the way: it stays, and no temporary file does.
        std::fs::create_dir(directory.path().join("dir")).unwrap();
        assert!(replace(&directory.path().join("dir"), b"x", Kind::Shared).is_err());
        assert!(!create(&directory.path().join("dir"), b"x", Kind::Shared).unwrap());
        assert_eq!(names(directory.path()), ["dir", "file"]);
    }

    #[test]
    fn several_files_are_replaced_in_one_go() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("inner")).unwrap();
        let paths = ["one", "inner/two", "three"].map(|name| directory.path().join(name));
        for content in [&b"old"[..], b"new"] {
            let files = paths.iter().map(|path| (path.as_path(), content));
            replace_all(files, Kind::Shared).unwrap();
            for path in &paths {
                assert_eq!(std::fs::read(path).unwrap(), content);
            }
        }
        assert_eq!(names(directory.path()), ["inner", "one", "three"]);
        assert!(replace_all([(Path::new("/no/such/directory"), &b""[..])], Kind::Shared).is_err());
    }

    #[test]
    #[cfg(unix)]
    fn private_files_are_their_owners() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mode = |kind| {
            let path = directory.path().join(format!("{kind:?}"));
            replace(&path, b"x", kind).unwrap();
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(Kind::Private), 0o600);
        assert_eq!(mode(Kind::Cache), 0o600);
        let plain = directory.path().join("plain");
        std::fs::write(&plain, b"x").unwrap();
        let plain = std::fs::metadata(&plain).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(Kind::Shared), plain);
    }

    #[test]
    #[cfg(unix)]
    fn an_error_keeps_the_systems_number() {
        let nowhere = Path::new("/no/such/directory/file");
        for kind in [Kind::Shared, Kind::Private, Kind::Cache] {
            let failed = replace(nowhere, b"x", kind).unwrap_err();
            assert!(failed.raw_os_error().is_some(), "{failed:?}");
            let failed = create(nowhere, b"x", kind).unwrap_err();
            assert!(failed.raw_os_error().is_some(), "{failed:?}");
        }
    }

    #[test]
    fn of_many_that_create_a_file_one_succeeds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let created = std::thread::scope(|scope| {
            let racing: Vec<_> = (0..24)
                .map(|number: u8| {
                    let path = &path;
                    scope.spawn(move || create(path, &[number; 1000], Kind::Shared).unwrap())
                })
                .collect();
            let outcomes = racing.into_iter().map(|racer| racer.join().unwrap());
            outcomes.filter(|created| *created).count()
        });
        assert_eq!(created, 1);
        let content = std::fs::read(&path).unwrap();
        assert_eq!(content, vec![content[0]; 1000]);
        assert_eq!(names(directory.path()), ["file"]);
    }
}

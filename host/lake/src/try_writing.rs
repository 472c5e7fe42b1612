//! Whether a run could write a table, found out by trying: nothing of it stays.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{LakeError, LakeErrorKind, Result, blocking};
use crate::table::LakeTable;

impl LakeTable {
    /// Makes a file without a name where a run would write the table's files, or where it would make their directories.
    ///
    /// # Errors
    /// [`LakeErrorKind::Io`] where that fails; [`LakeErrorKind::InvalidName`] where something else stands in the place of
    /// a directory. Either names the place.
    pub async fn try_writing(&self) -> Result<()> {
        let (name, dir) = (self.display.clone(), self.dir.clone());
        blocking(move || {
            for part in ["metadata", "data"] {
                try_directory(&name, &dir.join(part))?;
            }
            Ok(())
        })
        .await
    }
}

/// Of a directory that is not there, the nearest one above it counts, in which a run makes it.
fn try_directory(table: &str, directory: &Path) -> Result<()> {
    for place in directory.ancestors() {
        match place.metadata() {
            Ok(there) if there.is_dir() => {
                let tried = tempfile::tempfile_in(place);
                return tried.map(drop).map_err(|e| unwritable(place, e));
            }
            Ok(_) => return Err(no_directory(table, place)),
            Err(error) => match error.kind() {
                // What stands above it is no directory, and comes next.
                ErrorKind::NotADirectory => {}
                ErrorKind::NotFound if place.symlink_metadata().is_ok() => {
                    return Err(no_directory(table, place));
                }
                ErrorKind::NotFound => {}
                _ => return Err(LakeError::io("look at", place, error)),
            },
        }
    }
    Err(no_directory(table, directory))
}

fn unwritable(place: &Path, error: std::io::Error) -> LakeError {
    let error = LakeError::io("write to", place, error);
    match error.hint() {
        Some(_) => error,
        None => error.with_hint("give a warehouse in a directory that files can be made in"),
    }
}

fn no_directory(table: &str, place: &Path) -> LakeError {
    let message = format!(
        "cannot write to lake table {table}: {} is no directory",
        place.display()
    );
    LakeError::new(LakeErrorKind::InvalidName, message)
        .with_hint("move away what is there, or give another warehouse or lake table")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_that_a_file_can_be_made_in_and_nothing_stays() {
        let place = tempfile::tempdir().unwrap();
        let of = |path: &str| try_directory("a.b", &place.path().join(path));
        of("a/b/data").unwrap();
        of("").unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        std::fs::write(place.path().join("file"), "").unwrap();
        let nowhere = place.path().join("nowhere");
        std::os::unix::fs::symlink(nowhere, place.path().join("broken")).unwrap();
        for path in ["file", "file/b/data", "broken", "broken/b/data"] {
            let error = of(path).unwrap_err();
            assert_eq!(error.kind(), LakeErrorKind::InvalidName, "{path}");
            assert!(error.to_string().ends_with("is no directory"), "{error}");
            assert!(error.hint().is_some());
        }
        // Where nobody can make a file, whoever runs this.
        let error = try_directory("a.b", Path::new("/proc/icehost/data")).unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Io);
        assert!(error.to_string().starts_with("cannot write to /proc"));
        assert!(error.hint().is_some());
    }
}

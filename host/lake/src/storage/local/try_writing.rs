//! Whether files could be put into a directory.

use std::io::ErrorKind;
use std::path::Path;

use crate::storage::Unwritable;

/// Makes a file without a name in a directory; of one that is not there, the nearest above it counts, in which it would
/// be made.
pub(super) fn try_directory(directory: &Path) -> Result<(), Unwritable> {
    let unwritable = |place: &Path, error| Unwritable {
        place: place.display().to_string(),
        error,
    };
    for place in directory.ancestors() {
        match place.metadata() {
            Ok(there) if there.is_dir() => {
                let tried = tempfile::tempfile_in(place);
                return tried.map(drop).map_err(|e| unwritable(place, Some(e)));
            }
            Ok(_) => return Err(unwritable(place, None)),
            Err(error) => match error.kind() {
                // What stands above it is no directory, and comes next.
                ErrorKind::NotADirectory => {}
                ErrorKind::NotFound if place.symlink_metadata().is_ok() => {
                    return Err(unwritable(place, None));
                }
                ErrorKind::NotFound => {}
                _ => return Err(unwritable(place, Some(error))),
            },
        }
    }
    Err(unwritable(directory, None))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_that_a_file_can_be_made_in_and_nothing_stays() {
        let place = tempfile::tempdir().unwrap();
        let of = |path: &str| try_directory(&place.path().join(path));
        of("a/b/data").unwrap();
        of("").unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
        std::fs::write(place.path().join("file"), "").unwrap();
        let nowhere = place.path().join("nowhere");
        std::os::unix::fs::symlink(nowhere, place.path().join("broken")).unwrap();
        for (path, at) in [
            ("file", "file"),
            ("file/b/data", "file"),
            ("broken", "broken"),
            ("broken/b/data", "broken"),
        ] {
            let unwritable = of(path).unwrap_err();
            assert!(unwritable.error.is_none(), "{path}: {unwritable:?}");
            assert_eq!(
                unwritable.place,
                place.path().join(at).display().to_string()
            );
        }
        // Where nobody can make a file, whoever runs this.
        let unwritable = try_directory(Path::new("/proc/icehost/data")).unwrap_err();
        assert!(unwritable.error.is_some());
        assert_eq!(unwritable.place, "/proc");
    }
}

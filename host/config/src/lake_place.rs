//! Where a lake table is, whatever it is called by.

use std::path::{Path, PathBuf};

use icehost_lake::LakeTableName;

/// What tells one directory from another, under all names that lead to it: links, and letters whose case the file
/// system does not tell apart.
#[cfg(unix)]
type Directory = (u64, u64);
#[cfg(not(unix))]
type Directory = PathBuf;

/// The place of a lake table: the deepest directory that is there on the way to it, and what is to be made below.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LakePlace {
    above: Option<Directory>,
    below: PathBuf,
}

impl LakePlace {
    /// The place of a table of a warehouse.
    pub(crate) fn of(warehouse: &Path, table: &LakeTableName) -> LakePlace {
        let mut path = warehouse.to_owned();
        path.extend(table.namespace());
        path.push(table.name());
        let found = path.ancestors().find_map(|above| {
            let directory = directory(match above.as_os_str().is_empty() {
                true => Path::new("."),
                false => above,
            })?;
            Some((directory, path.strip_prefix(above).ok()?.to_owned()))
        });
        match found {
            Some((above, below)) => LakePlace {
                above: Some(above),
                below,
            },
            None => LakePlace {
                above: None,
                below: path,
            },
        }
    }
}

#[cfg(unix)]
fn directory(path: &Path) -> Option<Directory> {
    use std::os::unix::fs::MetadataExt;
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn directory(path: &Path) -> Option<Directory> {
    path.canonicalize().ok()
}

//! Manifests and lists of manifests: their checksum is part of their name, which whoever refers to them has
//! from elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checksum::{damaged, digits, from_digits};
use crate::error::{LakeError, LakeErrorKind, Result};

const BEFORE: &str = "-crc32-";
const AFTER: &str = ".avro";

/// The name that a finished file is to have.
pub(crate) fn name_of(path: &Path) -> Result<PathBuf> {
    let bytes = fs::read(path).map_err(|e| LakeError::io("read", path, e))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let Some(stem) = stem else {
        return Err(LakeError::new(
            LakeErrorKind::InvalidName,
            format!("{} has no name", path.display()),
        ));
    };
    let sum = digits(crc32fast::hash(&bytes));
    Ok(path.with_file_name(format!("{stem}{BEFORE}{sum}{AFTER}")))
}

/// Gives a finished file its name; whoever wrote it has synced it.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| LakeError::io("rename", from, e))
}

/// Refuses bytes that are not those that the name speaks of. Other names say nothing.
pub(crate) fn check(what: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    match stated(path) {
        Some(sum) if sum != crc32fast::hash(bytes) => Err(damaged(what, path, "its content is")),
        _ => Ok(()),
    }
}

/// The same for a file that somebody else is going to read.
pub(crate) fn check_file(what: &str, path: &Path) -> Result<()> {
    match stated(path) {
        None => Ok(()),
        Some(_) => {
            let bytes = fs::read(path).map_err(|e| LakeError::io("read", path, e))?;
            check(what, path, &bytes)
        }
    }
}

fn stated(path: &Path) -> Option<u32> {
    let stem = path.file_name()?.to_str()?.strip_suffix(AFTER)?;
    let (_, sum) = stem.rsplit_once(BEFORE)?;
    from_digits(sum.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_speaks_of_one_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snap-1.avro");
        fs::write(&path, b"content").unwrap();
        let named = name_of(&path).unwrap();
        rename(&path, &named).unwrap();
        check_file("manifest", &named).unwrap();
        fs::write(&named, b"dontent").unwrap();
        let error = check_file("manifest", &named).unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Corrupt);
        assert!(error.to_string().contains("is damaged"), "{error}");
    }

    #[test]
    fn other_names_say_nothing() {
        for name in ["a.avro", "a-crc32-.avro", "a-crc32-0000000g.avro", "a-m0"] {
            check("manifest", Path::new(name), b"x").unwrap();
        }
    }
}

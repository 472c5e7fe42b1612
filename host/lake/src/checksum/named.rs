//! Manifests and lists of manifests: their checksum is part of their name, which whoever refers to them has
//! from elsewhere.

use crate::checksum::{damaged, digits, from_digits};
use crate::error::Result;
use crate::storage::file_name;

const BEFORE: &str = "-crc32-";
const AFTER: &str = ".avro";

/// The name that a file with this content is to have.
pub(crate) fn name_of(stem: &str, content: &[u8]) -> String {
    let sum = digits(crc32fast::hash(content));
    format!("{stem}{BEFORE}{sum}{AFTER}")
}

/// Refuses bytes that are not those that the name speaks of. Other names say nothing.
pub(crate) fn check(what: &str, location: &str, bytes: &[u8]) -> Result<()> {
    match stated(location) {
        Some(sum) if sum != crc32fast::hash(bytes) => {
            Err(damaged(what, location, "its content is"))
        }
        _ => Ok(()),
    }
}

fn stated(location: &str) -> Option<u32> {
    let stem = file_name(location).strip_suffix(AFTER)?;
    let (_, sum) = stem.rsplit_once(BEFORE)?;
    from_digits(sum.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::LakeErrorKind;

    #[test]
    fn a_name_speaks_of_one_content() {
        let named = name_of("/lake/snap-1", b"content");
        check("manifest", &named, b"content").unwrap();
        let error = check("manifest", &named, b"dontent").unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Corrupt);
        assert!(error.to_string().contains("is damaged"), "{error}");
    }

    #[test]
    fn other_names_say_nothing() {
        for name in ["a.avro", "a-crc32-.avro", "a-crc32-0000000g.avro", "a-m0"] {
            check("manifest", name, b"x").unwrap();
        }
    }
}

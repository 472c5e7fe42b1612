//! Versions of a table's metadata: their checksum is a property of the table.
//!
//! The layout gives such a file its name, so the checksum stands inside, with the version that it is of: other
//! engines copy a table's properties into the versions that they write.

use iceberg::spec::TableMetadata;
use serde_json::Value;

use crate::checksum::{damaged, digits, from_digits, rfind};
use crate::error::{LakeError, Result};

/// The property: a version, a colon, and the checksum of the file with zeros in its place.
pub(crate) const PROPERTY: &str = "icehost.metadata-crc32";

/// A version of the metadata as bytes, with its checksum.
pub(crate) fn sealed(version: u64, metadata: &TableMetadata) -> Result<Vec<u8>> {
    let failed = |e: serde_json::Error| {
        LakeError::internal("cannot serialise table metadata").with_source(e)
    };
    let mut json = serde_json::to_value(metadata).map_err(failed)?;
    if let Some(fields) = json.as_object_mut() {
        let properties = fields
            .entry("properties")
            .or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(properties) = properties.as_object_mut() {
            let zeros = format!("{version}:{}", digits(0));
            properties.insert(PROPERTY.to_owned(), Value::String(zeros));
        }
    }
    let mut bytes = serde_json::to_vec(&json).map_err(failed)?;
    let sum = digits(crc32fast::hash(&bytes));
    let before = before_sum(version);
    let place = rfind(&before, &bytes).map(|at| at + before.len());
    match place.and_then(|place| bytes.get_mut(place..place + sum.len())) {
        Some(place) => place.copy_from_slice(sum.as_bytes()),
        None => {
            return Err(LakeError::internal(
                "metadata has no place for its checksum",
            ));
        }
    }
    Ok(bytes)
}

/// Refuses a version whose checksum does not fit. One that another engine wrote has none.
pub(crate) fn check(version: u64, location: &str, bytes: &[u8]) -> Result<()> {
    let before = before_sum(version);
    let Some(place) = rfind(&before, bytes).map(|at| at + before.len()) else {
        return Ok(());
    };
    let mut content = bytes.to_vec();
    let stated = content.get_mut(place..place + 8).and_then(|place| {
        let sum = from_digits(place);
        place.fill(b'0');
        sum
    });
    let fits = stated == Some(crc32fast::hash(&content));
    match fits {
        true => Ok(()),
        false => Err(damaged("table metadata", location, "its content is").with_hint(format!(
            "restore the file from a backup; the versions before it are in the same directory. if it was edited \
             on purpose, take out the property {PROPERTY}"
        ))),
    }
}

fn before_sum(version: u64) -> Vec<u8> {
    format!("\"{PROPERTY}\":\"{version}:").into_bytes()
}

//! A version of a table's metadata as bytes.

use bytes::Bytes;
use iceberg::spec::TableMetadata;

use crate::error::{LakeError, Result};
use crate::library_files::LibraryFiles;
use crate::read::packed::check_gzip;

/// Most bytes of a version of the metadata, compressed or not.
pub(crate) const MOST_METADATA: u64 = 512 << 20;

/// Decodes metadata, gzipped or not, which is at a location.
pub(crate) fn decode(location: &str, bytes: Bytes) -> Result<TableMetadata> {
    let corrupt = |error: Box<dyn std::error::Error + Send + Sync>| {
        LakeError::corrupt("table metadata", location, error).with_hint(
            "restore the file from a backup; the versions before it are in the same directory",
        )
    };
    check_gzip(&bytes, MOST_METADATA).map_err(|e| corrupt(e.into()))?;
    LibraryFiles::default()
        .with(bytes, async |io, path| {
            TableMetadata::read_from(io, path).await
        })
        .map_err(|e| corrupt(e.into()))
}

//! A version of a table's metadata as bytes.

use bytes::Bytes;
use iceberg::spec::TableMetadata;

use crate::error::{LakeError, Result};
use crate::library_files::LibraryFiles;

/// Most bytes of a version of the metadata, compressed or not.
pub(crate) const MOST_METADATA: u64 = 512 << 20;

/// Decodes metadata, gzipped or not, which is at a location.
pub(crate) fn decode(location: &str, bytes: Bytes) -> Result<TableMetadata> {
    LibraryFiles::default()
        .with(bytes, async |io, path| {
            TableMetadata::read_from(io, path).await
        })
        .map_err(|e| {
            LakeError::corrupt("table metadata", location, e).with_hint(
                "restore the file from a backup; the versions before it are in the same directory",
            )
        })
}

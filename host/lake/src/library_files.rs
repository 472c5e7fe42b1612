//! Files of the `iceberg` library, in memory.
//!
//! The library encodes and decodes metadata and manifests by files of its own kind. Here these are in memory, and
//! what is in them goes through the table's storage.

use std::future::Future;

use bytes::Bytes;
use futures::FutureExt;
use iceberg::io::{FileIO, OutputFile};

/// The only file there is at a time.
const PATH: &str = "memory:///file";

/// A file that the library reads or writes.
#[derive(Debug)]
pub(crate) struct LibraryFiles(FileIO);

impl Default for LibraryFiles {
    fn default() -> Self {
        LibraryFiles(FileIO::new_with_memory())
    }
}

impl LibraryFiles {
    /// Has the library read bytes.
    pub(crate) fn with<T>(
        &self,
        bytes: Bytes,
        read: impl AsyncFnOnce(&FileIO, &str) -> iceberg::Result<T>,
    ) -> iceberg::Result<T> {
        at_once(async {
            self.0.new_output(PATH)?.write(bytes).await?;
            read(&self.0, PATH).await
        })
    }

    /// Has the library write bytes. Gives them with what it has to say of them.
    pub(crate) fn written<T>(
        &self,
        write: impl AsyncFnOnce(OutputFile) -> iceberg::Result<T>,
    ) -> iceberg::Result<(T, Bytes)> {
        at_once(async {
            let about = write(self.0.new_output(PATH)?).await?;
            let bytes = self.0.new_input(PATH)?.read().await?;
            Ok((about, bytes))
        })
    }
}

/// Nothing in memory is waited for.
fn at_once<T>(work: impl Future<Output = iceberg::Result<T>>) -> iceberg::Result<T> {
    work.now_or_never().unwrap_or_else(|| {
        Err(iceberg::Error::new(
            iceberg::ErrorKind::Unexpected,
            "a file in memory was waited for",
        ))
    })
}

//! Reading a table's files.

pub(crate) mod data_file;
pub(crate) mod deletes;
pub(crate) mod live_files;
mod scan;
pub(crate) mod stream;

pub use scan::ScanRequest;
pub use stream::BatchStream;

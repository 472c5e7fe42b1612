//! Reading a table's files.

mod batch_rows;
pub(crate) mod data_file;
pub(crate) mod deletes;
mod footer;
pub(crate) mod live_files;
pub(crate) mod packed;
mod pages;
mod room;
mod scan;
pub(crate) mod stream;
mod thrift;

pub use room::Room;
pub use scan::ScanRequest;
pub use stream::BatchStream;

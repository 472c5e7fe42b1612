//! The development SQL Server: TDS on a socket in front of an in-memory T-SQL engine.
//!
//! It exists so that demo and tests run where no SQL Server does. It is not SQL Server: it keeps everything in
//! memory, knows a part of T-SQL, and refuses the rest with an error that says so. Unmodified clients speak to
//! it in TDS 7.3 to 8.0, in the clear or over TLS.
//!
//! ```no_run
//! # async fn example() -> Result<(), icehost_devserver::StartError> {
//! use icehost_devserver::{DevServer, Tls};
//!
//! let server = DevServer::builder()
//!     .password("a-password")
//!     .tls(Tls::Required)
//!     .database("Sales")
//!     .start()
//!     .await?;
//! println!("{}", server.addr());
//! server.faults().fail_next("MERGE", 1205);
//! server.stop().await;
//! # Ok(())
//! # }
//! ```

mod binding;
mod bulk;
mod connection;
mod declarations;
mod faults;
mod handshake;
mod input;
mod login;
mod packet;
mod prelogin;
mod prepared;
mod procedure_name;
mod procedures;
mod protocol_error;
mod request_headers;
mod response;
mod rpc;
mod server;
mod statistics;
mod tls;
mod token;
mod transaction;
mod transport;
mod value;
mod worker;

pub use faults::{Faults, When};
pub use server::{Builder, RunningServer, StartError};
pub use statistics::{BulkLoad, Statistics};
pub use tls::Tls;

/// Where a development server starts.
#[derive(Debug)]
pub struct DevServer;

impl DevServer {
    /// A server with login `sa` on a free port of 127.0.0.1, encryption offered.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

//! The development SQL Server: TDS on a socket in front of an in-memory T-SQL engine.
//!
//! It exists so that demo and tests run where no SQL Server does. It is not SQL Server: it keeps everything in
//! memory, knows a part of T-SQL, and refuses the rest with an error that says so. Unmodified clients speak to
//! it in TDS 7.3, 7.4 or 8.0, in the clear, over TLS, or with the login alone over TLS.
//!
//! # What the wire side knows
//!
//! Batches, procedure calls (`sp_executesql`, `sp_prepare`, `sp_prepexec`, `sp_execute`, `sp_unprepare`; others
//! go to the engine as `EXECUTE`), bulk loads, transaction requests, attentions, connection resets, output
//! parameters, rows with NULL bitmaps. Results stream: a client that reads slowly holds the engine back, and a
//! result of any length takes the memory of a few packets.
//!
//! # What it refuses
//!
//! With error 50001: integrated and federated logins, TDS below 7.3, server cursors, distributed transactions,
//! table-valued, CLR and `xml` parameters, Always Encrypted, `varchar` text in code pages other than 1252 and
//! UTF-8, values above 256 MiB. Several active result sets are not offered.
//!
//! # Being measured against
//!
//! With [`Builder::replay_results`] a query's result is kept as it was encoded, and the same query is answered
//! from memory while the tables that it reads are the same, byte for byte as it would be otherwise. A program
//! that reads can then be measured, and not this server.
//!
//! # Faults and statistics
//!
//! [`RunningServer::faults`] lets a test break connections, refuse logins, and fail or delay statements;
//! [`RunningServer::statistics`] tells what the server was asked to do, and with [`Builder::record_statements`]
//! each distinct statement is kept in a file.
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
mod kept_results;
mod login;
mod packet;
mod prelogin;
mod prepared;
mod procedure_name;
mod procedures;
mod protocol_error;
mod recording;
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

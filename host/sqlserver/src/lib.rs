//! SQL Server: connect, introspect, lower plans to T-SQL, extract to Arrow, stage and merge.
//!
//! An [`Endpoint`] says where a server is, a [`Connection`] talks to it. From a table that
//! [`Connection::introspect`] describes, [`Connection::extract`] streams what an extraction plan asks for as
//! Arrow batches; a [`Loader`] stages batches in a temporary table and merges them in one transaction
//! together with the position in the lake that they reach.
//!
//! ```no_run
//! use icehost_sqlserver::{ColumnSelection, ConnectOptions, Connection, Endpoint, TableName};
//!
//! # async fn describe() -> icehost_sqlserver::Result<()> {
//! let endpoint = Endpoint::parse("mssql://reader:secret@db.example:1433/Sales")?;
//! let mut connection = Connection::open(&endpoint, &ConnectOptions::default()).await?;
//! let name = TableName::parse("dbo.Customers")?;
//! let table = connection.introspect(&name, &ColumnSelection::default()).await?;
//! println!("{} has {} columns", table.name, table.columns.len());
//! # Ok(())
//! # }
//! ```

mod base_tables;
mod checksum;
mod connection;
mod driver;
mod edits;
mod endpoint;
mod error;
mod extract;
mod identity;
mod introspect;
mod keys;
mod load;
pub mod lower;
mod name;
mod permissions;
mod ranges;
mod server_info;
mod servers;
mod source;
mod statement;
mod temporal;

pub use base_tables::BaseColumn;
pub use checksum::{Blanks, Checksum, RowForm};
pub use connection::{ConnectOptions, Connection};
pub use endpoint::{DEFAULT_PORT, Encryption, Endpoint, Trust};
pub use error::{DataPlace, ErrorKind, Result, ServerMessage, SqlServerError};
pub use extract::{ExtractOptions, Extracted, Extraction, TimePrecision};
use icehost_files::failpoint;
pub use identity::TableOnServer;
pub use introspect::{ColumnSelection, SqlColumn, SqlTable, Traits};
pub use load::{
    Absent, Collision, KeyColumn, KnownPosition, Loader, Loss, MOST_POSITIONS, Mark, MergeCounts,
    NO_COLLATION, Position, PositionsLayout, Previous, Removal, StillGone, TableIdentity,
    TargetState, Terms,
};
pub use lower::NewColumn;
pub use name::{TableName, quote};
pub use permissions::Permission;
pub use server_info::{Quirks, ServerInfo};
pub use servers::Servers;
pub use source::{ReadConsistency, RowMeaning, Way};
pub use statement::{Parameter, Statement};

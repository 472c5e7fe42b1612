//! SQL Server types and values as TDS writes them (MS-TDS 2.2.5.4 and 2.2.5.5).

pub(crate) mod collation;
pub(crate) mod decode;
pub(crate) mod encode;
#[cfg(test)]
mod round_trip;
pub(crate) mod scalar;
pub(crate) mod type_info;
pub(crate) mod type_token;
pub(crate) mod variant;

//! Column types and values, exactly as SQL Server has them.
//!
//! These are the engine's own, on purpose not the product's: a wrong conversion in icehost must not meet
//! the same wrong conversion here.

use std::sync::Arc;

/// A SQL Server data type with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    /// `decimal(precision, scale)`; `numeric` is the same type under another name.
    Decimal {
        precision: u8,
        scale: u8,
        /// Declared as `numeric`.
        numeric: bool,
    },
    Money,
    SmallMoney,
    Real,
    Float,
    /// Fixed length in bytes, padded with blanks.
    Char {
        length: u16,
    },
    /// `None` is `varchar(max)`.
    VarChar {
        length: Option<u16>,
    },
    /// Fixed length in UTF-16 code units, padded with blanks.
    NChar {
        length: u16,
    },
    /// `None` is `nvarchar(max)`.
    NVarChar {
        length: Option<u16>,
    },
    /// Fixed length in bytes, padded with zeros.
    Binary {
        length: u16,
    },
    /// `None` is `varbinary(max)`.
    VarBinary {
        length: Option<u16>,
    },
    Date,
    /// Fractional digits 0 to 7.
    Time {
        scale: u8,
    },
    DateTime,
    SmallDateTime,
    DateTime2 {
        scale: u8,
    },
    DateTimeOffset {
        scale: u8,
    },
    UniqueIdentifier,
    /// Eight bytes, set by the engine at each insert and update.
    RowVersion,
    /// `sysname`: `nvarchar(128)` by another name.
    SysName,
    SqlVariant,
    Xml,
}

/// One value. Strings are kept as Rust strings; a `varchar` column holds only what its code page (1252)
/// can hold, other characters having become `?` on the way in, as on SQL Server.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Null,
    Bit(bool),
    TinyInt(u8),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    /// Unscaled value; |value| < 10^38.
    Decimal {
        unscaled: i128,
        precision: u8,
        scale: u8,
    },
    /// Ten-thousandths.
    Money(i64),
    /// Ten-thousandths.
    SmallMoney(i32),
    Real(f32),
    Float(f64),
    /// Any character type; `national` tells `nvarchar` from `varchar`.
    Text {
        value: Arc<str>,
        national: bool,
    },
    Binary(Arc<[u8]>),
    /// Days since 0001-01-01.
    Date(i32),
    /// 100 ns ticks since midnight.
    Time {
        ticks: u64,
        scale: u8,
    },
    /// Days since 1900-01-01 (negative back to 1753) and 1/300 s ticks since midnight.
    DateTime {
        days: i32,
        ticks: u32,
    },
    /// Days since 1900-01-01 and minutes since midnight.
    SmallDateTime {
        days: u16,
        minutes: u16,
    },
    /// Days since 0001-01-01 and 100 ns ticks since midnight.
    DateTime2 {
        days: i32,
        ticks: u64,
        scale: u8,
    },
    /// UTC days and ticks, and the offset in minutes that it is shown with.
    DateTimeOffset {
        days: i32,
        ticks: u64,
        offset: i16,
        scale: u8,
    },
    /// Bytes in the textual order (`6F9619FF-8B86-…` starts with 0x6F); the wire's mixed-endian order is
    /// the protocol's concern.
    Guid([u8; 16]),
}

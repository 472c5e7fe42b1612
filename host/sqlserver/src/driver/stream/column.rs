//! What a result's columns are (COLMETADATA, MS-TDS 2.2.7.4; TYPE_INFO, 2.2.5.6).

use super::message::Reader;
use crate::driver::tds::{MAX_LENGTH, data_type};
use crate::error::{Result, SqlServerError};

/// How a value's length is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Not at all: every value has so many bytes, and none is NULL.
    Fixed(u8),
    /// By a byte; 0 is NULL.
    Byte,
    /// By two bytes; 65,535 is NULL.
    Short,
    /// In chunks (PLP, MS-TDS 2.2.5.2.3).
    Chunks,
}

/// What the bytes of a value mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Real,
    Float,
    /// 64 bits, the upper half first.
    Money,
    SmallMoney,
    Decimal {
        scale: u8,
    },
    Uuid,
    Date,
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
    Binary,
    Utf16,
    /// A single-byte code page; `utf8` where the collation says so.
    CodePage {
        utf8: bool,
    },
}

/// A column of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireColumn {
    pub(super) framing: Framing,
    pub(crate) kind: Kind,
}

/// The flag of a UTF-8 collation (MS-TDS 2.2.5.1.2).
const UTF8_COLLATION: u32 = 1 << 26;

impl WireColumn {
    /// Reads a type; `None` where not all of it has come.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<WireColumn>> {
        let Some(token) = reader.u8() else {
            return Ok(None);
        };
        let fixed = |size, kind| {
            Ok(Some(WireColumn {
                framing: Framing::Fixed(size),
                kind,
            }))
        };
        let by_length = |kind| {
            Ok(Some(WireColumn {
                framing: Framing::Byte,
                kind,
            }))
        };
        match token {
            data_type::TINYINT => fixed(1, Kind::TinyInt),
            data_type::BIT => fixed(1, Kind::Bit),
            data_type::SMALLINT => fixed(2, Kind::SmallInt),
            data_type::INT => fixed(4, Kind::Int),
            data_type::SMALLDATETIME => fixed(4, Kind::SmallDateTime),
            data_type::REAL => fixed(4, Kind::Real),
            data_type::MONEY => fixed(8, Kind::Money),
            data_type::DATETIME => fixed(8, Kind::DateTime),
            data_type::FLOAT => fixed(8, Kind::Float),
            data_type::SMALLMONEY => fixed(4, Kind::SmallMoney),
            data_type::BIGINT => fixed(8, Kind::BigInt),
            data_type::UNIQUEIDENTIFIER
            | data_type::INTEGER
            | data_type::NULLABLE_BIT
            | data_type::FLOATING_POINT
            | data_type::NULLABLE_MONEY
            | data_type::NULLABLE_DATETIME => {
                let Some(size) = reader.u8() else {
                    return Ok(None);
                };
                by_length(match (token, size) {
                    (data_type::UNIQUEIDENTIFIER, 16) => Kind::Uuid,
                    (data_type::INTEGER, 1) => Kind::TinyInt,
                    (data_type::INTEGER, 2) => Kind::SmallInt,
                    (data_type::INTEGER, 4) => Kind::Int,
                    (data_type::INTEGER, 8) => Kind::BigInt,
                    (data_type::NULLABLE_BIT, 1) => Kind::Bit,
                    (data_type::FLOATING_POINT, 4) => Kind::Real,
                    (data_type::FLOATING_POINT, 8) => Kind::Float,
                    (data_type::NULLABLE_MONEY, 4) => Kind::SmallMoney,
                    (data_type::NULLABLE_MONEY, 8) => Kind::Money,
                    (data_type::NULLABLE_DATETIME, 4) => Kind::SmallDateTime,
                    (data_type::NULLABLE_DATETIME, 8) => Kind::DateTime,
                    _ => return Err(unknown(token)),
                })
            }
            data_type::DECIMAL | data_type::NUMERIC => {
                let (Some(_size), Some(_precision), Some(scale)) =
                    (reader.u8(), reader.u8(), reader.u8())
                else {
                    return Ok(None);
                };
                match scale {
                    0..=38 => by_length(Kind::Decimal { scale }),
                    _ => Err(unknown(token)),
                }
            }
            data_type::DATE => by_length(Kind::Date),
            data_type::TIME | data_type::DATETIME2 | data_type::DATETIMEOFFSET => {
                let Some(scale) = reader.u8() else {
                    return Ok(None);
                };
                match (token, scale) {
                    (_, 8..) => Err(unknown(token)),
                    (data_type::TIME, _) => by_length(Kind::Time { scale }),
                    (data_type::DATETIME2, _) => by_length(Kind::DateTime2 { scale }),
                    _ => by_length(Kind::DateTimeOffset { scale }),
                }
            }
            data_type::VARBINARY
            | data_type::VARCHAR
            | data_type::BINARY
            | data_type::CHAR
            | data_type::NVARCHAR
            | data_type::NCHAR => {
                let Some(size) = reader.u16() else {
                    return Ok(None);
                };
                let framing = match size {
                    MAX_LENGTH => Framing::Chunks,
                    _ => Framing::Short,
                };
                let kind = match token {
                    data_type::VARBINARY | data_type::BINARY => Kind::Binary,
                    _ => {
                        let (Some(collation), Some(_sort_id)) = (reader.u32(), reader.u8()) else {
                            return Ok(None);
                        };
                        match token {
                            data_type::NVARCHAR | data_type::NCHAR => Kind::Utf16,
                            _ => Kind::CodePage {
                                utf8: collation & UTF8_COLLATION != 0,
                            },
                        }
                    }
                };
                Ok(Some(WireColumn { framing, kind }))
            }
            _ => Err(unknown(token)),
        }
    }

    /// Whether values come in chunks.
    pub(super) fn is_chunked(self) -> bool {
        self.framing == Framing::Chunks
    }
}

fn unknown(token: u8) -> SqlServerError {
    SqlServerError::protocol(format!(
        "the server sent a column of a type that was not asked for (0x{token:02X})"
    ))
}

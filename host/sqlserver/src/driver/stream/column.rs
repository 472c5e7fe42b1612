//! What a result's columns are (COLMETADATA, MS-TDS 2.2.7.4; TYPE_INFO, 2.2.5.6).

use super::message::Reader;
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
/// The length that stands for `max`.
const MAX: u16 = 0xFFFF;

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
            0x30 => fixed(1, Kind::TinyInt),
            0x32 => fixed(1, Kind::Bit),
            0x34 => fixed(2, Kind::SmallInt),
            0x38 => fixed(4, Kind::Int),
            0x3A => fixed(4, Kind::SmallDateTime),
            0x3B => fixed(4, Kind::Real),
            0x3C => fixed(8, Kind::Money),
            0x3D => fixed(8, Kind::DateTime),
            0x3E => fixed(8, Kind::Float),
            0x7A => fixed(4, Kind::SmallMoney),
            0x7F => fixed(8, Kind::BigInt),
            0x24 | 0x26 | 0x68 | 0x6D | 0x6E | 0x6F => {
                let Some(size) = reader.u8() else {
                    return Ok(None);
                };
                by_length(match (token, size) {
                    (0x24, 16) => Kind::Uuid,
                    (0x26, 1) => Kind::TinyInt,
                    (0x26, 2) => Kind::SmallInt,
                    (0x26, 4) => Kind::Int,
                    (0x26, 8) => Kind::BigInt,
                    (0x68, 1) => Kind::Bit,
                    (0x6D, 4) => Kind::Real,
                    (0x6D, 8) => Kind::Float,
                    (0x6E, 4) => Kind::SmallMoney,
                    (0x6E, 8) => Kind::Money,
                    (0x6F, 4) => Kind::SmallDateTime,
                    (0x6F, 8) => Kind::DateTime,
                    _ => return Err(unknown(token)),
                })
            }
            0x6A | 0x6C => {
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
            0x28 => by_length(Kind::Date),
            0x29..=0x2B => {
                let Some(scale) = reader.u8() else {
                    return Ok(None);
                };
                match (token, scale) {
                    (_, 8..) => Err(unknown(token)),
                    (0x29, _) => by_length(Kind::Time { scale }),
                    (0x2A, _) => by_length(Kind::DateTime2 { scale }),
                    _ => by_length(Kind::DateTimeOffset { scale }),
                }
            }
            0xA5 | 0xA7 | 0xAD | 0xAF | 0xE7 | 0xEF => {
                let Some(size) = reader.u16() else {
                    return Ok(None);
                };
                let framing = match size {
                    MAX => Framing::Chunks,
                    _ => Framing::Short,
                };
                let kind = match token {
                    0xA5 | 0xAD => Kind::Binary,
                    _ => {
                        let (Some(collation), Some(_sort_id)) = (reader.u32(), reader.u8()) else {
                            return Ok(None);
                        };
                        match token {
                            0xE7 | 0xEF => Kind::Utf16,
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

//! TYPE_INFO (MS-TDS 2.2.5.6): what type the bytes of a value have.

use icehost_devengine::types::SqlType;

use super::collation::{self, Collation};
use super::scalar::Scalar;
use super::type_token as token;
use crate::input::Input;
use crate::protocol_error::ProtocolError;

/// How the length of a character or binary value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The types of TDS 4.2: one byte, 0 is NULL.
    Byte(u8),
    /// Two bytes, 0xFFFF is NULL; holds the largest length in bytes.
    Short(u16),
    /// `(max)`: partially length-prefixed chunks.
    Partial,
    /// `text`, `ntext`, `image`: a text pointer and four bytes.
    Pointer,
}

/// A type as it stands before values on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeInfo {
    /// The type of a bare NULL.
    Null,
    /// A NOT NULL value without length.
    Fixed(Scalar),
    /// One byte of length, 0 is NULL.
    Nullable(Scalar),
    Decimal {
        precision: u8,
        scale: u8,
        numeric: bool,
    },
    Guid,
    Date,
    Time(u8),
    DateTime2(u8),
    DateTimeOffset(u8),
    Text {
        national: bool,
        fixed: bool,
        length: Length,
        collation: Collation,
    },
    Binary {
        fixed: bool,
        length: Length,
    },
    Variant,
}

/// Bytes of a decimal's sign and magnitude (MS-TDS 2.2.5.5.1.6).
pub(crate) fn decimal_size(precision: u8) -> u8 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

/// Bytes of a time of day with this many fractional digits.
pub(crate) fn time_size(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

impl TypeInfo {
    /// How a result column or output parameter of this type is sent.
    ///
    /// # Errors
    /// `xml`, which the development server does not model.
    pub(crate) fn of(sql_type: &SqlType, nullable: bool) -> Result<Self, ProtocolError> {
        let scalar = |scalar| {
            if nullable {
                Self::Nullable(scalar)
            } else {
                Self::Fixed(scalar)
            }
        };
        let text = |national, fixed, length| Self::Text {
            national,
            fixed,
            length,
            collation: collation::DEFAULT,
        };
        let max_or = |length: Option<u16>, width: u16| match length {
            Some(length) => Length::Short(length.saturating_mul(width).max(width)),
            None => Length::Partial,
        };
        Ok(match *sql_type {
            SqlType::Bit => scalar(Scalar::Bit),
            SqlType::TinyInt => scalar(Scalar::TinyInt),
            SqlType::SmallInt => scalar(Scalar::SmallInt),
            SqlType::Int => scalar(Scalar::Int),
            SqlType::BigInt => scalar(Scalar::BigInt),
            SqlType::Real => scalar(Scalar::Real),
            SqlType::Float => scalar(Scalar::Float),
            SqlType::Money => scalar(Scalar::Money),
            SqlType::SmallMoney => scalar(Scalar::SmallMoney),
            SqlType::DateTime => scalar(Scalar::DateTime),
            SqlType::SmallDateTime => scalar(Scalar::SmallDateTime),
            SqlType::Decimal {
                precision,
                scale,
                numeric,
            } => Self::Decimal {
                precision,
                scale,
                numeric,
            },
            SqlType::Char { length } => text(false, true, max_or(Some(length), 1)),
            SqlType::VarChar { length } => text(false, false, max_or(length, 1)),
            SqlType::NChar { length } => text(true, true, max_or(Some(length), 2)),
            SqlType::NVarChar { length } => text(true, false, max_or(length, 2)),
            SqlType::SysName => text(true, false, max_or(Some(128), 2)),
            SqlType::Binary { length } => Self::Binary {
                fixed: true,
                length: max_or(Some(length), 1),
            },
            SqlType::VarBinary { length } => Self::Binary {
                fixed: false,
                length: max_or(length, 1),
            },
            SqlType::RowVersion => Self::Binary {
                fixed: true,
                length: Length::Short(8),
            },
            SqlType::Date => Self::Date,
            SqlType::Time { scale } => Self::Time(scale),
            SqlType::DateTime2 { scale } => Self::DateTime2(scale),
            SqlType::DateTimeOffset { scale } => Self::DateTimeOffset(scale),
            SqlType::UniqueIdentifier => Self::Guid,
            SqlType::SqlVariant => Self::Variant,
            SqlType::Xml => return Err(ProtocolError::Unsupported("the type xml".into())),
        })
    }

    /// Whether this is `text`, `ntext` or `image`.
    pub(crate) fn has_text_pointer(&self) -> bool {
        matches!(
            self,
            Self::Text {
                length: Length::Pointer,
                ..
            } | Self::Binary {
                length: Length::Pointer,
                ..
            }
        )
    }

    /// The type that a parameter so described has.
    pub(crate) fn sql_type(&self) -> SqlType {
        match *self {
            Self::Null => SqlType::NVarChar { length: Some(1) },
            Self::Fixed(scalar) | Self::Nullable(scalar) => scalar.sql_type(),
            Self::Decimal {
                precision,
                scale,
                numeric,
            } => SqlType::Decimal {
                precision,
                scale,
                numeric,
            },
            Self::Guid => SqlType::UniqueIdentifier,
            Self::Date => SqlType::Date,
            Self::Time(scale) => SqlType::Time { scale },
            Self::DateTime2(scale) => SqlType::DateTime2 { scale },
            Self::DateTimeOffset(scale) => SqlType::DateTimeOffset { scale },
            Self::Variant => SqlType::SqlVariant,
            Self::Text {
                national,
                fixed,
                length,
                ..
            } => {
                let units = length.in_units(if national { 2 } else { 1 });
                match (national, fixed, units) {
                    (false, true, Some(length)) => SqlType::Char { length },
                    (false, _, length) => SqlType::VarChar { length },
                    (true, true, Some(length)) => SqlType::NChar { length },
                    (true, _, length) => SqlType::NVarChar { length },
                }
            }
            Self::Binary { fixed, length } => match (fixed, length.in_units(1)) {
                (true, Some(length)) => SqlType::Binary { length },
                (_, length) => SqlType::VarBinary { length },
            },
        }
    }

    /// Appends the TYPE_INFO.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Null => out.push(token::NULL),
            Self::Fixed(scalar) => out.push(scalar.fixed_token()),
            Self::Nullable(scalar) => {
                out.extend_from_slice(&[scalar.nullable_token(), scalar.size()])
            }
            Self::Decimal {
                precision,
                scale,
                numeric,
            } => {
                let kind = if numeric {
                    token::NUMERICN
                } else {
                    token::DECIMALN
                };
                out.extend_from_slice(&[kind, decimal_size(precision), precision, scale]);
            }
            Self::Guid => out.extend_from_slice(&[token::GUID, 16]),
            Self::Date => out.push(token::DATEN),
            Self::Time(scale) => out.extend_from_slice(&[token::TIMEN, scale]),
            Self::DateTime2(scale) => out.extend_from_slice(&[token::DATETIME2N, scale]),
            Self::DateTimeOffset(scale) => out.extend_from_slice(&[token::DATETIMEOFFSETN, scale]),
            Self::Text {
                national,
                fixed,
                length,
                collation,
            } => {
                let kind = match (national, fixed) {
                    (false, true) => token::BIGCHAR,
                    (false, false) => token::BIGVARCHAR,
                    (true, true) => token::NCHAR,
                    (true, false) => token::NVARCHAR,
                };
                out.push(kind);
                out.extend_from_slice(&length.on_the_wire().to_le_bytes());
                out.extend_from_slice(&collation.0);
            }
            Self::Binary { fixed, length } => {
                out.push(if fixed {
                    token::BIGBINARY
                } else {
                    token::BIGVARBINARY
                });
                out.extend_from_slice(&length.on_the_wire().to_le_bytes());
            }
            // 8009 is the largest size that a variant may take with its own header.
            Self::Variant => {
                out.push(token::SSVARIANT);
                out.extend_from_slice(&8009u32.to_le_bytes());
            }
        }
    }

    /// Reads a TYPE_INFO.
    ///
    /// # Errors
    /// A token that is no type, a length that its type cannot have, and the types `xml`, CLR and table.
    pub(crate) fn read(input: &mut Input) -> Result<Self, ProtocolError> {
        const READING: &str = "a type description";
        let kind = input.u8(READING)?;
        if let Some(scalar) = Scalar::from_fixed_token(kind) {
            return Ok(Self::Fixed(scalar));
        }
        Ok(match kind {
            token::NULL => Self::Null,
            token::BITN | token::INTN | token::FLTN | token::MONEYN | token::DATETIMN => {
                let length = input.u8(READING)?;
                Self::Nullable(Scalar::from_nullable_token(kind, length).ok_or_else(|| {
                    ProtocolError::invalid(format!(
                        "a value of type 0x{kind:02X} cannot be {length} bytes long"
                    ))
                })?)
            }
            token::DECIMALN | token::NUMERICN | token::LEGACY_DECIMAL | token::LEGACY_NUMERIC => {
                let [_, precision, scale] = input.array(READING)?;
                if !(1..=38).contains(&precision) || scale > precision {
                    return Err(ProtocolError::invalid(format!(
                        "decimal({precision}, {scale}) is not a type"
                    )));
                }
                Self::Decimal {
                    precision,
                    scale,
                    numeric: matches!(kind, token::NUMERICN | token::LEGACY_NUMERIC),
                }
            }
            token::GUID => match input.u8(READING)? {
                16 | 0 => Self::Guid,
                length => {
                    return Err(ProtocolError::invalid(format!(
                        "a uniqueidentifier cannot be {length} bytes long"
                    )));
                }
            },
            token::DATEN => Self::Date,
            token::TIMEN => Self::Time(read_scale(input)?),
            token::DATETIME2N => Self::DateTime2(read_scale(input)?),
            token::DATETIMEOFFSETN => Self::DateTimeOffset(read_scale(input)?),
            token::BIGCHAR | token::BIGVARCHAR | token::NCHAR | token::NVARCHAR => Self::Text {
                national: matches!(kind, token::NCHAR | token::NVARCHAR),
                fixed: matches!(kind, token::BIGCHAR | token::NCHAR),
                length: read_length(input)?,
                collation: Collation(input.array(READING)?),
            },
            token::BIGBINARY | token::BIGVARBINARY => Self::Binary {
                fixed: kind == token::BIGBINARY,
                length: read_length(input)?,
            },
            token::LEGACY_CHAR | token::LEGACY_VARCHAR => Self::Text {
                national: false,
                fixed: kind == token::LEGACY_CHAR,
                length: Length::Byte(input.u8(READING)?),
                collation: collation::DEFAULT,
            },
            token::LEGACY_BINARY | token::LEGACY_VARBINARY => Self::Binary {
                fixed: kind == token::LEGACY_BINARY,
                length: Length::Byte(input.u8(READING)?),
            },
            token::TEXT | token::NTEXT => {
                input.u32(READING)?;
                Self::Text {
                    national: kind == token::NTEXT,
                    fixed: false,
                    length: Length::Pointer,
                    collation: Collation(input.array(READING)?),
                }
            }
            token::IMAGE => {
                input.u32(READING)?;
                Self::Binary {
                    fixed: false,
                    length: Length::Pointer,
                }
            }
            token::SSVARIANT => {
                input.u32(READING)?;
                Self::Variant
            }
            token::XML => return Err(ProtocolError::Unsupported("the type xml".into())),
            token::UDT => return Err(ProtocolError::Unsupported("CLR types".into())),
            token::TVP => return Err(ProtocolError::Unsupported("table-valued parameters".into())),
            _ => {
                return Err(ProtocolError::invalid(format!(
                    "data type 0x{kind:02X} is unknown"
                )));
            }
        })
    }
}

impl Length {
    fn on_the_wire(self) -> u16 {
        match self {
            Self::Byte(bytes) => bytes.into(),
            Self::Short(bytes) => bytes,
            Self::Partial | Self::Pointer => u16::MAX,
        }
    }

    /// The declared length in units of `width` bytes; `None` is `(max)`.
    fn in_units(self, width: u16) -> Option<u16> {
        match self {
            Self::Byte(bytes) => Some((u16::from(bytes) / width).max(1)),
            Self::Short(bytes) => Some((bytes / width).max(1)),
            Self::Partial | Self::Pointer => None,
        }
    }
}

fn read_scale(input: &mut Input) -> Result<u8, ProtocolError> {
    match input.u8("the scale of a time")? {
        scale @ 0..=7 => Ok(scale),
        scale => Err(ProtocolError::invalid(format!(
            "a time cannot have {scale} fractional digits"
        ))),
    }
}

fn read_length(input: &mut Input) -> Result<Length, ProtocolError> {
    match input.u16("the length of a type")? {
        u16::MAX => Ok(Length::Partial),
        bytes @ 0..=8000 => Ok(Length::Short(bytes)),
        bytes => Err(ProtocolError::invalid(format!(
            "a type cannot be declared with {bytes} bytes; the most is 8000"
        ))),
    }
}

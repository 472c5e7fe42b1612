//! Types whose values have one size, each with a NOT NULL and a nullable form on the wire (MS-TDS 2.2.5.4.1).

use icehost_devengine::types::SqlType;

use super::type_token as token;

/// Types whose values have one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Real,
    Float,
    Money,
    SmallMoney,
    DateTime,
    SmallDateTime,
}

impl Scalar {
    pub(crate) fn fixed_token(self) -> u8 {
        match self {
            Self::Bit => token::BIT,
            Self::TinyInt => token::INT1,
            Self::SmallInt => token::INT2,
            Self::Int => token::INT4,
            Self::BigInt => token::INT8,
            Self::Real => token::FLT4,
            Self::Float => token::FLT8,
            Self::Money => token::MONEY,
            Self::SmallMoney => token::MONEY4,
            Self::DateTime => token::DATETIME,
            Self::SmallDateTime => token::DATETIME4,
        }
    }

    pub(crate) fn nullable_token(self) -> u8 {
        match self {
            Self::Bit => token::BITN,
            Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt => token::INTN,
            Self::Real | Self::Float => token::FLTN,
            Self::Money | Self::SmallMoney => token::MONEYN,
            Self::DateTime | Self::SmallDateTime => token::DATETIMN,
        }
    }

    pub(crate) fn from_fixed_token(byte: u8) -> Option<Self> {
        Some(match byte {
            token::BIT => Self::Bit,
            token::INT1 => Self::TinyInt,
            token::INT2 => Self::SmallInt,
            token::INT4 => Self::Int,
            token::INT8 => Self::BigInt,
            token::FLT4 => Self::Real,
            token::FLT8 => Self::Float,
            token::MONEY => Self::Money,
            token::MONEY4 => Self::SmallMoney,
            token::DATETIME => Self::DateTime,
            token::DATETIME4 => Self::SmallDateTime,
            _ => return None,
        })
    }

    pub(crate) fn from_nullable_token(byte: u8, length: u8) -> Option<Self> {
        Some(match (byte, length) {
            (token::BITN, 1) => Self::Bit,
            (token::INTN, 1) => Self::TinyInt,
            (token::INTN, 2) => Self::SmallInt,
            (token::INTN, 4) => Self::Int,
            (token::INTN, 8) => Self::BigInt,
            (token::FLTN, 4) => Self::Real,
            (token::FLTN, 8) => Self::Float,
            (token::MONEYN, 4) => Self::SmallMoney,
            (token::MONEYN, 8) => Self::Money,
            (token::DATETIMN, 4) => Self::SmallDateTime,
            (token::DATETIMN, 8) => Self::DateTime,
            _ => return None,
        })
    }

    /// Bytes of a value.
    pub(crate) fn size(self) -> u8 {
        match self {
            Self::Bit | Self::TinyInt => 1,
            Self::SmallInt => 2,
            Self::Int | Self::Real | Self::SmallMoney | Self::SmallDateTime => 4,
            Self::BigInt | Self::Float | Self::Money | Self::DateTime => 8,
        }
    }

    pub(crate) fn sql_type(self) -> SqlType {
        match self {
            Self::Bit => SqlType::Bit,
            Self::TinyInt => SqlType::TinyInt,
            Self::SmallInt => SqlType::SmallInt,
            Self::Int => SqlType::Int,
            Self::BigInt => SqlType::BigInt,
            Self::Real => SqlType::Real,
            Self::Float => SqlType::Float,
            Self::Money => SqlType::Money,
            Self::SmallMoney => SqlType::SmallMoney,
            Self::DateTime => SqlType::DateTime,
            Self::SmallDateTime => SqlType::SmallDateTime,
        }
    }
}

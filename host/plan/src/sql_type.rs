//! SQL Server's column types, and the one table that says what each becomes elsewhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{LakeType, LogicalType, PlanError};

/// Length of a variable-length type: bytes for `varchar` and `varbinary`, UTF-16 units for `nvarchar`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// 1 to 8000 (4000 for `nvarchar`).
    Limited(u16),
    /// `(max)`: up to 2 GiB.
    Max,
}

/// A SQL Server data type that icehost carries, with its parameters.
///
/// Source: Transact-SQL reference, "Data types". A type that is not here is refused by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// `bit`
    Bit,
    /// `tinyint`, 0 to 255
    TinyInt,
    /// `smallint`
    SmallInt,
    /// `int`
    Int,
    /// `bigint`
    BigInt,
    /// `decimal(p,s)` or `numeric(p,s)`; precision 1 to 38, scale 0 to precision
    Decimal {
        /// Total number of digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `money`: 64-bit count of ten-thousandths
    Money,
    /// `smallmoney`: 32-bit count of ten-thousandths
    SmallMoney,
    /// `real`, also `float(1)` to `float(24)`
    Real,
    /// `float`, also `float(25)` to `float(53)`
    Float,
    /// `char(n)`, blank-padded
    Char(u16),
    /// `varchar(n)` or `varchar(max)`
    VarChar(Length),
    /// `nchar(n)`, blank-padded
    NChar(u16),
    /// `nvarchar(n)` or `nvarchar(max)`; `sysname` is `nvarchar(128)`
    NVarChar(Length),
    /// `binary(n)`, zero-padded
    Binary(u16),
    /// `varbinary(n)` or `varbinary(max)`
    VarBinary(Length),
    /// `date`
    Date,
    /// `time(s)`, scale 0 to 7
    Time(u8),
    /// `datetime`: 1/300 s ticks
    DateTime,
    /// `smalldatetime`: minutes
    SmallDateTime,
    /// `datetime2(s)`, scale 0 to 7
    DateTime2(u8),
    /// `datetimeoffset(s)`, scale 0 to 7
    DateTimeOffset(u8),
    /// `uniqueidentifier`
    UniqueIdentifier,
    /// `rowversion`, also called `timestamp`: eight bytes, written by the server only
    RowVersion,
}

/// The parameters of a type.
enum Shape {
    /// It has none.
    Plain,
    Digits {
        precision: u8,
        scale: u8,
    },
    /// Digits behind the point of a second.
    Seconds(u8),
    Text {
        length: Length,
        fixed: bool,
        /// Otherwise in a code page.
        unicode: bool,
    },
    Bytes(Length),
}

impl SqlType {
    /// What a column of this type becomes in the lake and to a strategy.
    ///
    /// This is the one place that says so: Arrow types follow from the lake type
    /// ([`LakeType::arrow`]), DDL from [`Display`](fmt::Display) and [`LakeType::default_sql`].
    pub fn mapping(self) -> (LakeType, LogicalType) {
        use LakeType as L;
        use LogicalType as K;
        match self {
            SqlType::Bit => (L::Boolean, K::Boolean),
            SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => (L::Int, K::Integer),
            SqlType::BigInt => (L::Long, K::Integer),
            SqlType::Decimal { precision, scale } => (L::Decimal { precision, scale }, K::Decimal),
            SqlType::Money => (
                L::Decimal {
                    precision: 19,
                    scale: 4,
                },
                K::Decimal,
            ),
            SqlType::SmallMoney => (
                L::Decimal {
                    precision: 10,
                    scale: 4,
                },
                K::Decimal,
            ),
            SqlType::Real => (L::Float, K::Double),
            SqlType::Float => (L::Double, K::Double),
            SqlType::Char(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::NVarChar(_) => {
                (L::String, K::Text)
            }
            SqlType::Binary(_) | SqlType::VarBinary(_) | SqlType::RowVersion => {
                (L::Binary, K::Binary)
            }
            SqlType::Date => (L::Date, K::Date),
            SqlType::Time(_) => (L::Time, K::Time),
            SqlType::DateTime | SqlType::SmallDateTime | SqlType::DateTime2(_) => {
                (L::Timestamp, K::Timestamp)
            }
            SqlType::DateTimeOffset(_) => (L::TimestampTz, K::TimestampTz),
            SqlType::UniqueIdentifier => (L::Uuid, K::Uuid),
        }
    }

    /// The lake's type for this one.
    pub fn lake(self) -> LakeType {
        self.mapping().0
    }

    /// The kind that a strategy sees.
    pub fn logical(self) -> LogicalType {
        self.mapping().1
    }

    /// Whether values may carry a 100 ns digit, which an Iceberg v2 timestamp cannot hold.
    pub fn finer_than_microseconds(self) -> bool {
        self.fractional_digits() == Some(7)
    }

    /// Digits behind the point of a second, where they are declared.
    pub fn fractional_digits(self) -> Option<u8> {
        match self.shape() {
            Shape::Seconds(digits) => Some(digits),
            Shape::Plain | Shape::Digits { .. } | Shape::Text { .. } | Shape::Bytes(_) => None,
        }
    }

    /// The declared length of text, in units as [`Length`] counts them, or of bytes.
    pub fn length(self) -> Option<Length> {
        match self.shape() {
            Shape::Text { length, .. } | Shape::Bytes(length) => Some(length),
            Shape::Plain | Shape::Digits { .. } | Shape::Seconds(_) => None,
        }
    }

    /// How many characters text of fixed length is filled up to.
    pub fn blank_padded(self) -> Option<u16> {
        match self.shape() {
            Shape::Text {
                length: Length::Limited(n),
                fixed: true,
                ..
            } => Some(n),
            Shape::Plain
            | Shape::Digits { .. }
            | Shape::Seconds(_)
            | Shape::Text { .. }
            | Shape::Bytes(_) => None,
        }
    }

    /// The length in bytes of text in the code page of its collation; none of Unicode.
    pub fn code_page_length(self) -> Option<Length> {
        match self.shape() {
            Shape::Text {
                length,
                unicode: false,
                ..
            } => Some(length),
            Shape::Plain
            | Shape::Digits { .. }
            | Shape::Seconds(_)
            | Shape::Text { .. }
            | Shape::Bytes(_) => None,
        }
    }

    /// The type of a column or a parameter that takes this one's values: `rowversion` is written by the server only.
    pub fn of_values(self) -> SqlType {
        match self == SqlType::RowVersion {
            true => SqlType::Binary(8),
            false => self,
        }
    }

    /// What the type's parameters are. A type that is new says it here, and everything that goes by lengths, digits or
    /// padding follows.
    fn shape(self) -> Shape {
        let text = |length, fixed, unicode| Shape::Text {
            length,
            fixed,
            unicode,
        };
        match self {
            SqlType::Bit
            | SqlType::TinyInt
            | SqlType::SmallInt
            | SqlType::Int
            | SqlType::BigInt
            | SqlType::Money
            | SqlType::SmallMoney
            | SqlType::Real
            | SqlType::Float
            | SqlType::Date
            | SqlType::DateTime
            | SqlType::SmallDateTime
            | SqlType::UniqueIdentifier => Shape::Plain,
            SqlType::Decimal { precision, scale } => Shape::Digits { precision, scale },
            SqlType::Time(digits)
            | SqlType::DateTime2(digits)
            | SqlType::DateTimeOffset(digits) => Shape::Seconds(digits),
            SqlType::Char(n) => text(Length::Limited(n), true, false),
            SqlType::VarChar(length) => text(length, false, false),
            SqlType::NChar(n) => text(Length::Limited(n), true, true),
            SqlType::NVarChar(length) => text(length, false, true),
            SqlType::Binary(n) => Shape::Bytes(Length::Limited(n)),
            SqlType::VarBinary(length) => Shape::Bytes(length),
            SqlType::RowVersion => Shape::Bytes(Length::Limited(8)),
        }
    }

    /// Whether precision, scale and length are such as the server takes (T-SQL reference, "Data types").
    fn exists(self) -> bool {
        let length = |length, most| match length {
            Length::Limited(n) => (1..=most).contains(&n),
            Length::Max => true,
        };
        match self.shape() {
            Shape::Plain => true,
            Shape::Digits { precision, scale } => {
                (1..=38).contains(&precision) && scale <= precision
            }
            Shape::Seconds(digits) => digits <= 7,
            Shape::Text {
                length: n,
                unicode: true,
                ..
            } => length(n, 4000),
            Shape::Text { length: n, .. } | Shape::Bytes(n) => length(n, 8000),
        }
    }

    /// From the columns of `sys.types` and `sys.columns`: the base type's name, `max_length` in bytes (-1
    /// for max), `precision` and `scale`. `None` for a type that icehost does not carry.
    pub fn from_catalog(name: &str, max_length: i16, precision: u8, scale: u8) -> Option<SqlType> {
        let length = |bytes_per_unit: i16| {
            if max_length < 0 {
                Length::Max
            } else {
                Length::Limited((max_length / bytes_per_unit) as u16)
            }
        };
        let fixed = |bytes_per_unit: i16| (max_length.max(0) / bytes_per_unit) as u16;
        Some(match name.to_ascii_lowercase().as_str() {
            "bit" => SqlType::Bit,
            "tinyint" => SqlType::TinyInt,
            "smallint" => SqlType::SmallInt,
            "int" => SqlType::Int,
            "bigint" => SqlType::BigInt,
            "decimal" | "numeric" => SqlType::Decimal { precision, scale },
            "money" => SqlType::Money,
            "smallmoney" => SqlType::SmallMoney,
            "real" => SqlType::Real,
            "float" if precision <= 24 => SqlType::Real,
            "float" => SqlType::Float,
            "char" => SqlType::Char(fixed(1)),
            "varchar" => SqlType::VarChar(length(1)),
            "nchar" => SqlType::NChar(fixed(2)),
            "nvarchar" | "sysname" => SqlType::NVarChar(length(2)),
            "binary" => SqlType::Binary(fixed(1)),
            "varbinary" => SqlType::VarBinary(length(1)),
            "date" => SqlType::Date,
            "time" => SqlType::Time(scale),
            "datetime" => SqlType::DateTime,
            "smalldatetime" => SqlType::SmallDateTime,
            "datetime2" => SqlType::DateTime2(scale),
            "datetimeoffset" => SqlType::DateTimeOffset(scale),
            "uniqueidentifier" => SqlType::UniqueIdentifier,
            "timestamp" | "rowversion" => SqlType::RowVersion,
            _ => return None,
        })
    }
}

/// The type as T-SQL writes it in a column definition.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = |f: &mut fmt::Formatter<'_>, name: &str, length: &Length| match length {
            Length::Limited(n) => write!(f, "{name}({n})"),
            Length::Max => write!(f, "{name}(max)"),
        };
        match self {
            SqlType::Bit => f.write_str("bit"),
            SqlType::TinyInt => f.write_str("tinyint"),
            SqlType::SmallInt => f.write_str("smallint"),
            SqlType::Int => f.write_str("int"),
            SqlType::BigInt => f.write_str("bigint"),
            SqlType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            SqlType::Money => f.write_str("money"),
            SqlType::SmallMoney => f.write_str("smallmoney"),
            SqlType::Real => f.write_str("real"),
            SqlType::Float => f.write_str("float"),
            SqlType::Char(n) => write!(f, "char({n})"),
            SqlType::VarChar(length) => variable(f, "varchar", length),
            SqlType::NChar(n) => write!(f, "nchar({n})"),
            SqlType::NVarChar(length) => variable(f, "nvarchar", length),
            SqlType::Binary(n) => write!(f, "binary({n})"),
            SqlType::VarBinary(length) => variable(f, "varbinary", length),
            SqlType::Date => f.write_str("date"),
            SqlType::Time(scale) => write!(f, "time({scale})"),
            SqlType::DateTime => f.write_str("datetime"),
            SqlType::SmallDateTime => f.write_str("smalldatetime"),
            SqlType::DateTime2(scale) => write!(f, "datetime2({scale})"),
            SqlType::DateTimeOffset(scale) => write!(f, "datetimeoffset({scale})"),
            SqlType::UniqueIdentifier => f.write_str("uniqueidentifier"),
            SqlType::RowVersion => f.write_str("rowversion"),
        }
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for SqlType {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let unknown = || {
            PlanError::new(format!(
                "'{text}' is not a SQL Server type that icehost knows"
            ))
        };
        let (name, arguments) = match text.split_once('(') {
            None => (text, ""),
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(unknown)?),
        };
        let max = arguments == "max";
        let mut numbers = Vec::new();
        if !max && !arguments.is_empty() {
            for part in arguments.split(',') {
                numbers.push(part.trim().parse::<u16>().map_err(|_| unknown())?);
            }
        }
        let small = |i: usize| numbers.get(i).copied().and_then(|n| u8::try_from(n).ok());
        let bytes_per_unit: u16 = if name.starts_with('n') && name != "numeric" {
            2
        } else {
            1
        };
        let max_length = match (max, numbers.first()) {
            (true, _) => -1,
            (false, Some(&n)) => {
                i16::try_from(n.saturating_mul(bytes_per_unit)).map_err(|_| unknown())?
            }
            (false, None) => 0,
        };
        let (precision, scale) = match name {
            "decimal" | "numeric" => (small(0).ok_or_else(unknown)?, small(1).ok_or_else(unknown)?),
            "time" | "datetime2" | "datetimeoffset" => (0, small(0).ok_or_else(unknown)?),
            "float" => (53, 0),
            _ => (0, 0),
        };
        let parsed =
            SqlType::from_catalog(name, max_length, precision, scale).ok_or_else(unknown)?;
        if parsed.to_string() == text && parsed.exists() {
            Ok(parsed)
        } else {
            Err(unknown())
        }
    }
}

impl Serialize for SqlType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SqlType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

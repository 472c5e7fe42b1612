//! What T-SQL says of types: names, precedence, the type of a combination.

use crate::decimal::{self, Shape};
use crate::error::{SqlResult, type_clash};
use crate::types::{Datum, SqlType};

impl SqlType {
    /// The name that messages use.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Decimal { numeric: true, .. } => "numeric",
            Self::Decimal { .. } => "decimal",
            Self::Money => "money",
            Self::SmallMoney => "smallmoney",
            Self::Real => "real",
            Self::Float => "float",
            Self::Char { .. } => "char",
            Self::VarChar { .. } => "varchar",
            Self::NChar { .. } => "nchar",
            Self::NVarChar { .. } | Self::SysName => "nvarchar",
            Self::Binary { .. } => "binary",
            Self::VarBinary { .. } => "varbinary",
            Self::Date => "date",
            Self::Time { .. } => "time",
            Self::DateTime => "datetime",
            Self::SmallDateTime => "smalldatetime",
            Self::DateTime2 { .. } => "datetime2",
            Self::DateTimeOffset { .. } => "datetimeoffset",
            Self::UniqueIdentifier => "uniqueidentifier",
            Self::RowVersion => "timestamp",
            Self::SqlVariant => "sql_variant",
            Self::Xml => "xml",
        }
    }

    pub(crate) fn is_text(&self) -> bool {
        matches!(
            self,
            Self::Char { .. }
                | Self::VarChar { .. }
                | Self::NChar { .. }
                | Self::NVarChar { .. }
                | Self::SysName
        )
    }

    pub(crate) fn is_national(&self) -> bool {
        matches!(
            self,
            Self::NChar { .. } | Self::NVarChar { .. } | Self::SysName | Self::Xml
        )
    }

    pub(crate) fn is_binary(&self) -> bool {
        matches!(
            self,
            Self::Binary { .. } | Self::VarBinary { .. } | Self::RowVersion
        )
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::Bit | Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt
        )
    }

    pub(crate) fn is_exact_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Decimal { .. } | Self::Money | Self::SmallMoney)
    }

    pub(crate) fn is_number(&self) -> bool {
        self.is_exact_number() || matches!(self, Self::Real | Self::Float)
    }

    pub(crate) fn is_temporal(&self) -> bool {
        matches!(
            self,
            Self::Date
                | Self::Time { .. }
                | Self::DateTime
                | Self::SmallDateTime
                | Self::DateTime2 { .. }
                | Self::DateTimeOffset { .. }
        )
    }

    /// `datetime` and `smalldatetime`, which take part in arithmetic and convert from numbers.
    pub(crate) fn is_old_temporal(&self) -> bool {
        matches!(self, Self::DateTime | Self::SmallDateTime)
    }

    /// Length in the type's own units (characters or bytes); `None` is max. Only for text and binary.
    pub(crate) fn length(&self) -> Option<u16> {
        match self {
            Self::Char { length } | Self::NChar { length } | Self::Binary { length } => {
                Some(*length)
            }
            Self::VarChar { length } | Self::NVarChar { length } | Self::VarBinary { length } => {
                *length
            }
            Self::SysName => Some(128),
            Self::RowVersion => Some(8),
            _ => None,
        }
    }

    /// Precision and scale as a decimal, for exact numbers.
    pub(crate) fn shape(&self) -> Option<Shape> {
        let (precision, scale) = match self {
            Self::Bit => (1, 0),
            Self::TinyInt => (3, 0),
            Self::SmallInt => (5, 0),
            Self::Int => (10, 0),
            Self::BigInt => (19, 0),
            Self::Money => (19, 4),
            Self::SmallMoney => (10, 4),
            Self::Decimal {
                precision, scale, ..
            } => (*precision, *scale),
            _ => return None,
        };
        Some(Shape { precision, scale })
    }

    /// Type precedence (T-SQL reference, "Data type precedence"); the larger wins.
    pub(crate) fn precedence(&self) -> u8 {
        match self {
            Self::SqlVariant => 30,
            Self::Xml => 29,
            Self::DateTimeOffset { .. } => 28,
            Self::DateTime2 { .. } => 27,
            Self::DateTime => 26,
            Self::SmallDateTime => 25,
            Self::Date => 24,
            Self::Time { .. } => 23,
            Self::Float => 22,
            Self::Real => 21,
            Self::Decimal { .. } => 20,
            Self::Money => 19,
            Self::SmallMoney => 18,
            Self::BigInt => 17,
            Self::Int => 16,
            Self::SmallInt => 15,
            Self::TinyInt => 14,
            Self::Bit => 13,
            Self::RowVersion => 12,
            Self::UniqueIdentifier => 11,
            Self::NVarChar { .. } | Self::SysName => 10,
            Self::NChar { .. } => 9,
            Self::VarChar { .. } => 8,
            Self::Char { .. } => 7,
            Self::VarBinary { .. } => 6,
            Self::Binary { .. } => 5,
        }
    }

    /// A decimal type of that shape.
    pub(crate) fn decimal(shape: Shape) -> Self {
        Self::Decimal {
            precision: shape.precision,
            scale: shape.scale,
            numeric: true,
        }
    }
}

/// The type that two operands meet in: comparison, CASE, COALESCE, UNION.
pub(crate) fn common_type(a: &SqlType, b: &SqlType) -> SqlResult<SqlType> {
    if a == b {
        return Ok(a.clone());
    }
    let (high, low) = if a.precedence() >= b.precedence() {
        (a, b)
    } else {
        (b, a)
    };
    let clash = || Err(type_clash(low.name(), high.name()));
    Ok(match high {
        SqlType::SqlVariant => SqlType::SqlVariant,
        SqlType::Decimal { .. } if low.is_exact_number() => match (high.shape(), low.shape()) {
            (Some(x), Some(y)) => SqlType::decimal(decimal::common_shape(x, y)),
            _ => high.clone(),
        },
        _ if high.is_number() => {
            if low.is_number() || low.is_text() || low.is_binary() && high.is_exact_number() {
                high.clone()
            } else {
                return clash();
            }
        }
        SqlType::DateTimeOffset { scale } => match low {
            SqlType::DateTime2 { scale: other } | SqlType::Time { scale: other } => {
                SqlType::DateTimeOffset {
                    scale: *scale.max(other),
                }
            }
            SqlType::DateTime => SqlType::DateTimeOffset {
                scale: 7.max(*scale),
            },
            _ if low.is_temporal() || low.is_text() => high.clone(),
            SqlType::DateTimeOffset { scale: other } => SqlType::DateTimeOffset {
                scale: *scale.max(other),
            },
            _ => return clash(),
        },
        SqlType::DateTime2 { scale } => match low {
            SqlType::DateTime2 { scale: other } | SqlType::Time { scale: other } => {
                SqlType::DateTime2 {
                    scale: *scale.max(other),
                }
            }
            // Since compatibility level 130 a datetime shows its full 1/300 s.
            SqlType::DateTime => SqlType::DateTime2 { scale: 7 },
            _ if low.is_temporal() || low.is_text() => high.clone(),
            _ => return clash(),
        },
        SqlType::Time { scale } => match low {
            SqlType::Time { scale: other } => SqlType::Time {
                scale: *scale.max(other),
            },
            _ if low.is_text() => high.clone(),
            _ => return clash(),
        },
        SqlType::Date => {
            if low.is_text() {
                high.clone()
            } else {
                return clash();
            }
        }
        _ if high.is_old_temporal() => high.clone(),
        SqlType::UniqueIdentifier => {
            if low.is_text() || low.is_binary() {
                high.clone()
            } else {
                return clash();
            }
        }
        SqlType::RowVersion => SqlType::VarBinary { length: Some(8) },
        _ if high.is_text() => {
            if !(low.is_text() || low.is_binary()) {
                return clash();
            }
            wider_text(high, low)
        }
        _ => {
            let length = match (high.length(), low.length()) {
                (Some(x), Some(y)) => Some(x.max(y)),
                _ => None,
            };
            SqlType::VarBinary { length }
        }
    })
}

fn wider_text(high: &SqlType, low: &SqlType) -> SqlType {
    let national = high.is_national();
    let limit = if national { 4000 } else { 8000 };
    let length = match (high.length(), low.length()) {
        (Some(x), Some(y)) if x.max(y) <= limit => Some(x.max(y)),
        _ => None,
    };
    match (high, low) {
        (SqlType::Char { length: x }, SqlType::Char { length: y }) => {
            SqlType::Char { length: *x.max(y) }
        }
        (
            SqlType::NChar { length: x },
            SqlType::NChar { length: y } | SqlType::Char { length: y },
        ) if x == y => SqlType::NChar { length: *x.max(y) },
        _ if national => SqlType::NVarChar { length },
        _ => SqlType::VarChar { length },
    }
}

/// The type of a value on its own, as a parameter or inside a `sql_variant`.
pub(crate) fn type_of(value: &Datum) -> SqlType {
    match value {
        Datum::Null | Datum::Int(_) => SqlType::Int,
        Datum::Bit(_) => SqlType::Bit,
        Datum::TinyInt(_) => SqlType::TinyInt,
        Datum::SmallInt(_) => SqlType::SmallInt,
        Datum::BigInt(_) => SqlType::BigInt,
        Datum::Decimal {
            precision, scale, ..
        } => SqlType::Decimal {
            precision: *precision,
            scale: *scale,
            numeric: true,
        },
        Datum::Money(_) => SqlType::Money,
        Datum::SmallMoney(_) => SqlType::SmallMoney,
        Datum::Real(_) => SqlType::Real,
        Datum::Float(_) => SqlType::Float,
        Datum::Text {
            value,
            national: true,
        } => {
            let units = value.encode_utf16().count();
            SqlType::NVarChar {
                length: (units <= 4000).then_some(units.max(1) as u16),
            }
        }
        Datum::Text { value, .. } => {
            let units = value.chars().count();
            SqlType::VarChar {
                length: (units <= 8000).then_some(units.max(1) as u16),
            }
        }
        Datum::Binary(bytes) => SqlType::VarBinary {
            length: (bytes.len() <= 8000).then_some(bytes.len().max(1) as u16),
        },
        Datum::Date(_) => SqlType::Date,
        Datum::Time { scale, .. } => SqlType::Time { scale: *scale },
        Datum::DateTime { .. } => SqlType::DateTime,
        Datum::SmallDateTime { .. } => SqlType::SmallDateTime,
        Datum::DateTime2 { scale, .. } => SqlType::DateTime2 { scale: *scale },
        Datum::DateTimeOffset { scale, .. } => SqlType::DateTimeOffset { scale: *scale },
        Datum::Guid(_) => SqlType::UniqueIdentifier,
    }
}

//! The lake's column types: Iceberg v2 primitives.

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};

use crate::{Length, LogicalType, SqlType};

/// An Iceberg v2 primitive type (Iceberg table spec, "Primitive types").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LakeType {
    /// `boolean`
    Boolean,
    /// `int`, 32 bits
    Int,
    /// `long`, 64 bits
    Long,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `decimal(P,S)`, precision up to 38
    Decimal {
        /// Total number of digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `date`
    Date,
    /// `time`, microseconds
    Time,
    /// `timestamp`, microseconds without zone
    Timestamp,
    /// `timestamptz`, microseconds, stored in UTC
    TimestampTz,
    /// `string`
    String,
    /// `uuid`
    Uuid,
    /// `fixed[L]`
    Fixed(u32),
    /// `binary`
    Binary,
}

impl LakeType {
    /// The Arrow type in which the host carries values of this type.
    pub fn arrow(self) -> DataType {
        match self {
            LakeType::Boolean => DataType::Boolean,
            LakeType::Int => DataType::Int32,
            LakeType::Long => DataType::Int64,
            LakeType::Float => DataType::Float32,
            LakeType::Double => DataType::Float64,
            LakeType::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
            LakeType::Date => DataType::Date32,
            LakeType::Time => DataType::Time64(TimeUnit::Microsecond),
            LakeType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            LakeType::TimestampTz => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("+00:00")))
            }
            LakeType::String => DataType::Utf8,
            LakeType::Uuid => DataType::FixedSizeBinary(16),
            LakeType::Fixed(length) => DataType::FixedSizeBinary(length as i32),
            LakeType::Binary => DataType::Binary,
        }
    }

    /// The kind that a strategy sees.
    pub fn logical(self) -> LogicalType {
        match self {
            LakeType::Boolean => LogicalType::Boolean,
            LakeType::Int | LakeType::Long => LogicalType::Integer,
            LakeType::Float | LakeType::Double => LogicalType::Double,
            LakeType::Decimal { .. } => LogicalType::Decimal,
            LakeType::Date => LogicalType::Date,
            LakeType::Time => LogicalType::Time,
            LakeType::Timestamp => LogicalType::Timestamp,
            LakeType::TimestampTz => LogicalType::TimestampTz,
            LakeType::String => LogicalType::Text,
            LakeType::Uuid => LogicalType::Uuid,
            LakeType::Fixed(_) | LakeType::Binary => LogicalType::Binary,
        }
    }

    /// The SQL Server type that a column gets where nothing says which type it came from.
    ///
    /// `in_key` asks for a type that a primary key can hold: at most 900 bytes (T-SQL reference, "Maximum
    /// capacity specifications").
    pub fn default_sql(self, in_key: bool) -> SqlType {
        match self {
            LakeType::Boolean => SqlType::Bit,
            LakeType::Int => SqlType::Int,
            LakeType::Long => SqlType::BigInt,
            LakeType::Float => SqlType::Real,
            LakeType::Double => SqlType::Float,
            LakeType::Decimal { precision, scale } => SqlType::Decimal { precision, scale },
            LakeType::Date => SqlType::Date,
            LakeType::Time => SqlType::Time(6),
            LakeType::Timestamp => SqlType::DateTime2(6),
            LakeType::TimestampTz => SqlType::DateTimeOffset(6),
            LakeType::String if in_key => SqlType::NVarChar(Length::Limited(450)),
            LakeType::String => SqlType::NVarChar(Length::Max),
            LakeType::Uuid => SqlType::UniqueIdentifier,
            LakeType::Fixed(length @ 1..=8000) => SqlType::Binary(length as u16),
            LakeType::Binary if in_key => SqlType::VarBinary(Length::Limited(900)),
            LakeType::Fixed(_) | LakeType::Binary => SqlType::VarBinary(Length::Max),
        }
    }
}

/// The type as the Iceberg spec writes it in JSON.
impl fmt::Display for LakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LakeType::Boolean => "boolean",
            LakeType::Int => "int",
            LakeType::Long => "long",
            LakeType::Float => "float",
            LakeType::Double => "double",
            LakeType::Decimal { precision, scale } => {
                return write!(f, "decimal({precision}, {scale})");
            }
            LakeType::Date => "date",
            LakeType::Time => "time",
            LakeType::Timestamp => "timestamp",
            LakeType::TimestampTz => "timestamptz",
            LakeType::String => "string",
            LakeType::Uuid => "uuid",
            LakeType::Fixed(length) => return write!(f, "fixed[{length}]"),
            LakeType::Binary => "binary",
        })
    }
}

//! The kinds of values that a strategy distinguishes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a strategy sees of a column's type; `logical-type` in the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // each is its own name
pub enum LogicalType {
    Boolean,
    Integer,
    Double,
    Decimal,
    Text,
    Binary,
    Date,
    Time,
    Timestamp,
    TimestampTz,
    Uuid,
}

impl LogicalType {
    /// Whether values of the two kinds can be compared exactly.
    pub fn comparable_with(self, other: LogicalType) -> bool {
        let exact_number = |kind| matches!(kind, LogicalType::Integer | LogicalType::Decimal);
        self == other || (exact_number(self) && exact_number(other))
    }

    /// Whether values of the kind have an order that all sides agree on. Text does not: each collation has
    /// its own.
    pub fn ordered(self) -> bool {
        !matches!(self, LogicalType::Text | LogicalType::Boolean)
    }
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogicalType::Boolean => "boolean",
            LogicalType::Integer => "integer",
            LogicalType::Double => "double",
            LogicalType::Decimal => "decimal",
            LogicalType::Text => "text",
            LogicalType::Binary => "binary",
            LogicalType::Date => "date",
            LogicalType::Time => "time",
            LogicalType::Timestamp => "timestamp",
            LogicalType::TimestampTz => "timestamp-tz",
            LogicalType::Uuid => "uuid",
        })
    }
}

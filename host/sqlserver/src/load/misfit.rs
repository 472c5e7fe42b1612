//! Values that a column cannot hold exactly, and what is said of them.

use icehost_plan::values::ArrowValue;
use icehost_plan::{ColumnType, Length, SqlType};

/// What is wrong with a value. Small, since the encoder decides it for every value; [`Misfit::refusal`] finds
/// the words for the one that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The value lies outside of the type's range.
    OutOfRange,
    /// The value has digits behind the point that the type has not.
    TooFine,
    /// The value is of another kind than the type's.
    WrongKind,
    /// Infinite, or not a number.
    NotANumber,
    /// Text with more UTF-16 units than the type holds.
    TooManyCharacters,
    /// Bytes that are not as many as a `binary(n)` has.
    WrongLength,
    /// More bytes than a `varbinary(n)` holds.
    TooManyBytes,
    /// 2 GiB or more.
    TooLarge,
}

/// Why a value cannot be loaded, in words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) hint: &'static str,
}

const WIDEN: &str = "give the target column a wider type";
const LENGTHEN: &str = "make the target column longer";
const FINER: &str = "give the target column a type with more fractional digits";

impl Misfit {
    /// What is said of `value`, which a column of type `sql_type` cannot hold.
    pub(super) fn refusal(self, value: ArrowValue<'_>, sql_type: SqlType) -> Refusal {
        let shown = || value.shown(ColumnType::Sql(sql_type));
        let bytes = match value {
            ArrowValue::Binary(bytes) => bytes.len(),
            ArrowValue::Text(text) => text.len().saturating_mul(2),
            _ => 0,
        };
        let (reason, hint) = match self {
            Misfit::OutOfRange => (format!("{} does not fit {sql_type}", shown()), WIDEN),
            Misfit::TooFine => (
                format!("{} has finer digits than {sql_type}", shown()),
                FINER,
            ),
            Misfit::WrongKind => (
                format!("{} is not a value of {sql_type}", shown()),
                "the lake's column has another type than the delta was described with",
            ),
            Misfit::NotANumber => {
                let number = match value {
                    ArrowValue::Float(v) => f64::from(v),
                    ArrowValue::Double(v) => v,
                    _ => f64::NAN,
                };
                (
                    format!("SQL Server has no floating-point value {number}"),
                    "make such values NULL in the lake",
                )
            }
            Misfit::TooManyCharacters => {
                let units = match value {
                    ArrowValue::Text(text) => text.encode_utf16().count(),
                    _ => 0,
                };
                (
                    format!(
                        "the text has {units} characters and {sql_type} holds {}",
                        length(sql_type)
                    ),
                    LENGTHEN,
                )
            }
            Misfit::WrongLength => (
                format!(
                    "the value has {bytes} bytes and {sql_type} holds exactly {}",
                    length(sql_type)
                ),
                "make the target column varbinary, or binary of the right length",
            ),
            Misfit::TooManyBytes => (
                format!(
                    "the value has {bytes} bytes and {sql_type} holds {}",
                    length(sql_type)
                ),
                LENGTHEN,
            ),
            Misfit::TooLarge => (
                format!("the value has {bytes} bytes, and SQL Server holds less than 2 GiB"),
                "leave the column out",
            ),
        };
        Refusal { reason, hint }
    }
}

/// The declared length of text and bytes.
fn length(sql_type: SqlType) -> u16 {
    match sql_type.length() {
        Some(Length::Limited(n)) => n,
        Some(Length::Max) | None => 0,
    }
}

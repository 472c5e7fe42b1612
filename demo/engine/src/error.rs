//! SQL Server's error numbers and texts, and the development server's own refusals.
//!
//! Numbers and wording follow `sys.messages` of SQL Server 2022; what the engine does not model is refused
//! with a class 16 error whose number is one of the `UNSUPPORTED_*` constants.

use crate::session::SqlError;

/// Refused: a statement.
pub const UNSUPPORTED_STATEMENT: u32 = 50101;
/// Refused: a function.
pub const UNSUPPORTED_FUNCTION: u32 = 50102;
/// Refused: a data type or a conversion.
pub const UNSUPPORTED_TYPE: u32 = 50103;
/// Refused: a clause, an option or a setting.
pub const UNSUPPORTED_CLAUSE: u32 = 50104;
/// Refused: a system procedure.
pub const UNSUPPORTED_PROCEDURE: u32 = 50105;
/// Refused: a catalog view or another system object.
pub const UNSUPPORTED_OBJECT: u32 = 50106;

/// Refused: a comparison whose outcome on SQL Server is not known.
pub const UNSUPPORTED_COMPARISON: u32 = 50107;

/// What every fallible step of the engine returns.
pub type SqlResult<T> = Result<T, SqlError>;

impl SqlError {
    /// An error with SQL Server's number, class (severity) and state; the line is filled in by the batch.
    #[must_use]
    pub fn new(number: u32, class: u8, state: u8, message: impl Into<String>) -> Self {
        Self {
            number,
            state,
            class,
            message: message.into(),
            line: 0,
            aborts_batch: false,
        }
    }

    /// Marks an error that ends the batch (SQL Server does so for name resolution and syntax errors).
    #[must_use]
    pub fn ending_batch(mut self) -> Self {
        self.aborts_batch = true;
        self
    }

    /// An informational message, as PRINT sends it.
    #[must_use]
    pub fn information(message: impl Into<String>) -> Self {
        Self::new(0, 0, 1, message)
    }
}

fn refuse(number: u32, kind: &str, what: &str) -> SqlError {
    SqlError::new(
        number,
        16,
        1,
        format!("the development server does not support this {kind}: {what}"),
    )
}

/// A comparison that cannot be answered.
pub(crate) fn unsupported_comparison(what: &str) -> SqlError {
    SqlError::new(
        UNSUPPORTED_COMPARISON,
        16,
        1,
        format!("the development server does not know how SQL Server compares {what}"),
    )
}

/// A statement outside the subset.
pub(crate) fn unsupported_statement(what: &str) -> SqlError {
    refuse(UNSUPPORTED_STATEMENT, "statement", what)
}

/// A function outside the subset.
pub(crate) fn unsupported_function(what: &str) -> SqlError {
    refuse(UNSUPPORTED_FUNCTION, "function", what)
}

/// A type or conversion outside the subset.
pub(crate) fn unsupported_type(what: &str) -> SqlError {
    refuse(UNSUPPORTED_TYPE, "data type or conversion", what)
}

/// A clause, option or setting outside the subset.
pub(crate) fn unsupported_clause(what: &str) -> SqlError {
    refuse(UNSUPPORTED_CLAUSE, "clause or option", what)
}

/// A procedure outside the subset.
pub(crate) fn unsupported_procedure(what: &str) -> SqlError {
    refuse(UNSUPPORTED_PROCEDURE, "procedure", what)
}

/// A system object outside the subset.
pub(crate) fn unsupported_object(what: &str) -> SqlError {
    refuse(UNSUPPORTED_OBJECT, "system object", what)
}

/// 102: the parser met something that it did not expect.
pub(crate) fn syntax(near: &str) -> SqlError {
    SqlError::new(102, 15, 1, format!("Incorrect syntax near '{near}'.")).ending_batch()
}

/// 156: a keyword where none may stand.
pub(crate) fn syntax_keyword(near: &str) -> SqlError {
    SqlError::new(
        156,
        15,
        1,
        format!("Incorrect syntax near the keyword '{near}'."),
    )
    .ending_batch()
}

/// 208: no table or view of that name.
pub(crate) fn invalid_object(name: &str) -> SqlError {
    SqlError::new(208, 16, 1, format!("Invalid object name '{name}'.")).ending_batch()
}

/// 207: no column of that name.
pub(crate) fn invalid_column(name: &str) -> SqlError {
    SqlError::new(207, 16, 1, format!("Invalid column name '{name}'.")).ending_batch()
}

/// 137: a variable that was never declared.
pub(crate) fn undeclared_variable(name: &str) -> SqlError {
    SqlError::new(
        137,
        15,
        2,
        format!("Must declare the scalar variable \"{name}\"."),
    )
    .ending_batch()
}

/// 8115: the value does not fit the type that it is converted to.
pub(crate) fn arithmetic_overflow(from: &str, to: &str) -> SqlError {
    SqlError::new(
        8115,
        16,
        if from == "expression" { 2 } else { 6 },
        format!("Arithmetic overflow error converting {from} to data type {to}."),
    )
}

/// 8134.
pub(crate) fn division_by_zero() -> SqlError {
    SqlError::new(8134, 16, 1, "Divide by zero error encountered.")
}

/// 8114: a text that does not read as the type.
pub(crate) fn conversion_failed(from: &str, to: &str) -> SqlError {
    SqlError::new(
        8114,
        16,
        5,
        format!("Error converting data type {from} to {to}."),
    )
}

/// 245: a text that does not read as a whole number, bit or date.
pub(crate) fn conversion_of_value_failed(from: &str, value: &str, to: &str) -> SqlError {
    SqlError::new(
        245,
        16,
        1,
        format!("Conversion failed when converting the {from} value '{value}' to data type {to}."),
    )
}

/// 206: two types that do not go together.
pub(crate) fn type_clash(from: &str, to: &str) -> SqlError {
    SqlError::new(
        206,
        16,
        2,
        format!("Operand type clash: {from} is incompatible with {to}"),
    )
}

/// 529: an explicit conversion that does not exist.
pub(crate) fn no_explicit_conversion(from: &str, to: &str) -> SqlError {
    SqlError::new(
        529,
        16,
        2,
        format!("Explicit conversion from data type {from} to {to} is not allowed."),
    )
}

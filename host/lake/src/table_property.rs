//! Properties of a table that say how it is written (Iceberg documentation, "Configuration", "Table properties").
//!
//! What a property says that cannot be understood is an error: whoever has set it wanted something.

use iceberg::spec::TableMetadata;
use icehost_untrusted::shown;

use crate::error::{LakeError, Result};

/// A whole number; `None` where the table says nothing.
///
/// # Errors
/// [`crate::LakeErrorKind::Unsupported`] for what is no such number.
pub(crate) fn whole_number(
    metadata: &TableMetadata,
    table: &str,
    property: &str,
) -> Result<Option<u64>> {
    match metadata.properties().get(property) {
        None => Ok(None),
        Some(text) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(not_understood(table, property, text, "a whole number")),
        },
    }
}

/// Yes or no, or what counts where the table says nothing.
///
/// # Errors
/// [`crate::LakeErrorKind::Unsupported`] for what is neither.
pub(crate) fn flag(
    metadata: &TableMetadata,
    table: &str,
    property: &str,
    or: bool,
) -> Result<bool> {
    match metadata.properties().get(property) {
        None => Ok(or),
        Some(text) if text.trim().eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.trim().eq_ignore_ascii_case("false") => Ok(false),
        Some(text) => Err(not_understood(table, property, text, "true or false")),
    }
}

fn not_understood(table: &str, property: &str, text: &str, wanted: &str) -> LakeError {
    LakeError::unsupported(format!(
        "the property {property} of lake table {table} is '{}', which is not {wanted}",
        shown(text)
    ))
    .with_hint("set it right with the engine that has set it, or take it out")
}

//! What of the rows that were read is not carried as it is.

use icehost_sqlserver::{Extracted, SqlTable};

use crate::detection::visibility;

/// What the login is not shown, and what Iceberg could not hold.
pub(crate) fn warnings(source: &SqlTable, extracted: &Extracted) -> Vec<String> {
    let named = |columns: &[String]| {
        let quoted: Vec<String> = columns.iter().map(|name| format!("'{name}'")).collect();
        quoted.join(", ")
    };
    let table = &source.name;
    let mut warnings = visibility::warnings(source);
    if !extracted.truncated.is_empty() {
        warnings.push(format!(
            "{table}: the 100 ns digit of {} was cut off, as Iceberg holds microseconds (--time-precision error refuses such values)",
            named(&extracted.truncated)
        ));
    }
    if !extracted.offsets_lost.is_empty() {
        warnings.push(format!(
            "{table}: values of {} are now in UTC, as Iceberg holds the moment without the offset",
            named(&extracted.offsets_lost)
        ));
    }
    warnings
}

//! Comparisons that cannot be answered. A comparison has no way to fail, so it notes its doubt, and the statement
//! that it belongs to is refused at its end.

use std::cell::RefCell;

use super::Collation;
use crate::error::unsupported_comparison;
use crate::session::SqlError;

thread_local! {
    /// A session runs on one thread at a time, and a statement within it.
    static DOUBT: RefCell<Option<SqlError>> = const { RefCell::new(None) };
}

/// How much of a text is shown.
const SHOWN: usize = 40;

/// Notes that the two may be equal or not.
pub(super) fn raise(collation: &Collation, a: &str, b: &str) {
    DOUBT.with_borrow_mut(|doubt| {
        doubt.get_or_insert_with(|| {
            let shown = |text: &str| text.chars().take(SHOWN).collect::<String>();
            unsupported_comparison(&format!(
                "'{}' with '{}' under {}",
                shown(a),
                shown(b),
                collation.name
            ))
        });
    });
}

/// The first doubt since it was last asked for.
pub(crate) fn take() -> Option<SqlError> {
    DOUBT.take()
}

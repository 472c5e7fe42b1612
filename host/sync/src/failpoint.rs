//! Named places where tests make a run fail or crash.

use crate::SyncError;

/// Fails (`return`), crashes the process (`return(crash)`), or does what else the `fail` crate offers, as
/// the test has configured; nothing without the feature `failpoints`.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) -> Result<(), SyncError> {
    fail::fail_point!(name, |argument| {
        if argument.as_deref() == Some("crash") {
            std::process::abort();
        }
        Err(SyncError::schema(
            format!("failed at {name}, as the test asked"),
            "run again without the failpoint",
        ))
    });
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn failpoint(_: &str) -> Result<(), SyncError> {
    Ok(())
}

/// Whether a guard stands. The model takes guards out one by one, to show that each is needed; without the
/// feature `failpoints` they all stand.
#[cfg(feature = "failpoints")]
pub(crate) fn stands(guard: &str) -> bool {
    fn taken_out(guard: &str) -> Option<()> {
        fail::fail_point!(guard, |_| Some(()));
        None
    }
    taken_out(guard).is_none()
}

#[cfg(not(feature = "failpoints"))]
pub(crate) const fn stands(_: &str) -> bool {
    true
}

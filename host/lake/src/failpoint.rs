//! Named places where tests make a commit fail or crash.

use crate::error::Result;

/// Fails (`return`), crashes the process (`return(crash)`), or does what else the `fail` crate offers, as
/// the test has configured; nothing without the feature `failpoints`.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) -> Result<()> {
    fail::fail_point!(name, |argument| {
        if argument.as_deref() == Some("crash") {
            std::process::abort();
        }
        Err(crate::LakeError::new(
            crate::LakeErrorKind::Io,
            format!("failed at {name}, as the test asked"),
        ))
    });
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn failpoint(_name: &str) -> Result<()> {
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

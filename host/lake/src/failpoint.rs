//! Named places where tests make a commit fail or crash.

use crate::error::Result;

/// Fails, sleeps, panics or calls back as the test has configured; nothing without the feature `failpoints`.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) -> Result<()> {
    fail::fail_point!(name, |_| Err(crate::LakeError::new(
        crate::LakeErrorKind::Io,
        format!("failed at {name}, as the test asked")
    )));
    Ok(())
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn failpoint(_name: &str) -> Result<()> {
    Ok(())
}

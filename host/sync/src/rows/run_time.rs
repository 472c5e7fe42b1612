//! What a merger takes for now.

/// Ticks of 100 ns since 1970-01-01T00:00Z, whole microseconds: Iceberg's timestamps have no finer ones.
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros().saturating_mul(10)
}

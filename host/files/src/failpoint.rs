//! Named places where tests make a run fail or crash, and guards that they take out.
//!
//! Compiled into test binaries only, by the feature `failpoints`.

/// A place failed because a test asked for it.
#[derive(Debug, thiserror::Error)]
#[error("failed at {0}, as the test asked")]
pub struct Failed(pub &'static str);

/// Fails (`return`), crashes the process (`return(crash)`), or does what else the `fail` crate offers, as
/// the test has configured; nothing without the feature `failpoints`.
///
/// # Errors
/// [`Failed`], where a test asks for it.
#[cfg(feature = "failpoints")]
pub fn failpoint(place: &'static str) -> Result<(), Failed> {
    fail::fail_point!(place, |argument| {
        if argument.as_deref() == Some("crash") {
            std::process::abort();
        }
        Err(Failed(place))
    });
    Ok(())
}

/// Nothing: this is no test binary.
///
/// # Errors
/// None.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub const fn failpoint(_: &'static str) -> Result<(), Failed> {
    Ok(())
}

/// Whether a guard stands. The model takes guards out one by one, to show that each is needed; without the
/// feature `failpoints` they all stand.
#[cfg(feature = "failpoints")]
pub fn stands(guard: &'static str) -> bool {
    fn taken_out(guard: &str) -> Option<()> {
        fail::fail_point!(guard, |_| Some(()));
        None
    }
    taken_out(guard).is_none()
}

/// Whether a guard stands, which all do.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub const fn stands(_: &'static str) -> bool {
    true
}

/// Gives constants their names, and lists them in their order.
macro_rules! named {
    ($(#[$about:meta])* $list:ident: $($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*
        $(#[$about])*
        pub const $list: [&str; [$($text),*].len()] = [$($name),*];
    };
}

named! {
    /// Every place, in the order in which a run comes by.
    PLACES:
    /// The change detector has said what to read.
    AFTER_DETECT = "sync::after-detect";
    /// The journal of a first load is written, and no range is read.
    LOAD_BEGUN = "sync::load-begun";
    /// A range is in its files, and not in the journal.
    RANGE_READ = "sync::range-read";
    /// A range is in the journal.
    RANGE_RECORDED = "sync::range-recorded";
    /// All ranges are in the lake, and the journal is still there.
    RANGES_COMMITTED = "sync::ranges-committed";
    /// A batch is staged for the lake.
    WHILE_STAGING = "sync::while-staging";
    /// Everything is read.
    AFTER_EXTRACT = "sync::after-extract";
    /// The data files are written.
    AFTER_STAGING = "lake::after-staging";
    /// The manifests are written.
    AFTER_MANIFESTS = "lake::after-manifests";
    /// The new version of the metadata has no name yet.
    BEFORE_METADATA_LINK = "lake::before-metadata-link";
    /// The new version of the metadata is there, and the hint is behind.
    AFTER_METADATA_LINK = "lake::after-metadata-link";
    /// The hint is written.
    AFTER_HINT = "lake::after-hint";
    /// The delivery begins.
    BEFORE_LOAD = "sync::before-load";
    /// A batch is on its way to the target.
    WHILE_LOADING = "sync::while-loading";
    /// All rows are in the staging table.
    AFTER_STAGE = "sqlserver::after-stage";
    /// The transaction of the merge has begun.
    BEFORE_MERGE = "sqlserver::before-merge";
    /// The rows are merged.
    AFTER_MERGE = "sqlserver::after-merge";
    /// The position is written.
    BEFORE_COMMIT = "sqlserver::before-commit";
    /// The transaction is committed.
    AFTER_COMMIT = "sqlserver::after-commit";
}

named! {
    /// Every guard against a loss.
    GUARDS:
    /// Old versions among changed rows are found by who wrote them.
    GUARD_NEWEST = "lake::guard-newest";
    /// What went is looked up among the keys that are there.
    GUARD_LIVE_KEYS = "lake::guard-live-keys";
    /// A target that has moved on is not merged into.
    GUARD_POSITION = "sqlserver::guard-position";
    /// A target is the table that the position is of.
    GUARD_TARGET_TABLE = "sync::guard-target-table";
    /// A complete read under a key finds each key once.
    GUARD_REPETITION = "sync::guard-repetition";
    /// A complete read that finds nothing does not empty the lake.
    GUARD_EMPTY_READ = "sync::guard-empty-read";
    /// The watermark is where the window began.
    GUARD_WATERMARK = "sync::guard-watermark";
    /// A resumed load goes on to what came after its bounds.
    GUARD_EARLIER_BOUNDS = "sync::guard-earlier-bounds";
    /// Rows are not added to a target twice.
    GUARD_ADDED_TWICE = "sync::guard-added-twice";
    /// Rows that the lake lacks go from the target.
    GUARD_ABSENT_ROWS = "sync::guard-absent-rows";
    /// Ranges that a snapshot names are committed.
    GUARD_RANGES = "sync::guard-ranges";
    /// Ranges of snapshots that were rolled back are not.
    GUARD_ROLLED_BACK_RANGES = "sync::guard-rolled-back-ranges";
    /// What is read again is not added again.
    GUARD_READ_AGAIN = "sync::guard-read-again";
    /// A lake without a snapshot does not empty a target.
    GUARD_LAKE_THAT_IS_GONE = "sync::guard-lake-that-is-gone";
}

//! What differs, and what becomes of it.

/// What becomes of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    /// It should not be there.
    Wrong,
    /// A later run takes it away: the next one, unless something holds it back.
    Pending,
    /// No run takes it away, and none promises to.
    NotSeen,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum What {
    /// The row is expected and is not there.
    Missing,
    /// The row is there and is not expected.
    Extra,
    /// The row is there with other values.
    Changed,
    /// The row is there more often than expected.
    Repeated,
    /// A version counts while another one of its key does, or ends before it begins.
    Overlapping,
}

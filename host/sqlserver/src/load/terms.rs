//! What a merge is to do and mind beside its plan.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use uuid::Uuid;

use super::loss::Mark;
use super::target_state::{KnownPosition, TableIdentity};

/// Rows of a table that a complete delivery does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// How many of them would be deleted, marked or closed.
    pub rows: u64,
    /// Of how many rows that take part in the merge.
    pub of: u64,
}

/// Asked, after the merge and before it is committed, with the positions of the target as they are now: whether the rows that
/// go are still to go.
pub type StillGone = Arc<dyn Fn(Vec<KnownPosition>) -> BoxFuture<'static, bool> + Send + Sync>;

/// What a merge is to do and mind beside its plan; nothing by default.
#[derive(Clone, Default)]
pub struct Terms {
    /// The table that the plan was made for. The merge is refused as a conflict where the name stands for
    /// another one by then.
    pub target: Option<TableIdentity>,
    /// A key that comes several times is refused: each row is a row of its own, and no version of another.
    pub keys_are_unique: bool,
    /// What is staged is all there is, with an operation column: a deletion is added for each row of the target
    /// that takes part and whose key is not staged, by the target's own notion of equality.
    pub delete_absent: bool,
    /// The target was without a row when it was looked at, and it is worth looking again.
    pub found_empty: bool,
    /// The target has to be without a row when the merge begins.
    pub into_empty: bool,
    /// Rows of the delta may be in the target already: the merge, which adds rows without looking for them, is refused where
    /// one is.
    pub there_already: bool,
    /// Whether so many rows may go because they are absent; any may where nobody is asked.
    pub may_delete: Option<Arc<dyn Fn(Absent) -> bool + Send + Sync>>,
    /// Of a key of the delta that several rows of the target have, all of them go before the merge, which brings the delta's.
    pub replace_repeated: bool,
    /// Rows of the target whose keys are spelled otherwise than the delta's may be another's: the merge is refused where
    /// there are any.
    pub spellings_of_others: bool,
    /// Whether what goes is still to go.
    pub still_gone: Option<StillGone>,
    /// Called before the transaction is committed. What it gives is kept until the merge is over: who is about to give up
    /// should wait for it.
    pub committing: Option<Arc<dyn Fn() -> Box<dyn Send> + Send + Sync>>,
    /// Lake tables whose positions go, since the one that is delivered has taken their place.
    pub replaces: Vec<Uuid>,
    /// Other lake tables that deliver into the same table, and what they are to be told of it.
    pub marks: Vec<Mark>,
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("target", &self.target)
            .field("keys_are_unique", &self.keys_are_unique)
            .field("delete_absent", &self.delete_absent)
            .field("found_empty", &self.found_empty)
            .field("into_empty", &self.into_empty)
            .field("there_already", &self.there_already)
            .field("may_delete", &self.may_delete.is_some())
            .field("replace_repeated", &self.replace_repeated)
            .field("spellings_of_others", &self.spellings_of_others)
            .field("still_gone", &self.still_gone.is_some())
            .field("committing", &self.committing.is_some())
            .field("replaces", &self.replaces)
            .field("marks", &self.marks)
            .finish()
    }
}

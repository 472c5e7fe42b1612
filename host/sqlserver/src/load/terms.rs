//! What a merge is to do and mind beside its plan.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::loss::Mark;
use super::target_state::TableIdentity;

/// Rows of a table that a complete delivery does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// How many of them would be deleted, marked or closed.
    pub rows: u64,
    /// Of how many rows that take part in the merge.
    pub of: u64,
}

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
    /// Whether so many rows may go because they are absent; any may where nobody is asked.
    pub may_delete: Option<Arc<dyn Fn(Absent) -> bool + Send + Sync>>,
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
            .field("may_delete", &self.may_delete.is_some())
            .field("committing", &self.committing.is_some())
            .field("replaces", &self.replaces)
            .field("marks", &self.marks)
            .finish()
    }
}

//! Changes from the table's rows: those that a filter over their columns lets through, as they are now.
//!
//! What is gone is not seen, and of several changes of a row the last. The position is a value of the rows themselves,
//! so that no retention, no restore and no switch of the server's can invalidate it unseen; whether it still fits, the
//! strategy's own filter and what it observes tell.

use super::{RowMeaning, Way};
use crate::lower;
use crate::permissions::Permission;

pub(super) const WAY: Way = Way {
    meaning: RowMeaning::Row,
    permissions: &[Permission::Select],
    // Rows that move while they are scanned may come twice or not at all, which a run says; what changed after a bound was
    // read lies above it.
    needs_snapshot: false,
    select: lower::rows,
};

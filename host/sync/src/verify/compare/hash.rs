//! Rows that have been read, by what they are.

use crate::SyncError;
use crate::verify::compare::rows::Read;
use crate::verify::compare::shape::{Hashed, Shape};

pub(crate) fn hash(shape: &Shape, read: &Read) -> Result<Vec<Hashed>, SyncError> {
    if read.rows == 0 {
        return Ok(Vec::new());
    }
    shape.hash(&read.arrays).map_err(not_compared)
}

pub(crate) fn not_compared(why: String) -> SyncError {
    SyncError::schema(why, "please report this as a defect")
}

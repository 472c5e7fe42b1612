//! Values in Arrow arrays: what they are, and whether their column's type has them.
//!
//! Whoever makes an array promises more than Arrow's types say: a `decimal(5,2)` is a 128-bit number to Arrow,
//! and a `tinyint` a 32-bit one. What breaks the promise would be read back as another value, or by nobody.

mod arrow_value;
mod check;
mod domain;

pub use arrow_value::{ArrowValue, is_known};
pub use check::Misfit;
pub use domain::{Domain, Grid};

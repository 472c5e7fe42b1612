//! What changed in the source, and how it lands in the lake: the change detector's plan and the merger's, both held
//! against what the login is shown, what the rules leave of the rows, and what the lake's rows were shaped by.
//!
//! The room knows the source and the lake table, and reads no row of either.

pub(crate) mod change;
pub(crate) mod context;
pub(crate) mod detect;
pub(crate) mod detected;
pub(crate) mod hidden_columns;
pub(crate) mod keys;
pub(crate) mod repetition;
pub(crate) mod row_shape;
pub(crate) mod visibility;

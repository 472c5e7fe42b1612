//! The lake's half of the first half: the table that rows go to, and the commit that holds them and their watermark.
//!
//! The room knows what was detected and what was staged. How rows were read, in one piece or in ranges, it does not
//! know.

pub(crate) mod advance;
pub(crate) mod commit;
pub(crate) mod landed;
pub(crate) mod table;

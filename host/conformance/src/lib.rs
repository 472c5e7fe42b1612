//! Tests of strategies, for their authors: cases of their own as data files, and what every strategy must do.
//!
//! A case shows the strategy a table, a watermark and readings, and says what comes back ([`CaseFile`]). From
//! each case follow the checks that hold for any strategy ([`run`]): the same answer to the same question, a
//! watermark that never moves back, an empty table, a first and a resumed run, options that are refused.
//! Nothing is read from a database: a strategy sees none.

mod batch;
mod case;
mod check;
mod describe;
mod detector;
mod error;
mod explain;
mod merger;
mod table;
mod timing;
mod transformer;

pub use case::CaseFile;
pub use check::{Check, run};
pub use error::CaseError;
pub use explain::{DetectorRun, Explanation, Landing, explain, table};
pub use timing::{Throughput, Timing, instantiation, time, usage};

//! Write icehost strategies in Rust.
//!
//! A strategy decides *which rows changed* (a [`ChangeDetector`]), *how a delta lands* (a [`Merger`]) or, with the
//! feature `arrow`, *what becomes of rows on their way* (a `BatchTransformer`). It is shown a table and answers
//! with a plan; the host checks the plan, writes the SQL and moves the rows. A strategy has no files, no network,
//! no clock and no state of its own: what it must remember travels in the [`Watermark`], which the host commits
//! together with the rows.
//!
//! ```
//! use icehost_sdk::cursor::{Cursor, Nulls};
//! use icehost_sdk::prelude::*;
//!
//! /// Reads rows whose `version` grew since the last run.
//! pub struct ByVersion;
//!
//! impl ChangeDetector for ByVersion {
//!     const NAME: &'static str = "by-version";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     const SUMMARY: &'static str = "rows whose integer column 'version' grew";
//!     type Options = NoOptions;
//!
//!     fn probes(context: &Context<NoOptions>) -> Result<Vec<Probe>, Error> {
//!         Ok(cursor(context)?.probes())
//!     }
//!
//!     fn plan(context: &Context<NoOptions>, readings: &[Value]) -> Result<ExtractionPlan, Error> {
//!         cursor(context)?.plan(readings, |mark, _| mark.clone())
//!     }
//!
//!     fn advance(context: &Context<NoOptions>, outcome: &Outcome) -> Result<Watermark, Error> {
//!         cursor(context)?.advance(outcome)
//!     }
//! }
//!
//! fn cursor(context: &Context<NoOptions>) -> Result<Cursor<'_>, Error> {
//!     let (table, watermark) = (&context.table, context.watermark.as_ref());
//!     let cursor = Cursor::new(table, table.require("version")?, Nulls::Refuse, watermark)?;
//!     Ok(cursor.begin_at_least())
//! }
//!
//! icehost_sdk::export_change_detector!(ByVersion);
//! ```
//!
//! Build it with `crate-type = ["cdylib"]` and `icehost plugin build PATH`. Everything but the `export`
//! line is ordinary Rust that native unit tests can call.

#![deny(missing_docs)]

mod adapter;
mod bindings;
pub mod cursor;
mod detection;
mod error;
mod expression;
pub mod log;
mod merge;
mod moment;
pub mod options;
mod rows;
mod shared;
mod table;
#[cfg(feature = "arrow")]
mod transform;
mod value;
mod watermark;

pub use bindings::detection::exports::icehost::strategy::change_detection::{
    ChangeSource, Coverage, ExtractionPlan, Extreme, FilteredAggregate, Outcome, Probe, Watermark,
    Window,
};
pub use bindings::detection::icehost::strategy::types::{
    Aggregate, AggregateFunction, Column, ColumnId, ColumnRef, Compare, Comparison, Decimal,
    Direction, Expression, Failure, Features, LogicalType, Membership, Node, Side, SortKey, Table,
    Value, Zoned,
};
pub use bindings::merge::exports::icehost::strategy::merge::{
    Action, Assignment, Clause, Contents, Delta, KeyPair, MergePlan, Occasion, Succession,
    WriteMode,
};
#[cfg(feature = "arrow")]
pub use bindings::transform::exports::icehost::strategy::batch_transform::Transformation;
pub use detection::{ChangeDetector, Context};
pub use error::Error;
pub use expression::{Predicate, Scalar, coalesce, col, lit, target_col};
pub use merge::{MergeContext, Merger};
pub use options::{NoOptions, Options};
pub use rows::{rows_after, rows_before, rows_from, rows_through};
pub use shared::{SharedColumn, any_differs, none_differs};
#[cfg(feature = "arrow")]
pub use transform::{BatchTransformer, Transformed};

/// Arrow, in the version in which batches come.
#[cfg(feature = "arrow")]
pub mod arrow {
    pub use arrow_array as array;
    pub use arrow_schema as schema;
}

/// Everything that a strategy usually needs.
pub mod prelude {
    pub use crate::{
        Action, Assignment, ChangeDetector, ChangeSource, Clause, Column, ColumnId, Contents,
        Context, Coverage, Decimal, Delta, Direction, Error, ExtractionPlan, Failure, KeyPair,
        LogicalType, MergeContext, MergePlan, Merger, NoOptions, Occasion, Options, Outcome,
        Predicate, Probe, Scalar, SharedColumn, SortKey, Succession, Table, Value, Watermark,
        WriteMode, Zoned, any_differs, coalesce, col, lit, none_differs, rows_after, rows_before,
        rows_from, rows_through, target_col,
    };
    #[cfg(feature = "arrow")]
    pub use crate::{BatchTransformer, Transformation, Transformed};
}

/// The examples of the documentation, which are tested as those here are.
#[cfg(doctest)]
#[doc = include_str!("../../docs/strategies.md")]
pub struct Documentation;

/// What the macros expand to; not for direct use.
#[doc(hidden)]
pub mod __private {
    pub use crate::adapter::{DetectorAdapter, MergerAdapter};
    pub use crate::bindings::{base, detection, merge, transform};
    #[cfg(feature = "arrow")]
    pub use crate::transform::TransformerAdapter;
    pub use serde_json::{Map, Value as Json, json};
}

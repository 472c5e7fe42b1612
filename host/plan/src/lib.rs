//! The vocabulary that strategies, SQL Server and the lake share: tables, typed values, expressions, plans
//! and watermarks, with the checks that stand between a strategy and everything it may cause.
//!
//! No I/O happens here. A plan that comes out of a WebAssembly component is a [`ExtractionPlan`] or a
//! [`MergePlan`]; only the checked forms, [`ValidExtractionPlan`] and [`ValidMergePlan`], are lowered to SQL
//! or applied to the lake.

mod collation;
mod completeness;
mod error;
pub mod expression;
mod expression_text;
pub mod extraction;
mod key_range;
mod lake_type;
mod logical;
mod lower_bound;
pub mod merge;
mod needed_value;
mod probe;
mod sql_type;
mod table;
mod transformation;
mod upper_bound;
pub mod value;
pub mod values;
mod view;
mod watermark;

pub use collation::{CodePage, Collation, Ignored, TextPattern};
pub use error::PlanError;
pub use expression::{Comparison, Expression, Node, Side};
pub use extraction::{
    Aggregate, AggregateFunction, ChangeSource, Coverage, Direction, ExtractionPlan, Outcome,
    SortKey, ValidExtractionPlan, Window,
};
pub use key_range::KeyRange;
pub use lake_type::LakeType;
pub use logical::LogicalType;
pub use lower_bound::LowerBound;
pub use merge::{
    Action, Assignment, Clause, Contents, Delta, KeyPair, MergePlan, Occasion, Operation,
    Succession, ValidMergePlan, WriteMode,
};
pub use probe::{Extreme, Probe, validate_probes};
pub use sql_type::{Length, SqlType};
pub use table::{Column, ColumnType, Features, Table};
pub use transformation::{OutputColumn, Transformation, ValidTransformation};
pub use value::Value;
pub use view::{ColumnGrant, MergeViews, View};
pub use watermark::{MAX_MARKS, MAX_WATERMARK_BYTES, Watermark};

//! Between the bindings and the vocabulary of [`icehost_plan`].
//!
//! Towards a component nothing can fail. What comes from one is only given another form here; whether it
//! makes sense is for `icehost_plan` to validate.

mod detection;
mod expression;
mod failure;
mod merge;
pub(crate) mod previous;
mod table;
mod transform;
mod value;

pub(crate) use detection::{
    extraction_plan, outcome_to_guest, probes, watermark, watermark_to_guest,
};
pub(crate) use failure::{failure, shown_plan_error};
pub(crate) use merge::{delta_to_guest, merge_plan};
pub(crate) use table::table_to_guest;
pub(crate) use transform::transformation;
pub(crate) use value::value_to_guest;

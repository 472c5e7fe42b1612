//! Source and lake: what is compared of them, by which rules, what the next run will bring, and what a repair writes.

pub(crate) mod columns;
pub(crate) mod compare;
pub(crate) mod next_run;
pub(crate) mod one_row;
pub(crate) mod repair;
pub(crate) mod rules;

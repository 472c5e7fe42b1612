//! What tells the rows of a lake table apart that keeps versions of them, as far as its source is known.
//!
//! A merge by a key leaves one row of each. That is right where rows with one key are versions of one row of the source,
//! and loses rows where they are several: of a source without a key, or with a key that has become a wider one.

use icehost_lake::LakeTable;
use icehost_plan::{Delta, MergePlan, Table};

use crate::watermark::place::kept;
use crate::watermark::row_shape::RowShape;

/// What is known of the rows; `None` where an earlier version, or somebody else, has written them.
fn shape(lake: &LakeTable) -> Option<RowShape> {
    kept(lake).ok()??.record?.shape
}

/// The lake's columns with the key that its source has, where that is another than when the table was created.
pub(crate) fn with_source_key(lake: &LakeTable, mut description: Table) -> Table {
    let Some(shape) = shape(lake) else {
        return description;
    };
    let Some(keys) = &shape.source_keys else {
        return description;
    };
    let own = description.key();
    let place = |name: &String| description.ordinal(name);
    let now: Option<Vec<u32>> = keys.primary.iter().map(place).collect();
    let now = match now {
        Some(now) if !now.is_empty() => now,
        // The lake has one row of each of its own keys, whatever the source tells apart.
        _ if !shape.keys.is_empty() => return description,
        _ => Vec::new(),
    };
    // Rows with a part of the former key in common were several once.
    if !now.is_empty() && now.iter().all(|at| own.contains(at)) {
        return description;
    }
    for (at, column) in (0..).zip(&mut description.columns) {
        let position = now.iter().position(|&key| key == at);
        column.key_position = position.and_then(|position| u32::try_from(position).ok());
    }
    description
}

/// Whether rows with the plan's key in common are rows of their own, since nothing else tells the source's rows apart.
pub(crate) fn each_is_its_own(
    lake: &LakeTable,
    description: &Table,
    plan: &MergePlan,
    delta: &Delta,
) -> bool {
    if plan.keys.is_empty() || !description.key().is_empty() {
        return false;
    }
    let Some(shape) = shape(lake) else {
        return false;
    };
    let Some(source) = shape.source_keys else {
        return false;
    };
    let in_key = |name: &String| {
        let mut keys = plan.keys.iter();
        keys.any(|key| {
            let column = delta.columns.get(key.source as usize);
            column.is_some_and(|column| column.name.to_lowercase() == name.to_lowercase())
        })
    };
    let mut known = source.unique.iter().chain([&shape.keys]);
    !known.any(|key| !key.is_empty() && key.iter().all(in_key))
}

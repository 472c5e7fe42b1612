//! What to do where nothing tells which row of a key is the newest in the lake.

use icehost_lake::{ChangePlan, LakeErrorKind, LakeTable};
use icehost_plan::{Column, ValidMergePlan};

use crate::watermark::place::kept;
use crate::{Merging, SyncError};

/// The option of mergers that says which of several rows of a key counts.
const OPTION: &str = "deduplicate-by";

/// The changes for a merge that keeps one row of each key: where nothing tells which one counts, they cannot be read.
/// At most so many bytes are remembered of rows and keys.
pub(crate) fn one_of_each_key(
    changes: ChangePlan,
    plan: &ValidMergePlan,
    most_bytes: usize,
) -> ChangePlan {
    let changes = changes.within(most_bytes);
    match plan.keys.is_empty() {
        true => changes,
        false => changes.one_of_each_key(&plan.deduplicate),
    }
}

/// The same error with a way on, where it is that nothing tells which row of a key is the newest.
pub(crate) fn with_way_on(
    error: SyncError,
    merging: &Merging,
    lake: &LakeTable,
    plan: &ValidMergePlan,
    columns: &[Column],
) -> SyncError {
    match error {
        SyncError::Lake { doing, error } if error.kind() == LakeErrorKind::VersionsUnordered => {
            let hint = way_on(merging, lake, plan, columns);
            let error = Box::new(error.with_hint(hint));
            SyncError::Lake { doing, error }
        }
        other => other,
    }
}

/// Whether a merge is told which of several rows of a key counts.
pub(crate) fn chooses(merging: &Merging) -> bool {
    merging.options.values().contains_key(OPTION)
}

fn way_on(
    merging: &Merging,
    lake: &LakeTable,
    plan: &ValidMergePlan,
    columns: &[Column],
) -> String {
    let options = merging.strategy.strategy().description().options.options();
    let anew = "move the directory of the lake table away and read the source anew into one that keeps one row of each \
                key (--lake-merge upsert)";
    if !options.iter().any(|option| option.name == OPTION) {
        return anew.to_owned();
    }
    if !plan.deduplicate.is_empty() {
        return format!("name a further column in {OPTION}, by which those rows differ, or {anew}");
    }
    match cursor(lake, plan, columns) {
        Some(column) => format!(
            "say which one counts: --merge-option {OPTION}={column} keeps the row with the largest {column}, by which \
             the source is read; or {anew}"
        ),
        None => format!(
            "say which one counts: --merge-option {OPTION}=COLUMN keeps the row with the largest value of a column \
             that grows with each version; or {anew}"
        ),
    }
}

/// The column by which the lake's source is read, where the rows have it and it is not of their key.
fn cursor<'a>(lake: &LakeTable, plan: &ValidMergePlan, columns: &'a [Column]) -> Option<&'a str> {
    let record = kept(lake).ok()??.record?;
    let is_key = |at: usize| plan.keys.iter().any(|key| key.source as usize == at);
    let is_mark = |column: &Column| {
        let marks = record.watermark.marks.iter();
        marks.into_iter().any(|(name, _)| *name == column.name)
    };
    let mut columns = columns.iter().enumerate();
    let found = columns.find(|(at, column)| !is_key(*at) && is_mark(column));
    found.map(|(_, column)| column.name.as_str())
}

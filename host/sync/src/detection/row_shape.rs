//! What the rows of a lake table were shaped by, so that a run with other settings does not pass for the same one.
//!
//! A run reads some rows again and leaves out what the lake has, column for column. Under settings that make other rows
//! of the same source rows nothing would be found again: a lake that keeps every row would have them twice, and one
//! that replaces rows would have some of one kind and some of the other. So the watermark says what all rows before it
//! were shaped by.
//!
//! What it says is a digest of settings. Of the key for hashes it has what the journal of a first load has, too: 32
//! bits of its own hash of a fixed text, less than each hashed value in the table tells.

use icehost_plan::Coverage;
use icehost_sqlserver::SqlTable;
use sha2::{Digest, Sha256};

use crate::detection::change::LakeChange;
use crate::detection::detected::Detected;
use crate::watermark::record::StoredWatermark;
use crate::watermark::row_shape::{RowShape, SourceKeys};
use crate::{ColumnRules, SyncError, SyncJob, Transforms};

/// Hexadecimal digits of a digest.
const DIGITS: usize = 16;

impl RowShape {
    /// What a run's rows are shaped by.
    pub(crate) fn of(job: &SyncJob, change: &LakeChange) -> RowShape {
        let name = |at: u32| Some(change.columns.get(at as usize)?.name.clone());
        let keys = change.rows.key_columns().into_iter();
        let mut keys: Vec<String> = keys.filter_map(name).collect();
        keys.sort();
        RowShape {
            columns: ranges(
                change
                    .fields
                    .iter()
                    .filter_map(|&(id, brought)| brought.then_some(id)),
            ),
            rules: digest(&rules(&job.source.rules)),
            transforms: digest(&transforms(&job.source.transforms)),
            keys,
            replaces: change.rows.replaces_by_key(),
            source_keys: None,
        }
    }

    /// Notes what tells the source's rows apart.
    pub(crate) fn from(self, source: &SqlTable) -> RowShape {
        RowShape {
            source_keys: Some(source_keys(source)),
            ..self
        }
    }

    /// What all rows are shaped by after a run that wrote rows of this shape.
    pub(crate) fn after(self, detected: &Detected) -> RowShape {
        let before = detected
            .stored
            .as_ref()
            .and_then(|s| s.record.shape.as_ref());
        match before {
            Some(before) if !reads_everything(detected) => RowShape {
                // Rows that are there keep what the rules made of them.
                rules: before.rules.clone(),
                ..self
            },
            _ => self,
        }
    }

    /// Whether a column of the lake is brought that was not, or the other way round. That one which the lake does not
    /// have any more is not brought either changes nothing.
    fn brings_others_than(&self, before: &RowShape, change: &LakeChange) -> bool {
        let now = has(&self.columns);
        let then = has(&before.columns);
        change.fields.iter().any(|(id, _)| now(*id) != then(*id))
    }

    fn keeps_every_row(&self) -> bool {
        self.keys.is_empty()
    }
}

/// More unique keys of a source than are noted.
const MOST_KEYS: usize = 8;

fn source_keys(source: &SqlTable) -> SourceKeys {
    let name = |at: u32| Some(source.columns.get(at as usize)?.name.clone());
    let primary: Vec<String> = source.table.key().into_iter().filter_map(name).collect();
    let unique = match primary.is_empty() {
        true => source.unique_keys.iter().take(MOST_KEYS).cloned().collect(),
        false => Vec::new(),
    };
    SourceKeys { primary, unique }
}

/// Whether every row that is in the source takes its place anew.
fn reads_everything(detected: &Detected) -> bool {
    detected.stored.is_none()
        || (detected.plan.coverage == Coverage::Full && detected.change.rows.replaces_by_key())
}

/// Compares the settings with those that the lake's rows were written under. Gives a warning where the run may go on.
/// A watermark of an earlier version says nothing of them, and is gone on from.
///
/// # Errors
/// Says what changed, with a way on that ends in equality.
pub(crate) fn check(
    job: &SyncJob,
    stored: Option<&StoredWatermark>,
    detected: &Detected,
) -> Result<Option<String>, SyncError> {
    let Some(before) = stored.and_then(|stored| stored.record.shape.as_ref()) else {
        return Ok(None);
    };
    let now = RowShape::of(job, &detected.change);
    if reads_everything(detected) {
        return Ok(None);
    }
    let lake = &job.lake.table;
    let other_columns = now.brings_others_than(before, &detected.change);
    let changed = changed(before, &now, other_columns);
    if changed.is_empty() {
        return Ok(None);
    }
    let what = changed.join(" and ");
    let rules_alone = !other_columns && now.transforms == before.transforms;
    if now.keeps_every_row() {
        // That every row is kept from now on takes nothing from those that are there.
        if rules_alone && now.rules == before.rules {
            return Ok(None);
        }
        return Err(SyncError::settings(
            format!(
                "{what} changed since rows were written to lake table {lake}, which keeps every row: those that are \
                 read again would be added a second time, as they are made now"
            ),
            "go on with the settings as they were, or move the directory of the lake table away and run again: \
             everything is read anew",
        ));
    }
    let anew = format!(
        "have everything read again with `icehost watermark clear`: the next run makes every row of lake table {lake} \
         as it is to be"
    );
    let merge_alike = now.keys == before.keys && now.replaces == before.replaces;
    if rules_alone && merge_alike {
        return Ok(Some(format!(
            "{what} changed since rows were written to lake table {lake}: those that are there stay as they are until \
             they change; {anew}"
        )));
    }
    Err(SyncError::settings(
        format!(
            "{what} changed since rows were written to lake table {lake}, which are as they were made then"
        ),
        format!("{anew}; or go on with the settings as they were"),
    ))
}

fn changed(before: &RowShape, now: &RowShape, other_columns: bool) -> Vec<String> {
    let mut changed = Vec::new();
    let mut note = |differs: bool, what: &str| {
        if differs {
            changed.push(what.to_owned());
        }
    };
    note(other_columns, "the columns that are carried");
    note(
        before.rules != now.rules,
        "the column rules, or the key for their hashes,",
    );
    note(
        before.transforms != now.transforms,
        "the transformers, or their options,",
    );
    if before.keys != now.keys || before.replaces != now.replaces {
        changed.push(format!(
            "the merge into the lake ({}; now {})",
            merge(before),
            merge(now)
        ));
    }
    changed
}

fn merge(shape: &RowShape) -> String {
    let keys = icehost_untrusted::shown_up_to(&shape.keys.join(", "), 100);
    match (shape.keys.is_empty(), shape.replaces) {
        (true, _) => "every row was added".to_owned(),
        (false, true) => format!("rows replaced others by {keys}"),
        (false, false) => format!("rows were left out by {keys}"),
    }
}

fn rules(rules: &ColumnRules) -> Vec<String> {
    let mut texts: Vec<String> = rules.fingerprint_of_rules();
    texts.sort();
    texts
}

/// Their names and options: what a component of that name makes of rows may change from version to version.
fn transforms(transforms: &Transforms) -> Vec<String> {
    let text = |transforming: &crate::Transforming| {
        let name = &transforming.strategy.strategy().description().name;
        let options = serde_json::Value::Object(transforming.options.values().clone());
        format!("{name} {options}")
    };
    transforms.0.iter().map(text).collect()
}

/// Numbers as ranges.
fn ranges(numbers: impl Iterator<Item = i32>) -> String {
    let mut numbers: Vec<i32> = numbers.collect();
    numbers.sort_unstable();
    let follows = |a: &i32, b: &i32| a.checked_add(1) == Some(*b);
    let range = |range: &[i32]| match range {
        [first, .., last] => format!("{first}-{last}"),
        _ => range.iter().map(i32::to_string).collect(),
    };
    let ranges: Vec<String> = numbers.chunk_by(follows).map(range).collect();
    ranges.join(",")
}

/// Whether a number is in such ranges.
fn has(ranges: &str) -> impl Fn(i32) -> bool {
    let number = |text: &str| text.parse::<i32>().ok();
    let range = |text: &str| match text.split_once('-') {
        Some((first, last)) => Some((number(first)?, number(last)?)),
        None => number(text).map(|only| (only, only)),
    };
    let ranges: Vec<(i32, i32)> = ranges.split(',').filter_map(range).collect();
    move |wanted| {
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&wanted))
    }
}

fn digest(texts: &[String]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    let digits = digest.finalize();
    let mut digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_noted_as_ranges() {
        for (numbers, text) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[3, 1, 2], "1-3"),
            (&[1, 2, 4, 6, 7], "1-2,4,6-7"),
        ] {
            assert_eq!(ranges(numbers.iter().copied()), text);
            let has = has(text);
            for number in 0..9 {
                assert_eq!(has(number), numbers.contains(&number), "{text} {number}");
            }
        }
        // Nothing that somebody may have written there is a panic.
        assert!(!has("-,x-3,4-,--5,9999999999")(4));
    }

    #[test]
    fn a_digest_tells_where_a_text_ends() {
        let texts =
            |texts: &[&str]| digest(&texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>());
        assert_ne!(texts(&["ab", "c"]), texts(&["a", "bc"]));
        assert_eq!(texts(&["ab"]).len(), DIGITS);
    }
}

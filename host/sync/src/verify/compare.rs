//! Two sides, compared within a bound of memory.
//!
//! First each side is read once: rows are counted and their hashes added up by the bucket that their key falls into.
//! Where count and sum agree the rows are the same ones. The rows of the other buckets are then read again and
//! compared one by one, as many buckets at a time as there is memory for. Last, the differences that are to be shown
//! are looked up by their keys.

use std::collections::HashMap;

use tokio_util::sync::CancellationToken;

use super::judge::{Class, Entry, Finding, Rules, Side, What};
use super::report::{Comparison, Difference};
use super::rows::{Read, Rows};
use super::shape::{Hash, Hashed, Shape};
use super::text::key_text;
use crate::SyncError;

/// Buckets that keys fall into, as a power of two.
const BUCKET_BITS: u32 = 15;
const BUCKETS: usize = 1 << BUCKET_BITS;

/// Two sides and what is made of their differences.
pub(super) struct Comparing<'a> {
    pub(super) expected: Rows<'a>,
    pub(super) found: Rows<'a>,
    pub(super) shape: Shape,
    pub(super) rules: Rules,
    /// What the rows that are compared one by one may take, in bytes.
    pub(super) memory: usize,
    /// Differences that are shown, of each class.
    pub(super) limit: usize,
}

/// What one side has in a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    /// The sum of the rows' hashes, modulo 2^128.
    hashes: u128,
}

/// What both sides have in a bucket.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    expected: Sum,
    found: Sum,
}

/// A difference that is to be shown.
#[derive(Debug, Clone, Copy)]
struct Sample {
    group: Hash,
    class: Class,
    what: What,
}

impl Comparing<'_> {
    /// Compares, and adds to `comparison` what was found.
    pub(super) async fn run(
        mut self,
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let buckets = self.sums(cancel).await?;
        comparison.rows_expected = buckets.iter().map(|bucket| bucket.expected.rows).sum();
        comparison.rows_found = buckets.iter().map(|bucket| bucket.found.rows).sum();
        let capacity = (self.memory / size_of::<Entry>()).max(1) as u64;
        let mut samples: Vec<Sample> = Vec::new();
        for pass in passes(&buckets, capacity) {
            self.pass(&pass, comparison, &mut samples, cancel).await?;
        }
        self.show(&samples, comparison, cancel).await
    }

    async fn sums(&mut self, cancel: &CancellationToken) -> Result<Vec<Bucket>, SyncError> {
        let mut buckets = vec![Bucket::default(); BUCKETS];
        for side in [Side::Expected, Side::Found] {
            let shape = &self.shape;
            let mut add = |read: &Read| {
                for hashed in hash(shape, read)? {
                    if let Some(bucket) = buckets.get_mut(bucket_of(hashed.group)) {
                        let sum = match side {
                            Side::Expected => &mut bucket.expected,
                            Side::Found => &mut bucket.found,
                        };
                        sum.rows += 1;
                        sum.hashes = sum.hashes.wrapping_add(hashed.row);
                    }
                }
                Ok(())
            };
            match side {
                Side::Expected => self.expected.all(cancel, &mut add).await?,
                Side::Found => self.found.all(cancel, &mut add).await?,
            }
        }
        Ok(buckets)
    }

    /// Compares the rows of these buckets one by one.
    async fn pass(
        &mut self,
        pass: &Pass,
        comparison: &mut Comparison,
        samples: &mut Vec<Sample>,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(pass.rows);
        for side in [Side::Expected, Side::Found] {
            let shape = &self.shape;
            let mut sequence = 0;
            let mut remember = |read: &Read| {
                for (row, hashed) in hash(shape, read)?.into_iter().enumerate() {
                    sequence += 1;
                    if pass.has(hashed.group) {
                        entries.push(Entry {
                            group: hashed.group,
                            row: hashed.row,
                            spelling: hashed.spelling,
                            side,
                            passed_over: read.is_passed_over(row),
                            sequence,
                        });
                    }
                }
                Ok(())
            };
            match side {
                Side::Expected => self.expected.all(cancel, &mut remember).await?,
                Side::Found => self.found.all(cancel, &mut remember).await?,
            }
        }
        entries.sort_unstable_by_key(|entry| (entry.group, entry.row));
        let rules = self.rules;
        let judged = || {
            entries
                .chunk_by(|a, b| a.group == b.group)
                .filter_map(|rows| {
                    let findings = rules.judge(rows);
                    (!findings.is_empty()).then_some((rows.first()?.group, findings))
                })
        };
        // In ascending order, as the entries are.
        let mut pending: Vec<(Hash, bool)> = judged().map(|(group, _)| (group, false)).collect();
        if pending.is_empty() {
            return Ok(());
        }
        let shape = &self.shape;
        let mut mark = |read: &Read| {
            for hashed in hash(shape, read)? {
                let at = pending.binary_search_by_key(&hashed.group, |(group, _)| *group);
                if let Some((_, pending)) = at.ok().and_then(|at| pending.get_mut(at)) {
                    *pending = true;
                }
            }
            Ok(())
        };
        self.expected.next_run(cancel, &mut mark).await?;
        for ((group, findings), (_, pending)) in judged().zip(pending) {
            for Finding { class, what, rows } in findings {
                let class = match pending {
                    true => Class::Pending,
                    false => class,
                };
                let differences = comparison.of(class);
                differences.count(what, rows);
                let shown = samples.iter().filter(|sample| sample.class == class);
                if shown.count() < self.limit {
                    samples.push(Sample { group, class, what });
                }
            }
        }
        Ok(())
    }

    /// Looks up the keys of the differences that are shown.
    async fn show(
        &mut self,
        samples: &[Sample],
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        if samples.is_empty() {
            return Ok(());
        }
        let mut shown: HashMap<Hash, Shown> = samples
            .iter()
            .map(|sample| (sample.group, Shown::default()))
            .collect();
        for side in [Side::Expected, Side::Found] {
            let shape = &self.shape;
            let mut look = |read: &Read| {
                for (row, hashed) in hash(shape, read)?.into_iter().enumerate() {
                    if let Some(shown) = shown.get_mut(&hashed.group) {
                        let values = shape.values(&read.arrays, row).map_err(not_compared)?;
                        shown.see(side, values);
                        if shown.key.is_empty() {
                            shown.key = key_text(shape, &read.arrays, row);
                        }
                    }
                }
                Ok(())
            };
            match side {
                Side::Expected => self.expected.all(cancel, &mut look).await?,
                Side::Found => self.found.all(cancel, &mut look).await?,
            }
        }
        for sample in samples {
            let Some(shown) = shown.get(&sample.group) else {
                continue;
            };
            let columns = match sample.what {
                What::Changed => shown.differing(&self.shape),
                _ => Vec::new(),
            };
            comparison.of(sample.class).keys.push(Difference {
                key: shown.key.clone(),
                what: sample.what.word(),
                columns,
            });
        }
        Ok(())
    }
}

/// What is shown of the rows of a key.
#[derive(Debug, Default)]
struct Shown {
    key: String,
    /// The values of the only row of each side; `Some(None)` where there are several.
    expected: Option<Option<Vec<Hash>>>,
    found: Option<Option<Vec<Hash>>>,
}

impl Shown {
    fn see(&mut self, side: Side, values: Vec<Hash>) {
        let seen = match side {
            Side::Expected => &mut self.expected,
            Side::Found => &mut self.found,
        };
        *seen = match seen {
            None => Some(Some(values)),
            Some(_) => Some(None),
        };
    }

    fn differing(&self, shape: &Shape) -> Vec<String> {
        let (Some(Some(expected)), Some(Some(found))) = (&self.expected, &self.found) else {
            return Vec::new();
        };
        let pairs = expected.iter().zip(found).zip(&shape.columns);
        pairs
            .filter(|((expected, found), _)| expected != found)
            .map(|(_, column)| column.name.clone())
            .collect()
    }
}

/// Buckets that are compared at a time.
struct Pass {
    buckets: Vec<bool>,
    /// Rows that fell into them.
    rows: usize,
}

impl Pass {
    fn has(&self, group: Hash) -> bool {
        self.buckets.get(bucket_of(group)).copied().unwrap_or(false)
    }
}

/// The buckets in which the sides differ, so many rows at a time; a bucket with more is alone.
fn passes(buckets: &[Bucket], capacity: u64) -> Vec<Pass> {
    let mut passes: Vec<Pass> = Vec::new();
    let mut room = 0;
    for (at, bucket) in buckets.iter().enumerate() {
        if bucket.expected == bucket.found {
            continue;
        }
        let rows = bucket.expected.rows + bucket.found.rows;
        if passes.is_empty() || rows > room {
            passes.push(Pass {
                buckets: vec![false; BUCKETS],
                rows: 0,
            });
            room = capacity;
        }
        room = room.saturating_sub(rows);
        if let Some(pass) = passes.last_mut() {
            pass.rows += usize::try_from(rows).unwrap_or(usize::MAX);
            if let Some(has) = pass.buckets.get_mut(at) {
                *has = true;
            }
        }
    }
    passes
}

fn bucket_of(group: Hash) -> usize {
    (group >> (Hash::BITS - BUCKET_BITS)) as usize
}

fn hash(shape: &Shape, read: &Read) -> Result<Vec<Hashed>, SyncError> {
    if read.rows == 0 {
        return Ok(Vec::new());
    }
    shape.hash(&read.arrays).map_err(not_compared)
}

fn not_compared(why: String) -> SyncError {
    SyncError::schema(why, "please report this as a defect")
}

#[cfg(test)]
mod tests;

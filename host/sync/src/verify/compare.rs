//! Two sides, compared within a bound of memory.
//!
//! First the rows of each side are counted, and their hashes added up by the bucket that their key falls into: on the
//! server, where its rows are compared as they are there and their keys are such that equal ones are the same bytes, else
//! here.
//! Where count and sum agree the rows are the same ones. The rows of the other buckets are then read again and
//! compared one by one, as many buckets at a time as there is memory for. Last, the differences that are to be shown
//! are looked up by their keys.

use std::collections::HashMap;

use icehost_sqlserver::{Checksum, RowForm};
use tokio_util::sync::CancellationToken;

use super::judge::{Class, Entry, Finding, Later, Rules, Side, What};
use super::order::Order;
use super::repair::WrongKeys;
use super::report::{Comparison, Difference};
use super::rows::{Read, Rows};
use super::shape::{Hash, Hashed, Shape};
use super::text::key_text;
use crate::SyncError;

/// Buckets that keys fall into, as a power of two.
const BUCKETS: u32 = 1 << 15;

/// Two sides and what is made of their differences.
pub(super) struct Comparing<'a> {
    pub(super) expected: Rows<'a>,
    pub(super) found: Rows<'a>,
    pub(super) shape: Shape,
    pub(super) rules: Rules,
    /// By which a merge chooses among rows with one key.
    pub(super) order: Order,
    /// What the rows that are compared one by one may take, in bytes.
    pub(super) memory: usize,
    /// Differences that are shown, of each class.
    pub(super) limit: usize,
    /// Wrong keys that are remembered.
    pub(super) remember: usize,
    /// The side whose server adds up its rows itself, and the form that it gives them.
    pub(super) server: Option<(Side, RowForm)>,
}

/// What both sides have in a bucket.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    expected: Checksum,
    found: Checksum,
}

impl Bucket {
    fn of(&mut self, side: Side) -> &mut Checksum {
        match side {
            Side::Expected => &mut self.expected,
            Side::Found => &mut self.found,
        }
    }
}

/// A difference that is to be shown.
#[derive(Debug, Clone, Copy)]
struct Sample {
    group: Hash,
    class: Class,
    what: What,
}

/// What is kept of the differences that were counted.
struct Told {
    samples: Vec<Sample>,
    wrong: WrongKeys,
}

impl Comparing<'_> {
    /// Compares, and adds to `comparison` what was found. Gives the keys whose rows are wrong, as many as are to be
    /// remembered.
    pub(super) async fn run(
        mut self,
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<WrongKeys, SyncError> {
        let buckets = self.sums(cancel).await?;
        comparison.rows_expected = buckets.iter().map(|bucket| bucket.expected.rows).sum();
        comparison.rows_found = buckets.iter().map(|bucket| bucket.found.rows).sum();
        // Each may differ, and is then noted once more.
        let each = size_of::<Entry>() + size_of::<(Hash, Option<Later>)>() + self.order.bytes();
        let capacity = (self.memory / each).max(1) as u64;
        let mut told = Told {
            samples: Vec::new(),
            wrong: WrongKeys::at_most(self.remember),
        };
        comparison.checksums_by_server = self.server.is_some();
        for pass in passes(&buckets, capacity) {
            comparison.rows_read_again += pass.rows as u64;
            self.pass(&pass, comparison, &mut told, cancel).await?;
        }
        self.show(&told.samples, comparison, cancel).await?;
        Ok(told.wrong)
    }

    async fn sums(&mut self, cancel: &CancellationToken) -> Result<Vec<Bucket>, SyncError> {
        let mut buckets = vec![Bucket::default(); BUCKETS as usize];
        let by_server = match self.server.take() {
            None => None,
            Some((side, form)) => {
                let rows = match side {
                    Side::Expected => &mut self.expected,
                    Side::Found => &mut self.found,
                };
                match rows.checksums(&self.shape.key, BUCKETS).await? {
                    Some(sums) => {
                        for (at, sum) in sums {
                            if let Some(bucket) = buckets.get_mut(at) {
                                *bucket.of(side) = sum;
                            }
                        }
                        self.server = Some((side, form));
                        Some(side)
                    }
                    // The rows are read and added up here instead.
                    None => None,
                }
            }
        };
        for side in [Side::Expected, Side::Found] {
            if by_server == Some(side) {
                continue;
            }
            let placing = Placing {
                shape: &self.shape,
                server: self.server.as_ref(),
            };
            let mut add = |read: &Read| {
                for (at, hash) in placing.rows(read)? {
                    if let Some(bucket) = buckets.get_mut(at) {
                        bucket.of(side).add(hash);
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
        told: &mut Told,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let mut entries: Vec<Entry> = Vec::with_capacity(pass.rows);
        for side in [Side::Expected, Side::Found] {
            let placing = Placing {
                shape: &self.shape,
                server: self.server.as_ref(),
            };
            let mut sequence = 0;
            let order = match side {
                Side::Expected => &self.order,
                Side::Found => &Order::NONE,
            };
            let mut remember = |read: &Read| {
                let places = placing.rows(read)?;
                let hashed = hash(placing.shape, read)?;
                let ranks = order.ranks(&read.arrays).map_err(not_compared)?;
                for (row, (hashed, (bucket, _))) in hashed.into_iter().zip(places).enumerate() {
                    sequence += 1;
                    if pass.has(bucket) {
                        entries.push(Entry {
                            group: hashed.group,
                            row: hashed.row,
                            spelling: hashed.spelling,
                            side,
                            passed_over: read.is_passed_over(row),
                            sequence,
                            rank: ranks.of(row),
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
                    (!findings.is_empty()).then_some((rows.first()?.group, rows, findings))
                })
        };
        // In ascending order, as the entries are.
        let mut later: Vec<(Hash, Option<Later>)> =
            judged().map(|(group, ..)| (group, None)).collect();
        if later.is_empty() {
            return Ok(());
        }
        let (shape, order) = (&self.shape, &self.order);
        let mut note = |read: &Read| {
            let ranks = order.ranks(&read.arrays).map_err(not_compared)?;
            for (row, hashed) in hash(shape, read)?.into_iter().enumerate() {
                let at = later.binary_search_by_key(&hashed.group, |(group, _)| *group);
                if let Some((_, later)) = at.ok().and_then(|at| later.get_mut(at)) {
                    let next = Later {
                        rank: ranks.of(row),
                        row: hashed.row,
                    };
                    *later = Some(match later.take() {
                        Some(first) => first.or(next),
                        None => next,
                    });
                }
            }
            Ok(())
        };
        self.expected.later_runs(cancel, &mut note).await?;
        for ((group, rows, findings), (_, later)) in judged().zip(later) {
            for Finding { class, what, rows } in rules.in_time(findings, rows, later.as_ref()) {
                comparison.of(class).count(what, rows);
                if class == Class::Wrong {
                    told.wrong.add(group);
                }
                let shown = told.samples.iter().filter(|sample| sample.class == class);
                if shown.count() < self.limit {
                    told.samples.push(Sample { group, class, what });
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

/// Into which buckets rows fall.
struct Placing<'a> {
    shape: &'a Shape,
    server: Option<&'a (Side, RowForm)>,
}

impl Placing<'_> {
    /// The bucket of each row, and the hash that is added up.
    fn rows(&self, read: &Read) -> Result<Vec<(usize, u128)>, SyncError> {
        let placed = match self.server {
            Some((_, form)) => form
                .hash(&read.arrays)
                .into_iter()
                .map(|(key, row)| (RowForm::bucket(key, BUCKETS), row))
                .collect(),
            None => hash(self.shape, read)?
                .into_iter()
                .map(|hashed| (RowForm::bucket(hashed.group, BUCKETS), hashed.row))
                .collect(),
        };
        Ok(placed)
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
    fn has(&self, bucket: usize) -> bool {
        self.buckets.get(bucket).copied().unwrap_or(false)
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
                buckets: vec![false; BUCKETS as usize],
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

//! Two sides, compared within a bound of memory.
//!
//! First the rows of each side are counted, and their hashes added up by the bucket that their key falls into: on the
//! server, where its rows are compared as they are there, else here. Where count and sum agree the rows are the same
//! ones. The rows of the other buckets are then read again and compared one by one, as many buckets at a time as there
//! is memory for. Last, the differences that are to be shown are looked up by their keys.

use std::collections::{HashMap, HashSet};

use icehost_lake::Turn;
use tokio_util::sync::CancellationToken;

use crate::SyncError;
use crate::verify::compare::apart::{Apart, Asked, Spelled, doubtful};
use crate::verify::compare::class::{Class, What};
use crate::verify::compare::entry::{Entry, Side, fold};
use crate::verify::compare::hash::{hash, not_compared};
use crate::verify::compare::judge::{Finding, Later, Rules};
use crate::verify::compare::order::Order;
use crate::verify::compare::rows::{Read, Rows};
use crate::verify::compare::shape::{Hash, Shape};
use crate::verify::compare::sums::{BUCKETS, Bucket, Pass, Placing, ServerSums, passes};
use crate::verify::compare::text::key_text;
use crate::verify::compare::wrong_keys::WrongKeys;
use crate::verify::report::{Comparison, Difference};

/// Two sides and what is made of their differences.
pub(crate) struct Comparing<'a> {
    pub(crate) expected: Rows<'a>,
    pub(crate) found: Rows<'a>,
    pub(crate) shape: Shape,
    pub(crate) rules: Rules,
    /// By which a merge chooses among rows with one key.
    pub(crate) order: Order,
    /// What the rows that are compared one by one may take, in bytes.
    pub(crate) memory: usize,
    /// Differences that are shown, of each class.
    pub(crate) limit: usize,
    /// Wrong keys that are remembered.
    pub(crate) remember: usize,
    /// The server that adds up its rows itself.
    pub(crate) server: Option<ServerSums>,
    /// Who is asked which keys are one; `None` where it makes no difference.
    pub(crate) asked: Option<Asked<'a>>,
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
    /// How many of them are of each class.
    of_class: HashMap<Class, usize>,
    wrong: WrongKeys,
}

impl Told {
    /// Keeps a difference, unless there are as many of its class as are shown.
    fn sample(&mut self, sample: Sample, limit: usize) {
        let shown = self.of_class.entry(sample.class).or_default();
        if *shown < limit {
            *shown += 1;
            self.samples.push(sample);
        }
    }

    /// Keeps which spellings are not of one key, of those that are looked up again.
    fn keep(&mut self, mut apart: Apart) {
        self.wrong.sort();
        let shown: HashSet<Hash> = self.samples.iter().map(|sample| sample.group).collect();
        apart.retain(|key| shown.contains(&key) || self.wrong.has_key(key));
        self.wrong.put_apart(apart);
    }
}

impl Comparing<'_> {
    /// Compares, and adds to `comparison` what was found. Gives the keys whose rows are wrong, as many as are to be
    /// remembered.
    pub(crate) async fn run(
        mut self,
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<WrongKeys, SyncError> {
        let buckets = self.sums(cancel).await?;
        comparison.rows_expected = buckets.iter().map(|bucket| bucket.expected.rows).sum();
        comparison.rows_found = buckets.iter().map(|bucket| bucket.found.rows).sum();
        let mut each = size_of::<Entry>() + self.order.bytes();
        if self.expected.has_later_runs() {
            // Each may differ, and is then noted once more.
            each += size_of::<(Hash, Option<Later>)>();
        }
        // Wrong keys have a part of it.
        let left = self.memory.saturating_sub(self.remember * WrongKeys::EACH);
        let capacity = (left / each).max(1) as u64;
        let mut told = Told {
            samples: Vec::new(),
            of_class: HashMap::new(),
            wrong: WrongKeys::at_most(self.remember),
        };
        comparison.checksums_by_server = self.server.is_some();
        let alike = self.rules.sums_suffice();
        let passes = passes(&buckets, capacity, alike);
        for pass in passes.each() {
            comparison.rows_read_again = comparison.rows_read_again.saturating_add(pass.rows);
            self.pass(&pass, capacity, comparison, &mut told, cancel)
                .await?;
        }
        self.show(&told, comparison, cancel).await?;
        Ok(told.wrong)
    }

    /// The sums of both sides. Where a server's own can only tell that all rows agree, and they do not, both sides are
    /// read and added up here.
    async fn sums(&mut self, cancel: &CancellationToken) -> Result<Vec<Bucket>, SyncError> {
        if !self.rules.sums_suffice() {
            self.server = None;
        }
        let buckets = self.added_up(cancel).await?;
        let together = self.server.as_ref().is_none_or(|server| server.together);
        if together || buckets.iter().all(Bucket::agrees) {
            return Ok(buckets);
        }
        self.server = None;
        self.added_up(cancel).await
    }

    async fn added_up(&mut self, cancel: &CancellationToken) -> Result<Vec<Bucket>, SyncError> {
        let mut buckets = vec![Bucket::default(); BUCKETS as usize];
        let by_server = match self.server.take() {
            None => None,
            Some(server) => {
                let side = server.side;
                let rows = match side {
                    Side::Expected => &mut self.expected,
                    Side::Found => &mut self.found,
                };
                match rows.checksums(&server.form, BUCKETS).await? {
                    Some(sums) => {
                        for (at, sum) in sums {
                            if let Some(bucket) = buckets.get_mut(at) {
                                *bucket.of(side) = sum;
                            }
                        }
                        self.server = Some(server);
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
        pass: &Pass<'_>,
        capacity: u64,
        comparison: &mut Comparison,
        told: &mut Told,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        // A bucket alone may have more rows than there is memory for, where many are the same.
        let mut most = usize::try_from(capacity.min(pass.rows)).unwrap_or(usize::MAX);
        let mut entries: Vec<Entry> = Vec::with_capacity(most);
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
                let hashed = hash(placing.shape, read)?;
                let places = placing.places(read, &hashed);
                let ranks = order.ranks(&read.arrays).map_err(not_compared)?;
                let turn = |row: usize| read.turns.get(row).copied().unwrap_or(Turn::UNKNOWN);
                for (row, (hashed, (bucket, _))) in hashed.into_iter().zip(places).enumerate() {
                    sequence += 1;
                    if pass.has(bucket) {
                        if entries.len() >= most {
                            fold(&mut entries);
                            most = most.max(entries.len().saturating_mul(2));
                        }
                        entries.push(Entry {
                            group: hashed.group,
                            row: hashed.row,
                            spelling: hashed.spelling,
                            side,
                            passed_over: read.is_passed_over(row),
                            times: 1,
                            sequence,
                            rank: ranks.of(row),
                            turn: turn(row),
                            directly: 0,
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
        fold(&mut entries);
        let apart = self.tell_apart(&entries, cancel).await?;
        apart.sort(&mut entries);
        let rules = self.rules.clone();
        let judged = || {
            entries
                .chunk_by(|a, b| a.group == b.group)
                .filter_map(|rows| {
                    let findings = rules.judge(rows);
                    (!findings.is_empty()).then_some((rows.first()?.group, rows, findings))
                })
        };
        if judged().next().is_none() {
            return Ok(());
        }
        // In ascending order, as the entries are.
        let mut later: Vec<(Hash, Option<Later>)> = match self.expected.has_later_runs() {
            true => judged().map(|(group, ..)| (group, None)).collect(),
            false => Vec::new(),
        };
        let (shape, order) = (&self.shape, &self.order);
        let mut note = |read: &Read| {
            let ranks = order.ranks(&read.arrays).map_err(not_compared)?;
            for (row, hashed) in hash(shape, read)?.into_iter().enumerate() {
                let key = apart.key(&hashed);
                let at = later.binary_search_by_key(&key, |(group, _)| *group);
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
        let later = later.into_iter().map(|(_, later)| later);
        let later = later.chain(std::iter::repeat_with(|| None));
        for ((group, rows, findings), later) in judged().zip(later) {
            for Finding { class, what, rows } in rules.in_time(findings, rows, later.as_ref()) {
                comparison.of(class).count(what, rows);
                if class == Class::Wrong {
                    told.wrong.add(group);
                }
                told.sample(Sample { group, class, what }, self.limit);
            }
        }
        told.keep(apart);
        Ok(())
    }

    /// Asks which keys are one of those that may be and are spelled in several ways.
    async fn tell_apart(
        &mut self,
        entries: &[Entry],
        cancel: &CancellationToken,
    ) -> Result<Apart, SyncError> {
        let mut apart = Apart::default();
        let Some(asked) = &self.asked else {
            return Ok(apart);
        };
        for spellings in doubtful(entries)? {
            let mut spelled = Spelled::new(asked, &spellings, self.memory);
            let shape = &self.shape;
            let mut see = |read: &Read| spelled.see(shape, read, &hash(shape, read)?);
            self.expected.all(cancel, &mut see).await?;
            self.found.all(cancel, &mut see).await?;
            apart.extend(spelled.ask().await?);
        }
        Ok(apart)
    }

    /// Looks up the keys of the differences that are shown.
    async fn show(
        &mut self,
        told: &Told,
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let samples = &told.samples;
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
                    if let Some(shown) = shown.get_mut(&told.wrong.key(&hashed)) {
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

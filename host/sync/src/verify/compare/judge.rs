//! What a difference between rows of one key means.

use std::collections::HashMap;
use std::sync::Arc;

use crate::verify::compare::class::{Class, What};
use crate::verify::compare::entry::{Entry, Side};
use crate::verify::compare::newest::overtaken;
use crate::verify::compare::shape::Hash;

/// Of rows by what they are, how often they came.
pub(crate) type Came = HashMap<Hash, u64>;

/// How the expected rows of a key should be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Landing {
    /// Just so.
    Same,
    /// One of them: a merge keeps one row of a key.
    One(Choice),
    /// Among others: what is there is kept.
    Among,
}

/// Which of several rows of a key a merge keeps. Of those that come together it is the first in the merge's order,
/// and of equals the last to arrive; but whatever comes later takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// All come together.
    Together,
    /// They come in parts, in the order in which they were read: any row that none behind it comes before can stand
    /// there.
    InTurn,
    /// They come in parts, in an order that nobody knows any more, or are chosen by one that only a server knows: any
    /// of them can stand there.
    Any,
}

/// Whether the same row of a key may be there more often than it is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// As often as it likes: it comes anew each time.
    Always,
    /// Where another one of its key came in between, as when a value changes and changes back.
    Between,
    /// Not at all: a change moves something in it on.
    Never,
}

/// What differences mean between two sides.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// How expected rows should be found.
    pub(crate) landing: Landing,
    /// What it means that a row is not there.
    pub(crate) missing: Class,
    /// What it means that a row has other values.
    pub(crate) changed: Class,
    /// What it means that a row is there whose key is not expected; `None` where such rows are history.
    pub(crate) extra: Option<Class>,
    /// What it means that a row is there more often than expected.
    pub(crate) repeated: Class,
    /// A key is never in two of the rows that are found.
    pub(crate) unique: bool,
    /// For [`Landing::Among`]: when the same row may be there more often than expected.
    pub(crate) again: Again,
    /// For [`Landing::Among`]: how often each row came to the side that is expected, where that was looked up.
    pub(crate) came: Option<Arc<Came>>,
    /// For [`Landing::Among`]: the row of a key that came last has to be the one that is expected.
    pub(crate) last_counts: bool,
    /// A row that comes takes the place of all that have its key.
    pub(crate) overwrites: bool,
}

/// A difference between the rows of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) class: Class,
    pub(crate) what: What,
    /// Rows.
    pub(crate) rows: u64,
}

/// The row of a key that later runs read and that counts among those that they read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Later {
    /// Its place in the merge's order.
    pub(crate) rank: Box<[u8]>,
    /// The whole row.
    pub(crate) row: Hash,
}

impl Later {
    /// This one or one that is read after it, whichever counts.
    pub(crate) fn or(self, next: Later) -> Later {
        match next.rank <= self.rank {
            true => next,
            false => self,
        }
    }
}

/// Both sides' rows of one image.
struct Image {
    row: Hash,
    expected: u64,
    found: u64,
    /// How often it was found again with no other in between.
    directly: u64,
    passed_over: bool,
}

impl Rules {
    /// Whether all is well where both sides have the same rows: not where a merge should have kept one of several.
    pub(crate) fn sums_suffice(&self) -> bool {
        self.unique || !matches!(self.landing, Landing::One(_))
    }

    /// What differs between the rows of one key. `entries` are sorted by their row.
    pub(crate) fn judge(&self, entries: &[Entry]) -> Vec<Finding> {
        let images = images(entries);
        let findings = match self.landing {
            Landing::Same => self.same(&images),
            Landing::One(choice) => self.one(choice, entries, &images),
            Landing::Among => self.among(entries, &images),
        };
        findings
            .into_iter()
            .filter(|finding| finding.rows > 0)
            .collect()
    }

    /// The findings among the rows of one key, in view of what later runs read of it.
    pub(crate) fn in_time(
        &self,
        findings: Vec<Finding>,
        entries: &[Entry],
        later: Option<&Later>,
    ) -> Vec<Finding> {
        let Some(later) = later else {
            return findings;
        };
        let mut found = entries.iter().filter(|entry| entry.side == Side::Found);
        // What the lake has as it is read again is left out, whatever stands beside it.
        let held = found.any(|entry| entry.row == later.row);
        let takes_away = |what| match (self.landing, what) {
            // Rows are only added.
            (Landing::Among, What::Missing | What::Changed) => true,
            (Landing::Among, _) => false,
            (_, What::Changed | What::Repeated) => self.overwrites && !held,
            _ => !held,
        };
        let findings = findings.into_iter().map(|finding| Finding {
            class: match takes_away(finding.what) {
                true => Class::Pending,
                false => finding.class,
            },
            ..finding
        });
        findings.collect()
    }

    fn same(&self, images: &[Image]) -> Vec<Finding> {
        let over = |a: u64, b: u64| a.saturating_sub(b);
        let missing: u64 = images.iter().map(|i| over(i.expected, i.found)).sum();
        let extra: u64 = images.iter().map(|i| over(i.found, i.expected)).sum();
        let changed = missing.min(extra);
        let any_expected = images.iter().any(|image| image.expected > 0);
        let lacking = images.iter().filter(|i| i.expected > i.found);
        let passed_over = lacking.clone().count() > 0 && lacking.clone().all(|i| i.passed_over);
        let seen = |class| match passed_over {
            true => Class::NotSeen,
            false => class,
        };
        let mut findings = vec![
            Finding {
                class: seen(self.changed),
                what: What::Changed,
                rows: changed,
            },
            Finding {
                class: seen(self.missing),
                what: What::Missing,
                rows: missing - changed,
            },
        ];
        findings.extend(self.surplus(any_expected, extra - changed));
        findings
    }

    /// One expected row is to be found, the one that the merge chooses.
    fn one(&self, choice: Choice, entries: &[Entry], images: &[Image]) -> Vec<Finding> {
        let expected = entries.iter().filter(|entry| entry.side == Side::Expected);
        let mut expected: Vec<&Entry> = expected.collect();
        expected.sort_unstable_by_key(|entry| entry.sequence);
        let found: u64 = images.iter().map(|image| image.found).sum();
        let Some(chosen) = first(&expected) else {
            return self.surplus(false, found).into_iter().collect();
        };
        if found == 0 {
            return vec![Finding {
                class: match expected.iter().all(|entry| entry.passed_over) {
                    true => Class::NotSeen,
                    false => self.missing,
                },
                what: What::Missing,
                rows: 1,
            }];
        }
        let possible = choice.possible(&expected, chosen);
        let of = |wanted: &dyn Fn(&Image) -> bool| -> u64 {
            let images = images.iter().filter(|image| wanted(image));
            images.map(|image| image.found).sum()
        };
        let has_chosen = of(&|image| image.row == chosen.row) > 0;
        let others = of(&|image| image.row != chosen.row && possible.contains(&image.row));
        let strangers = of(&|image| image.row != chosen.row && !possible.contains(&image.row));
        // One that has other values is not counted as one too many as well.
        let surplus = found.saturating_sub(1);
        let changed = match has_chosen || others > 0 {
            true => strangers.saturating_sub(surplus),
            false => strangers.saturating_sub(surplus).max(1),
        };
        let mut findings = vec![
            Finding {
                class: self.changed,
                what: What::Changed,
                rows: changed,
            },
            Finding {
                class: Class::NotSeen,
                what: What::Changed,
                rows: match has_chosen {
                    true => 0,
                    false => others.min(1),
                },
            },
        ];
        findings.extend(self.surplus(true, surplus));
        findings
    }

    fn among(&self, entries: &[Entry], images: &[Image]) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.last_counts {
            for (passed_over, class) in [(false, self.changed), (true, Class::NotSeen)] {
                let overtaken = overtaken(entries).into_iter();
                let of = overtaken.filter(|entry| entry.passed_over == passed_over);
                findings.push(Finding {
                    class,
                    what: What::Changed,
                    rows: of.count() as u64,
                });
            }
        }
        let lacking = images.iter().filter(|i| i.expected > i.found);
        for (passed_over, class) in [(false, self.missing), (true, Class::NotSeen)] {
            let of = lacking.clone().filter(|i| i.passed_over == passed_over);
            findings.push(Finding {
                class,
                what: What::Missing,
                rows: of.map(|i| i.expected - i.found).sum(),
            });
        }
        // Where nothing tells rows apart, those that are gone from the other side may have been several.
        let is_known = self.extra.is_some() || images.iter().any(|image| image.expected > 0);
        if self.again != Again::Always && is_known {
            findings.push(Finding {
                class: self.repeated,
                what: What::Repeated,
                rows: images
                    .iter()
                    .map(|image| {
                        let over = image.found.saturating_sub(self.most(image, images));
                        over.max(image.directly)
                    })
                    .sum(),
            });
        }
        if let Some(class) = self.extra
            && images.iter().all(|image| image.expected == 0)
        {
            findings.push(Finding {
                class,
                what: What::Extra,
                rows: images.iter().map(|image| image.found).sum(),
            });
        }
        findings
    }

    /// How often a row may be among the versions of its key. Two that follow each other differ, and the last one is the
    /// one that is expected, unless that one is yet to come.
    fn most(&self, of: &Image, images: &[Image]) -> u64 {
        if let Some(came) = &self.came {
            let times = came.get(&of.row).copied().unwrap_or_default();
            return times.max(of.expected).max(1);
        }
        let found: u64 = images.iter().map(|image| image.found).sum();
        let last_is_there = images.iter().any(|i| i.expected > 0 && i.found > 0);
        let may_be_last = of.expected > 0 || !last_is_there;
        let between = match self.again {
            Again::Never => 1,
            _ => found - of.found + u64::from(may_be_last),
        };
        between.max(of.expected).max(1)
    }

    /// Rows beyond those expected.
    fn surplus(&self, any_expected: bool, rows: u64) -> Option<Finding> {
        let (class, what) = match any_expected {
            true => (self.repeated, What::Repeated),
            false => (self.extra?, What::Extra),
        };
        Some(Finding { class, what, rows })
    }
}

/// The first in the merge's order, and of equals the last. `entries` are in the order in which they were read.
fn first<'a>(entries: &[&'a Entry]) -> Option<&'a Entry> {
    let mut entries = entries.iter().copied();
    let one = entries.next()?;
    Some(
        entries.fold(one, |kept, next| match next.rank <= kept.rank {
            true => next,
            false => kept,
        }),
    )
}

impl Choice {
    /// Rows that can stand in the place of all of them, the chosen one aside.
    fn possible(self, entries: &[&Entry], chosen: &Entry) -> Vec<Hash> {
        let mut possible = Vec::new();
        match self {
            Choice::Together => {}
            Choice::Any => possible.extend(entries.iter().map(|entry| entry.row)),
            Choice::InTurn => {
                let mut least: Option<&[u8]> = None;
                for entry in entries.iter().rev() {
                    if least.is_none_or(|least| *entry.rank < *least) {
                        least = Some(&entry.rank);
                        possible.push(entry.row);
                    }
                }
            }
        }
        possible.retain(|row| *row != chosen.row);
        possible
    }
}

fn images(entries: &[Entry]) -> Vec<Image> {
    let mut images: Vec<Image> = Vec::new();
    for entry in entries {
        if images.last().is_none_or(|image| image.row != entry.row) {
            images.push(Image {
                row: entry.row,
                expected: 0,
                found: 0,
                directly: 0,
                passed_over: false,
            });
        }
        if let Some(image) = images.last_mut() {
            match entry.side {
                Side::Expected => image.expected += entry.times,
                Side::Found => {
                    image.found += entry.times;
                    image.directly += entry.directly;
                }
            }
            image.passed_over |= entry.passed_over;
        }
    }
    images
}

#[cfg(test)]
mod tests;

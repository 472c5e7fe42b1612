//! What a difference between rows of one key means.

use super::shape::Hash;

/// What becomes of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    /// It should not be there.
    Wrong,
    /// The next run takes it away.
    Pending,
    /// No run takes it away, and none promises to.
    NotSeen,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum What {
    /// The row is expected and is not there.
    Missing,
    /// The row is there and is not expected.
    Extra,
    /// The row is there with other values.
    Changed,
    /// The row is there more often than expected.
    Repeated,
}

/// Which side a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The side that is taken as it is: the source, or the lake where the target is looked at.
    Expected,
    /// The side that is compared with it.
    Found,
}

/// A row, as far as it has to be remembered to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Rows that have it in common are compared with each other.
    pub(super) group: Hash,
    /// The whole row.
    pub(super) row: Hash,
    /// A few bits of the key's spelling.
    pub(super) spelling: u32,
    /// Whose row.
    pub(super) side: Side,
    /// The source's cursor is NULL in it, and the strategy passes over such rows.
    pub(super) passed_over: bool,
    /// The order in which it was read.
    pub(super) sequence: u64,
}

/// How the expected rows of a key should be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    /// Just so.
    Same,
    /// The last of them alone: a merge lets the newest of a key win.
    Newest,
    /// Among others: what is there is kept.
    Among,
}

/// What differences mean between two sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// How expected rows should be found.
    pub(super) landing: Landing,
    /// What it means that a row is not there.
    pub(super) missing: Class,
    /// What it means that a row has other values.
    pub(super) changed: Class,
    /// What it means that a row is there whose key is not expected; `None` where such rows are history.
    pub(super) extra: Option<Class>,
    /// For [`Landing::Among`]: what it means that the same row is there more often than expected.
    pub(super) repeated: Option<Class>,
}

/// A difference between the rows of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) class: Class,
    pub(super) what: What,
    /// Rows.
    pub(super) rows: u64,
}

/// Both sides' rows of one image.
struct Image {
    row: Hash,
    expected: u64,
    found: u64,
    passed_over: bool,
}

impl Rules {
    /// What differs between the rows of one key. `entries` are sorted by their row.
    pub(super) fn judge(&self, entries: &[Entry]) -> Vec<Finding> {
        let images = images(entries);
        let findings = match self.landing {
            Landing::Same => self.same(&images),
            Landing::Newest => self.newest(entries, &images),
            Landing::Among => self.among(&images),
        };
        findings
            .into_iter()
            .filter(|finding| finding.rows > 0)
            .collect()
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

    /// The newest expected row is the one to be found. Keys that are spelled in several ways may be one key for the
    /// server or several, which only it knows: then each row that is found has to be one of those expected, and the
    /// newest among them.
    fn newest(&self, entries: &[Entry], images: &[Image]) -> Vec<Finding> {
        let expected = entries.iter().filter(|entry| entry.side == Side::Expected);
        let found: u64 = images.iter().map(|image| image.found).sum();
        let Some(newest) = expected.clone().max_by_key(|entry| entry.sequence) else {
            return self.surplus(false, found).into_iter().collect();
        };
        if found == 0 {
            return vec![Finding {
                class: self.missing,
                what: What::Missing,
                rows: 1,
            }];
        }
        let mut spellings: Vec<u32> = expected.map(|entry| entry.spelling).collect();
        spellings.sort_unstable();
        spellings.dedup();
        let at_most = spellings.len() as u64;
        let has_newest = images
            .iter()
            .any(|image| image.row == newest.row && image.found > 0);
        let strangers: u64 = images
            .iter()
            .filter(|image| match at_most {
                1 => image.row != newest.row,
                _ => image.expected == 0,
            })
            .map(|image| image.found)
            .sum();
        // One that has other values is not counted as one too many as well.
        let surplus = found.saturating_sub(at_most);
        let changed = match has_newest {
            true => strangers.saturating_sub(surplus),
            false => strangers.saturating_sub(surplus).max(1),
        };
        let mut findings = vec![Finding {
            class: self.changed,
            what: What::Changed,
            rows: changed,
        }];
        findings.extend(self.surplus(true, surplus));
        findings
    }

    fn among(&self, images: &[Image]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let lacking = images.iter().filter(|i| i.expected > i.found);
        for (passed_over, class) in [(false, self.missing), (true, Class::NotSeen)] {
            let of = lacking.clone().filter(|i| i.passed_over == passed_over);
            findings.push(Finding {
                class,
                what: What::Missing,
                rows: of.map(|i| i.expected - i.found).sum(),
            });
        }
        if let Some(class) = self.repeated {
            let often = |i: &Image| i.found.saturating_sub(i.expected.max(1));
            findings.push(Finding {
                class,
                what: What::Repeated,
                rows: images.iter().map(often).sum(),
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

    /// Rows beyond those expected.
    fn surplus(&self, any_expected: bool, rows: u64) -> Option<Finding> {
        let (class, what) = match any_expected {
            true => (Class::Wrong, What::Repeated),
            false => (self.extra?, What::Extra),
        };
        Some(Finding { class, what, rows })
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
                passed_over: false,
            });
        }
        if let Some(image) = images.last_mut() {
            match entry.side {
                Side::Expected => image.expected += 1,
                Side::Found => image.found += 1,
            }
            image.passed_over |= entry.passed_over;
        }
    }
    images
}

#[cfg(test)]
mod tests;

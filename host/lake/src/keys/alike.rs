//! Keys that may be one although they are spelled differently, where only the server knows.

use std::collections::{BTreeMap, HashMap};

use arrow_array::ArrayRef;
use icehost_plan::TextPattern;

use crate::error::Result;
use crate::keys::{KeyEncoder, Keys};

/// The texts of a key, in key order.
type Texts = Box<[TextPattern]>;

/// A set of keys, to be asked which others may be one with one of them.
///
/// Two certain keys are one or they are not, and are told apart by their encoding; here a key counts where either
/// of the two is uncertain. Takes the size of the keys' texts and about a hundred bytes for each.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    /// By what of the key is no text.
    groups: HashMap<Box<[u8]>, Group>,
}

#[derive(Debug, Default)]
struct Group {
    /// By the first text.
    certain: BTreeMap<String, Vec<Texts>>,
    uncertain: Vec<Texts>,
}

impl Alike {
    /// Takes those rows of a batch of key columns that are picked.
    pub(crate) fn add(
        &mut self,
        encoder: &KeyEncoder,
        columns: &[ArrayRef],
        keys: &Keys,
        picked: impl IntoIterator<Item = usize>,
    ) -> Result<()> {
        let exact = encoder.exact_parts(columns)?;
        for row in picked {
            let texts = patterns(encoder, columns, row);
            let Some(first) = texts.first() else {
                continue;
            };
            let first = first.prefix().to_owned();
            let group = self.groups.entry(exact.row(row).data().into()).or_default();
            match keys.is_uncertain(row) {
                true => group.uncertain.push(texts),
                false => group.certain.entry(first).or_default().push(texts),
            }
        }
        Ok(())
    }

    /// Which rows of a batch of key columns may be one with a key of the set, though they are not encoded alike.
    pub(crate) fn rows(
        &self,
        encoder: &KeyEncoder,
        columns: &[ArrayRef],
        keys: &Keys,
        rows: usize,
    ) -> Result<Vec<bool>> {
        let mut found = vec![false; rows];
        // Certain keys all of them, on both sides: the usual case.
        let any_uncertain = |group: &Group| !group.uncertain.is_empty();
        let here = (0..rows).any(|row| keys.is_uncertain(row));
        if self.groups.is_empty() || (!here && !self.groups.values().any(any_uncertain)) {
            return Ok(found);
        }
        let exact = encoder.exact_parts(columns)?;
        for (row, found) in found.iter_mut().enumerate() {
            if keys.is_null(row) {
                continue;
            }
            let group = self.groups.get(exact.row(row).data());
            let uncertain = keys.is_uncertain(row);
            if let Some(group) = group.filter(|group| uncertain || any_uncertain(group)) {
                let texts = patterns(encoder, columns, row);
                *found = group.may_hold(&texts, uncertain);
            }
        }
        Ok(found)
    }
}

impl Group {
    fn may_hold(&self, texts: &[TextPattern], uncertain: bool) -> bool {
        let alike = |known: &Texts| known.iter().zip(texts).all(|(a, b)| a.may_equal(b));
        if self.uncertain.iter().any(alike) {
            return true;
        }
        let Some(first) = texts.first().filter(|_| uncertain) else {
            return false;
        };
        let prefix = first.prefix();
        self.certain
            .range(prefix.to_owned()..)
            .take_while(|(text, _)| text.starts_with(prefix))
            .any(|(_, known)| known.iter().any(alike))
    }
}

fn patterns(encoder: &KeyEncoder, columns: &[ArrayRef], row: usize) -> Texts {
    encoder
        .texts(columns, row)
        .map(|(collation, text)| collation.pattern(text))
        .collect()
}

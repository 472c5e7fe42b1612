//! Which of several rows of a key is the newest, and whether anything tells.
//!
//! A reader that keeps one row of each key wants the newest, and takes the one that it reads last. What tells the order
//! of two rows of a table are the commits that they came with, and of these a table knows the data sequence numbers of
//! its files. They tell it of rows that icehost has written: each came with the commit of its file, behind all that
//! the table had before, and within a commit rows stand in the order in which they were read. Another engine's file
//! may hold rows that were there long before, of several commits, in any order, under a new number: that is what a
//! compaction writes, and an UPDATE or DELETE that copies what it leaves. So, of two rows that differ, the one that is
//! read later is certainly the newer one where its file is
//!
//! - icehost's own, and the other row has a lower sequence number, or the same and stands in a file of icehost, too;
//! - another engine's, of a snapshot that is known and only added rows, as all snapshots between it and the last one
//!   of icehost's did, and the other row has a lower sequence number.
//!
//! In all other cases nobody can say. Rows that are the same are no question.

mod author;
mod look;
mod turn;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::{DataType, SortOptions};
use icehost_plan::{Direction, SortKey};

use crate::changes::ChangePlan;
use crate::changes::hasher::{Hash, Hasher};
use crate::error::{LakeError, LakeErrorKind, Result};
use crate::keys::{KeyEncoder, as_a_server_orders};

pub(crate) use author::{Authors, Place};
pub(crate) use look::look;
pub use turn::Turn;

/// Bytes that a key takes of which there are several rows, about.
const KEY_BYTES: usize = 256;

/// That one row of each key counts, and which.
#[derive(Debug, Clone)]
pub(crate) struct OneOfEach {
    /// The first in this order counts, the newest where it ties.
    order: Vec<SortKey>,
}

impl OneOfEach {
    pub(crate) fn new(order: &[SortKey]) -> Self {
        OneOfEach {
            order: order.to_vec(),
        }
    }
}

/// The rows of a key so far, in the order in which they are read.
#[derive(Debug)]
struct Newest {
    rank: Box<[u8]>,
    image: Hash,
    sequence: i64,
    /// All rows with this sequence number stand in files of icehost.
    own: bool,
    /// The key, where nothing tells which row is the newest.
    doubt: Option<Box<str>>,
}

impl Newest {
    fn new(rank: &[u8], image: Hash, place: Place) -> Self {
        Newest {
            rank: rank.into(),
            image,
            sequence: place.sequence,
            own: place.is_own(),
            doubt: None,
        }
    }

    /// Takes the next row of the same rank.
    fn follow(&mut self, image: Hash, place: Place, key: impl FnOnce() -> Box<str>) {
        if self.doubt.is_some() || image != self.image {
            self.doubt = match place.follows(self.sequence, self.own) {
                true => None,
                false => Some(self.doubt.take().unwrap_or_else(key)),
            };
            self.image = image;
        }
        self.own = place.is_own() && (self.own || place.sequence > self.sequence);
        self.sequence = place.sequence;
    }
}

/// Rows in the order in which they are read, and whether the last one of each key is the newest.
struct Versions<'a> {
    plan: &'a ChangePlan,
    hasher: Hasher,
    keys: KeyEncoder,
    images: RowConverter,
    order: Order,
    newest: HashMap<Hash, Newest>,
}

impl<'a> Versions<'a> {
    /// `None` where the reader keeps every row, or has no key.
    fn new(plan: &'a ChangePlan) -> Result<Option<Versions<'a>>> {
        let Some(wish) = plan.one_of_each.as_ref().filter(|_| !plan.key.is_empty()) else {
            return Ok(None);
        };
        let kinds = plan.key.iter().filter_map(|&at| plan.columns.get(at));
        let kinds = kinds.map(|column| column.lake_type).collect();
        let wanted = plan.columns.iter().take(plan.wanted);
        let images = wanted.map(|column| SortField::new(column.lake_type.arrow()));
        Ok(Some(Versions {
            plan,
            hasher: Hasher::default(),
            keys: KeyEncoder::new(kinds, plan.fold.clone())?,
            images: RowConverter::new(images.collect())?,
            order: Order::new(plan, wish)?,
            newest: HashMap::new(),
        }))
    }

    fn key_columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        let at = self.plan.key.iter();
        at.filter_map(|&at| batch.columns().get(at).cloned())
            .collect()
    }

    /// Takes those rows of one file, in the plan's columns, whose key is wanted.
    fn note(
        &mut self,
        batch: &RecordBatch,
        place: Place,
        wanted: impl Fn(Hash) -> bool,
    ) -> Result<()> {
        let columns = self.key_columns(batch);
        let keys = self.keys.encode(&columns)?;
        let images = batch.columns().get(..self.plan.wanted);
        let images = self
            .images
            .convert_columns(images.unwrap_or(batch.columns()))?;
        let ranks = self.order.ranks(batch)?;
        for row in 0..batch.num_rows() {
            if keys.is_null(row) {
                continue;
            }
            let mut key = self.hasher.hash(keys.bytes(row));
            if !wanted(key) {
                continue;
            }
            let mut rank = ranks
                .as_ref()
                .map_or(&[][..], |ranks| ranks.row(row).data());
            if !self.order.is_known {
                key ^= self.hasher.hash(rank).rotate_left(1);
                rank = &[];
            }
            let image = self.hasher.hash(images.row(row).data());
            match self.newest.get_mut(&key) {
                Some(newest) if *newest.rank == *rank => {
                    newest.follow(image, place, || self.plan.shown(&columns, row));
                }
                Some(newest) if *newest.rank < *rank => {}
                _ => {
                    self.newest.insert(key, Newest::new(rank, image, place));
                }
            }
        }
        Ok(())
    }

    /// # Errors
    /// [`LakeErrorKind::VersionsUnordered`], which names a key, where nothing tells which of its rows is the newest.
    fn judge(&self) -> Result<()> {
        let doubts = self.newest.values().filter_map(|key| key.doubt.as_ref());
        let Some(key) = doubts.min() else {
            return Ok(());
        };
        let (several, which) = match self.order.columns.is_empty() {
            true => ("several rows that differ", "is the newest"),
            false => (
                "several rows that differ and are alike in deduplicate-by",
                "counts",
            ),
        };
        Err(LakeError::new(
            LakeErrorKind::VersionsUnordered,
            format!(
                "lake table {} has {several} with the key {key}, and nothing tells which of them {which}: another \
                 engine has written them into its own files",
                self.plan.files.name
            ),
        )
        .with_hint("say which one counts, by a column that each new version has more of"))
    }
}

impl ChangePlan {
    /// A key in a message.
    fn shown(&self, columns: &[ArrayRef], row: usize) -> Box<str> {
        let names = self.key.iter().filter_map(|&at| self.columns.get(at));
        let parts = names.zip(columns).map(|(column, values)| {
            let text = arrow_cast::display::array_value_to_string(values, row);
            format!(
                "{} = {}",
                column.name,
                icehost_untrusted::shown_up_to(&text.unwrap_or_default(), 100)
            )
        });
        parts.collect::<Vec<_>>().join(", ").into()
    }
}

/// The order by which rows of a key are chosen, as far as it is known here.
struct Order {
    /// Positions among the plan's columns.
    columns: Vec<usize>,
    converter: Option<RowConverter>,
    /// Without, only that two rows are alike in it.
    is_known: bool,
}

impl Order {
    fn new(plan: &ChangePlan, wish: &OneOfEach) -> Result<Order> {
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        let mut is_known = true;
        for key in &wish.order {
            let at = key.column as usize;
            let Some(column) = plan.columns.get(at).filter(|_| at < plan.wanted) else {
                continue;
            };
            let descending = key.direction == Direction::Descending;
            // NULL is the lowest of all values (T-SQL reference, "ORDER BY clause").
            let options = SortOptions {
                descending,
                nulls_first: !descending,
            };
            let kind = column.lake_type.arrow();
            // Texts and UUIDs are in an order of the server's own.
            is_known &= !matches!(kind, DataType::Utf8 | DataType::FixedSizeBinary(_));
            columns.push(at);
            fields.push(SortField::new_with_options(kind, options));
        }
        let converter = match fields.is_empty() {
            true => None,
            false => Some(RowConverter::new(fields)?),
        };
        Ok(Order {
            columns,
            converter,
            is_known,
        })
    }

    fn ranks(&self, batch: &RecordBatch) -> Result<Option<Rows>> {
        let Some(converter) = &self.converter else {
            return Ok(None);
        };
        let columns = self.columns.iter();
        let columns: Vec<ArrayRef> = columns
            .filter_map(|&at| batch.columns().get(at))
            .map(|column| as_a_server_orders(&Arc::clone(column)))
            .collect();
        Ok(Some(converter.convert_columns(&columns)?))
    }
}

#[cfg(test)]
mod tests {
    use super::author::Author::{Added, Own, Unknown};
    use super::*;

    /// Rows of a key: image, sequence number, author.
    fn is_doubtful(rows: &[(Hash, i64, author::Author)]) -> bool {
        let mut newest: Option<Newest> = None;
        for &(image, sequence, author) in rows {
            let place = Place { sequence, author };
            match &mut newest {
                None => newest = Some(Newest::new(&[], image, place)),
                Some(newest) => newest.follow(image, place, || "key".into()),
            }
        }
        newest.is_some_and(|newest| newest.doubt.is_some())
    }

    #[test]
    fn commits_of_icehost_are_in_order() {
        assert!(!is_doubtful(&[(1, 1, Own), (2, 2, Own)]));
        assert!(!is_doubtful(&[(1, 1, Own), (2, 1, Own), (1, 1, Own)]));
        assert!(!is_doubtful(&[
            (1, 1, Unknown),
            (2, 1, Unknown),
            (3, 2, Own)
        ]));
        assert!(!is_doubtful(&[(1, 1, Own), (2, 2, Added), (3, 3, Own)]));
    }

    #[test]
    fn a_foreign_file_has_no_order_and_may_hold_what_is_older() {
        assert!(is_doubtful(&[(1, 1, Unknown), (2, 1, Unknown)]));
        assert!(is_doubtful(&[(1, 2, Added), (2, 2, Added)]));
        assert!(is_doubtful(&[(1, 1, Own), (2, 2, Unknown)]));
        assert!(is_doubtful(&[(1, 1, Own), (2, 1, Added)]));
        assert!(is_doubtful(&[(1, 1, Unknown), (2, 1, Own)]));
        assert!(is_doubtful(&[(1, 1, Unknown), (1, 2, Own), (2, 2, Added)]));
        // The old version was written anew, behind the new one.
        assert!(is_doubtful(&[(1, 1, Own), (2, 2, Own), (1, 3, Unknown)]));
        // A doubt stays where what follows does not settle it.
        let settled = |last| is_doubtful(&[(1, 1, Own), (2, 2, Unknown), last]);
        assert!(settled((2, 3, Unknown)) && settled((2, 2, Added)));
        assert!(!settled((2, 3, Own)) && !settled((3, 3, Added)));
    }

    #[test]
    fn rows_that_are_the_same_are_no_question() {
        assert!(!is_doubtful(&[(1, 1, Unknown), (1, 1, Unknown)]));
        assert!(!is_doubtful(&[(1, 1, Own), (1, 4, Unknown), (1, 5, Own)]));
    }
}

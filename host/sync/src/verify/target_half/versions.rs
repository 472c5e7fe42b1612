//! Versions of a row in a history: no two of them count at one time.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use icehost_plan::{
    Action, ChangeSource, Coverage, Direction, Expression, ExtractionPlan, LogicalType, Node,
    SortKey, Table, ValidMergePlan,
};
use icehost_sqlserver::{Connection, ExtractOptions, SqlTable};
use tokio_util::sync::CancellationToken;

use crate::SyncError;
use crate::error::Doing;
use crate::verify::compare::class::{Class, What};
use crate::verify::compare::hash::hash;
use crate::verify::compare::rows::Read;
use crate::verify::compare::shape::{Hash, Shape};
use crate::verify::compare::text::key_text;
use crate::verify::plans::valid;
use crate::verify::report::{Comparison, Difference};

/// The columns of a history that say when a version counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Ordinal in the target of the moment from which a version counts.
    from: u32,
    /// That of the moment up to which it counted, which is not part of it; where it still counts, one far away or none.
    to: u32,
    /// Versions begin with runs. Else the source says when, and a row may come again as of a time when it was there
    /// already.
    pub(crate) by_runs: bool,
}

impl Versions {
    /// Where one row takes the place of another, the old one ends with what the new one begins with. `pairs` are the
    /// columns that are copies.
    pub(crate) fn of(
        plan: &ValidMergePlan,
        pairs: &[(u32, u32)],
        target: &Table,
    ) -> Option<Versions> {
        let succession = plan
            .clauses
            .iter()
            .find_map(|clause| match &clause.action {
                Action::Supersede(succession) => Some(succession),
                _ => None,
            })?;
        let is_moment = |ordinal: u32| {
            let column = target.columns.get(ordinal as usize);
            column.is_some_and(|column| {
                matches!(
                    column.column_type.logical(),
                    LogicalType::Date | LogicalType::Timestamp | LogicalType::TimestampTz
                )
            })
        };
        let is_copy = |ordinal: u32| pairs.iter().any(|(_, there)| *there == ordinal);
        let mut meeting = Vec::new();
        for old in &succession.old {
            for new in &succession.new {
                let meets = old.value == new.value && old.target != new.target;
                if meets && is_moment(old.target) && is_moment(new.target) {
                    meeting.push((is_copy(new.target), old, new));
                }
            }
        }
        let (_, old, new) = meeting.into_iter().min_by_key(|(is_copy, ..)| *is_copy)?;
        Some(Versions {
            from: new.target,
            to: old.target,
            by_runs: is_literal(&new.value),
        })
    }

    /// Finds versions that begin while another one of their key counts, or end before they begin. `keys` are the
    /// target's columns that tell rows apart, and `shape` is what is compared of them.
    pub(crate) async fn check(
        self,
        history: History<'_>,
        class: Class,
        limit: usize,
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<(), SyncError> {
        let History {
            connection,
            table,
            keys,
            shape,
            options,
        } = history;
        let doing = || format!("reading the versions of target table {}", table.name);
        let plan = self.plan(&table.table, keys)?;
        let mut extraction = connection
            .extract(table, &plan, options)
            .await
            .doing(doing)?;
        let mut last: Option<(Hash, i64)> = None;
        while let Some(batch) = tokio::select! {
            batch = extraction.next_batch() => batch.doing(doing)?,
            () = cancel.cancelled() => return Err(SyncError::cancelled()),
        } {
            let arrays = batch.columns();
            let (key, times) = arrays.split_at(keys.len().min(arrays.len()));
            let [from, to] = times else {
                continue;
            };
            let (from, to) = (moments(from, i64::MIN), moments(to, i64::MAX));
            let read = Read {
                arrays: key.to_vec(),
                cursor: Vec::new(),
                turns: Vec::new(),
                rows: batch.num_rows(),
            };
            for (row, (hashed, (from, to))) in hash(&shape, &read)?
                .into_iter()
                .zip(from.into_iter().zip(to))
                .enumerate()
            {
                let before = last.filter(|(group, _)| *group == hashed.group);
                let until = before.map_or(i64::MIN, |(_, until)| until);
                if to < from || (from < to && from < until) {
                    let told = comparison.of(class);
                    told.count(What::Overlapping, 1);
                    if told.overlapping <= limit as u64 {
                        told.keys.push(Difference {
                            key: key_text(&shape, &read.arrays, row),
                            what: What::Overlapping.word(),
                            columns: Vec::new(),
                        });
                    }
                }
                // One that ends where it begins never counted.
                last = Some((hashed.group, if from < to { until.max(to) } else { until }));
            }
        }
        extraction.finish().doing(doing)?;
        Ok(())
    }

    /// Every version, those of a key behind each other, as they begin.
    fn plan(
        self,
        table: &Table,
        keys: &[u32],
    ) -> Result<icehost_plan::ValidExtractionPlan, SyncError> {
        let ascending = |&column: &u32| SortKey {
            column,
            direction: Direction::Ascending,
        };
        let plan = ExtractionPlan {
            source: ChangeSource::Rows,
            coverage: Coverage::Full,
            columns: keys.iter().copied().chain([self.from, self.to]).collect(),
            filter: None,
            order_by: keys.iter().chain([&self.from]).map(ascending).collect(),
            split_on: None,
            observe: Vec::new(),
        };
        valid(plan, table)
    }
}

/// A history that is to be looked through.
pub(crate) struct History<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) table: &'a SqlTable,
    /// Ordinals of the columns that tell the rows of the lake apart.
    pub(crate) keys: &'a [u32],
    /// How these are compared; all of it is the key.
    pub(crate) shape: Shape,
    pub(crate) options: ExtractOptions,
}

fn is_literal(value: &Expression) -> bool {
    matches!(value.node(value.root), Some(Node::Literal(_)))
}

/// The moments of a column as numbers that have their order.
fn moments(array: &ArrayRef, null: i64) -> Vec<i64> {
    let of = |row: usize| match array.data_type() {
        _ if array.is_null(row) => null,
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row)
        }
        _ => null,
    };
    (0..array.len()).map(of).collect()
}

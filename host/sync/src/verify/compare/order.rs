//! The order by which a merge chooses among rows with one key, where it has one.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_row::{RowConverter, Rows, SortField};
use arrow_schema::SortOptions;
use icehost_plan::{Direction, SortKey};

/// What the place of a row in an order takes, about.
const RANK_BYTES: usize = 48;

/// Columns to order by: their positions among those that are compared, and their directions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Order(Vec<(usize, Direction)>);

impl Order {
    /// Rows arrive, and the last one counts.
    pub(crate) const NONE: Order = Order(Vec::new());

    /// The order of a merge; `place` says where a column of its delta stands. `None` where one of them is not
    /// compared.
    pub(crate) fn of(keys: &[SortKey], place: impl Fn(u32) -> Option<usize>) -> Option<Order> {
        let keys = keys.iter();
        let columns = keys.map(|key| Some((place(key.column)?, key.direction)));
        columns.collect::<Option<_>>().map(Order)
    }

    /// What a row's place in it takes beside the row's hashes, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * RANK_BYTES
    }

    /// The place of each row of a batch.
    ///
    /// # Errors
    /// Columns that have no order.
    pub(crate) fn ranks(&self, arrays: &[ArrayRef]) -> Result<Ranks, String> {
        let columns: Vec<(&ArrayRef, Direction)> = self
            .0
            .iter()
            .filter_map(|&(at, direction)| Some((arrays.get(at)?, direction)))
            .collect();
        if columns.is_empty() {
            return Ok(Ranks(None));
        }
        let field = |(array, direction): &(&ArrayRef, Direction)| {
            let descending = *direction == Direction::Descending;
            // NULL is the lowest of all values, as T-SQL has it.
            let options = SortOptions {
                descending,
                nulls_first: !descending,
            };
            SortField::new_with_options(array.data_type().clone(), options)
        };
        let fields = columns.iter().map(field).collect();
        let arrays: Vec<ArrayRef> = columns.iter().map(|(array, _)| Arc::clone(array)).collect();
        let ranks = RowConverter::new(fields)
            .and_then(|converter| converter.convert_columns(&arrays))
            .map_err(|error| format!("ordering rows: {error}"))?;
        Ok(Ranks(Some(ranks)))
    }
}

/// The places of rows in an order.
pub(crate) struct Ranks(Option<Rows>);

impl Ranks {
    /// That of a row, as bytes: the lowest comes first. Empty where there is no order.
    pub(crate) fn of(&self, row: usize) -> Box<[u8]> {
        match &self.0 {
            Some(rows) => rows.row(row).data().into(),
            None => Box::default(),
        }
    }
}

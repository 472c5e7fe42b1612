//! What a run of one lake table tells the others that deliver into the same table: that it had lost rows. They cannot
//! see it themselves where it has filled up again meanwhile.

use icehost_plan::{SqlType, Value};
use uuid::Uuid;

use super::position::row_of;
use super::positions_table::TABLE;
use super::target_state::NVARCHAR;
use crate::connection::Connection;
use crate::error::Result;
use crate::introspect::SqlTable;
use crate::statement::Parameters;

/// What a target was found to have lost since the last run of a lake table, by a run of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of its rows.
    All,
    /// Some of them.
    Some,
}

/// A position of another lake table, and what it is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The other lake table.
    pub lake_uuid: Uuid,
    /// The run that wrote its position. One that has run since has seen for itself.
    pub run_id: String,
    /// The rows that it left in the target, where that is known.
    pub rows: Option<u64>,
    /// What was found.
    pub loss: Loss,
}

/// Below this, some rows were lost; between it and zero, all.
const SOME: i64 = -(1 << 62);
/// The largest number of rows that a mark holds.
const MOST: u64 = 1 << 61;

/// The number of rows as the table of positions holds it under a mark: negative, which earlier versions take for a number
/// that is not known.
fn encode(loss: Loss, rows: Option<u64>) -> i64 {
    let rows = rows.map_or(0, |rows| rows.saturating_add(1).min(MOST));
    let rows = i64::try_from(rows).unwrap_or(0);
    match loss {
        Loss::All => -1 - rows,
        Loss::Some => SOME - 1 - rows,
    }
}

/// The number of rows, and what another lake table's run has found since.
pub(super) fn decode(held: Option<i64>) -> (Option<u64>, Option<Loss>) {
    let Some(held) = held else {
        return (None, None);
    };
    if let Ok(rows) = u64::try_from(held) {
        return (Some(rows), None);
    }
    let (loss, rows) = match held < SOME {
        true => (Loss::Some, SOME.saturating_sub(held)),
        false => (Loss::All, held.saturating_neg()),
    };
    // One for the mark, and one where the number is known.
    let rows = u64::try_from(rows).ok();
    (rows.and_then(|rows| rows.checked_sub(2)), Some(loss))
}

impl Connection {
    /// Marks positions of other lake tables. Whoever has run since they were read has found what there is; whoever is at
    /// work finds its position moved, and starts over.
    ///
    /// # Errors
    /// Whatever the server reports.
    pub async fn mark_positions(
        &mut self,
        marks: &[Mark],
        found_by: &str,
        target: &SqlTable,
    ) -> Result<()> {
        if !self.positions.is_bound() {
            return Ok(());
        }
        for mark in marks {
            let mut parameters = Parameters::default();
            let row = row_of(&mut parameters, mark.lake_uuid, target);
            let by = parameters.add(NVARCHAR, Value::Text(mark.run_id.clone()));
            let found_by = parameters.add(NVARCHAR, Value::Text(found_by.to_owned()));
            let rows = Value::Integer(encode(mark.loss, mark.rows));
            let rows = parameters.add(SqlType::BigInt, rows);
            let statement = parameters.finish(format!(
                "UPDATE {TABLE}\nSET [target_rows] = {rows}, [run_id] = {found_by}\nWHERE {row} AND [run_id] = {by};"
            ));
            self.client.run(&statement).await.map_err(|error| {
                error.context(format!(
                    "telling other lake tables that {} has lost rows",
                    target.name
                ))
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_holds_the_number_of_rows() {
        for loss in [Loss::All, Loss::Some] {
            for rows in [None, Some(0), Some(1), Some(20), Some(MOST - 1)] {
                let held = encode(loss, rows);
                assert!(held < 0);
                assert_eq!(decode(Some(held)), (rows, Some(loss)));
            }
            let most = decode(Some(encode(loss, Some(u64::MAX))));
            assert_eq!(most, (Some(MOST - 1), Some(loss)));
        }
        assert_eq!(decode(Some(7)), (Some(7), None));
        assert_eq!(decode(None), (None, None));
        assert_eq!(decode(Some(i64::MIN)).1, Some(Loss::Some));
    }
}

//! DBCC CHECKIDENT (T-SQL reference).

use super::batch::command;
use super::{Access, Batch};
use crate::ast::CheckIdentity;
use crate::convert::{Excess, convert};
use crate::error::SqlResult;
use crate::session::SqlError;
use crate::types::{Datum, SqlType};

const WHOLE: SqlType = SqlType::Decimal {
    precision: 38,
    scale: 0,
    numeric: true,
};

fn whole(value: &Datum) -> SqlResult<Option<i128>> {
    Ok(match convert(value, &WHOLE, 0, Excess::Refuse)? {
        Datum::Decimal { unscaled, .. } => Some(unscaled),
        _ => None,
    })
}

impl Batch<'_> {
    /// "If no rows have been inserted into the table since the table was created, or if all rows have been removed
    /// by using the TRUNCATE TABLE statement, the first row inserted after you run DBCC CHECKIDENT uses
    /// new_reseed_value as the identity. If rows are present in the table, or if all rows have been removed by
    /// using the DELETE statement, the next row inserted uses new_reseed_value + the current increment value."
    pub(super) fn check_identity(&mut self, check: &CheckIdentity) -> SqlResult<()> {
        self.session.ensure_transaction(self.sink);
        self.refuse_if_doomed()?;
        let target = self
            .session
            .open_for_write(&check.table, Access::Table, self.cancel)
            .map_err(|error| match error.number {
                208 => SqlError::new(
                    2501,
                    16,
                    45,
                    format!(
                        "Cannot find a table or object with the name \"{}\". Check the system catalog.",
                        check.table
                    ),
                ),
                _ => error,
            })?;
        let definition = target.version.definition.clone();
        let Some(ordinal) = definition.identity_ordinal() else {
            return Err(SqlError::new(
                7997,
                16,
                1,
                format!(
                    "'{}' does not contain an identity column.",
                    target.table.name
                ),
            ));
        };
        let given = match &check.value {
            Some(value) => whole(&self.evaluate(value, None)?)?,
            None => None,
        };
        let mut highest: Option<i128> = None;
        let counts_down = definition.columns[ordinal]
            .identity
            .is_some_and(|(_, increment)| increment < 0);
        for (_, row) in target.version.rows.iter() {
            if let Some(value) = whole(&row[ordinal])? {
                highest = Some(highest.map_or(value, |so_far| {
                    if counts_down {
                        so_far.min(value)
                    } else {
                        so_far.max(value)
                    }
                }));
            }
        }
        let mut counter = target.table.identity.lock();
        let before = counter.last;
        match given {
            Some(value) if counter.last.is_none() => counter.first = Some(value),
            Some(value) => counter.last = Some(value),
            None if check.reseed => {
                let behind = match (counter.last, highest) {
                    (Some(last), Some(highest)) if counts_down => highest < last,
                    (Some(last), Some(highest)) => highest > last,
                    _ => false,
                };
                if behind {
                    counter.last = highest;
                }
            }
            None => {}
        }
        drop(counter);
        if !check.silent {
            let shown = |value: Option<i128>| {
                value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())
            };
            let found = if given.is_some() {
                format!(
                    "Checking identity information: current identity value '{}'.",
                    shown(before)
                )
            } else {
                format!(
                    "Checking identity information: current identity value '{}', current column value '{}'.",
                    shown(before),
                    shown(highest)
                )
            };
            self.stop(|sink| sink.message(SqlError::information(found)))?;
        }
        self.done(command::OTHER, None)
    }
}

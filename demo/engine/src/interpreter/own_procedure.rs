//! The development server's own procedures, in a schema that no SQL Server has: what tests must be able to set
//! and T-SQL cannot say.
//!
//! - `EXEC devserver.clock @utc = '2026-10-25 00:59:30', @offset = 120, @stopped = 1`: the server's clock (see
//!   [`crate::Clock`]); each argument is optional, `@offset` is local time minus UTC in minutes. `@advance` moves
//!   the clock by seconds.
//! - `EXEC devserver.replica @database = 'd', @secondary = 1`: makes a database a readable secondary, or a
//!   primary again.

use super::Batch;
use crate::ast::{Argument, ObjectName};
use crate::convert::{Excess, convert};
use crate::error::{SqlResult, unsupported_procedure};
use crate::session::SqlError;
use crate::storage::Writing;
use crate::types::{Datum, SqlType};

/// The schema of these procedures.
pub(super) const SCHEMA: &str = "devserver";

impl Batch<'_> {
    pub(super) fn own_procedure(
        &mut self,
        name: &ObjectName,
        arguments: &[Argument],
    ) -> SqlResult<()> {
        self.session.permit_execution(name)?;
        match name.name.folded().as_str() {
            "clock" => self.set_clock(arguments),
            "replica" => self.set_replica(arguments),
            _ => Err(unsupported_procedure(&name.to_string())),
        }
    }

    fn number(&mut self, arguments: &[Argument], name: &str) -> SqlResult<Option<i64>> {
        let Some(text) = self.argument(arguments, name, usize::MAX)? else {
            return Ok(None);
        };
        let number = text.trim().parse().map_err(|_| invalid(name, &text))?;
        Ok(Some(number))
    }

    fn set_clock(&mut self, arguments: &[Argument]) -> SqlResult<()> {
        let server = self.session.server.clone();
        let clock = server.clock();
        if let Some(stopped) = self.number(arguments, "@stopped")? {
            clock.stop(stopped != 0);
        }
        if let Some(utc) = self.argument(arguments, "@utc", usize::MAX)? {
            let given = Datum::Text {
                value: utc.as_str().into(),
                national: true,
            };
            let moment = SqlType::DateTime2 { scale: 7 };
            let Datum::DateTime2 { days, ticks, .. } = convert(&given, &moment, 0, Excess::Refuse)?
            else {
                return Err(invalid("@utc", &utc));
            };
            clock.set_utc((days, ticks));
        }
        if let Some(seconds) = self.number(arguments, "@advance")? {
            clock.advance(seconds);
        }
        if let Some(minutes) = self.number(arguments, "@offset")? {
            let minutes = i16::try_from(minutes)
                .ok()
                .filter(|minutes| (-840..=840).contains(minutes))
                .ok_or_else(|| invalid("@offset", &minutes.to_string()))?;
            clock.set_offset(minutes);
        }
        Ok(())
    }

    fn set_replica(&mut self, arguments: &[Argument]) -> SqlResult<()> {
        let name = self
            .argument(arguments, "@database", usize::MAX)?
            .unwrap_or_default();
        let secondary = self.number(arguments, "@secondary")?.unwrap_or(1) != 0;
        let database = self
            .session
            .server
            .database(&name)
            .ok_or_else(|| invalid("@database", &name))?;
        database.options.lock().writing = if secondary {
            Writing::Secondary
        } else {
            Writing::Allowed
        };
        Ok(())
    }
}

fn invalid(argument: &str, value: &str) -> SqlError {
    unsupported_procedure(&format!("{SCHEMA} procedure with {argument} = '{value}'"))
}

//! THROW and RAISERROR.

use super::Batch;
use crate::ast::Expr as Ast;
use crate::error::{SqlResult, unsupported_clause};
use crate::session::SqlError;

impl Batch<'_> {
    pub(super) fn throw(&mut self, parts: Option<&(Ast, Ast, Ast)>) -> SqlResult<()> {
        let Some((number, message, state)) = parts else {
            return Err(match self.caught.last() {
                // Thrown again: as it was, and the batch ends.
                Some(caught) => SqlError {
                    aborts_batch: true,
                    ..caught.error.clone()
                },
                None => SqlError::new(
                    10704,
                    15,
                    1,
                    "To rethrow an error, a THROW statement must be used inside a CATCH block.",
                )
                .ending_batch(),
            });
        };
        let number = self.integer(number)?.unwrap_or(0);
        let message = self.text(message)?.unwrap_or_default();
        let state = self.integer(state)?.unwrap_or(1).clamp(0, 255) as u8;
        let number = u32::try_from(number).ok().filter(|number| *number >= 50000).ok_or_else(|| {
            SqlError::new(35100, 16, 10, format!("Error number {number} in the THROW statement is outside the valid range. Specify an error number in the valid range of 50000 to 2147483647."))
        })?;
        Err(SqlError::new(number, 16, state, message).ending_batch())
    }

    pub(super) fn raise_error(
        &mut self,
        message: &Ast,
        severity: &Ast,
        state: &Ast,
        arguments: &[Ast],
    ) -> SqlResult<()> {
        if let Ast::Literal {
            value: crate::types::Datum::Int(_),
            ..
        } = message
        {
            return Err(unsupported_clause("RAISERROR with a message number"));
        }
        let message = self.text(message)?.unwrap_or_default();
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.text(argument)?.unwrap_or_else(|| "(null)".to_owned()));
        }
        let message = formatted(&message, &values)?;
        let severity = self.integer(severity)?.unwrap_or(16).clamp(0, 25) as u8;
        let state = self.integer(state)?.unwrap_or(1).clamp(0, 255) as u8;
        if severity > 18 {
            return Err(unsupported_clause("RAISERROR with a severity above 18"));
        }
        let error = SqlError::new(50000, severity, state, message);
        if severity > 10 {
            Err(error)
        } else {
            self.stop(|sink| sink.message(error))
        }
    }
}

/// Fills `%s`, `%d`, `%i` and `%u` in; widths and flags are refused.
fn formatted(message: &str, values: &[String]) -> SqlResult<String> {
    let mut output = String::new();
    let mut values = values.iter();
    let mut chars = message.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            output.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => output.push('%'),
            Some('s' | 'd' | 'i' | 'u') => {
                output.push_str(values.next().map_or("(null)", String::as_str))
            }
            _ => {
                return Err(unsupported_clause(
                    "RAISERROR format specifications other than %s, %d, %i and %u",
                ));
            }
        }
    }
    Ok(output)
}

//! Which row of the target and which of the delta are the same row.

use super::Context;
use crate::error::{Result, SqlServerError};
use crate::lower::Lowering;
use crate::statement::Parameters;

/// The plan's keys, and which of the target's rows take part at all.
pub(super) struct Matching {
    /// `T.… = S.…`, for each key.
    pub(super) keys: String,
    /// About `T`, ready to be joined on: empty where all rows take part.
    pub(super) among: String,
}

impl Matching {
    /// Lowers both for one statement, whose parameters hold the literals.
    pub(super) fn new(context: &Context<'_>, parameters: &mut Parameters) -> Result<Matching> {
        let mut keys = Vec::with_capacity(context.plan.keys.len());
        for key in &context.plan.keys {
            let source = context.source_operands.get(key.source as usize);
            let target = context.target_operands.get(key.target as usize);
            let (Some(source), Some(target)) = (source, target) else {
                return Err(SqlServerError::plan(
                    "a key of the plan is not among the columns of target and delta",
                ));
            };
            keys.push(format!("{} = {}", target.sql, source.sql));
        }
        let among = match &context.plan.among {
            None => String::new(),
            Some(among) => {
                let mut lowering = Lowering::new(&[], &context.target_operands, parameters);
                format!(" AND ({})", lowering.predicate(among)?)
            }
        };
        Ok(Matching {
            keys: keys.join(" AND "),
            among,
        })
    }

    /// The whole condition, about `T` and `S`.
    pub(super) fn on(&self) -> String {
        format!("{}{}", self.keys, self.among)
    }
}

//! Errors that a component returned.

use icehost_plan::PlanError;

use crate::bindings::types as wit;
use crate::error::Terms;
use crate::{FailureKind, Operation, Strategy, StrategyError};
use icehost_untrusted::{shown, shown_up_to};

pub(crate) fn failure(
    strategy: &Strategy,
    operation: Operation,
    error: wit::Error,
    column_name: impl Fn(u32) -> Option<String>,
) -> StrategyError {
    let kind = match error.kind {
        wit::Failure::InvalidOptions => FailureKind::InvalidOptions,
        wit::Failure::UnsupportedTable => FailureKind::UnsupportedTable,
        wit::Failure::StaleWatermark => FailureKind::StaleWatermark,
        wit::Failure::BadData => FailureKind::BadData,
        wit::Failure::Internal => FailureKind::Internal,
    };
    StrategyError::Failure {
        strategy: strategy.name().to_owned(),
        operation,
        kind,
        code: shown_up_to(&error.code, 64),
        message: shown(&error.message),
        column: error.column.and_then(column_name),
        terms: Box::new(Terms {
            options: strategy.options_schema().options().to_vec(),
            columns: strategy.column_grant().clone(),
        }),
    }
}

/// The same error, without whatever a component's own text in it could do to a terminal.
pub(crate) fn shown_plan_error(error: PlanError) -> PlanError {
    PlanError::new(shown(&error.to_string()))
}

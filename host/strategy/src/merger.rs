//! Mergers.

use icehost_plan::{Delta, Table, ValidMergePlan};

use crate::bindings::{merge, previous};
use crate::contract::Version;
use crate::functions::{PLAN_MERGE, Returned};
use crate::{Operation, Options, Strategy, StrategyError, convert};

/// A strategy that decides how a delta lands.
#[derive(Debug, Clone)]
pub struct Merger {
    strategy: Strategy,
}

impl Merger {
    pub(crate) fn new(strategy: Strategy) -> Self {
        Merger { strategy }
    }

    /// The strategy itself.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// How the delta lands in the target, checked against both.
    pub async fn plan(
        &self,
        target: &Table,
        delta: &Delta,
        options: &Options,
    ) -> Result<ValidMergePlan, StrategyError> {
        let strategy = &self.strategy;
        let shown_target = convert::table_to_guest(target);
        let options = strategy.options_text(options)?;
        let plan = match strategy.version() {
            Version::Present => {
                let shown = (shown_target, convert::delta_to_guest(delta), options);
                let returned: Returned<merge::MergePlan> =
                    strategy.call(Operation::Plan, PLAN_MERGE, shown).await?;
                returned.map(convert::merge_plan)
            }
            Version::Previous => {
                let shown_delta = convert::previous::delta_to_guest(delta);
                let shown = (shown_target, shown_delta, options);
                let returned: Returned<previous::merge::MergePlan> =
                    strategy.call(Operation::Plan, PLAN_MERGE, shown).await?;
                returned.map(|plan| convert::merge_plan(convert::previous::merge_plan(plan)))
            }
        };
        let plan = plan.map_err(|e| {
            // The contract does not say whose column; where both have it, the names are mostly equal.
            convert::failure(strategy, Operation::Plan, e, |column| {
                let column = column as usize;
                let column = target.columns.get(column).or(delta.columns.get(column));
                column.map(|c| c.name.clone())
            })
        })?;
        plan.and_then(|plan| plan.validate(target, delta))
            .map_err(|error| StrategyError::InvalidPlan {
                strategy: strategy.name().to_owned(),
                operation: Operation::Plan,
                error: convert::shown_plan_error(error),
            })
    }
}

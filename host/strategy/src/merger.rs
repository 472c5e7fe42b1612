//! Mergers.

use icehost_plan::{Delta, MergeViews, Table, ValidMergePlan, View};

use crate::bindings::merge;
use crate::bindings::previous::first;
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
        let (views, target, shown) = self.shown(target, delta);
        let shown_target = convert::table_to_guest(&target);
        let options = strategy.options_text(options)?;
        let plan = match strategy.version() {
            Version::Second | Version::Present => {
                let shown = (shown_target, convert::delta_to_guest(&shown), options);
                let returned: Returned<merge::MergePlan> =
                    strategy.call(Operation::Plan, PLAN_MERGE, shown).await?;
                returned.map(convert::merge_plan)
            }
            Version::First => {
                let shown_delta = convert::previous::delta_to_guest(&shown);
                let shown = (shown_target, shown_delta, options);
                let returned: Returned<first::merge::MergePlan> =
                    strategy.call(Operation::Plan, PLAN_MERGE, shown).await?;
                returned.map(|plan| convert::merge_plan(convert::previous::merge_plan(plan)))
            }
        };
        let plan = plan.map_err(|e| {
            // The contract does not say whose column; where both have it, the names are mostly equal.
            convert::failure(strategy, Operation::Plan, e, |column| {
                let column = column as usize;
                let column = target.columns.get(column).or(shown.columns.get(column));
                column.map(|c| c.name.clone())
            })
        })?;
        plan.and_then(|plan| plan.validate(&target, &shown))
            .and_then(|plan| views.merge(plan, delta))
            .map_err(|error| StrategyError::InvalidPlan {
                strategy: strategy.name().to_owned(),
                operation: Operation::Plan,
                error: convert::shown_plan_error(error),
            })
    }

    /// Table and rows as far as the strategy may see them.
    fn shown(&self, target: &Table, delta: &Delta) -> (MergeViews, Table, Delta) {
        let grant = self.strategy.column_grant();
        let views = MergeViews {
            target: View::new(grant, &target.columns, None),
            delta: View::new(grant, &delta.columns, delta.operation),
        };
        let shown = (views.target.table(target), views.delta.delta(delta));
        (views, shown.0, shown.1)
    }
}

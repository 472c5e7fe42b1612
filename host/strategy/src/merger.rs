//! Mergers.

use icehost_plan::{Delta, Table, ValidMergePlan};

use crate::bindings::merger::MergerPre;
use crate::call::Guest;
use crate::strategy::World;
use crate::{Operation, Options, Strategy, StrategyError, convert};

/// A strategy that decides how a delta lands.
#[derive(Clone)]
pub struct Merger {
    strategy: Strategy,
    world: MergerPre<Guest>,
}

impl std::fmt::Debug for Merger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Merger").field(&self.strategy).finish()
    }
}

impl Merger {
    pub(crate) fn new(strategy: &Strategy) -> Option<Self> {
        match strategy.loaded_world() {
            World::Merger(world) => Some(Merger {
                strategy: strategy.clone(),
                world: world.clone(),
            }),
            World::ChangeDetector(_) => None,
        }
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
        let options = options.text_for(&self.strategy).ok_or_else(|| {
            self.strategy
                .refused(vec!["they were checked for another strategy".to_owned()])
        })?;
        let world = self.world.clone();
        let shown_target = convert::table_to_guest(target);
        let shown_delta = convert::delta_to_guest(delta);
        let options = options.to_owned();
        let returned = self
            .strategy
            .sandbox()
            .call(Operation::Plan, move |store| {
                Box::pin(async move {
                    let guest = world.instantiate_async(&mut *store).await?;
                    let functions = guest.icehost_strategy_merge();
                    functions
                        .call_plan(store, &shown_target, &shown_delta, &options)
                        .await
                })
            })
            .await?;
        let plan = returned.map_err(|e| {
            // The contract does not say whose column; where both have it, the names are mostly equal.
            convert::failure(&self.strategy, Operation::Plan, e, |column| {
                let column = column as usize;
                let column = target.columns.get(column).or(delta.columns.get(column));
                column.map(|c| c.name.clone())
            })
        })?;
        convert::merge_plan(plan)
            .and_then(|plan| plan.validate(target, delta))
            .map_err(|error| StrategyError::InvalidPlan {
                strategy: self.strategy.name().to_owned(),
                operation: Operation::Plan,
                error: convert::shown_plan_error(error),
            })
    }
}

//! Change detectors.

use std::sync::Arc;

use icehost_plan::{
    ExtractionPlan, Outcome, PlanError, Probe, Table, ValidExtractionPlan, Value, Watermark,
    validate_probes,
};

use crate::bindings::detector::{ChangeDetector as Functions, ChangeDetectorPre};
use crate::bindings::{detection, types};
use crate::call::{Guest, Running};
use crate::strategy::World;
use crate::{Operation, Options, Strategy, StrategyError, convert};

/// A strategy that decides which rows changed.
#[derive(Clone)]
pub struct ChangeDetector {
    strategy: Strategy,
    world: ChangeDetectorPre<Guest>,
}

impl std::fmt::Debug for ChangeDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ChangeDetector")
            .field(&self.strategy)
            .finish()
    }
}

/// What a change detector is shown.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The table to be read.
    pub table: &'a Table,
    /// Options that were checked for this strategy.
    pub options: &'a Options,
    /// What [`ChangeDetector::advance`] gave last time; `None` on the first run.
    pub watermark: Option<&'a Watermark>,
}

type Returned<T> = Result<T, types::Error>;

impl ChangeDetector {
    pub(crate) fn new(strategy: &Strategy) -> Option<Self> {
        match strategy.loaded_world() {
            World::ChangeDetector(world) => Some(ChangeDetector {
                strategy: strategy.clone(),
                world: world.clone(),
            }),
            World::Merger(_) => None,
        }
    }

    /// The strategy itself.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// The scalars that it wants read before it plans, checked against the table.
    pub async fn probes(&self, context: &Context<'_>) -> Result<Vec<Probe>, StrategyError> {
        let operation = Operation::Probes;
        let shown = self.shown(context)?;
        let probes = self
            .call(operation, context.table, move |guest, store| {
                Box::pin(async move {
                    let functions = guest.icehost_strategy_change_detection();
                    functions.call_probes(store, &shown).await
                })
            })
            .await?;
        let probes: Vec<Probe> = probes.into_iter().map(convert::probe).collect();
        validate_probes(&probes, context.table).map_err(|e| self.invalid(operation, e))?;
        Ok(probes)
    }

    /// Which rows to read, checked against the table. `readings` has one value per probe, in order.
    pub async fn plan(
        &self,
        context: &Context<'_>,
        readings: &[Value],
    ) -> Result<ValidExtractionPlan, StrategyError> {
        let operation = Operation::Plan;
        let shown = self.shown(context)?;
        let readings: Vec<types::Value> = readings.iter().map(convert::value_to_guest).collect();
        let plan = self
            .call(operation, context.table, move |guest, store| {
                Box::pin(async move {
                    let functions = guest.icehost_strategy_change_detection();
                    functions.call_plan(store, &shown, &readings).await
                })
            })
            .await?;
        convert::extraction_plan(plan)
            .and_then(|plan: ExtractionPlan| plan.validate(context.table))
            .map_err(|e| self.invalid(operation, e))
    }

    /// The watermark for the next run, to be committed with the rows.
    pub async fn advance(
        &self,
        context: &Context<'_>,
        outcome: &Outcome,
    ) -> Result<Watermark, StrategyError> {
        let operation = Operation::Advance;
        let shown = self.shown(context)?;
        let outcome = convert::outcome_to_guest(outcome);
        let watermark = self
            .call(operation, context.table, move |guest, store| {
                Box::pin(async move {
                    let functions = guest.icehost_strategy_change_detection();
                    functions.call_advance(store, &shown, &outcome).await
                })
            })
            .await?;
        let watermark = convert::watermark(watermark).map_err(|e| self.invalid(operation, e))?;
        watermark
            .validate()
            .map_err(|e| self.invalid(operation, e.at("watermark")))?;
        Ok(watermark)
    }

    fn shown(&self, context: &Context<'_>) -> Result<Arc<detection::Context>, StrategyError> {
        let options = context.options.text_for(&self.strategy).ok_or_else(|| {
            self.strategy
                .refused(vec!["they were checked for another strategy".to_owned()])
        })?;
        Ok(Arc::new(detection::Context {
            table: convert::table_to_guest(context.table),
            options: options.to_owned(),
            watermark: context.watermark.map(convert::watermark_to_guest),
        }))
    }

    async fn call<T, F>(
        &self,
        operation: Operation,
        table: &Table,
        function: F,
    ) -> Result<T, StrategyError>
    where
        T: Send,
        F: for<'s> FnOnce(
                &'s Functions,
                &'s mut wasmtime::Store<Guest>,
            ) -> Running<'s, Returned<T>>
            + Send
            + 'static,
    {
        let world = self.world.clone();
        let returned = self
            .strategy
            .sandbox()
            .call(operation, move |store| {
                Box::pin(async move {
                    let guest = world.instantiate_async(&mut *store).await?;
                    function(&guest, store).await
                })
            })
            .await?;
        returned.map_err(|e| {
            convert::failure(&self.strategy, operation, e, |column| {
                table.columns.get(column as usize).map(|c| c.name.clone())
            })
        })
    }

    fn invalid(&self, operation: Operation, error: PlanError) -> StrategyError {
        StrategyError::InvalidPlan {
            strategy: self.strategy.name().to_owned(),
            operation,
            error: convert::shown_plan_error(error),
        }
    }
}

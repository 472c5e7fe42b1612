//! Change detectors.

use icehost_plan::{
    ExtractionPlan, Outcome, PlanError, Probe, Table, ValidExtractionPlan, Value, View, Watermark,
    validate_probes,
};

use wasmtime::component::{ComponentNamedList, Lift, Lower};

use crate::bindings::previous::second;
use crate::bindings::{detection, types};
use crate::contract::Version;
use crate::functions::{ADVANCE, Function, PLAN_EXTRACTION, PROBES, Returned};
use crate::{Operation, Options, Strategy, StrategyError, convert};

/// A strategy that decides which rows changed.
#[derive(Debug, Clone)]
pub struct ChangeDetector {
    strategy: Strategy,
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

impl ChangeDetector {
    pub(crate) fn new(strategy: Strategy) -> Self {
        ChangeDetector { strategy }
    }

    /// The strategy itself.
    pub fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    /// The same detector, to which these columns are hidden unless the operator grants them by name: a rule changes
    /// their values on the way to the lake, and what a detector reads of them, filters by and keeps in its watermark
    /// is what they were before.
    #[must_use]
    pub fn withholding<'a>(&self, ruled: impl IntoIterator<Item = &'a str>) -> ChangeDetector {
        ChangeDetector {
            strategy: self.strategy.withholding(ruled),
        }
    }

    /// The scalars that it wants read before it plans, checked against the table.
    pub async fn probes(&self, context: &Context<'_>) -> Result<Vec<Probe>, StrategyError> {
        let operation = Operation::Probes;
        let (view, table) = self.view(context);
        let shown = self.shown(context, &table)?;
        let probes: Vec<detection::Probe> = match self.strategy.version() {
            Version::Present => self.call(operation, &table, PROBES, (shown,)).await?,
            Version::First | Version::Second => {
                let probes: Vec<second::detection::Probe> =
                    self.call(operation, &table, PROBES, (shown,)).await?;
                probes.into_iter().map(convert::previous::probe).collect()
            }
        };
        let probes = convert::probes(probes).map_err(|e| self.invalid(operation, e))?;
        validate_probes(&probes, &table).map_err(|e| self.invalid(operation, e))?;
        Ok(view.probes(probes))
    }

    /// Which rows to read, checked against the table. `readings` are those of the probes, one after the other. Columns that
    /// are hidden from the strategy are read too.
    pub async fn plan(
        &self,
        context: &Context<'_>,
        readings: &[Value],
    ) -> Result<ValidExtractionPlan, StrategyError> {
        let operation = Operation::Plan;
        let (view, table) = self.view(context);
        let shown = self.shown(context, &table)?;
        let readings: Vec<types::Value> = readings.iter().map(convert::value_to_guest).collect();
        let plan = self
            .call(operation, &table, PLAN_EXTRACTION, (shown, readings))
            .await?;
        convert::extraction_plan(plan)
            .and_then(|plan: ExtractionPlan| plan.validate(&table))
            .map(|plan| view.extraction(plan))
            .map_err(|e| self.invalid(operation, e))
    }

    /// The watermark for the next run, to be committed with the rows.
    pub async fn advance(
        &self,
        context: &Context<'_>,
        outcome: &Outcome,
    ) -> Result<Watermark, StrategyError> {
        let operation = Operation::Advance;
        let (_, table) = self.view(context);
        let shown = self.shown(context, &table)?;
        let outcome = convert::outcome_to_guest(outcome);
        let watermark = self
            .call(operation, &table, ADVANCE, (shown, outcome))
            .await?;
        let watermark = convert::watermark(watermark).map_err(|e| self.invalid(operation, e))?;
        watermark
            .validate()
            .map_err(|e| self.invalid(operation, e.at("watermark")))?;
        Ok(watermark)
    }

    /// The table as far as the strategy may see it.
    fn view(&self, context: &Context<'_>) -> (View, Table) {
        let table = context.table;
        let view = View::new(self.strategy.column_grant(), &table.columns, None);
        let shown = view.table(table);
        (view, shown)
    }

    fn shown(
        &self,
        context: &Context<'_>,
        table: &Table,
    ) -> Result<detection::Context, StrategyError> {
        Ok(detection::Context {
            table: convert::table_to_guest(table),
            options: self.strategy.options_text(context.options)?,
            watermark: context.watermark.map(convert::watermark_to_guest),
        })
    }

    async fn call<P, T>(
        &self,
        operation: Operation,
        table: &Table,
        function: Function,
        parameters: P,
    ) -> Result<T, StrategyError>
    where
        P: ComponentNamedList + Lower + Send + Sync + 'static,
        (Returned<T>,): ComponentNamedList + Lift + Send + Sync + 'static,
        T: Send,
    {
        let returned: Returned<T> = self.strategy.call(operation, function, parameters).await?;
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

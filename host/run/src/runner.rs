//! What pipelines are run with, and one pipeline's ways to be run.

use icehost_config::{Limits, Pipeline, Use};
use icehost_sync::{
    LoadJob, MemoryBudget, Observer, Preview, Report, Settings, Verification, VerifyOptions,
    preview,
};
use tokio_util::sync::CancellationToken;

use crate::job::{ThisRun, deletion_guard, job, lake, merging, retry_policy, target};
use crate::{Caches, Registry, RunError, Strategies};

/// What the pipelines of one run share. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    /// Where components are kept.
    pub caches: Caches,
    /// Where those from registries come from.
    pub registry: Registry,
    /// What is said for this run only.
    pub this_run: ThisRun,
}

impl Runner {
    /// Strategies of their own for one pipeline: what they take is this pipeline's, and what they break too.
    fn strategies(&self) -> Strategies {
        Strategies::with_registry(&self.caches, &self.registry)
    }

    /// Source → lake, and on to the target where there is one.
    ///
    /// # Errors
    /// What the pipeline names cannot be opened, or the run failed: see [`icehost_sync::sync`].
    pub async fn sync(
        &self,
        pipeline: &Pipeline,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Report, RunError> {
        let mut strategies = self.strategies();
        let job = job(pipeline, &mut strategies, &self.this_run).await?;
        let mut report = icehost_sync::sync(&job, observer, cancel).await?;
        report.set_component_time(strategies.time());
        Ok(report)
    }

    /// What [`Runner::sync`] would do; nothing is touched.
    ///
    /// # Errors
    /// What would end the run before its first row.
    pub async fn preview_sync(
        &self,
        pipeline: &Pipeline,
        observer: &dyn Observer,
    ) -> Result<Preview, RunError> {
        let job = job(pipeline, &mut self.strategies(), &self.this_run).await?;
        Ok(preview::sync(&job, observer).await?)
    }

    /// Whether source, lake and target of a pipeline agree, and what is wrong delivered again where the options say so.
    ///
    /// # Errors
    /// They cannot be opened or compared; that they differ is none.
    pub async fn verify(
        &self,
        pipeline: &Pipeline,
        options: &VerifyOptions,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Verification, RunError> {
        let mut job = job(pipeline, &mut self.strategies(), &self.this_run).await?;
        // One that is missing is found missing, and never created here.
        if let Some((target, _)) = &mut job.target {
            target.create = true;
        }
        Ok(icehost_sync::verify(&job, options, observer, cancel).await?)
    }

    /// A pipeline's second half by itself, and its strategies.
    ///
    /// # Errors
    /// What the pipeline names cannot be opened; and it has no target.
    pub async fn load_job(
        &self,
        pipeline: &Pipeline,
        delivery: Delivery,
    ) -> Result<(LoadJob, Strategies), RunError> {
        let Some(to) = &pipeline.target else {
            let file = pipeline
                .place
                .as_ref()
                .map_or("the file", |place| &place.file);
            return Err(RunError::config(
                format!("pipeline {} has no target to load", pipeline.name),
                format!("give it one in {file}: target = \"…\""),
            ));
        };
        let place = (&pipeline.lake, to);
        self.delivery(place, &pipeline.merge, &pipeline.limits, delivery)
            .await
    }

    /// From a lake table to a target table, and the strategies of that.
    ///
    /// # Errors
    /// What they name cannot be opened.
    pub async fn delivery(
        &self,
        (from, to): (&icehost_config::Lake, &icehost_config::Target),
        merge: &Use,
        limits: &Limits,
        delivery: Delivery,
    ) -> Result<(LoadJob, Strategies), RunError> {
        let mut strategies = self.strategies();
        let merge = merging(&mut strategies, merge).await?;
        let memory = MemoryBudget {
            limit: limits.memory,
            batch: limits.batch_size.map(|mib| u64::from(mib) << 20),
            ..MemoryBudget::default()
        };
        let job = LoadJob {
            merge,
            lake: lake(from, memory)?,
            target: target(to, &self.this_run.connect(limits.waits))?,
            full: delivery.full,
            trust_position: delivery.trust_position,
            exclude: delivery.exclude,
            settings: Settings {
                retry: retry_policy(limits.retries),
                deletions: deletion_guard(limits.deletions, self.this_run.allow_deletes),
                memory,
                ..Settings::default()
            },
        };
        // Before anything is opened: one connection that reads nothing.
        memory.divide(0)?;
        Ok((job, strategies))
    }
}

/// What a delivery brings, as is said for one run only.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Every row, not just what changed since the last one.
    pub full: bool,
    /// Go on from the target's position though the target does not look as the last run left it.
    pub trust_position: bool,
    /// Lake columns that the target does not take.
    pub exclude: Vec<String>,
}

//! Pipelines, so many at a time.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;

use futures::{Stream, StreamExt};
use icehost_config::Pipeline;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use crate::RunError;
use crate::bounded::{Bounded, Ended, NotDone, bounded};

/// The span that names, in a field `name`, the pipeline that an event of the log belongs to.
pub const PIPELINE: &str = "pipeline";

/// How a pipeline of a schedule ended.
#[derive(Debug)]
pub struct Done<T> {
    /// Which one, counted from 0 in the order in which they came.
    pub index: usize,
    /// What it is called.
    pub name: String,
    /// What came of it.
    pub outcome: Result<T, RunError>,
}

/// One pipeline's run.
type Run<T> = Instrumented<Pin<Box<dyn Future<Output = Result<T, RunError>> + Send>>>;

/// Pipelines that run. See [`schedule`].
pub struct Schedule<T>(Bounded<(usize, String), Run<T>, Result<T, RunError>>);

/// Runs pipelines as they come, at most `at_once` at a time, and gives what came of each as soon as it ends. One that
/// fails stops none of the others, nor does a defect in one. Once `cancel` is cancelled none begins any more; those that
/// run are to heed it, and are waited for.
pub fn schedule<T, F>(
    pipelines: impl Stream<Item = Pipeline> + Send + 'static,
    at_once: NonZeroUsize,
    cancel: &CancellationToken,
    run: impl Fn(Pipeline) -> F + Send + 'static,
) -> Schedule<T>
where
    F: Future<Output = Result<T, RunError>> + Send + 'static,
    T: Send + 'static,
{
    let runs = pipelines.enumerate().map(move |(index, pipeline)| {
        let name = pipeline.name.clone();
        let span = tracing::error_span!(PIPELINE, %name);
        let one: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(run(pipeline));
        ((index, name), one.instrument(span))
    });
    Schedule(bounded(runs, at_once, cancel))
}

impl<T: Send + 'static> Schedule<T> {
    /// The next pipeline that ends; `None` when all have.
    pub async fn next(&mut self) -> Option<Done<T>> {
        let Ended { of, outcome } = self.0.next().await?;
        let (index, name) = of;
        Some(Done {
            index,
            name,
            outcome: outcome.unwrap_or_else(|why| Err(not_done(&why))),
        })
    }
}

fn not_done(why: &NotDone) -> RunError {
    match why {
        NotDone::NotBegun => RunError::new(why.to_string(), "run the same command again to go on"),
        NotDone::Panicked(_) => RunError::internal(format!("the pipeline's task failed: {why}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::path::Path;

    use futures::stream;
    use icehost_config::Config;

    use super::*;

    /// Pipelines `p0`, `p1` and so on.
    fn pipelines(count: usize) -> Vec<Pipeline> {
        let mut file = "warehouse = \"w\"\n[connections.c]\nurl = \"mssql://h/d\"\n\
                        [defaults]\nsource = \"c\"\nstrategy = \"id\"\nmerge = \"upsert\"\n"
            .to_owned();
        for of in 0..count {
            file.push_str(&format!("[pipelines.p{of}]\ntable = \"dbo.T{of}\"\n"));
        }
        let config = Config::parse("f.toml", &file, Path::new("."), &["id", "upsert"]);
        config.unwrap().pipelines().to_vec()
    }

    async fn all<T: Send + 'static>(mut schedule: Schedule<T>) -> Vec<Done<T>> {
        let mut all = Vec::new();
        while let Some(done) = schedule.next().await {
            all.push(done);
        }
        all.sort_by_key(|done| done.index);
        all
    }

    #[tokio::test]
    async fn each_pipeline_ends_by_itself() {
        let at_once = NonZeroUsize::new(2).unwrap();
        let pipelines = stream::iter(pipelines(5));
        let cancel = CancellationToken::new();
        let done = schedule(pipelines, at_once, &cancel, |pipeline| async move {
            match pipeline.name.as_str() {
                "p1" => Err(RunError::new("refused", "look")),
                "p3" => panic!("what it said"),
                _ => Ok(pipeline.table.to_string()),
            }
        });
        let done = all(done).await;
        for (at, done) in done.iter().enumerate() {
            assert_eq!((done.index, &done.name), (at, &format!("p{at}")));
            match &done.outcome {
                Ok(table) => assert_eq!(*table, format!("dbo.T{at}")),
                Err(error) if at == 1 => assert_eq!(error.to_string(), "refused"),
                Err(error) => {
                    assert_eq!(at, 3);
                    let told = error.to_string();
                    assert!(told.starts_with("the pipeline's task failed: "), "{told}");
                    assert!(told.contains("what it said"), "{told}");
                    assert!(error.hint().unwrap().contains("defect"));
                }
            }
        }
        assert_eq!(done.len(), 5);
    }

    #[tokio::test]
    async fn none_begins_once_it_is_cancelled() {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let at_once = NonZeroUsize::MIN;
        let pipelines = stream::iter(pipelines(3));
        let done = schedule(pipelines, at_once, &cancel, move |_| {
            let stop = stop.clone();
            async move {
                stop.cancel();
                Ok(())
            }
        });
        let done = all(done).await;
        assert!(done[0].outcome.is_ok());
        for done in &done[1..] {
            let error = done.outcome.as_ref().unwrap_err();
            assert_eq!(error.to_string(), "stopped before it began");
        }
        assert_eq!(done.len(), 3);
    }
}

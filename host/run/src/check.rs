//! What stands in the way of a file's pipelines, found out without reading a row and without touching anything.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use futures::stream;
use icehost_config::{Config, KeyPlace, Pipeline, Place, Use};
use icehost_sqlserver::{Connection, Endpoint};
use icehost_strategy::Kind;
use icehost_sync::{Examination, Obstacle, Part, Silent, Source, SyncError};
use tokio_util::sync::CancellationToken;

use crate::bounded::{Ended, NotDone, bounded};
use crate::job::{
    detection, lake, memory, merging, rules, source, target, transforms, watermark_store,
};
use crate::kind::Told;
use crate::registry::{registered, tell_moved};
use crate::strategies::options;
use crate::{Registry, RunError, Runner, Strategies};

/// Servers and tables that are looked at side by side.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// One thing that is wrong.
#[derive(Debug)]
pub struct Found {
    /// The pipeline that it belongs to alone; `None` for what the file has for several of them, a server for example.
    pub pipeline: Option<String>,
    /// What it is, with its place.
    pub error: RunError,
}

impl Found {
    /// What makes two of them one.
    fn told(&self) -> (Option<String>, String) {
        (self.pipeline.clone(), self.error.message.clone())
    }
}

/// Looks at all pipelines of a file: that their strategies load and take their options, that servers and tables are there,
/// and that logins may do what a run does. Offline, no server is asked.
///
/// What is wrong is given in no order, and may be given for each pipeline that it concerns. Where a tag of a registry names
/// something else than what is locked, the log says so: what is locked stays in use.
pub async fn check(config: &Config, runner: &Runner, offline: bool) -> Vec<Found> {
    let mut check = Check {
        strategies: Strategies::with_registry(&runner.caches, &runner.registry),
        runner,
        unreachable: Endpoints::default(),
        found: Vec::new(),
    };
    for pipeline in config.pipelines() {
        check.strategies(pipeline).await;
    }
    if !offline {
        check.servers(config.pipelines()).await;
        check.tables(config.pipelines()).await;
        tags(config, &runner.registry).await;
    }
    check.found
}

/// Says which tags name something else than what is locked.
async fn tags(config: &Config, registry: &Registry) {
    for registered in config.registries().components.iter().filter_map(registered) {
        let locked = registry
            .lock()
            .ok()
            .and_then(|lock| lock.get(&registered.reference));
        if let (Some(locked), Some(now)) = (locked, registry.moved(registered).await) {
            tell_moved(&registered.reference, locked, now);
        }
    }
}

struct Check<'a> {
    strategies: Strategies,
    runner: &'a Runner,
    /// Servers and databases that could not be reached; each is told once.
    unreachable: Endpoints,
    found: Vec<Found>,
}

/// A set of endpoints.
#[derive(Default)]
struct Endpoints(HashMap<String, Vec<Endpoint>>);

impl Endpoints {
    fn contains(&self, endpoint: &Endpoint) -> bool {
        let named = self.0.get(&endpoint.to_string());
        named.is_some_and(|named| named.contains(endpoint))
    }

    fn insert(&mut self, endpoint: Endpoint) {
        self.0
            .entry(endpoint.to_string())
            .or_default()
            .push(endpoint);
    }
}

impl Check<'_> {
    fn failed(&mut self, place: Option<&Place>, error: impl Into<RunError>) {
        self.found.push(Found {
            pipeline: None,
            error: error.into().at(place),
        });
    }

    async fn strategies(&mut self, pipeline: &Pipeline) {
        self.strategy(&pipeline.detection, Kind::ChangeDetector)
            .await;
        self.strategy(&pipeline.merge, Kind::Merger).await;
        if let Some(lake_merge) = &pipeline.lake.merge {
            self.strategy(lake_merge, Kind::Merger).await;
        }
        for transform in &pipeline.shaping.transforms {
            self.strategy(transform, Kind::BatchTransformer).await;
        }
        if let Err(error) = memory(pipeline).divide(0) {
            self.failed(pipeline.place_of("memory-limit"), error);
        }
        if let Err(error) = rules(pipeline) {
            let key = pipeline.shaping.hash_key.as_ref().map(|key| match key {
                KeyPlace::Environment(_) => "hash-key-env",
                KeyPlace::File(_) => "hash-key-file",
            });
            let place = place_of_rule(pipeline, &error.message);
            let place = place.or_else(|| pipeline.place_of(key?));
            self.failed(place, error);
        }
    }

    /// Its digest, that it loads, that it is of the right kind, and that the options are its own.
    async fn strategy(&mut self, used: &Use, kind: Kind) {
        let strategy = match self.strategies.load(&used.component).await {
            Ok(strategy) => strategy,
            Err(error) => return self.failed(used.component.place.as_ref(), error),
        };
        let fits = match kind {
            Kind::ChangeDetector => strategy.as_change_detector().map(drop),
            Kind::Merger => strategy.as_merger().map(drop),
            Kind::BatchTransformer => strategy.as_batch_transformer().map(drop),
        };
        // The options of a strategy of the wrong kind say nothing.
        let fits = match fits {
            Ok(()) => options(&strategy, used).map(drop),
            Err(error) => Err(RunError::from(error)),
        };
        if let Err(error) = fits {
            self.failed(used.place.as_ref(), error);
        }
    }

    /// Connects to every server that a pipeline names, several at a time: those that cannot be reached are told once.
    async fn servers(&mut self, pipelines: &[Pipeline]) {
        let mut asked = Endpoints::default();
        let mut tasks = Vec::new();
        for pipeline in pipelines {
            let target = pipeline.target.as_ref().map(|target| &target.connection);
            for connection in [Some(&pipeline.source.connection), target]
                .into_iter()
                .flatten()
            {
                let endpoint = match connection.endpoint() {
                    Ok(endpoint) => endpoint,
                    Err(problem) => {
                        self.failed(None, problem);
                        continue;
                    }
                };
                if asked.contains(&endpoint) {
                    continue;
                }
                asked.insert(endpoint.clone());
                let place = connection.place().or(pipeline.place.as_ref()).cloned();
                let connect = self.runner.this_run.connect(pipeline.limits.waits);
                let of = (endpoint.clone(), place);
                tasks.push((of, async move {
                    Connection::open(&endpoint, &connect).await.map(drop)
                }));
            }
        }
        let mut opening = bounded(stream::iter(tasks), AT_ONCE, &CancellationToken::new());
        while let Some(Ended { of, outcome }) = opening.next().await {
            let (endpoint, place) = of;
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    self.failed(place.as_ref(), error);
                    self.unreachable.insert(endpoint);
                }
                Err(why) => self.failed(None, not_done(&why)),
            }
        }
    }

    /// Looks at the tables of all pipelines, several at a time.
    async fn tables(&mut self, pipelines: &[Pipeline]) {
        let mut tasks = Vec::new();
        for (i, pipeline) in pipelines.iter().enumerate() {
            if let Some(examination) = self.examination(pipeline).await {
                tasks.push((i, async move { examination.run(&Silent).await }));
            }
        }
        let mut ended = Vec::new();
        let mut looking = bounded(stream::iter(tasks), AT_ONCE, &CancellationToken::new());
        while let Some(Ended { of, outcome }) = looking.next().await {
            match outcome {
                Ok(obstacles) => ended.push((of, obstacles)),
                Err(why) => self.failed(None, not_done(&why)),
            }
        }
        // Told in the file's order, whichever ended first.
        ended.sort_by_key(|(i, _)| *i);
        let known = self.found.iter().map(Found::told);
        let mut known: HashSet<(Option<String>, String)> = known.collect();
        for (i, obstacles) in ended {
            if let Some(pipeline) = pipelines.get(i) {
                for obstacle in obstacles {
                    let found = obstructed(pipeline, obstacle);
                    // Several parts of a pipeline may meet one mistake.
                    if known.insert(found.told()) {
                        self.found.push(found);
                    }
                }
            }
        }
    }

    /// As much of a pipeline as can be made ready. What is wrong with the rest has been told.
    async fn examination(&mut self, pipeline: &Pipeline) -> Option<Examination> {
        let reached = |endpoint: &Endpoint| !self.unreachable.contains(endpoint);
        let connect = self.runner.this_run.connect(pipeline.limits.waits);
        let source = source(pipeline, &connect)
            .ok()
            .filter(|of| reached(&of.endpoint))?;
        let target = pipeline
            .target
            .as_ref()
            .and_then(|to| target(to, &connect).ok());
        let target = target.filter(|to| reached(&to.endpoint));
        let strategies = &mut self.strategies;
        let detection = detection(strategies, pipeline).await.ok();
        let rules = rules(pipeline).ok();
        let transforms = transforms(strategies, pipeline).await.ok();
        // What lands is not known without them.
        let lands = rules.is_some() && transforms.is_some();
        let lake_merge = merging(strategies, pipeline.lands_by()).await;
        let merge = merging(strategies, &pipeline.merge).await;
        let lake = match lake(&pipeline.lake, memory(pipeline)) {
            Ok(lake) => lake,
            Err(error) => {
                self.failed(pipeline.place_of("warehouse"), error);
                return None;
            }
        };
        Some(Examination {
            source: Source {
                rules: rules.unwrap_or_default(),
                transforms: transforms.unwrap_or_default(),
                ..source
            },
            lake,
            detection,
            lake_merge: lake_merge.ok().filter(|_| lands),
            target: target.map(|target| (target, merge.ok().filter(|_| lands))),
            watermarks: watermark_store(pipeline.lake.watermark_dir.as_deref()),
        })
    }
}

/// What stands in a pipeline's way, at the place that names it.
fn obstructed(pipeline: &Pipeline, obstacle: Obstacle) -> Found {
    let used = match obstacle.part {
        Part::Source | Part::Target => None,
        Part::Detection => Some(&pipeline.detection),
        Part::Transforms => pipeline.shaping.transforms.first(),
        Part::Lake => Some(pipeline.lands_by()),
        Part::Merge => Some(&pipeline.merge),
    };
    if let Some(error) = of_warehouse(&obstacle.error) {
        // It is that of every pipeline that has this warehouse.
        return Found {
            pipeline: None,
            error: error.at(pipeline.place_of("warehouse")),
        };
    }
    let place = used.and_then(|used| used.place.as_ref());
    let place = place_of_rule(pipeline, &obstacle.error.to_string()).or(place);
    let place = place.or_else(|| match obstacle.part {
        Part::Source => pipeline.place_of("table"),
        Part::Target => {
            let named = pipeline.place_of("target-table");
            let is_named = named != pipeline.place.as_ref();
            named.filter(|_| is_named).or(pipeline.place_of("target"))
        }
        _ => pipeline.place.as_ref(),
    });
    Found {
        pipeline: Some(pipeline.name.clone()),
        error: RunError::from(obstacle.error).at(place),
    }
}

/// Where the rule of a column stands that a message is about.
fn place_of_rule<'p>(pipeline: &'p Pipeline, message: &str) -> Option<&'p Place> {
    let mut rules = pipeline.shaping.column_rules.iter();
    let (column, _) =
        rules.find(|(column, _)| message.contains(&format!("the rule for column '{column}'")))?;
    pipeline.place_of_rule(column)
}

/// What is wrong with the warehouse as such, if that is it.
fn of_warehouse(error: &SyncError) -> Option<RunError> {
    match error {
        SyncError::Lake { error, .. } => {
            let message = error.to_string();
            let hint = error.hint().unwrap_or("check the path");
            let is_it = message.starts_with("the warehouse ");
            is_it.then(|| RunError::new(Told::from(&**error).kind, message, hint))
        }
        _ => None,
    }
}

fn not_done(why: &NotDone) -> RunError {
    RunError::internal(format!("a task of the check failed: {why}"))
}

//! `icehost check`: a configuration file, checked as a whole, and that what it names can be reached.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use icehost_config::{Config, KeyPlace, Pipeline, Place, Problem, Use};
use icehost_sqlserver::{Connection, Endpoint};
use icehost_strategy::Kind;
use icehost_sync::{Examination, Obstacle, Part, Silent, Source, SyncError};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use crate::advice::Advice;
use crate::args::{CheckArguments, Output};
use crate::failure::Failure;
use crate::job::{
    ThisRun, detection, lake, memory, merging, rules, source, target, transforms, watermark_store,
};
use crate::registry::{Registry, registered, tell_moved};
use crate::render::{line, problems};
use crate::strategies::{Strategies, options, shipped_names};
use crate::voice::Voice;

/// Servers and tables that are looked at side by side.
const AT_ONCE: usize = 8;

pub(crate) async fn run(arguments: CheckArguments, output: Output) -> Result<(), Failure> {
    let file = &arguments.config;
    let config = Config::read(file, &shipped_names()).map_err(|found| problems(file, &found))?;
    let registry = Registry::of(&config, &arguments.cache, arguments.offline);
    let mut check = Check {
        strategies: Strategies::with_registry(&arguments.cache, &registry),
        this_run: ThisRun {
            looks_only: true,
            ..ThisRun::default()
        },
        unreachable: Endpoints::default(),
        found: Vec::new(),
        config: file.clone(),
        told: HashSet::new(),
    };
    for pipeline in config.pipelines() {
        check.strategies(pipeline).await;
    }
    if !arguments.offline {
        check.servers(config.pipelines()).await;
        check.tables(config.pipelines()).await;
        tags(&config, &registry).await;
    }
    if !check.found.is_empty() {
        check.found.sort_by(|a, b| a.place.cmp(&b.place));
        return Err(problems(file, &check.found));
    }
    let names: Vec<&str> = config.pipelines().iter().map(|p| p.name.as_str()).collect();
    match output {
        Output::Json => line(serde_json::json!({
            "pipelines": names,
            "offline": arguments.offline,
            "problems": [],
        })),
        Output::Text if Voice::of_process().quiet => {}
        Output::Text => line(format!(
            "{}: no problem found in {} {}{}: {}",
            file.display(),
            names.len(),
            if names.len() == 1 {
                "pipeline"
            } else {
                "pipelines"
            },
            if arguments.offline { ", offline" } else { "" },
            names.join(", ")
        )),
    }
    Ok(())
}

/// Says which tags name something else than what is locked. That is no mistake: what is locked stays in use.
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

struct Check {
    strategies: Strategies,
    this_run: ThisRun,
    /// Servers and databases that could not be reached; each is told once.
    unreachable: Endpoints,
    found: Vec<Problem>,
    told: HashSet<Problem>,
    /// The file.
    config: PathBuf,
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

impl Check {
    /// What is wrong at several pipelines, a component of theirs for example, is told once.
    fn add(&mut self, problem: Problem) {
        if self.told.insert(problem.clone()) {
            self.found.push(problem);
        }
    }

    fn failed(&mut self, place: Option<&Place>, failure: impl Into<Failure>) {
        let failure = failure.into().with_advice(&Advice::of_file());
        self.add(failure.into_problem(place));
    }

    async fn strategies(&mut self, pipeline: &Pipeline) {
        self.strategy(&pipeline.strategy, Kind::ChangeDetector)
            .await;
        self.strategy(&pipeline.merge, Kind::Merger).await;
        if let Some(lake_merge) = &pipeline.lake_merge {
            self.strategy(lake_merge, Kind::Merger).await;
        }
        for transform in &pipeline.transforms {
            self.strategy(transform, Kind::BatchTransformer).await;
        }
        if let Err(error) = memory(pipeline).divide(0) {
            self.failed(pipeline.place_of("memory-limit"), error);
        }
        if let Err(failure) = rules(pipeline) {
            let key = pipeline.hash_key.as_ref().map(|key| match key {
                KeyPlace::Environment(_) => "hash-key-env",
                KeyPlace::File(_) => "hash-key-file",
            });
            let place = place_of_rule(pipeline, &failure.message());
            let place = place.or_else(|| pipeline.place_of(key?));
            self.failed(place, failure);
        }
    }

    /// Its digest, that it loads, that it is of the right kind, and that the options are its own.
    async fn strategy(&mut self, used: &Use, kind: Kind) {
        let strategy = match self.strategies.load(&used.component).await {
            Ok(strategy) => strategy,
            Err(failure) => return self.failed(used.component.place.as_ref(), failure),
        };
        let fits = match kind {
            Kind::ChangeDetector => strategy.as_change_detector().map(drop),
            Kind::Merger => strategy.as_merger().map(drop),
            Kind::BatchTransformer => strategy.as_batch_transformer().map(drop),
        };
        // The options of a strategy of the wrong kind say nothing.
        let fits = match fits {
            Ok(()) => options(&strategy, used).map(drop),
            Err(error) => Err(Failure::from(error)),
        };
        if let Err(failure) = fits {
            self.failed(used.place.as_ref(), failure);
        }
    }

    /// Connects to every server that a pipeline names, all at once: those that cannot be reached are told once.
    async fn servers(&mut self, pipelines: &[Pipeline]) {
        let mut asked = Endpoints::default();
        let mut running = JoinSet::new();
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        for pipeline in pipelines {
            let target = pipeline.target.as_ref().map(|target| &target.connection);
            for connection in [Some(&pipeline.source), target].into_iter().flatten() {
                let endpoint = match connection.endpoint() {
                    Ok(endpoint) => endpoint,
                    Err(problem) => {
                        self.add(problem);
                        continue;
                    }
                };
                if asked.contains(&endpoint) {
                    continue;
                }
                asked.insert(endpoint.clone());
                let place = connection.place().or(pipeline.place.as_ref()).cloned();
                let slots = Arc::clone(&slots);
                let connect = self.this_run.connect(pipeline.waits);
                running.spawn(async move {
                    // Never closed, so there is always a permit in the end.
                    let _slot = slots.acquire().await.ok();
                    let opened = Connection::open(&endpoint, &connect).await;
                    (endpoint, place, opened.err())
                });
            }
        }
        while let Some(joined) = running.join_next().await {
            match joined {
                Ok((_, _, None)) => {}
                Ok((endpoint, place, Some(error))) => {
                    self.failed(place.as_ref(), error);
                    self.unreachable.insert(endpoint);
                }
                Err(error) => self.failed(None, task_failed(&error)),
            }
        }
    }

    /// Looks at the tables of all pipelines, several at a time.
    async fn tables(&mut self, pipelines: &[Pipeline]) {
        let mut running = JoinSet::new();
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        for (i, pipeline) in pipelines.iter().enumerate() {
            let Some(examination) = self.examination(pipeline).await else {
                continue;
            };
            let slots = Arc::clone(&slots);
            running.spawn(async move {
                let _slot = slots.acquire().await.ok();
                (i, examination.run(&Silent).await)
            });
        }
        let mut ended = Vec::new();
        while let Some(joined) = running.join_next().await {
            match joined {
                Ok(examined) => ended.push(examined),
                Err(error) => self.failed(None, task_failed(&error)),
            }
        }
        // Told in the file's order, whichever ended first.
        ended.sort_by_key(|(i, _)| *i);
        for (i, obstacles) in ended {
            if let Some(pipeline) = pipelines.get(i) {
                for obstacle in obstacles {
                    self.obstacle(pipeline, obstacle);
                }
            }
        }
    }

    /// As much of a pipeline as can be made ready. What is wrong with the rest has been told.
    async fn examination(&mut self, pipeline: &Pipeline) -> Option<Examination> {
        let reached = |endpoint: &Endpoint| !self.unreachable.contains(endpoint);
        let connect = self.this_run.connect(pipeline.waits);
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
        let lake = match lake(pipeline) {
            Ok(lake) => lake,
            Err(failure) => {
                self.failed(pipeline.place_of("warehouse"), failure);
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
            watermarks: watermark_store(pipeline.watermark_dir.as_deref()),
        })
    }

    fn obstacle(&mut self, pipeline: &Pipeline, obstacle: Obstacle) {
        let used = match obstacle.part {
            Part::Source | Part::Target => None,
            Part::Detection => Some(&pipeline.strategy),
            Part::Transforms => pipeline.transforms.first(),
            Part::Lake => Some(pipeline.lands_by()),
            Part::Merge => Some(&pipeline.merge),
        };
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
        let advice = Advice::of(&pipeline.name, &self.config);
        let of_warehouse = of_warehouse(&obstacle.error);
        let failure = Failure::from(obstacle.error).with_advice(&advice);
        if let Some(message) = of_warehouse {
            // It is that of every pipeline that has this warehouse.
            let mut problem = failure.into_problem(pipeline.place_of("warehouse"));
            problem.message = message;
            return self.add(problem);
        }
        let mut problem = failure.into_problem(place);
        problem.message = format!("pipeline {}: {}", pipeline.name, problem.message);
        // Several parts of a pipeline may meet one mistake.
        let is_told = |told: &Problem| told.message == problem.message;
        if !self.found.iter().any(is_told) {
            self.add(problem);
        }
    }
}

/// Where the rule of a column stands that a message is about.
fn place_of_rule<'p>(pipeline: &'p Pipeline, message: &str) -> Option<&'p Place> {
    let mut rules = pipeline.column_rules.iter();
    let (column, _) =
        rules.find(|(column, _)| message.contains(&format!("the rule for column '{column}'")))?;
    pipeline.place_of_rule(column)
}

/// What is wrong with the warehouse as such, if that is it.
fn of_warehouse(error: &SyncError) -> Option<String> {
    match error {
        SyncError::Lake { error, .. } => {
            let message = error.to_string();
            message.starts_with("the warehouse ").then_some(message)
        }
        _ => None,
    }
}

fn task_failed(error: &JoinError) -> Failure {
    Failure::new(
        format!("a task of the check failed: {error}"),
        "please report this as a defect",
    )
}

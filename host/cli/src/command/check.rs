//! `icehost check`: a configuration file, checked as a whole, and that what it names can be reached.

use icehost_config::{Config, Pipeline, Place, Problem, Use};
use icehost_plan::Table;
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, Endpoint, ErrorKind, SqlServerError,
};
use icehost_strategy::Kind;

use crate::args::{CheckArguments, Output};
use crate::failure::Failure;
use crate::job::{columns, memory, rules, transforms};
use crate::registry::{Registry, registered, tell_moved};
use crate::render::{line, problems};
use crate::strategies::{Strategies, options, shipped_names};

pub(crate) async fn run(arguments: CheckArguments, output: Output) -> Result<(), Failure> {
    let file = &arguments.config;
    let config = Config::read(file, &shipped_names()).map_err(|found| problems(file, &found))?;
    let registry = Registry::of(&config, &arguments.cache, arguments.offline);
    let mut check = Check {
        strategies: Strategies::with_registry(&arguments.cache, &registry),
        unreachable: Vec::new(),
        found: Vec::new(),
    };
    for pipeline in config.pipelines() {
        check.strategies(pipeline).await;
        if !arguments.offline {
            check.tables(pipeline).await;
        }
    }
    if !arguments.offline {
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
    /// Servers and databases that could not be reached; each is told once.
    unreachable: Vec<Endpoint>,
    found: Vec<Problem>,
}

impl Check {
    /// What is wrong at several pipelines, a component of theirs for example, is told once.
    fn add(&mut self, problem: Problem) {
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    fn failed(&mut self, place: Option<&Place>, failure: impl Into<Failure>) {
        self.add(failure.into().into_problem(place));
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
            self.failed(pipeline.place.as_ref(), error);
        }
        if let Err(failure) = rules(pipeline) {
            self.failed(pipeline.place.as_ref(), failure);
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

    async fn tables(&mut self, pipeline: &Pipeline) {
        if let Some(mut source) = self.connect(pipeline, &pipeline.source).await {
            let described = source.introspect(&pipeline.table, &columns(pipeline)).await;
            match described {
                Err(error) => self.table(pipeline, "source", error),
                Ok(table) => {
                    let fits = rules(pipeline).and_then(|rules| Ok(rules.check(&table.table)?));
                    if let Err(failure) = fits {
                        self.failed(pipeline.place.as_ref(), failure);
                    }
                    self.transforms(pipeline, &table.table).await;
                }
            }
        }
        let Some(target) = &pipeline.target else {
            return;
        };
        if let Some(mut connection) = self.connect(pipeline, &target.connection).await {
            let selection = ColumnSelection {
                skip_unsupported: true,
                ..ColumnSelection::default()
            };
            match connection.introspect(&target.table, &selection).await {
                Err(error) if target.create && matches!(error.kind(), ErrorKind::NotFound) => {}
                Err(error) => self.table(pipeline, "target", error),
                Ok(_) => {}
            }
        }
    }

    /// That the transformers open on the table. What is wrong with the components has been told.
    async fn transforms(&mut self, pipeline: &Pipeline, table: &Table) {
        let Ok(transforms) = transforms(&mut self.strategies, pipeline).await else {
            return;
        };
        if let Err(error) = transforms.open(table).await {
            let used = pipeline.transforms.first();
            let place = used.and_then(|used| used.place.as_ref());
            self.failed(place.or(pipeline.place.as_ref()), error);
        }
    }

    fn table(&mut self, pipeline: &Pipeline, which: &str, error: SqlServerError) {
        let mut problem = Failure::from(error).into_problem(pipeline.place.as_ref());
        problem.message = format!(
            "pipeline {}, {which} table: {}",
            pipeline.name, problem.message
        );
        self.add(problem);
    }

    /// A connection; `None` where there is none, which is told once.
    async fn connect(
        &mut self,
        pipeline: &Pipeline,
        connection: &icehost_config::Connection,
    ) -> Option<Connection> {
        let endpoint = match connection.endpoint() {
            Ok(endpoint) => endpoint,
            Err(problem) => {
                self.add(problem);
                return None;
            }
        };
        if self.unreachable.contains(&endpoint) {
            return None;
        }
        match Connection::open(&endpoint, &ConnectOptions::default()).await {
            Ok(connection) => Some(connection),
            Err(error) => {
                let place = connection.place().or(pipeline.place.as_ref());
                self.failed(place, error);
                self.unreachable.push(endpoint);
                None
            }
        }
    }
}

//! `icehost check`: a configuration file, checked as a whole, and that what it names can be reached.

use std::collections::HashSet;
use std::path::Path;

use icehost_run::{Found, Registry, RunError, Runner, ThisRun, check};

use super::configuration;
use crate::advice::Advice;
use crate::args::{CheckArguments, Output};
use crate::failure::Failure;
use crate::render::{line, problems};
use crate::voice::Voice;

pub(crate) async fn run(arguments: CheckArguments, output: Output) -> Result<(), Failure> {
    let file = &arguments.config;
    let config = configuration(file)?;
    let caches = arguments.cache.caches()?;
    let runner = Runner {
        registry: Registry::of(&config, &caches, arguments.offline),
        caches,
        this_run: ThisRun {
            looks_only: true,
            ..ThisRun::default()
        },
    };
    // What is wrong at several pipelines, a component of theirs for example, is told once.
    let mut told = HashSet::new();
    let found = check(&config, &runner, arguments.offline).await.into_iter();
    let found = found.map(|found| problem(found, file));
    let mut found: Vec<RunError> = found.filter(|one| told.insert(one.clone())).collect();
    if !found.is_empty() {
        found.sort_by(|a, b| a.place.cmp(&b.place));
        return Err(problems(file, &found));
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

/// What was found, in the words of who uses the file.
fn problem(found: Found, file: &Path) -> RunError {
    let Found { pipeline, error } = found;
    let advice = match &pipeline {
        Some(name) => Advice::of(name, file),
        None => Advice::of_file(),
    };
    let mut error = error.map(|text| advice.complete(text));
    if let Some(name) = pipeline {
        error.message = format!("pipeline {name}: {}", error.message);
    }
    error
}

//! A model of source, lake, target, runs and what else happens: after a run that succeeded, all three hold
//! what `docs/guarantees.md` says; a run that cannot keep that stops, and the way that it names ends in
//! equality.
//!
//! Random interleavings of events run against the real crates, in this process, and every one ends with the
//! same command until it succeeds. `tests/model.sh` runs many; here a few hundred run with fixed seeds.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod database;
mod ending;
mod engine;
mod event;
mod guards;
mod interruptions;
mod marks;
mod oracle;
mod pipeline;
mod row;
mod way;
mod world;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::event::{Event, events};
use crate::pipeline::{Detector, Pipeline};
use crate::world::World;

/// Interleavings of each strategy, unless `ICEHOST_MODEL_CASES` says otherwise.
const CASES: u32 = 60;
/// Names the seed; another one makes other interleavings.
const SEED: &str = "ICEHOST_MODEL_SEED";

fn number(variable: &str, default: u32) -> u32 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// One interleaving: what happens, and then the same command until it succeeds.
fn run(pipeline: Pipeline, events: &[Event]) -> Result<(), String> {
    let mut world = World::new(pipeline);
    for (number, event) in events.iter().enumerate() {
        world
            .happen(*event)
            .map_err(|what| format!("after event {number}, {event:?}: {what}"))?;
    }
    world
        .recover()
        .map_err(|what| format!("in the end: {what}"))
}

fn explore(detector: Detector) {
    let pipelines: Vec<Pipeline> = Pipeline::all()
        .into_iter()
        .filter(|pipeline| pipeline.detector == detector)
        .collect();
    let guard = guards::taken_out();
    let cases = number("ICEHOST_MODEL_CASES", CASES);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: if guard.is_some() { 0 } else { 500 },
        max_global_rejects: 1 << 20,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number(SEED, 11).to_le_bytes());
    seed[4] = detector as u8;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let interleavings = (prop::sample::select(pipelines), events());
    let started = Instant::now();
    let tried = AtomicU32::new(0);
    let result = runner.run(&interleavings, |(pipeline, events)| {
        tried.fetch_add(1, Ordering::Relaxed);
        run(pipeline, &events).map_err(TestCaseError::fail)
    });
    let (seconds, tried) = (started.elapsed().as_secs_f64(), tried.into_inner());
    println!(
        "{detector:?}: {tried} interleavings in {seconds:.1} s, {:.1} a second",
        f64::from(tried) / seconds
    );
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn interleavings_under_timestamp() {
    explore(Detector::Timestamp);
}

#[test]
fn interleavings_under_id() {
    explore(Detector::Id);
}

#[test]
fn interleavings_under_rowversion() {
    explore(Detector::Rowversion);
}

#[test]
fn interleavings_under_full_refresh() {
    explore(Detector::FullRefresh);
}

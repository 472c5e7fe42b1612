//! Every place at which a run can fail or die, with every pipeline: the next run ends in equality.

use std::collections::BTreeSet;
use std::path::Path;

use crate::event::{Event, PLACES};
use crate::pipeline::{FirstLoad, Pipeline};
use crate::world::World;

/// How a run is interrupted.
type Interruption = fn(&mut World, usize) -> Result<(), String>;

/// Interrupts the first run and, some changes later, another one; each time the next run makes it good.
fn interrupted(pipeline: Pipeline, place: usize, interrupt: Interruption) -> Result<(), String> {
    let mut world = World::new(pipeline);
    for key in 0..6 {
        world.happen(Event::Write { key })?;
    }
    interrupt(&mut world, place)?;
    world.recover()?;
    for event in [
        Event::Write { key: 1 },
        Event::Delete { key: 2 },
        Event::Reuse { key: 3 },
    ] {
        world.happen(event)?;
    }
    interrupt(&mut world, place)?;
    world.recover()
}

fn all(cases: impl Iterator<Item = (Pipeline, usize)>, interrupt: Interruption) {
    let mut wrong = Vec::new();
    for (pipeline, place) in cases {
        if let Err(what) = interrupted(pipeline, place, interrupt) {
            wrong.push(format!("{} under {pipeline:?}: {what}", PLACES[place]));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Every pipeline with every place that it can come to; places outside of ranges once for each strategy and
/// merge.
fn every_case() -> impl Iterator<Item = (Pipeline, usize)> {
    let places = 0..PLACES.len();
    let pipelines = Pipeline::all().into_iter();
    let cases =
        pipelines.flat_map(move |pipeline| places.clone().map(move |place| (pipeline, place)));
    cases.filter(|(pipeline, place)| {
        let of_ranges = PLACES[*place].contains("range") || PLACES[*place] == "sync::load-begun";
        of_ranges == (pipeline.first_load != FirstLoad::OnePiece)
    })
}

/// A failure ends the run, which clears up behind itself.
#[test]
fn a_run_may_fail_at_every_place_in_every_pipeline() {
    all(every_case(), |world, place| {
        world.happen(Event::SyncFails { place: place as u8 })
    });
}

/// A death leaves everything as it is. One place for each pipeline, another one each time;
/// `ICEHOST_MODEL_KILLS=all` takes every one.
#[test]
fn a_run_may_die_at_any_place_in_every_pipeline() {
    crate::guards::taken_out();
    let every = std::env::var_os("ICEHOST_MODEL_KILLS").is_some_and(|kills| kills == "all");
    let mut before = None;
    let mut turn = 0;
    let chosen = every_case().filter(move |(pipeline, place)| {
        if before != Some(*pipeline) {
            before = Some(*pipeline);
            turn += 1;
        }
        // Of the places of a pipeline another one each time
        let own = match pipeline.first_load {
            FirstLoad::OnePiece => PLACES.len(),
            _ => 5,
        };
        every || place % own == turn % own
    });
    all(chosen, |world, place| world.sync_dies(PLACES[place]));
}

/// The constants of `icehost_files::failpoint` that calls in the sources below a directory name, tests left out. Names
/// are written nowhere else.
pub fn named_in_sources(directory: &Path, function: &str) -> BTreeSet<String> {
    let call = format!("{function}(failpoint::");
    let written = format!("{function}(\"");
    let mut named = BTreeSet::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.extend((path.file_name().unwrap() != "tests").then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                assert!(!source.contains(&written), "{}", path.display());
                let calls = source.split(&call).skip(1);
                named.extend(calls.filter_map(|call| Some(call.split_once(')')?.0.to_owned())));
            }
        }
    }
    named
}

/// The constant of a place or a guard.
pub fn constant(name: &str) -> String {
    let (_, name) = name.split_once("::").expect("a crate and a name");
    name.to_ascii_uppercase().replace('-', "_")
}

/// The sources have all places that are listed, and no others.
#[test]
fn every_failpoint_is_a_place() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    let named = named_in_sources(&host, "failpoint");
    assert_eq!(named, PLACES.into_iter().map(constant).collect());
}

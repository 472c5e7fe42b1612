//! Each guard matters: without it, the model finds a loss.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::interruptions::{constant, named_in_sources};

/// Names the guard that is taken out.
const WITHOUT: &str = "ICEHOST_MODEL_WITHOUT";
/// Guards, and the test that a loss soon shows in.
const GUARDS: [(&str, &str); 7] = [
    ("sync::guard-added-twice", "interleavings_under_id"),
    ("sync::guard-empty-read", "interleavings_under_full_refresh"),
    (
        "sync::guard-ranges",
        "interruptions::a_run_may_die_at_any_place_in_every_pipeline",
    ),
    ("sync::guard-read-again", "interleavings_under_timestamp"),
    ("sync::guard-repetition", "interleavings_under_rowversion"),
    ("sync::guard-target-table", "interleavings_under_timestamp"),
    ("sync::guard-watermark", "interleavings_under_rowversion"),
];
/// Guards against what a few hundred interleavings may not come to. Each has a case of its own in another suite.
const RARELY_MISSED: [(&str, &str); 7] = [
    ("lake::guard-live-keys", "interleavings_under_timestamp"),
    ("lake::guard-newest", "interleavings_under_timestamp"),
    ("sqlserver::guard-position", "interleavings_under_id"),
    (
        "sync::guard-absent-rows",
        "interleavings_under_full_refresh",
    ),
    ("sync::guard-earlier-bounds", "interleavings_under_id"),
    (
        "sync::guard-lake-that-is-gone",
        "interleavings_under_full_refresh",
    ),
    ("sync::guard-rolled-back-ranges", "interleavings_under_id"),
];
/// Interleavings until a loss must have shown.
const CASES: &str = "600";

/// Takes the guard out that the environment names.
pub fn taken_out() -> Option<String> {
    let guard = std::env::var(WITHOUT).ok()?;
    fail::cfg(&guard, "return").expect("a failpoint's action");
    Some(guard)
}

#[test]
fn without_any_guard_the_model_finds_a_loss() {
    assert_all_missed(&GUARDS);
}

#[test]
#[ignore = "takes long: tests/model.sh runs it"]
fn without_any_other_guard_it_finds_one_too() {
    assert_all_missed(&RARELY_MISSED);
}

fn assert_all_missed(guards: &[(&str, &str)]) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((guard, test)) = guards.get(next.fetch_add(1, Ordering::Relaxed)) {
                    assert_missed(guard, test);
                }
            });
        }
    });
}

fn assert_missed(guard: &str, test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(WITHOUT, guard)
        .env("ICEHOST_MODEL_CASES", CASES)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        !output.status.success() && said.contains("panicked at"),
        "{guard} is not missed by {test}\n{said}"
    );
    let loss = said
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    println!("{guard}: {}", loss.skip(1).take(3).collect::<String>());
}

#[test]
fn every_guard_that_can_be_taken_out_is_listed() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host");
    let named = named_in_sources(&host, "stands");
    let listed = GUARDS.iter().chain(&RARELY_MISSED).map(|(guard, _)| *guard);
    let listed: BTreeSet<&str> = listed.collect();
    assert_eq!(
        named,
        listed
            .iter()
            .map(|guard| constant(guard))
            .collect::<BTreeSet<_>>()
    );
    assert_eq!(listed, BTreeSet::from(icehost_files::failpoint::GUARDS));
}

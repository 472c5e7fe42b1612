//! At each named place a run fails, or its process dies; then the same command runs again.

use icehost_tests::{Bed, Command, Dump, customers};
use serde_json::Value;

use crate::files::files;

/// Places before the lake's commit: the lake must be as it was.
const BEFORE_THE_COMMIT: [&str; 6] = [
    "sync::after-detect",
    "sync::while-staging",
    "sync::after-extract",
    "lake::after-staging",
    "lake::after-manifests",
    "lake::before-metadata-link",
];
/// Places at which the lake's commit is visible.
const AFTER_THE_COMMIT: [&str; 2] = ["lake::after-metadata-link", "lake::after-hint"];
/// Places in the second half, before the target's commit.
const BEFORE_THE_MERGE: [&str; 6] = [
    "sync::before-load",
    "sync::while-loading",
    "sqlserver::after-stage",
    "sqlserver::before-merge",
    "sqlserver::after-merge",
    "sqlserver::before-commit",
];
/// Places behind the target's commit.
const AFTER_THE_MERGE: [&str; 1] = ["sqlserver::after-commit"];

/// A table that was synced once, with a delta that waits.
fn bed_with_a_delta() -> Bed {
    let bed = customers::bed(50);
    sync(&bed).json();
    customers::add(&bed, 51, 60, "2026-02-01");
    customers::change(&bed, 5, "2026-02-02");
    bed
}

fn sync(bed: &Bed) -> Command {
    bed.sync_to_target("dbo.Customers", "demo.customers")
        .args(["--retries", "0"])
}

fn watermark(bed: &Bed) -> Value {
    bed.on_lake(["watermark", "show"], "demo.customers").json()["watermark"]["marks"].clone()
}

fn target_rows(bed: &Bed) -> String {
    bed.target().value("SELECT COUNT(*) FROM dbo.Customers")
}

/// The next run finishes the job: source, lake and target are equal, and no row came twice.
#[track_caller]
fn assert_recovers(bed: &Bed, place: &str) {
    sync(bed).json();
    let source = bed.source_dump("dbo.Customers");
    assert_eq!(source.rows.len(), 60, "{place}");
    let lake = Dump::pyiceberg(&bed.lake("demo.customers"), None);
    source.assert_equals(&lake, &format!("source after {place}"), "lake");
    source.assert_equals(
        &bed.target_dump("dbo.Customers"),
        &format!("source after {place}"),
        "target",
    );
    let snapshots = bed.on_lake(["snapshots"], "demo.customers").json();
    assert_eq!(
        snapshots["snapshots"].as_array().unwrap().len(),
        2,
        "{place}"
    );
}

#[test]
fn a_failure_before_the_lakes_commit_leaves_no_trace() {
    for place in BEFORE_THE_COMMIT {
        let bed = bed_with_a_delta();
        let (mark, before) = (watermark(&bed), files(&bed.warehouse()));
        sync(&bed)
            .failpoint(place, "return")
            .run()
            .failure(&[place]);
        assert_eq!(watermark(&bed), mark, "{place}: the watermark");
        assert_eq!(
            files(&bed.warehouse()),
            before,
            "{place}: staged files are removed"
        );
        assert_eq!(target_rows(&bed), "50", "{place}: the target");
        assert_recovers(&bed, place);
    }
}

#[test]
fn a_failed_first_sync_leaves_no_trace() {
    for place in BEFORE_THE_COMMIT {
        let bed = customers::bed(10);
        sync(&bed)
            .failpoint(place, "return")
            .run()
            .failure(&[place]);
        assert_eq!(files(&bed.warehouse()), Vec::<String>::new(), "{place}");
        assert_eq!(sync(&bed).json()["rows_inserted"], 10, "{place}");
    }
}

#[test]
fn a_failure_in_the_second_half_leaves_the_target_to_the_next_run() {
    for place in BEFORE_THE_MERGE {
        let bed = bed_with_a_delta();
        sync(&bed)
            .failpoint(place, "return")
            .run()
            .failure(&[place]);
        assert_eq!(target_rows(&bed), "50", "{place}: the target");
        let next = sync(&bed).json();
        assert_eq!(next["rows_extracted"], 0, "{place}: the lake was done");
        assert_eq!(next["rows_inserted"], 10, "{place}");
        assert_eq!(next["rows_updated"], 5, "{place}");
        assert_recovers(&bed, place);
    }
}

#[test]
fn a_crash_anywhere_leaves_a_state_from_which_the_next_run_goes_on() {
    let places = [
        BEFORE_THE_COMMIT.as_slice(),
        &AFTER_THE_COMMIT,
        &BEFORE_THE_MERGE,
        &AFTER_THE_MERGE,
    ];
    for place in places.concat() {
        let bed = bed_with_a_delta();
        let run = sync(&bed).failpoint(place, "return(crash)").run();
        assert_eq!(
            run.code, None,
            "{place}: a signal ends the process\n{}",
            run.stderr
        );
        let rows = target_rows(&bed);
        let expected = if AFTER_THE_MERGE.contains(&place) {
            "60"
        } else {
            "50"
        };
        assert_eq!(rows, expected, "{place}: the target");
        assert_recovers(&bed, place);
    }
}

//! A comparison reads what `load` reads, wherever the lake table lies and whoever keeps it, and writes nothing.

use std::fs;
use std::path::Path;

use icehost_tests::Command;
use icehost_tests::maintenance::maintain;
use serde_json::Value;

use crate::{Case, keys};

/// `sync` or `verify` of the case, with another warehouse.
fn with_warehouse(case: &Case, subcommand: &str, place: &Path) -> Command {
    let (source, target) = (case.bed.source_url(), case.bed.target_url());
    Command::new([subcommand, "--table", "dbo.T", "--lake-table", "demo.t"])
        .args(["--source", &source, "--target", &target])
        .args(["--warehouse", &place.display().to_string()])
        .args(case.sync.iter().map(String::as_str))
}

fn stops(report: &Value) -> String {
    let stops = report["next_run_stops"].as_array().unwrap();
    assert_eq!(stops.len(), 1, "{report}");
    stops[0]["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_moved_lake_is_compared_and_loaded_and_a_link_makes_it_one_that_is_written_to() {
    let case = Case::synced(20);
    let (old, new) = (case.bed.warehouse(), case.bed.path("moved"));
    fs::rename(&old, &new).unwrap();
    let sync = || with_warehouse(&case, "sync", &new);
    let verify = || with_warehouse(&case, "verify", &new);
    let report = verify().json();
    assert_eq!(report["wrong"], 0, "{report}");
    assert_eq!(report["lake"]["rows_found"], 20);
    let told = stops(&report);
    assert!(told.contains("its metadata says that it is at"), "{told}");
    sync().run().failure(&[&told, "hint: "]);

    case.source("UPDATE dbo.T SET Amount = 1 WHERE Id = 3");
    let report = crate::differs(verify());
    assert_eq!(keys(&report, "lake", "wrong"), ["changed Id = 3: Amount"]);
    verify()
        .arg("--repair")
        .run()
        .failure(&["cannot write to lake table demo.t"]);
    case.source("UPDATE dbo.T SET Amount = 3.25 WHERE Id = 3");

    let load = || {
        let (place, target) = (new.display().to_string(), case.bed.target_url());
        Command::new(["load", "--lake-table", "demo.t", "--target-table", "dbo.T"]).args([
            "--merge",
            "upsert",
            "--warehouse",
            &place,
            "--target",
            &target,
        ])
    };
    load().json();
    assert_eq!(load().comparison().unwrap().json()["wrong"], 0);

    std::os::unix::fs::symlink(&new, &old).unwrap();
    assert_eq!(verify().json()["next_run_stops"], serde_json::json!([]));
    sync().json();
}

#[test]
fn a_lake_that_another_catalog_keeps_is_compared() {
    let case = Case::synced(20);
    maintain(&case.bed.lake("demo.t"), &["compact", "--own"]);
    let report = case.agrees();
    assert_eq!(report["lake"]["rows_found"], 20, "{report}");
    let told = stops(&report);
    assert!(told.contains("another catalog keeps it"), "{told}");
    case.with(case.bed.sync("dbo.T", "demo.t"))
        .run()
        .failure(&[&told, "hint: "]);
}

#[test]
fn a_lake_table_that_is_not_there_is_no_comparison() {
    let case = Case::synced(20);
    case.bed
        .verify("dbo.T", "demo.mistyped")
        .args(case.sync.iter().map(String::as_str))
        .run()
        .failure(&["there is no lake table demo.mistyped", "hint: "]);
    let lost = case.bed.path("lost");
    fs::rename(case.bed.warehouse(), &lost).unwrap();
    with_warehouse(&case, "verify", &case.bed.warehouse())
        .run()
        .failure(&["there is no lake table demo.t", "does not exist", "hint: "]);
    assert!(!case.bed.warehouse().exists());
}

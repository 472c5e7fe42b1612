//! A run that will stop once it has read, or for its settings: nothing that it leaves is pending.

use icehost_tests::{Command, below};
use serde_json::Value;

use crate::{Case, counts, differs, insert};

fn stops(report: &Value) -> Vec<&str> {
    let stops = report["next_run_stops"].as_array().unwrap();
    let texts = stops.iter().map(|stop| stop["error"].as_str().unwrap());
    texts.collect()
}

/// What would be pending is wrong, the report and its text say why, and the run ends with that. No run of it has been
/// made before, which might have left a note.
#[track_caller]
fn will_stop(case: &Case, more: &[&str], saying: &str) -> Value {
    let with = |command: Command| case.with(command).args(more.iter().copied());
    let verify = with(case.bed.verify("dbo.T", "demo.t"));
    let files = || below(&case.bed.warehouse());
    let before = files();
    let report = differs(verify.clone());
    assert_eq!(files(), before, "a comparison writes nothing");
    let told = stops(&report);
    let [told] = told.as_slice() else {
        panic!("{told:?}: {report}");
    };
    assert!(told.contains(saying), "{told}");
    assert_eq!(report["pending"], 0, "{report}");
    let text = verify.run().failure(&["they do not agree"]).stdout;
    let warning = format!("the next run will stop: {told}");
    assert!(text.contains(&warning), "{text}");
    with(case.bed.sync("dbo.T", "demo.t"))
        .run()
        .failure(&[told, "hint: "]);
    report
}

const TIMESTAMP: [&str; 4] = ["--strategy", "timestamp", "--merge", "upsert"];
const ID: [&str; 4] = ["--strategy", "id", "--merge", "upsert"];

fn synced(arguments: &[&str]) -> Case {
    let case = Case::new(10, arguments);
    case.run();
    case
}

#[test]
fn a_source_that_started_over_stops_the_next_run() {
    // The newest row is gone, and a late one has come below the mark.
    let case = synced(&TIMESTAMP);
    case.source("DELETE FROM dbo.T WHERE Id = 10");
    insert(&case.bed, 20, 1, "2026-01-01T23:59:00");
    let report = will_stop(&case, &[], "largest value of 'Modified'");
    assert_eq!(counts(&report, "lake", "wrong"), "1 missing");
    // The run has left a note, which says the same.
    let report = case.differs();
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("an earlier run"),
        "{told:?}"
    );

    // Emptied and filled again, in the same table and in another one.
    let anew = format!("DROP TABLE dbo.T; {}", crate::TABLE);
    for emptied in ["TRUNCATE TABLE dbo.T", &anew] {
        let case = synced(&ID);
        case.source(emptied);
        insert(&case.bed, 1, 2, "2026-03-01");
        let report = will_stop(&case, &[], "");
        assert_eq!(counts(&report, "lake", "wrong"), "2 changed");
    }
}

#[test]
fn a_source_whose_newest_rows_went_back_stops_the_next_run() {
    let case = synced(&TIMESTAMP);
    case.source("UPDATE dbo.T SET Modified = '2025-06-01' WHERE Id = 10");
    insert(&case.bed, 20, 1, "2026-02-01");
    will_stop(&case, &[], "are gone or have earlier values");
}

#[test]
fn newest_rows_that_are_gone_and_rows_ahead_of_the_clock_stop_no_run() {
    let case = synced(&TIMESTAMP);
    case.source("DELETE FROM dbo.T WHERE Id = 10");
    assert!(stops(&case.agrees()).is_empty());
    insert(&case.bed, 20, 1, "2999-01-01");
    let report = case.agrees();
    assert!(stops(&report).is_empty(), "{report}");
    case.run();
}

#[test]
fn other_keys_stop_the_next_run() {
    let case = synced(&TIMESTAMP);
    insert(&case.bed, 20, 1, "2026-02-01");
    let report = will_stop(&case, &["--merge-option", "keys=Name"], "the merge into");
    assert_eq!(counts(&report, "lake", "wrong"), "1 missing");
}

#[test]
fn rows_that_would_be_made_otherwise_stop_the_next_run() {
    let append = ["--strategy", "timestamp", "--merge", "append-only"];
    let case = synced(&append);
    will_stop(&case, &["--column-rule", "Name=truncate:2"], "column rules");

    let case = synced(&TIMESTAMP);
    let mask = ["--transform", "mask", "--transform-option", "columns=Name"];
    will_stop(&case, &mask, "the transformers, or their options,");
}

#[test]
fn a_strategy_that_keeps_a_mark_is_not_said_to_keep_none() {
    let case = synced(&TIMESTAMP);
    let set = case.bed.on_lake(["watermark", "set"], "demo.t");
    set.args(["--mark", "Modified=timestamp:2999-01-01T00:00:00"])
        .run()
        .success();
    let report = case.verify().json();
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("ahead of the server's clock"),
        "{told:?}"
    );
    let notes = report["lake"]["notes"].to_string();
    assert!(!notes.contains("keeps no mark"), "{notes}");
}

/// In the source, and then in the lake, where the run has left it.
#[test]
fn values_that_the_target_cannot_hold_stop_the_next_run() {
    for (narrower, saying) in [
        ("Name nvarchar(10) NULL", "nvarchar(10) holds 10"),
        ("Amount decimal(4,2) NULL", "does not fit decimal(4,2)"),
    ] {
        let case = synced(&TIMESTAMP);
        let alter = format!("ALTER TABLE dbo.T ALTER COLUMN {narrower}");
        case.target(&alter);
        insert(&case.bed, 20, 1, "2026-02-01");
        assert!(stops(&case.agrees()).is_empty());
        insert(&case.bed, 100_000, 1, "2026-02-02");
        let report = will_stop(&case, &[], saying);
        assert_eq!(counts(&report, "lake", "wrong"), "2 missing");
        let report = will_stop(&case, &[], saying);
        assert_eq!(report["target"]["undelivered"], 2, "{report}");
        assert_eq!(report["wrong"], 2, "{report}");

        // A value that is corrected before it is delivered is no obstacle.
        case.source("UPDATE dbo.T SET Name = N'short', Amount = 1, Modified = '2026-02-03' WHERE Id = 100000");
        case.bed
            .sync("dbo.T", "demo.t")
            .args(TIMESTAMP)
            .run()
            .success();
        assert!(stops(&case.agrees()).is_empty());
        case.run();
    }
}

#[test]
fn a_target_column_of_another_kind_stops_the_next_run() {
    let case = synced(&TIMESTAMP);
    case.target(
        "ALTER TABLE dbo.T DROP COLUMN Amount; ALTER TABLE dbo.T ADD Amount nvarchar(20) NULL",
    );
    insert(&case.bed, 20, 1, "2026-02-01");
    // The lake gets the row all the same; the run ends behind that.
    let report = case.differs();
    assert_eq!(counts(&report, "lake", "pending"), "1 missing");
    assert_eq!(counts(&report, "target", "wrong"), "10 changed");
    let told = stops(&report);
    assert!(told.len() == 1 && told[0].contains("'Amount'"), "{told:?}");
    case.with(case.bed.sync("dbo.T", "demo.t"))
        .run()
        .failure(&[told[0], "hint: "]);
}

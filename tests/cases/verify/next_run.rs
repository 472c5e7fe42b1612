//! What a later run takes away is pending; that it will not be done is said.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command};
use serde_json::Value;

use crate::{Case, MIRROR, counts, differs, insert, keys};

/// What the next run says, as far as it was told.
fn stops(report: &Value) -> Vec<String> {
    let stops = report["next_run_stops"].as_array().unwrap();
    let texts = stops
        .iter()
        .map(|stop| stop["error"].as_str().unwrap().to_owned());
    texts.collect()
}

/// The report says so, the text too, and the run does it.
#[track_caller]
fn will_stop(verify: Command, run: Command, saying: &str) -> Value {
    let report = verify.clone().json();
    assert_eq!(report["wrong"], 0, "{report}");
    let told = stops(&report);
    let [told] = told.as_slice() else {
        panic!("{told:?}: {report}");
    };
    assert!(told.contains(saying), "{told}");
    let text = verify.run().success().stdout;
    assert!(
        text.contains(&format!("the next run will stop: {told}")),
        "{text}"
    );
    assert!(text.contains("hint: "), "{text}");
    run.run().failure(&[told, "hint: "]);
    report
}

const TIMESTAMP: [&str; 4] = ["--strategy", "timestamp", "--merge", "upsert"];

#[test]
fn a_run_that_goes_on_is_not_said_to_stop() {
    let case = Case::new(10, &TIMESTAMP);
    case.run();
    insert(&case.bed, 20, 3, "2026-02-01");
    let report = case.agrees();
    assert!(
        stops(&report).is_empty() && report["pending"] == 3,
        "{report}"
    );
}

#[test]
fn nulls_in_a_cursor_stop_the_next_run() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2(3) NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01')",
    );
    let sync = || bed.sync("dbo.T", "demo.t").args(TIMESTAMP);
    sync().json();
    bed.source().execute("UPDATE dbo.T SET Modified = NULL; UPDATE dbo.T SET Modified = '2026-01-01'; INSERT INTO dbo.T VALUES (2, NULL)");
    let verify = bed.verify("dbo.T", "demo.t").args(TIMESTAMP);
    let report = differs(verify.clone());
    assert_eq!(keys(&report, "lake", "wrong"), ["missing Id = 2"]);
    let told = stops(&report);
    assert!(told.len() == 1 && told[0].contains("NULL"), "{told:?}");
    sync().run().failure(&[&told[0]]);
}

#[test]
fn keys_that_stand_twice_in_the_source_stop_the_next_run() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Code int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 7, '2026-01-01')",
    );
    let by = |command: Command| {
        command
            .args(TIMESTAMP)
            .args(["--merge-option", "keys=Code"])
    };
    by(bed.sync("dbo.T", "demo.t")).json();
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (2, 8, '2026-02-01'), (3, 8, '2026-02-01')");
    // No run brings them by itself.
    let report = differs(by(bed.verify("dbo.T", "demo.t")));
    assert_eq!(counts(&report, "lake", "wrong"), "2 missing");
    assert_eq!(report["pending"], 0, "{report}");
    let saying = "Code = 8 stands in several rows";
    let told = stops(&report);
    assert!(told.len() == 1 && told[0].contains(saying), "{told:?}");
    by(bed.sync("dbo.T", "demo.t")).run().failure(&[saying]);
}

#[test]
fn another_strategy_and_another_source_stop_the_next_run() {
    let case = Case::synced(10);
    let with = |command: Command, more: &[&str]| {
        let target = case.bed.target_url();
        command
            .args(["--merge", "upsert", "--target", &target])
            .args(more.iter().copied())
    };
    for more in [
        ["--strategy", "full-refresh", "--source-name", "case"],
        ["--strategy", "timestamp", "--source-name", "another"],
    ] {
        let verify = with(case.bed.verify("dbo.T", "demo.t"), &more);
        let sync = with(case.bed.sync("dbo.T", "demo.t"), &more);
        will_stop(verify, sync, "the stored watermark");
    }
}

#[test]
fn rows_without_a_watermark_stop_the_next_run() {
    let append = ["--strategy", "timestamp", "--merge", "append-only"];
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01')",
    );
    let sync = || bed.sync("dbo.T", "demo.t").args(append);
    sync().json();
    bed.on_lake(["watermark", "clear"], "demo.t")
        .run()
        .success();
    let verify = bed.verify("dbo.T", "demo.t").args(append);
    will_stop(verify, sync(), "there is no watermark");
}

#[test]
fn more_deletions_than_the_limit_stop_the_next_run() {
    let case = Case::new(1200, &MIRROR);
    case.run();
    case.source("DELETE FROM dbo.T WHERE Id > 100");
    let report = case.differs();
    assert_eq!(counts(&report, "lake", "wrong"), "1100 extra");
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("1100 of the 1200 rows"),
        "{told:?}"
    );
    case.with(case.bed.sync("dbo.T", "demo.t"))
        .run()
        .failure(&["1100 of the 1200 rows"]);
}

#[test]
fn a_target_that_is_the_source_stops_the_next_run() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01')",
    );
    bed.sync("dbo.T", "demo.t").args(TIMESTAMP).json();
    let to = bed.source_url();
    let into = |command: Command| command.args(TIMESTAMP).args(["--target", &to]);
    // Both halves say so; the run ends with the first.
    let told = stops(&into(bed.verify("dbo.T", "demo.t")).json());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("is the source table"), "{told:?}");
    into(bed.sync("dbo.T", "demo.t")).run().failure(&[&told[0]]);
}

/// A lake and a target that was loaded by a merge that only adds.
struct Added {
    bed: Bed,
}

impl Added {
    fn loaded() -> Added {
        let bed = Bed::new();
        bed.source().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL);
             INSERT INTO dbo.T VALUES (1, '2026-01-01'), (2, '2026-01-02')",
        );
        bed.target()
            .execute("CREATE TABLE dbo.T (Id int NOT NULL, Modified datetime2(3) NOT NULL)");
        let added = Added { bed };
        added.sync();
        added.load().json();
        added
    }

    fn sync(&self) {
        self.bed.sync("dbo.T", "demo.t").args(TIMESTAMP).json();
    }

    fn load(&self) -> Command {
        let merge = ["--merge", "append-only"];
        self.bed.load("demo.t", "dbo.T").args(merge)
    }

    fn verify(&self) -> Command {
        self.load().comparison().unwrap()
    }

    fn snapshot(&self) -> String {
        let snapshots = self.bed.on_lake(["snapshots"], "demo.t").json();
        let newest = snapshots["snapshots"].as_array().unwrap().last().unwrap();
        newest["snapshot_id"].to_string()
    }
}

#[test]
fn a_position_that_does_not_fit_stops_the_next_run_of_a_merge_that_only_adds() {
    // The lake was rolled back: the target is what its position says.
    let case = Added::loaded();
    let first = case.snapshot();
    case.bed
        .source()
        .execute("INSERT INTO dbo.T VALUES (3, '2026-02-01')");
    case.sync();
    case.load().json();
    maintain(&case.bed.lake("demo.t"), &[&format!("rollback={first}")]);
    let report = differs(case.verify());
    assert_eq!(report["target"]["undelivered"], 1, "{report}");
    assert_eq!(
        (&report["wrong"], &report["pending"]),
        (&1.into(), &0.into()),
        "{report}"
    );
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("the lake table was rolled back"),
        "{told:?}"
    );
    case.load().run().failure(&[&told[0]]);

    // The target was emptied: its rows are gone.
    let case = Added::loaded();
    case.bed.target().execute("DELETE FROM dbo.T");
    let report = differs(case.verify());
    assert_eq!(counts(&report, "target", "wrong"), "2 missing");
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("does not look as it was left"),
        "{told:?}"
    );
    case.load().run().failure(&[&told[0]]);

    // It has rows, and nobody knows from where.
    let case = Added::loaded();
    case.bed
        .target()
        .execute("DELETE FROM dbo.icehost_positions; DELETE FROM dbo.T WHERE Id = 1");
    let report = differs(case.verify());
    assert_eq!(keys(&report, "target", "wrong"), ["missing Id = 1"]);
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("every row would be added"),
        "{told:?}"
    );
    case.load().run().failure(&[&told[0]]);
}

#[test]
fn where_every_row_is_delivered_again_what_differs_from_the_current_state_is_pending() {
    let case = Case::synced(10);
    let first = {
        let snapshots = case.bed.on_lake(["snapshots"], "demo.t").json();
        snapshots["snapshots"][0]["snapshot_id"].to_string()
    };
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id <= 2; INSERT INTO dbo.T VALUES (11, N'new', 1, '2026-02-01')");
    case.run();
    maintain(&case.bed.lake("demo.t"), &[&format!("rollback={first}")]);
    let load = || case.bed.load("demo.t", "dbo.T").args(["--merge", "upsert"]);
    let verify = || load().comparison().unwrap();
    let report = verify().json();
    assert!(stops(&report).is_empty(), "{report}");
    assert_eq!(report["target"]["undelivered"], 3, "{report}");
    // What the position does not explain is wrong all the same.
    case.target("UPDATE dbo.T SET Name = N'by hand' WHERE Id = 5");
    let report = differs(verify());
    assert_eq!(keys(&report, "target", "wrong"), ["changed Id = 5: Name"]);
    load().json();
    assert_eq!(verify().json()["pending"], 0);
}

#[test]
fn changes_across_a_column_that_was_dropped_and_added_again_stop_the_next_load() {
    let case = Case::synced(10);
    maintain(&case.bed.lake("demo.t"), &["readd=Name", "delete=Id == 3"]);
    let load = || case.bed.load("demo.t", "dbo.T").args(["--merge", "upsert"]);
    let report = differs(load().comparison().unwrap());
    // The lake's column is another one now, and has no values.
    assert_eq!(counts(&report, "target", "wrong"), "10 changed");
    let told = stops(&report);
    assert!(
        told.len() == 1 && told[0].contains("'Name' is another one"),
        "{report}"
    );
    load().run().failure(&[&told[0]]);
}

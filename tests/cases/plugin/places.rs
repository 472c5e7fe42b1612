//! Cursors of several columns: the documentation's strategy, from the first load on.

use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

use crate::probes::component;

const GUIDE: &str = include_str!("../../../docs/strategies.md");

/// The crate of the example, built.
fn by_place(bed: &Bed) -> String {
    let shown = GUIDE
        .split("```rust\n")
        .find(|rest| rest.contains("pub struct ByPlace;"));
    let (example, _) = shown.unwrap().split_once("```").unwrap();
    component(bed, "by-place", example).display().to_string()
}

/// Rows whose number is their order; several have one moment.
fn table(bed: &Bed, null: &str, constraint: &str) {
    bed.source().execute(&format!(
        "CREATE TABLE dbo.E (Changed datetime2(7) {null}, Seq int NOT NULL, Tenant int NOT NULL, V int NOT NULL{constraint});
         INSERT INTO dbo.E SELECT DATEADD(second, (value - 1) / 5, '2026-01-31T12:00:00'), value, value % 2, 0
           FROM GENERATE_SERIES(1, 20)"
    ));
}

fn sync(bed: &Bed, component: &str, options: &[&str]) -> Command {
    let mut command = bed.sync("dbo.E", "demo.e");
    command = command.args(["--strategy", component]);
    for option in ["columns=Changed,Seq"].iter().chain(options) {
        command = command.args(["--strategy-option", option]);
    }
    command.args(["--merge", "append-only"])
}

fn marks(bed: &Bed) -> Vec<(String, Value)> {
    let shown = bed.on_lake(["watermark", "show"], "demo.e").json();
    let marks = shown["watermark"]["marks"].as_array().cloned();
    let marks = marks.unwrap_or_else(|| panic!("{shown}"));
    let pair = |mark: &Value| (mark[0].as_str().unwrap().to_owned(), mark[1].clone());
    marks.iter().map(pair).collect()
}

fn mark(bed: &Bed, name: &str) -> String {
    let marks = marks(bed);
    let mark = marks.iter().find(|(mark, _)| mark == name);
    mark.unwrap_or_else(|| panic!("{marks:?}")).1.to_string()
}

#[test]
fn rows_of_one_moment_are_told_apart_by_the_second_column() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NULL", "");
    let extracted =
        |options: &[&str]| sync(&bed, &component, options).json()["rows_extracted"].clone();
    let strictly = &["lookback-seconds=0"][..];
    assert_eq!(extracted(strictly), 20);
    assert!(mark(&bed, "Changed").contains("12:00:03"));
    assert!(mark(&bed, "Seq").contains("20"));

    // Of the same moment, and behind it by its number; and nothing is read twice into a lake that only adds rows.
    bed.source()
        .execute("INSERT INTO dbo.E VALUES ('2026-01-31T12:00:03', 21, 1, 0)");
    let preview = sync(&bed, &component, strictly).arg("--dry-run").json();
    let sql = preview["extraction"]["sql"].as_str().unwrap();
    let readings = preview["extraction"]["readings"].to_string();
    assert!(
        sql.contains(
            "[Changed] >= @v1 AND ([Changed] > @v2 OR ([Changed] = @v3 AND [Seq] >= @v4))"
        ),
        "{sql}"
    );
    assert!(
        readings.contains("Seq of the greatest (Changed, Seq)"),
        "{readings}"
    );
    assert_eq!(extracted(strictly), 1);
    assert!(mark(&bed, "Seq").contains("21"));
    // An earlier place in it is passed, as a strict cursor does, and found within a lookback.
    bed.source()
        .execute("INSERT INTO dbo.E VALUES ('2026-01-31T12:00:03', 17, 1, 9)");
    let passed = sync(&bed, &component, strictly);
    let passed = passed.leaves_apart("the row lies below the mark, and nothing is read again");
    assert_eq!(passed.json()["rows_extracted"], 0);
    assert_eq!(extracted(&["lookback-seconds=60"]), 1);
    assert_eq!(extracted(&["lookback-seconds=60"]), 0);
    assert_in_lake(&bed);
}

/// The lake has what the source has, each row once.
fn assert_in_lake(bed: &Bed) {
    let found = Dump::pyiceberg(&bed.lake("demo.e"), None);
    bed.source_dump("dbo.E")
        .assert_equals(&found, "source", "lake");
}

#[test]
fn a_watermark_of_several_columns_is_set_by_hand_whole_or_from_the_first_on() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NULL", "");
    let strictly = &["lookback-seconds=0"][..];
    sync(&bed, &component, strictly).run().success();
    let set = |marks: &[&str]| {
        let mut command = bed.on_lake(["watermark", "set"], "demo.e");
        for mark in marks {
            command = command.args(["--mark", mark]);
        }
        command.run()
    };
    set(&["Seq=integer:7"]).failure(&["goes on from its mark 'Changed', which is not given"]);
    set(&["Changed=integer:7", "Seq=integer:7"]).failure(&["mark 'Changed'", "timestamp"]);
    bed.source()
        .execute("UPDATE dbo.E SET V = 1 WHERE Seq IN (6, 7, 11, 12)");
    // From the second row of the third moment on; what the lake has is left out.
    set(&["Changed=timestamp:2026-01-31T12:00:02", "Seq=integer:12"]).success();
    let from_there = sync(&bed, &component, strictly);
    let from_there = from_there.leaves_apart("rows before that place have changed, too");
    assert_eq!(from_there.json()["rows_extracted"], 1);
    let extracted =
        |options: &[&str]| sync(&bed, &component, options).json()["rows_extracted"].clone();
    // From the first of the second moment on.
    set(&["Changed=timestamp:2026-01-31T12:00:01"]).success();
    assert_eq!(extracted(strictly), 3);
    assert_eq!(extracted(strictly), 0);
}

#[test]
fn rows_without_a_value_in_one_of_the_columns_are_refused_skipped_or_read_in_every_run() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NULL", "");
    bed.source()
        .execute("INSERT INTO dbo.E VALUES (NULL, 30, 1, 0)");
    let run = |options: &[&str]| sync(&bed, &component, options).run();
    run(&[]).failure(&["1 row of dbo.E has NULL in one of 'Changed', 'Seq'"]);
    let extracted =
        |options: &[&str]| sync(&bed, &component, options).json()["rows_extracted"].clone();
    assert_eq!(extracted(&["nulls=skip"]), 20);
    // Read in each run, and left out where the lake has it.
    assert_eq!(extracted(&["nulls=every-run"]), 1);
    assert_eq!(extracted(&["nulls=every-run"]), 0);
    assert_in_lake(&bed);
}

#[test]
fn one_tenants_rows_have_a_place_of_their_own() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NULL", "");
    let of_one = ["tenant=1", "lookback-seconds=0"];
    let extracted = || {
        let run = sync(&bed, &component, &of_one);
        let run = run.leaves_apart("the strategy leaves other tenants' rows out");
        run.json()["rows_extracted"].clone()
    };
    assert_eq!(extracted(), 10);
    assert!(mark(&bed, "Seq").contains("19"));
    bed.source().execute(
        "INSERT INTO dbo.E VALUES ('2026-01-31T13:00:00', 40, 0, 0), ('2026-01-31T12:00:03', 20, 1, 0)",
    );
    assert_eq!(extracted(), 1);
    assert!(mark(&bed, "Seq").contains("20"));
}

#[test]
fn a_first_load_in_ranges_has_one_place_as_its_bound() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NULL", ", PRIMARY KEY (Seq)");
    let loaded = sync(&bed, &component, &["lookback-seconds=0"])
        .args(["--parallel", "2", "--range-rows", "6"])
        .json();
    assert_eq!(loaded["rows_extracted"], 20);
    assert_eq!(loaded["ranges"], 4, "{loaded}");
    assert!(mark(&bed, "Seq").contains("20"));
}

#[test]
fn a_full_first_run_under_several_columns_may_delete_what_is_missing() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NOT NULL", ", PRIMARY KEY (Seq)");
    let mirror = |strategy: &[&str]| {
        bed.sync("dbo.E", "demo.e")
            .args(strategy.iter().copied())
            .args(["--merge", "upsert", "--lake-merge", "upsert"])
            .args(["--lake-merge-option", "delete-missing=true"])
            .json()
    };
    mirror(&["--strategy", "full-refresh"]);
    bed.source().execute("DELETE FROM dbo.E WHERE Seq = 3");
    bed.on_lake(["watermark", "clear"], "demo.e")
        .run()
        .success();
    let by_place = mirror(&[
        "--strategy",
        &component,
        "--strategy-option",
        "columns=Changed,Seq",
    ]);
    assert_eq!(by_place["rows_extracted"], 19, "{by_place}");
    assert_in_lake(&bed);
}

#[test]
fn a_row_that_is_dated_ahead_of_the_clock_is_no_place_to_stop_at() {
    let bed = Bed::new();
    let component = by_place(&bed);
    table(&bed, "NULL", ", PRIMARY KEY (Seq)");
    bed.source()
        .execute("INSERT INTO dbo.E VALUES ('9999-12-31', 50, 1, 0)");
    let run = || sync(&bed, &component, &["lookback-seconds=0"]);
    let first = run();
    let first = first.leaves_more("the first run leaves the row ahead of the clock to the second");
    let first = first.run().success();
    let says = "1 row lies ahead of the server's clock in 'Changed'";
    assert!(first.stderr.contains(says), "{}", first.stderr);
    assert!(mark(&bed, "Changed").contains("12:00:03"));
    assert!(mark(&bed, "Seq").contains("20"));
    bed.source()
        .execute("INSERT INTO dbo.E VALUES ('2026-01-31T12:00:04', 51, 1, 0)");
    assert_eq!(run().json()["rows_extracted"], 2);
    assert_eq!(run().json()["rows_extracted"], 0);
    assert!(mark(&bed, "Seq").contains("51"));
    assert_in_lake(&bed);
}

//! Strategies that say more than they know: what is not read is not gone.

use std::fs;
use std::path::PathBuf;

use icehost_tests::{Bed, Command};

/// A stranger's strategy: the template in C, with these changes.
fn component(bed: &Bed, kind: &str, changes: &[(&str, &str)]) -> PathBuf {
    let directory = bed.path(kind).display().to_string();
    let built = bed.path(&format!("{kind}.wasm"));
    Command::new(["plugin", "new", &directory])
        .args(["--kind", kind, "--lang", "c"])
        .run()
        .success();
    let source = bed.path(kind).join("strategy.c");
    let mut text = fs::read_to_string(&source).unwrap();
    for (before, after) in changes {
        assert!(text.contains(before), "{before}");
        text = text.replace(before, after);
    }
    fs::write(source, text).unwrap();
    Command::new(["plugin", "build", &directory, "--out"])
        .arg(built.display().to_string())
        .run()
        .success();
    built
}

/// A merger that deletes what it is not shown, whatever it is shown.
fn mirror(bed: &Bed) -> String {
    let end = "return key_pairs(target, delta, *options, &plan->keys, error);";
    let clause = "add_clause(plan, EXPORTS_MERGE_OCCASION_NOT_MATCHED_BY_SOURCE, EXPORTS_MERGE_ACTION_DELETE);";
    let changed = format!("{clause}\n    {end}");
    component(bed, "merger", &[(end, &changed)])
        .display()
        .to_string()
}

fn numbers(bed: &Bed) {
    bed.source().execute(
        "CREATE TABLE dbo.N (Id int NOT NULL PRIMARY KEY, V int NOT NULL);
         INSERT INTO dbo.N SELECT value, value FROM GENERATE_SERIES(1, 2000)",
    );
}

fn change(bed: &Bed) {
    bed.source()
        .execute("UPDATE dbo.N SET V = V + 5000 WHERE Id <= 10");
}

#[test]
fn a_merger_cannot_delete_what_a_partial_delta_does_not_hold() {
    let bed = Bed::new();
    numbers(&bed);
    let mirror = mirror(&bed);
    let sync = |merges: [&str; 2]| {
        bed.sync("dbo.N", "demo.n")
            .args(["--strategy", "id", "--strategy-option", "column=V"])
            .args(["--lake-merge", merges[0], "--merge", merges[1]])
            .args(["--target", &bed.target_url(), "--create-target"])
    };
    sync([&mirror, "upsert"])
        .leaves_apart("what such a merge makes of a delta cannot be told, as it is refused")
        .run()
        .success();
    change(&bed);
    sync([&mirror, "upsert"])
        .run()
        .failure(&["does not hold every row", "snapshot"]);
    let rows = || bed.target().value("SELECT COUNT(*) FROM dbo.N");
    assert_eq!(rows(), "2000");
    // And in the target's half.
    sync(["upsert", &mirror])
        .run()
        .failure(&["does not hold every row", "snapshot"]);
    assert_eq!(rows(), "2000");
    assert_eq!(bed.target().value("SELECT MAX(V) FROM dbo.N"), "2000");
    sync(["upsert", "upsert"]).run().success();
    assert_eq!(bed.target().value("SELECT MAX(V) FROM dbo.N"), "5010");
}

#[test]
fn a_detector_that_leaves_rows_out_does_not_read_everything() {
    let bed = Bed::new();
    numbers(&bed);
    let incremental = "cursor.seen.some ? EXPORTS_CHANGE_DETECTION_COVERAGE_INCREMENTAL\n                                     : EXPORTS_CHANGE_DETECTION_COVERAGE_FULL";
    let changes = [(incremental, "EXPORTS_CHANGE_DETECTION_COVERAGE_FULL")];
    let detector = component(&bed, "change-detector", &changes);
    let sync = |missing: &str| {
        bed.sync("dbo.N", "demo.n")
            .args(["--strategy", &detector.display().to_string()])
            .args(["--strategy-option", "column=V", "--merge", "upsert"])
            .args(["--merge-option", &format!("delete-missing={missing}")])
            .run()
    };
    sync("true").success();
    change(&bed);
    sync("true").failure(&[
        "says that it reads every row of",
        "its filter may leave rows out",
        "hint",
        "delete-missing=false",
    ]);
    sync("false").success();
    let lake = icehost_tests::Dump::agreed(&bed.lake("demo.n"), None);
    bed.source_dump("dbo.N")
        .assert_equals(&lake, "source", "lake");
}

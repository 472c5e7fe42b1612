//! The keys of what changed, within the memory limit: a delta of any size is merged by them.

use icehost_tests::{Bed, Command};
use serde_json::Value;

const ROWS: u32 = 300_000;
const LIMIT: u64 = 64;
const MIB: u64 = 1 << 20;

/// Keys in no order and far apart: none stands for its neighbours.
fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.K (Id bigint NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.K SELECT CAST(value AS bigint) * 1000003 % 9999999967, 1, '2026-01-01'
         FROM GENERATE_SERIES(1, {ROWS})"
    ));
    bed
}

/// The report of a run that succeeds. What it did is compared once, after the last one: that takes as long as all others.
fn report(command: &Command) -> Value {
    let run = command.clone().args(["--output", "json"]).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.json()
}

#[test]
fn keys_of_a_large_delta_keep_the_memory_limit_and_leave_nothing_behind() {
    let bed = bed();
    let limit = format!("{LIMIT}MiB");
    let sync = |strategy: &str| {
        bed.sync("dbo.K", &format!("demo.{strategy}"))
            .args(["--strategy", strategy, "--merge", "upsert"])
            .args(["--memory-limit", &limit])
    };
    report(&sync("timestamp"));
    bed.source()
        .execute("UPDATE dbo.K SET V = 2, Modified = '2026-01-02'");
    let file = tempfile::NamedTempFile::new().unwrap();
    let counted = file.path().to_str().unwrap();
    let counting = sync("timestamp").env("ICEHOST_TEST_COUNT_ALLOCATIONS", counted);
    let second = report(&counting);
    assert_eq!(second["rows_removed"], ROWS, "{second}");
    let text = std::fs::read_to_string(file.path()).unwrap();
    let peak: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(peak < LIMIT * MIB * 3 / 4, "{} MiB of heap", peak / MIB);

    // A complete read takes out what is gone, by the same keys.
    let complete = || sync("full-refresh").args(["--merge-option", "delete-missing=true"]);
    report(&complete());
    bed.source()
        .execute("DELETE FROM dbo.K WHERE Id % 1000 = 8");
    let there = bed.source().value("SELECT COUNT(*) FROM dbo.K");
    let there: u32 = there.parse().unwrap();
    assert!(there + 100 < ROWS);
    // Each row that is there takes the place of itself.
    let last = complete();
    let counts = report(&last);
    assert_eq!(counts["rows_removed"], ROWS, "{counts}");
    assert_eq!(counts["rows_appended"], there, "{counts}");
    last.run().success();
    let known = ["parquet", "avro", "json", "text"];
    for file in icehost_tests::below(&bed.lake("demo.full-refresh")) {
        let kind = file.extension().and_then(|kind| kind.to_str());
        assert!(
            kind.is_some_and(|kind| known.contains(&kind)),
            "{}",
            file.display()
        );
    }
}

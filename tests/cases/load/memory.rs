//! What a delivery remembers of rows and keys, within the memory limit: changes of any size are told.

use icehost_tests::{Bed, Command, Run};
use serde_json::Value;

const ROWS: u32 = 300_000;
const LIMIT: u64 = 64;
const MIB: u64 = 1 << 20;

/// Keys in no order and far apart: none stands for its neighbours.
fn bed(key: &str) -> Bed {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.K (Id {key} NOT NULL PRIMARY KEY, N int NOT NULL, V int NOT NULL);
         INSERT INTO dbo.K SELECT CAST(value AS bigint) * 1000003 % 9999999967, value, 1 FROM GENERATE_SERIES(1, {ROWS})"
    ));
    bed
}

/// What was done is compared once, after the last run: that takes as long as all others.
fn as_json(command: &Command) -> Command {
    command.clone().args(["--output", "json"])
}

fn reported(run: &Run) -> Value {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    run.json()
}

fn report(command: &Command) -> Value {
    reported(&as_json(command).run())
}

fn complete(bed: &Bed) {
    let sync = bed.sync("dbo.K", "demo.k");
    report(
        &sync
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
            .args(["--memory-limit", &format!("{LIMIT}MiB")]),
    );
}

/// The report, and the most bytes that were in use at once.
fn counted(command: &Command) -> (Value, u64) {
    let (run, peak) = as_json(command).counted();
    (reported(&run), peak)
}

/// Three complete reads write every row again, which is no change; between them rows change and go.
fn delivered(key: &str) {
    let bed = bed(key);
    complete(&bed);
    let load = |table: &str| bed.load("demo.k", table).args(["--merge", "upsert"]);
    let limited = load("dbo.K").args(["--memory-limit", &format!("{LIMIT}MiB")]);
    report(&limited.clone().arg("--create-target"));
    report(&load("dbo.Free").arg("--create-target"));
    bed.source().execute("DELETE FROM dbo.K WHERE N % 3 = 0");
    complete(&bed);
    bed.source()
        .execute("UPDATE dbo.K SET V = 2 WHERE N % 3 = 1");
    complete(&bed);
    let (delivered, peak) = counted(&limited);
    assert_eq!(delivered["rows_deleted"], ROWS / 3, "{delivered}");
    assert_eq!(delivered["rows_updated"], ROWS / 3, "{delivered}");
    assert_eq!(delivered["rows_inserted"], 0, "{delivered}");
    assert!(peak < LIMIT * MIB * 3 / 4, "{} MiB of heap", peak / MIB);
    // A limit that is kept because there is little to remember would prove nothing.
    let (_, free) = counted(&load("dbo.Free"));
    assert!(free > peak + 16 * MIB, "{free} {peak}");
    limited.run().success();
    for file in icehost_tests::below(&bed.lake("demo.k")) {
        let kind = file.extension().and_then(|kind| kind.to_str());
        let known = ["parquet", "avro", "json", "text"];
        assert!(
            kind.is_some_and(|kind| known.contains(&kind)),
            "{}",
            file.display()
        );
    }
}

#[test]
fn changes_of_many_scattered_numbers_keep_the_memory_limit() {
    delivered("bigint");
}

/// Of texts under a collation no file can be left out, and every key that is there is compared.
#[test]
fn changes_of_many_texts_keep_the_memory_limit() {
    delivered("varchar(20)");
}

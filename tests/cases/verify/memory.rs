//! What a comparison takes, counted in bytes: numbers that no busy machine changes.

use icehost_tests::{Bed, Command};

use crate::{counts, differs};

const MIB: u64 = 1 << 20;
const ROWS: u64 = 100_000;

const TOLD: [&str; 4] = ["--strategy", "timestamp", "--merge", "upsert"];

fn told(bed: &Bed, command: Command) -> Command {
    command.args(TOLD).args(["--target", &bed.target_url()])
}

/// The most bytes that were in use at once.
fn peak(bed: &Bed, limit: u64, agree: bool) -> u64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    let counted = file.path().to_str().unwrap();
    let verify = told(bed, bed.verify("dbo.T", "demo.t"))
        .args(["--memory-limit", &format!("{limit}MiB")])
        .env("ICEHOST_TEST_COUNT_ALLOCATIONS", counted);
    match agree {
        true => {
            verify.run().success();
        }
        false => {
            let report = differs(verify);
            assert_eq!(
                counts(&report, "target", "wrong"),
                format!("{ROWS} changed")
            );
        }
    }
    let text = std::fs::read_to_string(file.path()).unwrap();
    let (_, peak) = text.split_once(' ').unwrap();
    peak.parse().unwrap()
}

/// Keys of text, which no server adds up, and not one row that agrees.
#[test]
fn a_comparison_keeps_the_memory_limit_however_much_differs() {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T (Code nvarchar(40) NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T SELECT CONCAT(N'number ', value), value, DATEADD(second, value, '2026-01-01')
         FROM GENERATE_SERIES(1, {ROWS})"
    ));
    told(&bed, bed.sync("dbo.T", "demo.t"))
        .arg("--create-target")
        .json();
    let equal = peak(&bed, 70, true);
    bed.target().execute("UPDATE dbo.T SET V = V + 1");
    let peaks = [70, 104].map(|limit| {
        let peak = peak(&bed, limit, false);
        assert!(
            peak < limit * MIB * 3 / 4,
            "{} MiB of heap with a limit of {limit} MiB",
            peak / MIB
        );
        peak
    });
    // A limit that is kept because there is little to hold would prove nothing.
    assert!(
        equal + 4 * MIB < peaks[0] && peaks[0] < peaks[1],
        "{equal} {peaks:?}"
    );
}

/// Rows that nothing tells apart fall into one bucket, however many they are.
#[test]
fn rows_that_are_the_same_are_counted_and_not_remembered_each() {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T (V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T SELECT 1, '2026-01-01' FROM GENERATE_SERIES(1, {ROWS})"
    ));
    let told = |command: Command| {
        let target = bed.target_url();
        command
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .args(["--target", &target])
    };
    told(bed.sync("dbo.T", "demo.t"))
        .arg("--create-target")
        .json();
    let counted = |differ: bool| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let verify = told(bed.verify("dbo.T", "demo.t"))
            .args(["--memory-limit", "48MiB"])
            .env(
                "ICEHOST_TEST_COUNT_ALLOCATIONS",
                file.path().to_str().unwrap(),
            );
        match differ {
            false => assert_eq!(verify.json()["target"]["rows_read_again"], 0),
            true => {
                let report = differs(verify);
                assert_eq!(counts(&report, "target", "wrong"), "1 repeated");
                assert_eq!(report["target"]["rows_read_again"], 2 * ROWS + 1);
            }
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        let (_, peak) = text.split_once(' ').unwrap();
        peak.parse::<u64>().unwrap()
    };
    let equal = counted(false);
    bed.target()
        .execute("INSERT INTO dbo.T VALUES (1, '2026-01-01')");
    let differing = counted(true);
    // Remembered each, they would take 20 MiB; what is read of the target takes some.
    assert!(differing < equal + 10 * MIB, "{equal} {differing}");
}

//! 200,000 rows, by the bulk path, in memory that does not grow with them.

use std::fs;
use std::time::Duration;

use icehost_tests::{Bed, Run};

/// Runs a command and gives its report and its peak resident memory in MiB.
fn run_measured(command: icehost_tests::Command) -> (serde_json::Value, u64) {
    let child = command.args(["--output", "json"]).spawn();
    let status = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        // VmHWM only rises; the last reading before the process ends is the peak, give or take 5 ms.
        while let Ok(text) = fs::read_to_string(&status) {
            let reading = text
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))
                .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
            match reading {
                Some(kib) => peak = kib / 1024,
                None => break,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        peak
    });
    let run = Run::of("sync".to_owned(), child).success();
    (run.json(), watch.join().unwrap())
}

fn sync_rows(rows: u32) -> u64 {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.Wide (Id int NOT NULL PRIMARY KEY, Name nvarchar(200) NOT NULL, Price decimal(18,4) NOT NULL,
            Ratio float NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.Wide
         SELECT value, CONCAT(REPLICATE(N'x', 150), value), CAST(value AS decimal(18,4)) / 7, value / 3.0,
                DATEADD(second, value, '2026-01-01')
         FROM GENERATE_SERIES(1, {rows})"
    ));
    let (report, peak) = run_measured(bed.sync_to_target("dbo.Wide", "demo.wide").args([
        "--create-target",
        "--batch-size",
        "2",
    ]));
    assert_eq!(report["rows_extracted"], rows);
    assert_eq!(report["rows_inserted"], rows);
    let sums = "SELECT CONCAT(COUNT(*), ' ', SUM(CAST(Id AS bigint)), ' ', SUM(Price), ' ', MAX(Name)) FROM dbo.Wide";
    assert_eq!(bed.source().value(sums), bed.target().value(sums));
    if std::env::var_os("ICEHOST_TEST_SQLSERVER").is_none() {
        let bulk: u64 = bed
            .server()
            .statistics()
            .bulk_loads()
            .iter()
            .map(|load| load.rows)
            .sum();
        assert_eq!(bulk, u64::from(rows), "rows are staged by bulk load");
    }
    peak
}

#[test]
fn memory_does_not_grow_with_the_table() {
    let small = sync_rows(50_000);
    let large = sync_rows(200_000);
    assert!(
        large < small + small / 4 + 16,
        "peak memory grew from {small} MiB at 50,000 rows to {large} MiB at 200,000"
    );
}

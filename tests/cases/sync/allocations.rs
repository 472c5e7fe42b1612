//! What rows cost, counted in allocations and bytes: numbers that no busy machine changes.

use icehost_tests::{Bed, Command};

/// Rows by which the two runs differ.
const MORE_ROWS: u32 = 40_000;
/// Allocations for a thousand rows of six columns on their way from the wire into a Parquet file, and a tenth
/// more: 1,030, of which the Parquet writer makes 1,000, one for each `uniqueidentifier`. Raise it only for a
/// reason that is worth it.
const MOST_FOR_A_THOUSAND_ROWS: f64 = 1130.0;

const MIB: u64 = 1 << 20;

struct Heap {
    allocations: u64,
    /// The most bytes that were in use at once.
    peak: u64,
}

/// Syncs a table and tells what its heap was.
fn heap(bed: &Bed, table: &str, arguments: &[&str], rows: u32) -> Heap {
    let file = tempfile::NamedTempFile::new().unwrap();
    let command: Command = bed
        .sync(table, "demo.counted")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(arguments.iter().copied())
        .env(
            "ICEHOST_TEST_COUNT_ALLOCATIONS",
            file.path().to_str().unwrap(),
        );
    assert_eq!(command.json()["rows_extracted"], rows);
    let text = std::fs::read_to_string(file.path()).unwrap();
    let (allocations, peak) = text.split_once(' ').unwrap();
    Heap {
        allocations: allocations.parse().unwrap(),
        peak: peak.parse().unwrap(),
    }
}

fn allocations(rows: u32) -> u64 {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.Counted (Id int NOT NULL PRIMARY KEY, Name nvarchar(200) NOT NULL, City nvarchar(50) NULL,
            Code uniqueidentifier NOT NULL, Price decimal(18,4) NOT NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.Counted
         SELECT value, CONCAT(N'customer name ', value), CASE WHEN value % 5 = 0 THEN NULL ELSE N'some city' END,
                CAST(CONCAT('00000000-0000-0000-0000-', RIGHT(CONCAT('000000000000', value), 12)) AS uniqueidentifier),
                CAST(value AS decimal(18,4)) / 7, DATEADD(second, value, '2026-01-01')
         FROM GENERATE_SERIES(1, {rows})"
    ));
    heap(&bed, "dbo.Counted", &[], rows).allocations
}

#[test]
fn rows_cost_no_more_allocations_than_they_did() {
    let few = allocations(10_000);
    let many = allocations(10_000 + MORE_ROWS);
    let each_thousand = many.saturating_sub(few) as f64 * 1000.0 / f64::from(MORE_ROWS);
    assert!(
        each_thousand <= MOST_FOR_A_THOUSAND_ROWS,
        "{each_thousand:.1} allocations for a thousand rows ({few} at 10,000 rows, {many} at {})",
        10_000 + MORE_ROWS
    );
}

/// Forty columns of distinct values, which fill dictionaries and pages, and compress badly.
fn wide(rows: u32) -> Bed {
    let bed = Bed::new();
    let columns: String = (0..40).map(|n| format!(", C{n} bigint")).collect();
    let values: String = (0..40)
        .map(|n| format!(", CAST(value AS bigint) * 1000003 * {n} % 9999991"))
        .collect();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.Wide (Id int NOT NULL PRIMARY KEY, Modified datetime2 NOT NULL{columns});
         INSERT INTO dbo.Wide SELECT value, DATEADD(second, value, '2026-01-01'){values}
         FROM GENERATE_SERIES(1, {rows})"
    ));
    bed
}

#[test]
fn a_memory_limit_is_kept() {
    let rows = 60_000;
    let limits = [(70, "1"), (104, "1"), (232, "2")];
    let peaks: Vec<u64> = limits
        .map(|(limit, parallel)| {
            let limit = format!("{limit}MiB");
            let arguments = ["--memory-limit", limit.as_str(), "--parallel", parallel];
            heap(&wide(rows), "dbo.Wide", &arguments, rows).peak
        })
        .to_vec();
    for ((limit, parallel), peak) in limits.iter().zip(&peaks) {
        assert!(
            *peak < limit * MIB * 3 / 4,
            "{} MiB of heap with a limit of {limit} MiB and {parallel} connections",
            peak / MIB
        );
    }
    // A limit that is kept because there is little to hold would prove nothing.
    assert!(peaks[0] + 8 * MIB < peaks[1], "{peaks:?}");
}

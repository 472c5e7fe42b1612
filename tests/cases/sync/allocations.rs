//! What a row costs, counted in allocations: a number that no busy machine changes.

use icehost_tests::{Bed, Command};

/// Rows by which the two runs differ.
const MORE_ROWS: u32 = 40_000;
/// Allocations for a thousand rows of six columns on their way from the wire into a Parquet file, and a tenth
/// more: 1,030, of which the Parquet writer makes 1,000, one for each `uniqueidentifier`. Raise it only for a
/// reason that is worth it.
const MOST_FOR_A_THOUSAND_ROWS: f64 = 1130.0;

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
    let file = tempfile::NamedTempFile::new().unwrap();
    let command: Command = bed
        .sync("dbo.Counted", "demo.counted")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .env(
            "ICEHOST_TEST_COUNT_ALLOCATIONS",
            file.path().to_str().unwrap(),
        );
    assert_eq!(command.json()["rows_extracted"], rows);
    let text = std::fs::read_to_string(file.path()).unwrap();
    text.parse().unwrap()
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

//! The row of a target's position is put back to an earlier one, as by a backup of that table alone.

use icehost_tests::{Bed, Command};

fn bed(strategy: &str) -> Bed {
    let bed = Bed::new();
    let columns = "Id int NOT NULL, N nvarchar(9) NULL, M datetime2(3) NOT NULL";
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T ({columns}, PRIMARY KEY (Id));
         INSERT INTO dbo.T VALUES (1, N'a', '2026-01-01'), (2, NULL, '2026-01-02')"
    ));
    bed.target()
        .execute(&format!("CREATE TABLE dbo.T ({columns})"));
    sync(&bed, strategy).json();
    bed.target()
        .execute("SELECT * INTO dbo.kept FROM dbo.icehost_positions");
    bed
}

fn sync(bed: &Bed, strategy: &str) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", strategy, "--lake-merge", "upsert"])
        .args(["--merge", "append-only", "--target", &bed.target_url()])
}

fn set_back(bed: &Bed) {
    bed.target().execute(
        "DELETE FROM dbo.icehost_positions;
         INSERT INTO dbo.icehost_positions SELECT * FROM dbo.kept",
    );
}

fn ids(bed: &Bed) -> Vec<Vec<String>> {
    bed.target().rows("SELECT Id FROM dbo.T ORDER BY Id")
}

const REFUSED: &[&str] = &[
    "has more rows than its position tells of, and some that would be added are there already",
    "hint: ",
    "`icehost load --full`",
    "`icehost load --trust-position`",
];

#[test]
fn rows_that_are_there_are_not_added_after_an_earlier_position() {
    for strategy in ["full-refresh", "timestamp"] {
        let bed = bed(strategy);
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (3, NULL, '2026-03-01')");
        sync(&bed, strategy).json();
        set_back(&bed);
        let verify = bed
            .verify("dbo.T", "demo.t")
            .args(["--strategy", strategy, "--lake-merge", "upsert"])
            .args(["--merge", "append-only", "--target", &bed.target_url()])
            .run();
        assert_ne!(verify.code, Some(0), "{}", verify.stdout);
        let said = format!("{}{}", verify.stdout, verify.stderr);
        assert!(said.contains(REFUSED[0]), "{said}");
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (4, N'd', '2026-03-02')");
        sync(&bed, strategy).run().failure(REFUSED);
        assert_eq!(ids(&bed), [["1"], ["2"], ["3"]]);
        // The way that the hint names.
        bed.target().execute("TRUNCATE TABLE dbo.T");
        bed.load("demo.t", "dbo.T")
            .args(["--merge", "append-only", "--full"])
            .json();
        assert_eq!(ids(&bed), [["1"], ["2"], ["3"], ["4"]]);
        sync(&bed, strategy).json();
    }
}

#[test]
fn rows_that_somebody_else_adds_stop_nothing() {
    let bed = bed("timestamp");
    bed.target()
        .execute("INSERT INTO dbo.T VALUES (70, N'own', '2026-03-01'), (71, NULL, '2026-03-01')");
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (3, N'c', '2026-03-01')");
    sync(&bed, "timestamp").json();
    assert_eq!(ids(&bed).len(), 5);
}

/// Which lake table has brought a row, no count tells.
#[test]
fn a_position_that_was_put_back_behind_another_lake_table_is_not_noticed() {
    let bed = bed("timestamp");
    bed.source().execute(
        "INSERT INTO dbo.T VALUES (3, NULL, '2026-03-01');
         CREATE TABLE dbo.U (Id int NOT NULL PRIMARY KEY, N nvarchar(9) NULL, M datetime2(3) NOT NULL);
         INSERT INTO dbo.U VALUES (9, NULL, '2026-03-01')",
    );
    sync(&bed, "timestamp").json();
    bed.sync("dbo.U", "demo.u")
        .args(["--strategy", "timestamp", "--lake-merge", "upsert"])
        .args(["--merge", "append-only", "--target", &bed.target_url()])
        .args(["--target-table", "dbo.T"])
        .json();
    bed.target().execute(
        "DELETE FROM dbo.icehost_positions WHERE lake_table = 'demo.t';
         INSERT INTO dbo.icehost_positions SELECT * FROM dbo.kept",
    );
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (4, N'd', '2026-03-02')");
    sync(&bed, "timestamp").json();
    assert_eq!(ids(&bed), [["1"], ["2"], ["3"], ["3"], ["4"], ["9"]]);
}

//! `scd2`: the target keeps every version of a row.

use icehost_tests::{Bed, Client, Command};

/// Prices in the source, and their history in the target, whose key is its own.
fn prices() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Prices (Code varchar(10) NOT NULL PRIMARY KEY, Price decimal(9,2) NULL, ModifiedDate datetime2(3) NOT NULL);
         INSERT INTO dbo.Prices VALUES ('apple', 1, '2026-01-01'), ('pear', NULL, '2026-01-02'), ('plum', 3, '2026-01-03')",
    );
    bed.target().execute(
        "CREATE TABLE dbo.Prices (PriceId int IDENTITY(1,1) NOT NULL PRIMARY KEY, Code varchar(10) NOT NULL, Price decimal(9,2) NULL,
            ModifiedDate datetime2(3) NOT NULL, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL, IsCurrent bit NOT NULL)",
    );
    bed
}

/// The whole table each time, with deletes.
fn sync(bed: &Bed) -> Command {
    bed.sync("dbo.Prices", "demo.prices")
        .args(["--strategy", "full-refresh", "--lake-merge", "upsert"])
        .args(["--lake-merge-option", "delete-missing=true"])
        .args(["--merge", "scd2", "--target", &bed.target_url()])
        .args(["--retries", "0"])
}

/// Rows inserted and updated in the target.
fn counts(run: &serde_json::Value) -> (i64, i64) {
    assert_eq!(run["rows_deleted"], 0);
    let count = |name: &str| run[name].as_i64().unwrap();
    (count("rows_inserted"), count("rows_updated"))
}

/// What the source goes through, a step before each run.
const STEPS: [&str; 5] = [
    // A price changes, one comes, one is gone.
    "UPDATE dbo.Prices SET Price = 2, ModifiedDate = '2026-02-01' WHERE Code = 'apple';
     INSERT INTO dbo.Prices VALUES ('quince', 9, '2026-02-01'); DELETE FROM dbo.Prices WHERE Code = 'plum'",
    // Nothing changes, but one row is written again.
    "UPDATE dbo.Prices SET Price = 2 WHERE Code = 'apple'",
    // From NULL and to NULL.
    "UPDATE dbo.Prices SET Price = 5, ModifiedDate = '2026-02-02' WHERE Code = 'pear';
     UPDATE dbo.Prices SET Price = NULL, ModifiedDate = '2026-02-02' WHERE Code = 'quince'",
    // What was gone comes again, as it was.
    "INSERT INTO dbo.Prices VALUES ('plum', 3, '2026-01-03')",
    "UPDATE dbo.Prices SET Price = 6, ModifiedDate = '2026-02-03' WHERE Code IN ('pear', 'plum');
     DELETE FROM dbo.Prices WHERE Code = 'apple'",
];

/// No two versions of a row counted at one moment, one of each row that is there is the current one and like it, and
/// rows that are gone have none.
#[track_caller]
fn assert_sound(bed: &Bed, open: &str) {
    let mut target = bed.target();
    let overlapping = target.rows(
        "SELECT A.Code, A.PriceId, B.PriceId FROM dbo.Prices A INNER JOIN dbo.Prices B ON A.Code = B.Code AND A.PriceId < B.PriceId
         WHERE A.ValidFrom < COALESCE(B.ValidTo, '9999-12-31') AND B.ValidFrom < COALESCE(A.ValidTo, '9999-12-31')",
    );
    assert_eq!(overlapping, Vec::<Vec<String>>::new());
    let reversed = "SELECT COUNT(*) FROM dbo.Prices WHERE ValidTo <= ValidFrom";
    assert_eq!(target.value(reversed), "0");
    let mismarked = format!(
        "SELECT COUNT(*) FROM dbo.Prices WHERE (IsCurrent = 1 AND NOT ({open})) OR (IsCurrent = 0 AND {open})"
    );
    assert_eq!(target.value(&mismarked), "0");
    let columns = "SELECT Code, Price, CONVERT(nvarchar(30), ModifiedDate, 126) FROM dbo.Prices";
    let there = bed.source().rows(&format!("{columns} ORDER BY Code"));
    let current = target.rows(&format!("{columns} WHERE {open} ORDER BY Code"));
    assert_eq!(there, current);
}

/// Every version in the order of its arrival: what it says, and whether it is current.
fn versions(target: &mut Client) -> Vec<String> {
    let rows = target.rows("SELECT Code, Price, IsCurrent FROM dbo.Prices ORDER BY Code, PriceId");
    rows.iter().map(|row| row.join(" ")).collect()
}

#[test]
fn every_version_is_kept_with_the_time_in_which_it_counted() {
    let bed = prices();
    assert_eq!(counts(&sync(&bed).json()), (3, 0));
    assert_sound(&bed, "ValidTo IS NULL");
    for (step, wanted) in STEPS.iter().zip([(2, 2), (0, 0), (2, 2), (1, 0), (2, 3)]) {
        bed.source().execute(step);
        assert_eq!(counts(&sync(&bed).json()), wanted, "{step}");
        assert_sound(&bed, "ValidTo IS NULL");
        // Again, with nothing changed
        assert_eq!(counts(&sync(&bed).json()), (0, 0), "{step}");
    }
    assert_eq!(
        versions(&mut bed.target()),
        [
            "apple 1.00 false",
            "apple 2.00 false",
            "pear NULL false",
            "pear 5.00 false",
            "pear 6.00 true",
            "plum 3.00 false",
            "plum 3.00 false",
            "plum 6.00 true",
            "quince 9.00 false",
            "quince NULL true",
        ]
    );
    // Everything once more begins no version, and closes what the lake does not have. The three current versions are
    // written as their texts are spelled now, which the server would not tell from other spellings.
    let load = |option: &str| {
        bed.load("demo.prices", "dbo.Prices")
            .args(["--merge", "scd2", "--full", "--merge-option", option])
            .json()
    };
    assert_eq!(counts(&load("close-missing=true")), (0, 3));
    bed.target()
        .execute("INSERT INTO dbo.Prices VALUES ('stray', 1, '2026-01-01', '2026-01-01', NULL, 1)");
    assert_eq!(counts(&load("close-missing=false")), (0, 4));
    assert_eq!(counts(&load("close-missing=true")), (0, 3));
    bed.target().execute(
        "INSERT INTO dbo.Prices VALUES ('stray 2', 1, '2026-01-01', '2026-01-02', NULL, 1)",
    );
    assert_eq!(counts(&load("close-missing=true")), (0, 4));
    assert_sound(&bed, "ValidTo IS NULL");
}

#[test]
fn a_run_that_is_killed_and_repeated_is_like_one_that_was_not() {
    let through = |place: Option<&str>| {
        let bed = prices();
        sync(&bed).json();
        for step in [STEPS[0], STEPS[3], STEPS[4]] {
            bed.source().execute(step);
            if let Some(place) = place {
                let run = sync(&bed).failpoint(place, "return(crash)").run();
                assert_eq!(run.code, None, "{place}\n{}", run.stderr);
            }
            sync(&bed).json();
            assert_sound(&bed, "ValidTo IS NULL");
        }
        versions(&mut bed.target())
    };
    let wanted = through(None);
    assert_eq!(wanted.len(), 8);
    for place in [
        "lake::after-metadata-link",
        "sync::while-loading",
        "sqlserver::after-stage",
        "sqlserver::before-merge",
        "sqlserver::after-merge",
        "sqlserver::before-commit",
        "sqlserver::after-commit",
    ] {
        assert_eq!(through(Some(place)), wanted, "{place}");
    }
}

#[test]
fn versions_can_begin_when_the_source_says_and_last_to_the_end_of_time() {
    let bed = prices();
    let sync = || {
        let run = bed
            .sync("dbo.Prices", "demo.prices")
            .args(["--strategy", "timestamp", "--lake-merge", "upsert"])
            .args(["--strategy-option", "lookback-seconds=100000000"])
            .args(["--merge", "scd2", "--target", &bed.target_url()])
            .args(["--merge-option", "from=ModifiedDate"])
            .args(["--merge-option", "end-of-time=9999-12-31"])
            .json();
        assert_sound(&bed, "ValidTo = '9999-12-31'");
        counts(&run)
    };
    assert_eq!(sync(), (3, 0));
    for (step, wanted) in [
        (
            "UPDATE dbo.Prices SET Price = 2, ModifiedDate = '2026-02-01' WHERE Code = 'apple'",
            (1, 1),
        ),
        // Touched: the price is what counts.
        (
            "UPDATE dbo.Prices SET ModifiedDate = '2026-02-02' WHERE Code = 'pear'",
            (0, 1),
        ),
        // Late: it corrects the current version.
        (
            "UPDATE dbo.Prices SET Price = 8, ModifiedDate = '2026-01-15' WHERE Code = 'apple'",
            (0, 1),
        ),
    ] {
        bed.source().execute(step);
        assert_eq!(sync(), wanted, "{step}");
    }
    let found = bed.target().rows(
        "SELECT Code, Price, CONVERT(nvarchar(10), ValidFrom, 126), CONVERT(nvarchar(10), ValidTo, 126)
         FROM dbo.Prices ORDER BY Code, ValidFrom",
    );
    assert_eq!(
        found,
        [
            ["apple", "1.00", "2026-01-01", "2026-02-01"],
            ["apple", "8.00", "2026-02-01", "9999-12-31"],
            ["pear", "NULL", "2026-01-02", "9999-12-31"],
            ["plum", "3.00", "2026-01-03", "9999-12-31"],
        ]
    );
}

#[test]
fn a_table_that_is_no_history_is_refused_with_what_it_lacks() {
    let bed = prices();
    bed.target().execute("DROP TABLE dbo.Prices");
    sync(&bed)
        .arg("--create-target")
        .run()
        .failure(&["no-history-columns", "ValidFrom datetime2(3) NOT NULL"]);
    let tables = "SELECT COUNT(*) FROM sys.tables WHERE name = 'Prices'";
    assert_eq!(bed.target().value(tables), "0");
    bed.target().execute(
        "CREATE TABLE dbo.Prices (Code varchar(10) NOT NULL PRIMARY KEY, Price decimal(9,2) NULL, ModifiedDate datetime2(3) NOT NULL,
            ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL)",
    );
    sync(&bed)
        .run()
        .failure(&["one-version-only", "give it a key of its own"]);
    // Nor is a lake table.
    bed.sync("dbo.Prices", "demo.other")
        .args(["--strategy", "full-refresh", "--merge", "scd2"])
        .run()
        .failure(&["choose another merge for it, such as upsert"]);
}

#[test]
fn a_dry_run_shows_every_statement() {
    let bed = prices();
    sync(&bed).json();
    let preview = sync(&bed).arg("--dry-run").json();
    let statements = preview["merge"]["statements"].as_array().unwrap();
    let all: Vec<&str> = statements.iter().filter_map(|s| s.as_str()).collect();
    assert!(
        all[1].contains("SET [icehost_succession] =")
            && all[2].contains("MERGE [dbo].[Prices]")
            && all[3].contains("INSERT INTO [dbo].[Prices]"),
        "{all:#?}"
    );
}

//! Sources that went back behind what was read of them, and what comes afterwards.

use icehost_tests::{Bed, Command, Dump};

struct Case {
    bed: Bed,
    strategy: &'static [&'static str],
}

impl Case {
    /// Synced once.
    fn new(strategy: &'static [&'static str], statements: &str) -> Case {
        let bed = Bed::new();
        bed.source().execute(statements);
        let case = Case { bed, strategy };
        case.sync().json();
        case
    }

    fn sync(&self) -> Command {
        let sync = self.bed.sync("dbo.T", "demo.t");
        sync.args(self.strategy.iter().copied())
            .args(["--merge", "upsert"])
    }

    fn execute(&self, statements: &str) {
        self.bed.source().execute(statements);
    }

    fn set(&self, mark: &str) {
        let set = self.bed.on_lake(["watermark", "set"], "demo.t");
        set.args(["--mark", mark]).run().success();
    }

    fn assert_equal(&self) {
        let lake = Dump::pyiceberg(&self.bed.lake("demo.t"), None);
        let source = self.bed.source_dump("dbo.T");
        source.assert_equals(&lake, "source", "lake");
    }
}

const TIMESTAMP: &[&str] = &["--strategy", "timestamp"];
const ID: &[&str] = &["--strategy", "id"];

/// As after a restore: the newest change is gone, and what was written since then lies below the mark.
const RESTORED: &str = "UPDATE dbo.T SET M = '2024-01-02T12:00:00' WHERE Id = 3; INSERT INTO dbo.T VALUES (4, '2024-01-01T12:00:00')";
const THREE_ROWS: &str =
    "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL);
     INSERT INTO dbo.T VALUES (1, '2024-01-01'), (2, '2024-01-02'), (3, '2024-01-09')";

#[test]
fn a_source_that_went_back_is_told_until_somebody_says_how_to_go_on() {
    let case = Case::new(TIMESTAMP, THREE_ROWS);
    case.execute(RESTORED);
    case.sync()
        .run()
        .failure(&["largest value of 'M'", "hint", "watermark set"]);
    // Something newer comes, and shows nothing of what is missing below.
    case.execute("INSERT INTO dbo.T VALUES (5, '2024-01-10')");
    let told = [
        "an earlier run of lake table demo.t stopped at",
        "the watermark is still the same",
        "largest value of 'M'",
        "hint",
        "`icehost watermark set` with an earlier mark",
    ];
    for _ in 0..2 {
        case.sync().run().failure(&told);
    }
    case.sync().args(["--dry-run"]).run().failure(&told);
    let verify = case.bed.verify("dbo.T", "demo.t");
    let verify = verify
        .args(TIMESTAMP.iter().copied())
        .args(["--merge", "upsert"]);
    let report: serde_json::Value =
        serde_json::from_str(&verify.args(["--output", "json"]).run().stdout).unwrap();
    let stops = report["next_run_stops"].to_string();
    assert!(stops.contains("an earlier run of lake table"), "{report}");
    case.set("M=timestamp:2024-01-01T00:00:00");
    case.sync().json();
    case.assert_equal();
    assert_eq!(case.sync().json()["snapshot_created"], false);
}

#[test]
fn a_source_that_went_back_goes_on_from_the_same_mark_where_somebody_says_so() {
    let case = Case::new(TIMESTAMP, THREE_ROWS);
    case.execute("DELETE FROM dbo.T WHERE Id = 3; INSERT INTO dbo.T VALUES (4, '2024-01-02')");
    case.sync().run().failure(&["largest value of 'M'"]);
    case.execute(
        "DELETE FROM dbo.T WHERE Id = 4; INSERT INTO dbo.T VALUES (3, '2024-01-09'), (5, '2024-01-10')",
    );
    case.sync().run().failure(&["an earlier run"]);
    case.set("M=timestamp:2024-01-09T00:00:00");
    assert_eq!(case.sync().json()["rows_extracted"], 1);
    case.assert_equal();
}

#[test]
fn numbers_that_started_over_are_told_until_somebody_says_how_to_go_on() {
    let case = Case::new(
        ID,
        "CREATE TABLE dbo.T (Id int IDENTITY NOT NULL PRIMARY KEY, V int);
         INSERT INTO dbo.T (V) VALUES (1), (2), (3)",
    );
    case.execute("TRUNCATE TABLE dbo.T; INSERT INTO dbo.T (V) VALUES (7), (8)");
    case.sync().run().failure(&["largest value of 'Id'"]);
    case.execute("INSERT INTO dbo.T (V) VALUES (9), (10)");
    case.sync()
        .run()
        .failure(&["an earlier run", "largest value of 'Id'", "hint"]);
    let clear = case.bed.on_lake(["watermark", "clear"], "demo.t");
    clear.run().success();
    case.sync().json();
    case.assert_equal();
}

#[test]
fn numbers_that_count_down_are_told_when_the_smallest_is_gone_again() {
    let case = Case::new(
        &[
            "--strategy",
            "id",
            "--strategy-option",
            "lookback-seconds=0",
        ],
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int); INSERT INTO dbo.T VALUES (10, 1), (11, 1)",
    );
    case.execute("INSERT INTO dbo.T VALUES (2, 1), (3, 1)");
    case.sync().run().failure(&["smallest value of 'Id'"]);
    case.execute("DELETE FROM dbo.T WHERE Id = 2; UPDATE dbo.T SET Id = 20 WHERE Id = 3");
    case.sync().run().failure(&["an earlier run", "smallest"]);
    case.set("Id=integer:0");
    case.sync().json();
    case.assert_equal();
}

/// What a strategy says of its settings is right again with other settings.
#[test]
fn a_watermark_of_another_column_is_no_matter_for_later_runs() {
    let case = Case::new(
        TIMESTAMP,
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, ModifiedDate datetime2(3) NOT NULL, Other datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2024-01-01', '2024-01-01')",
    );
    let other = case.sync().args(["--strategy-option", "column=Other"]);
    other.run().failure(&["'ModifiedDate'", "'Other'"]);
    case.execute("INSERT INTO dbo.T VALUES (2, '2024-01-02', '2024-01-02')");
    case.sync().json();
    case.assert_equal();
}

/// Nothing lies below the largest value then that would show it: the rows themselves do.
#[test]
fn a_source_that_went_back_is_told_although_something_newer_came_first() {
    for kind in ["datetime2(3)", "datetime", "date", "datetimeoffset(3)"] {
        let case = Case::new(TIMESTAMP, &THREE_ROWS.replace("datetime2(3)", kind));
        case.execute(
            "UPDATE dbo.T SET M = '2024-01-02' WHERE Id = 3; INSERT INTO dbo.T VALUES (4, '2024-01-01'), (5, '2024-01-10')",
        );
        case.sync().run().failure(&[
            "the newest rows of dbo.T that were read are gone or have earlier values in 'M'",
            "what was 2024-01-09",
            "is 2024-01-02",
            "restored",
            "hint",
            "`icehost watermark set` with an earlier mark",
        ]);
        // What has shown it is gone, too.
        case.execute("UPDATE dbo.T SET M = '2024-01-11' WHERE Id = 3");
        case.sync().run().failure(&["an earlier run", "restored"]);
        let mark = match kind {
            "date" => "M=date:2024-01-01",
            "datetimeoffset(3)" => "M=timestamp-tz:2024-01-01T00:00:00+00:00",
            _ => "M=timestamp:2024-01-01T00:00:00",
        };
        case.set(mark);
        case.sync().json();
        case.assert_equal();
    }
}

#[test]
fn numbers_that_went_back_are_told_although_a_greater_one_came_first() {
    let case = Case::new(
        &["--strategy", "id", "--strategy-option", "column=Seq"],
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Seq bigint NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1), (2, 2), (3, 50000)",
    );
    case.execute(
        "UPDATE dbo.T SET Seq = 3 WHERE Id = 3; INSERT INTO dbo.T VALUES (4, 4), (5, 50001)",
    );
    for told in ["what was 50000 is 3", "an earlier run"] {
        case.sync().run().failure(&[told, "hint"]);
    }
    case.set("Seq=integer:1");
    case.sync().json();
    case.assert_equal();
}

#[test]
fn a_row_whose_value_is_set_back_is_read_by_its_key_while_others_stand() {
    for merge in ["upsert", "append-only"] {
        let bed = Bed::new();
        bed.source().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V int NOT NULL);
             INSERT INTO dbo.T VALUES (1, '2024-01-01', 1), (2, '2024-01-09T00:00:00', 1), (3, '2024-01-09T00:00:30', 1)",
        );
        let sync = || {
            let sync = bed.sync("dbo.T", "demo.t");
            sync.args(TIMESTAMP.iter().copied())
                .args(["--merge", merge])
                .json()
        };
        sync();
        bed.source()
            .execute("UPDATE dbo.T SET M = '2024-01-05', V = 2 WHERE Id = 2");
        assert_eq!(sync()["rows_extracted"], 1, "{merge}");
        assert_eq!(sync()["snapshot_created"], false, "{merge}");
        if merge == "upsert" {
            let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
            let source = bed.source_dump("dbo.T");
            source.assert_equals(&lake, "source", "lake");
        }
    }
}

#[test]
fn a_row_that_was_dated_ahead_of_the_clock_is_read_when_it_is_corrected() {
    for kind in ["datetime2(3)", "datetime", "date", "datetimeoffset(3)"] {
        for merge in ["upsert", "append-only"] {
            let bed = Bed::new();
            bed.source().execute(&format!(
                "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M {kind} NOT NULL);
                 INSERT INTO dbo.T VALUES (1, '2024-01-01'), (2, '9999-12-31'), (3, '9999-12-31')"
            ));
            let sync = || {
                let sync = bed.sync("dbo.T", "demo.t");
                sync.args(TIMESTAMP.iter().copied())
                    .args(["--merge", merge])
            };
            let first = sync().leaves_more("rows ahead of the clock are left to the second run");
            first.json();
            assert_eq!(sync().json()["rows_extracted"], 2);
            bed.source()
                .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05')");
            assert_eq!(sync().json()["rows_extracted"], 1);
            bed.source()
                .execute("UPDATE dbo.T SET M = '2023-06-01' WHERE Id = 2");
            assert_eq!(sync().json()["rows_extracted"], 1, "{kind} {merge}");
            if merge == "upsert" {
                let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
                let source = bed.source_dump("dbo.T");
                source.assert_equals(&lake, "source", "lake");
            }
            assert_eq!(sync().json()["snapshot_created"], false, "{kind} {merge}");
        }
    }
}

/// They are not below what has been read: nothing has started over.
#[test]
fn newest_rows_that_were_moved_ahead_of_the_clock_are_no_sign_of_a_restore() {
    let case = Case::new(TIMESTAMP, THREE_ROWS);
    case.execute("UPDATE dbo.T SET M = '9999-12-31' WHERE Id = 3");
    assert_eq!(case.sync().json()["rows_extracted"], 1);
    case.assert_equal();
    case.execute("INSERT INTO dbo.T VALUES (4, '2024-01-10')");
    assert_eq!(case.sync().json()["rows_extracted"], 1);
    case.assert_equal();
    // One that does lie there is told.
    case.execute(
        "UPDATE dbo.T SET M = '9999-12-31' WHERE Id = 4; INSERT INTO dbo.T VALUES (5, '2024-01-02')",
    );
    case.sync().run().failure(&["largest value of 'M'", "hint"]);
}

#[test]
fn rowversions_that_went_back_are_told_until_somebody_says_how_to_go_on() {
    let case = Case::new(
        &["--strategy", "rowversion"],
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V rowversion);
         INSERT INTO dbo.T (Id) VALUES (1), (2)",
    );
    // The counter of the database is below what was read.
    case.set("below=binary:0x00000000ffffffff");
    case.execute("INSERT INTO dbo.T (Id) VALUES (3)");
    for told in ["have gone back since the last run", "an earlier run"] {
        case.sync().run().failure(&[told, "hint"]);
    }
    case.set("below=binary:0x0000000000000001");
    assert_eq!(case.sync().json()["rows_extracted"], 1);
    case.assert_equal();
}

/// Whoever sets a mark vouches for it: what went back is read by its key.
#[test]
fn a_mark_that_is_set_after_a_source_went_back_is_gone_on_from() {
    let case = Case::new(TIMESTAMP, THREE_ROWS);
    case.execute("UPDATE dbo.T SET M = '2023-01-02' WHERE Id = 3; INSERT INTO dbo.T VALUES (5, '2024-01-10')");
    case.sync().run().failure(&["what was 2024-01-09"]);
    case.set("M=timestamp:2024-01-09T00:00:00");
    assert_eq!(case.sync().json()["rows_extracted"], 2);
    case.assert_equal();
    assert_eq!(case.sync().json()["snapshot_created"], false);
}

//! Columns that are others under their names: dropped and added again. No cursor moves with them.

use icehost_tests::{Bed, Command, Dump};

const TABLE: &str = "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, A int NULL, B int NULL);
     INSERT INTO dbo.T VALUES (1, '2024-01-01', 1, 10), (2, '2024-01-02', 2, 20), (20000, '2024-01-03', 3, 30)";
const AGAIN: &str = "ALTER TABLE dbo.T DROP COLUMN B; ALTER TABLE dbo.T ADD B int NULL";
const BOTH: &str = "ALTER TABLE dbo.T DROP COLUMN A; ALTER TABLE dbo.T DROP COLUMN B; ALTER TABLE dbo.T ADD A int NULL; \
     ALTER TABLE dbo.T ADD B int NULL";

fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(TABLE);
    bed
}

fn sync(bed: &Bed, strategy: &str, merge: &str) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", strategy, "--merge", merge])
}

fn assert_equal(bed: &Bed) {
    let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
    bed.source_dump("dbo.T")
        .assert_equals(&lake, "source", "lake");
}

#[test]
fn a_column_that_was_dropped_and_added_again_is_told_with_a_way_on() {
    for (strategy, change, says) in [
        ("timestamp", AGAIN, "column 'B' of dbo.T is another one"),
        ("id", AGAIN, "column 'B' of dbo.T is another one"),
        ("timestamp", BOTH, "columns 'A', 'B' of dbo.T are others"),
    ] {
        let bed = bed();
        sync(&bed, strategy, "upsert").json();
        for statement in change.split("; ") {
            bed.source().execute(statement);
        }
        for _ in 0..2 {
            sync(&bed, strategy, "upsert").run().failure(&[
                says,
                "up to the watermark",
                "hint",
                "watermark clear",
            ]);
        }
        sync(&bed, strategy, "upsert")
            .arg("--dry-run")
            .run()
            .failure(&[says]);
        bed.on_lake(["watermark", "clear"], "demo.t")
            .run()
            .success();
        assert_eq!(sync(&bed, strategy, "upsert").json()["rows_extracted"], 3);
        assert_equal(&bed);
        assert_eq!(sync(&bed, strategy, "upsert").json()["rows_extracted"], 0);
    }
}

/// A full read brings every row as it is now.
#[test]
fn a_full_read_takes_another_column_as_it_is() {
    let bed = bed();
    sync(&bed, "full-refresh", "upsert").json();
    for statement in AGAIN.split("; ") {
        bed.source().execute(statement);
    }
    sync(&bed, "full-refresh", "upsert").json();
    assert_equal(&bed);
}

#[test]
fn a_column_that_is_not_carried_may_be_another_one() {
    let bed = bed();
    let sync = || sync(&bed, "timestamp", "upsert").args(["--exclude-columns", "B"]);
    sync().json();
    for statement in AGAIN.split("; ") {
        bed.source().execute(statement);
    }
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05', 4, 40)");
    assert_eq!(sync().json()["rows_extracted"], 1);
}

#[test]
fn another_column_goes_on_where_somebody_says_that_it_may() {
    let bed = bed();
    sync(&bed, "timestamp", "upsert").json();
    for statement in [
        "ALTER TABLE dbo.T DROP COLUMN B",
        "ALTER TABLE dbo.T ADD B int NULL",
        "UPDATE dbo.T SET B = CASE Id WHEN 20000 THEN 30 ELSE Id * 10 END",
    ] {
        bed.source().execute(statement);
    }
    sync(&bed, "timestamp", "upsert")
        .run()
        .failure(&["is another one"]);
    bed.on_lake(["watermark", "set"], "demo.t")
        .args(["--mark", "M=timestamp:2024-01-03T00:00:00"])
        .run()
        .success();
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (4, '2024-01-05', 4, 40)");
    assert_eq!(
        sync(&bed, "timestamp", "upsert").json()["rows_extracted"],
        1
    );
    assert_equal(&bed);
    // From now on by the columns that are there.
    assert_eq!(
        sync(&bed, "timestamp", "upsert").json()["rows_extracted"],
        0
    );
}

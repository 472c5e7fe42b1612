//! Transactions that are open while runs read, and that commit in another order than that in which they wrote.

use icehost_tests::{Bed, Client, Command, Dump};

/// Each strategy with each merge that takes what it reads.
const PIPELINES: [(&str, &str); 5] = [
    ("timestamp", "upsert"),
    ("timestamp", "append-only"),
    ("id", "upsert"),
    ("id", "append-only"),
    ("rowversion", "upsert"),
];
/// What lets a run read while others write, both without waiting for them.
const VERSIONS: [&str; 2] = ["ALLOW_SNAPSHOT_ISOLATION", "READ_COMMITTED_SNAPSHOT"];

/// A table whose rows get number, time and version when they are written, on a server whose clock stands still.
fn bed(versions: &str) -> Bed {
    let bed = Bed::on_development_server();
    let database = bed.source_database();
    bed.source().execute(&format!(
        "ALTER DATABASE {database} SET {versions} ON;
         EXEC devserver.clock @stopped = 1;
         CREATE TABLE dbo.T (Id int IDENTITY NOT NULL PRIMARY KEY, Note nvarchar(20) NOT NULL,
            M datetime2(0) NOT NULL DEFAULT SYSUTCDATETIME(), V rowversion)",
    ));
    bed
}

fn sync(bed: &Bed, (strategy, merge): (&str, &str)) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", strategy, "--merge", merge])
}

/// Rows that are new to the lake, and those that it had. Nothing is left to a later run.
fn read(bed: &Bed, pipeline: (&str, &str)) -> (u64, u64) {
    counts(sync(bed, pipeline))
}

/// The same, while a transaction is open that has written before others which are committed: `rowversion` leaves
/// these to a later run.
fn read_beside(bed: &Bed, pipeline: (&str, &str)) -> (u64, u64) {
    let run = sync(bed, pipeline);
    counts(match pipeline.0 {
        "rowversion" => run.leaves_more("what lies above an open transaction"),
        _ => run,
    })
}

fn counts(run: Command) -> (u64, u64) {
    let report = run.json();
    let number = |name: &str| report[name].as_u64().unwrap();
    (number("rows_extracted"), number("rows_read_again"))
}

fn advance(bed: &Bed, seconds: u32) {
    bed.source()
        .execute(&format!("EXEC devserver.clock @advance = {seconds}"));
}

/// A transaction that has written a row and is open.
fn open(bed: &Bed, note: &str) -> Client {
    let mut client = bed.source();
    client.execute(&format!(
        "BEGIN TRANSACTION; INSERT INTO dbo.T (Note) VALUES ('{note}')"
    ));
    client
}

#[track_caller]
fn assert_equal(bed: &Bed, told: &str) {
    let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
    bed.source_dump("dbo.T")
        .assert_equals(&lake, told, "the lake");
}

/// Two transactions write within one tick of the clock, two more a while later, and others between them; they commit
/// in an order of their own, with a run between any two of them.
#[test]
fn transactions_that_commit_in_another_order_lose_nothing() {
    for pipeline in PIPELINES {
        for versions in VERSIONS {
            let told = format!("{pipeline:?} under {versions}");
            let bed = bed(versions);
            let mut source = bed.source();
            source.execute("INSERT INTO dbo.T (Note) VALUES ('first')");
            assert_eq!(read(&bed, pipeline).0, 1, "{told}");
            advance(&bed, 10);
            let (mut one, mut tied) = (open(&bed, "one"), open(&bed, "tied"));
            // Committed before those that have written earlier, within the same tick.
            source.execute("INSERT INTO dbo.T (Note) VALUES ('meanwhile')");
            read_beside(&bed, pipeline);
            advance(&bed, 5);
            let (mut two, mut three) = (open(&bed, "two"), open(&bed, "three"));
            two.execute("COMMIT TRANSACTION");
            read_beside(&bed, pipeline);
            tied.execute("COMMIT TRANSACTION");
            read_beside(&bed, pipeline);
            advance(&bed, 20);
            let mut four = open(&bed, "four");
            three.execute("COMMIT TRANSACTION");
            read_beside(&bed, pipeline);
            advance(&bed, 20);
            one.execute("COMMIT TRANSACTION");
            read(&bed, pipeline);
            four.execute("COMMIT TRANSACTION");
            read(&bed, pipeline);
            assert_equal(&bed, &told);
            let unchanged = sync(&bed, pipeline).json();
            assert_eq!(unchanged["snapshot_created"], false, "{told}");
        }
    }
}

/// With a run each time, a minute after the last one: what is read again is bounded, and what is open across the
/// run is found.
#[test]
fn a_transaction_that_is_open_across_a_run_is_found_by_the_next() {
    for pipeline in PIPELINES {
        let bed = bed(VERSIONS[0]);
        for round in 0..4 {
            let mut across = open(&bed, &format!("across {round}"));
            advance(&bed, 50);
            bed.source().execute(&format!(
                "INSERT INTO dbo.T (Note) VALUES ('before run {round}')"
            ));
            let (_, again) = read_beside(&bed, pipeline);
            assert!(again <= 4, "{pipeline:?}: {again} rows read again");
            advance(&bed, 9);
            across.execute("COMMIT TRANSACTION");
        }
        // `rowversion` has left what was written after it, too.
        let left = if pipeline.0 == "rowversion" { 2 } else { 1 };
        assert_eq!(read(&bed, pipeline).0, left, "{pipeline:?}");
        assert_equal(&bed, &format!("{pipeline:?}"));
    }
}

/// An update gets its time when it is written, too.
#[test]
fn an_update_that_commits_late_is_read_and_replaces_what_was_there() {
    for pipeline in [("timestamp", "upsert"), ("rowversion", "upsert")] {
        let bed = bed(VERSIONS[0]);
        let mut source = bed.source();
        source.execute("INSERT INTO dbo.T (Note) VALUES ('a'), ('b'), ('c')");
        read(&bed, pipeline);
        advance(&bed, 10);
        let mut late = bed.source();
        late.execute(
            "BEGIN TRANSACTION; UPDATE dbo.T SET Note = 'late', M = SYSUTCDATETIME() WHERE Id = 1",
        );
        source.execute("UPDATE dbo.T SET Note = 'quick', M = SYSUTCDATETIME() WHERE Id = 2");
        advance(&bed, 1);
        source.execute("UPDATE dbo.T SET Note = 'later', M = SYSUTCDATETIME() WHERE Id = 3");
        read_beside(&bed, pipeline);
        late.execute("COMMIT TRANSACTION");
        read(&bed, pipeline);
        assert_equal(&bed, &format!("{pipeline:?}"));
    }
}

#[test]
fn a_transaction_that_is_rolled_back_leaves_no_trace() {
    for pipeline in PIPELINES {
        let bed = bed(VERSIONS[0]);
        let mut undone = open(&bed, "undone");
        bed.source()
            .execute("INSERT INTO dbo.T (Note) VALUES ('stays')");
        read_beside(&bed, pipeline);
        undone.execute("ROLLBACK TRANSACTION");
        advance(&bed, 61);
        bed.source()
            .execute("INSERT INTO dbo.T (Note) VALUES ('stays, too')");
        read(&bed, pipeline);
        assert_equal(&bed, &format!("{pipeline:?}"));
    }
}

/// `rowversion` needs no lookback. The others are told how long a transaction may take; where one took longer, the
/// numbers of rows show it, and an earlier mark brings what was missed.
#[test]
fn a_transaction_that_is_longer_than_the_lookback_is_told_and_rowversion_finds_it() {
    for pipeline in [("timestamp", "upsert"), ("rowversion", "upsert")] {
        let bed = bed(VERSIONS[0]);
        let mut source = bed.source();
        source.execute("INSERT INTO dbo.T (Note) VALUES ('first')");
        let begun = source.value("SELECT CONVERT(varchar(19), SYSUTCDATETIME(), 126)");
        read(&bed, pipeline);
        let mut long = open(&bed, "long");
        for note in ["a", "b", "c"] {
            advance(&bed, 61);
            source.execute(&format!("INSERT INTO dbo.T (Note) VALUES ('{note}')"));
            read_beside(&bed, pipeline);
        }
        long.execute("COMMIT TRANSACTION");
        if pipeline.0 == "timestamp" {
            let missed =
                sync(&bed, pipeline).leaves_apart("what came too late, which the run tells");
            let told = missed.json()["warnings"].to_string();
            assert!(told.contains("has 1 row more than"), "{told}");
            assert!(told.contains("watermark set"), "{told}");
            bed.on_lake(["watermark", "set"], "demo.t")
                .args(["--mark", &format!("M=timestamp:{begun}")])
                .run()
                .success();
            assert_eq!(read(&bed, pipeline), (1, 4));
        } else {
            assert_eq!(read(&bed, pipeline).0, 4);
        }
        assert_equal(&bed, &format!("{pipeline:?}"));
    }
}

/// The bound of `rowversion` lies below an open transaction's first number, also where that has written to another
/// table, and a first load in ranges keeps to it.
#[test]
fn rowversion_in_ranges_stops_below_an_open_transaction() {
    for versions in VERSIONS {
        let bed = bed(versions);
        let mut source = bed.source();
        source.execute(
            "CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY, V rowversion);
             INSERT INTO dbo.T (Note) SELECT 'early' FROM GENERATE_SERIES(1, 300)",
        );
        let mut elsewhere = bed.source();
        elsewhere.execute("BEGIN TRANSACTION; INSERT INTO dbo.Other (Id) VALUES (1)");
        let mut within = open(&bed, "within");
        source.execute("INSERT INTO dbo.T (Note) SELECT 'above' FROM GENERATE_SERIES(1, 100)");
        for id in (10..=300).step_by(10) {
            source.execute(&format!("UPDATE dbo.T SET Note = 'moved' WHERE Id = {id}"));
        }
        let load =
            || sync(&bed, ("rowversion", "upsert")).args(["--parallel", "3", "--range-rows", "50"]);
        let first = load().leaves_more("rows above the open transaction are pending");
        let first = first.json();
        assert!(first["ranges"].as_u64() > Some(4), "{first}");
        assert_eq!(first["rows_extracted"], 270, "{versions}: {first}");
        within.execute("COMMIT TRANSACTION");
        let held = load().leaves_more("the other transaction is still open");
        assert_eq!(held.json()["rows_extracted"], 0, "{versions}");
        elsewhere.execute("COMMIT TRANSACTION");
        assert_eq!(load().json()["rows_extracted"], 131, "{versions}");
        assert_equal(&bed, versions);
    }
}

//! What the numbers of rows in source and lake tell of rows that a cursor does not see, and what hides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use icehost_tests::{Bed, Command};
use serde_json::Value;

const TABLE: &str = "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(20) NOT NULL, M datetime2(3) NULL);
     INSERT INTO dbo.T SELECT value, N'n', DATEADD(hour, value, '2024-03-01') FROM GENERATE_SERIES(1, 200)";
const LATE: &str =
    "INSERT INTO dbo.T SELECT value, N'late', '2024-02-01' FROM GENERATE_SERIES(1001, 1010)";
const NEW: &str = "INSERT INTO dbo.T VALUES (2000, N'new', '2024-07-01')";

fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(TABLE);
    bed
}

fn sync(bed: &Bed, options: &[&str]) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(options.iter().copied())
}

fn numbers(report: &Value) -> Vec<String> {
    let warnings = report["warnings"].as_array().cloned().unwrap_or_default();
    let texts = warnings.iter().filter_map(Value::as_str);
    let numbers = texts.filter(|text| text.contains("rows more than"));
    numbers.map(str::to_owned).collect()
}

#[track_caller]
fn assert_told(report: &Value, told: &str) {
    let numbers = numbers(report);
    assert!(
        numbers.len() == 1 && numbers[0].contains(told),
        "{told}: {numbers:?}"
    );
}

#[track_caller]
fn assert_untold(report: &Value) {
    assert_eq!(numbers(report), [""; 0]);
}

fn late(command: Command) -> Value {
    command
        .leaves_apart("what came below the mark is missing, which the run tells")
        .json()
}

#[test]
fn rows_without_a_value_hide_no_row_that_came_late() {
    let every_run = ["--strategy-option", "nulls=every-run"];
    let bed = bed();
    bed.source()
        .execute("INSERT INTO dbo.T SELECT value, N'null', NULL FROM GENERATE_SERIES(501, 510)");
    assert_untold(&sync(&bed, &every_run).json());
    assert_untold(&sync(&bed, &every_run).json());
    bed.source().execute(LATE);
    bed.source().execute(NEW);
    let told = late(sync(&bed, &every_run));
    assert_told(&told, "dbo.T has 10 rows more than");
    // Nor a row that is gone.
    let bed = self::bed();
    bed.source()
        .execute("INSERT INTO dbo.T SELECT value, N'null', NULL FROM GENERATE_SERIES(501, 510)");
    assert_untold(&sync(&bed, &every_run).json());
    bed.source()
        .execute("DELETE FROM dbo.T WHERE Id BETWEEN 11 AND 20");
    bed.source().execute(NEW);
    let told = sync(&bed, &every_run).json();
    assert_told(&told, "has 10 rows more than dbo.T");
}

#[test]
fn rows_ahead_of_the_clock_hide_no_row_that_came_late() {
    let bed = bed();
    bed.source().execute(
        "INSERT INTO dbo.T SELECT value, N'ahead', '9000-01-01' FROM GENERATE_SERIES(501, 510)",
    );
    let first = sync(&bed, &[]).leaves_more("the rows ahead of the clock");
    assert_untold(&first.json());
    bed.source().execute(LATE);
    bed.source().execute(NEW);
    for _ in 0..2 {
        assert_told(&late(sync(&bed, &[])), "dbo.T has 10 rows more than");
    }
}

const MASK: [&str; 4] = ["--transform", "mask", "--transform-option", "columns=Name"];

#[test]
fn a_transformer_that_drops_nothing_hides_nothing() {
    let bed = bed();
    sync(&bed, &MASK).json();
    bed.source().execute(LATE);
    bed.source().execute(NEW);
    let told = late(sync(&bed, &MASK));
    assert_told(&told, "dbo.T has 10 rows more than");

    let bed = self::bed();
    sync(&bed, &MASK).args(["--range-rows", "50"]).json();
    bed.source()
        .execute("DELETE FROM dbo.T WHERE Id BETWEEN 11 AND 20");
    bed.source().execute(NEW);
    let told = sync(&bed, &MASK).json();
    assert_told(&told, "has 10 rows more than dbo.T");
}

/// A lake that lacks rows on purpose is not compared, whichever run has left them out.
#[test]
fn rows_that_a_transformer_has_dropped_are_not_told_as_missing() {
    let filter = [
        "--transform",
        "tenant-filter",
        "--transform-option",
        "column=Id",
        "--transform-option",
        "tenants=1,2,3,4,5,6,7,8,9,2000",
    ];
    for in_ranges in [&[][..], &["--range-rows", "50"]] {
        let bed = bed();
        assert_untold(&sync(&bed, &filter).args(in_ranges.iter().copied()).json());
        bed.source().execute(NEW);
        assert_untold(&sync(&bed, &filter).json());
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (3000, N'other', '2024-08-01')");
        assert_untold(&sync(&bed, &filter).json());
        assert_untold(&sync(&bed, &filter).json());
    }
}

/// Ranges that were read before the load was interrupted have rows that are gone by now.
#[test]
fn rows_that_went_while_a_first_load_was_interrupted_are_told() {
    for (change, commit) in [
        ("DELETE FROM dbo.T WHERE Id < 100", "once"),
        (
            "UPDATE dbo.T SET Id = Id + 1000 WHERE Id < 100",
            "per-range",
        ),
    ] {
        let bed = bed();
        let ranges = ["--range-rows", "50", "--retries", "0", "--commit", commit];
        let crashed = sync(&bed, &ranges)
            .failpoint("sync::range-recorded", "2*off->return(crash)")
            .run();
        assert_eq!(crashed.code, None, "{}", crashed.stderr);
        bed.source().execute(change);
        let resumed = sync(&bed, &ranges).json();
        assert!(resumed["ranges_resumed"].as_u64() >= Some(2), "{resumed}");
        assert_told(&resumed, "has 99 rows more than dbo.T");
        bed.source().execute(NEW);
        assert_untold(&sync(&bed, &[]).json());
        bed.source().execute(
            "DELETE FROM dbo.T WHERE Id = 150; INSERT INTO dbo.T VALUES (2001, N'new', '2024-07-02')",
        );
        assert_told(&sync(&bed, &[]).json(), "has 100 rows more than dbo.T");
    }
}

/// What is added above the bounds of an interrupted load hides what is gone until it is read.
#[test]
fn rows_that_came_while_a_first_load_was_interrupted_hide_none_that_went() {
    let bed = bed();
    let ranges = ["--range-rows", "50", "--retries", "0"];
    let crashed = sync(&bed, &ranges)
        .failpoint("sync::range-recorded", "2*off->return(crash)")
        .run();
    assert_eq!(crashed.code, None, "{}", crashed.stderr);
    bed.source().execute(
        "DELETE FROM dbo.T WHERE Id < 50;
         INSERT INTO dbo.T SELECT value, N'new', '2024-07-01' FROM GENERATE_SERIES(3001, 3080)",
    );
    assert_told(&sync(&bed, &ranges).json(), "has 49 rows more than dbo.T");
}

/// Rows that come between the moment that the source is described and the one that it is read are in the lake, and not
/// in the number that the source had first.
#[test]
fn rows_that_come_while_a_run_reads_are_no_sign_of_deletions() {
    let bed = Arc::new(bed());
    let stop = Arc::new(AtomicBool::new(false));
    let filling = {
        let (bed, stop) = (Arc::clone(&bed), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut source = bed.source();
            for id in 10_000.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                source.execute(&format!(
                    "INSERT INTO dbo.T VALUES ({id}, N'new', SYSUTCDATETIME())"
                ));
            }
        })
    };
    let reports: Vec<Value> = (0..5)
        .map(|_| sync(&bed, &[]).leaves_more("rows come all the time").json())
        .collect();
    stop.store(true, Ordering::Relaxed);
    filling.join().unwrap();
    for report in &reports {
        assert_untold(report);
    }
}

#[test]
fn rows_that_change_put_off_what_came_late_by_one_run() {
    let bed = bed();
    sync(&bed, &[]).json();
    bed.source().execute(LATE);
    let change = |day: u32| {
        bed.source().execute(&format!(
            "UPDATE dbo.T SET M = DATEADD(hour, Id, '2024-07-{day}') WHERE Id <= 20"
        ));
    };
    change(10);
    assert_untold(&late(sync(&bed, &[])));
    for day in [20, 30] {
        change(day);
        assert_told(&late(sync(&bed, &[])), "dbo.T has 10 rows more than");
    }
}

#[test]
fn rows_that_are_passed_over_stand_in_for_others() {
    let skip = ["--strategy-option", "nulls=skip"];
    let bed = bed();
    sync(&bed, &skip).json();
    bed.source().execute(
        "DELETE FROM dbo.T WHERE Id BETWEEN 11 AND 20;
         INSERT INTO dbo.T SELECT value, N'null', NULL FROM GENERATE_SERIES(501, 510)",
    );
    bed.source().execute(NEW);
    assert_untold(&sync(&bed, &skip).json());

    let bed = self::bed();
    sync(&bed, &skip).json();
    bed.source()
        .execute("UPDATE dbo.T SET M = NULL WHERE Id BETWEEN 11 AND 20");
    bed.source().execute(LATE);
    bed.source().execute(NEW);
    assert_untold(&late(sync(&bed, &skip)));
}

//! First runs: two at once, one of which creates the target's table and merges second; and one whose target is of no use.

use std::time::Duration;

use icehost_tests::{Bed, Command, Run, customers};

const ROWS: u32 = 2000;

/// A lake table with rows, and a target database without a table.
fn bed() -> Bed {
    let bed = customers::bed_on_development_server(ROWS);
    bed.target().execute("DROP TABLE dbo.Customers");
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    bed
}

fn load(bed: &Bed, merge: &str) -> Command {
    bed.load("demo.customers", "dbo.Customers")
        .args(["--merge", merge, "--create-target"])
}

fn target_rows(bed: &Bed) -> String {
    bed.target().value("SELECT COUNT(*) FROM dbo.Customers")
}

#[test]
fn the_run_that_created_the_table_does_not_drop_what_another_has_filled() {
    for merge in ["upsert", "append-only"] {
        // Between the look at the position and the load, and between the load and the merge.
        for place in ["sync::before-load", "sqlserver::after-stage"] {
            let bed = bed();
            let first = load(&bed, merge).failpoint(place, "sleep(4000)");
            let child = first.spawn();
            // Until the first run has created it.
            while bed
                .target()
                .value("SELECT COUNT(*) FROM sys.tables WHERE name = 'Customers'")
                == "0"
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            load(&bed, merge).run().success();
            assert_eq!(target_rows(&bed), ROWS.to_string(), "{merge}, {place}");
            Run::of(format!("the first run, {place}"), child).success();
            assert_eq!(target_rows(&bed), ROWS.to_string(), "{merge}, {place}");
            let next = load(&bed, merge).json();
            assert_eq!(next["rows_inserted"], 0, "{merge}, {place}");
        }
    }
}

#[test]
fn a_table_that_a_failed_run_created_goes_again_and_one_with_rows_does_not() {
    let bed = bed();
    let fails = || {
        load(&bed, "upsert")
            .args(["--retries", "0"])
            .failpoint("sqlserver::before-merge", "return")
    };
    fails().run().failure(&["before-merge"]);
    let there = "SELECT COUNT(*) FROM sys.tables WHERE name = 'Customers'";
    assert_eq!(bed.target().value(there), "0");

    // Somebody else puts a row into it meanwhile.
    let child = fails()
        .env(
            "FAILPOINTS",
            "sync::before-load=sleep(4000);sqlserver::before-merge=return",
        )
        .spawn();
    while bed.target().value(there) == "0" {
        std::thread::sleep(Duration::from_millis(20));
    }
    bed.target()
        .execute("INSERT INTO dbo.Customers VALUES (1, N'mine', NULL, 0, '2026-01-01')");
    Run::of("a run that fails".to_owned(), child).failure(&["before-merge"]);
    assert_eq!(target_rows(&bed), "1");
}

#[test]
fn a_target_that_is_of_no_use_is_told_before_a_first_sync_reads() {
    let bed = customers::bed_on_development_server(ROWS);
    bed.target().execute("DROP TABLE dbo.Customers");
    let sync = |target: &str| {
        bed.sync("dbo.Customers", "demo.customers")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--target", target])
    };
    let right = bed.target_url();
    let password = right.replace("T3st", "Wr0ng");
    assert_ne!(password, right);
    sync(&right).run().failure(&[
        "target table dbo.Customers does not exist",
        "--create-target",
    ]);
    sync(&password)
        .run()
        .failure(&["opening target table dbo.Customers", "hint: "]);
    assert!(!bed.warehouse().exists(), "the source was read");

    // A lake that follows its source already does not wait for a target.
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    customers::add(&bed, ROWS + 1, ROWS + 5, "2026-02-01");
    sync(&right)
        .run()
        .failure(&["target table dbo.Customers does not exist"]);
    let next = sync(&right).arg("--create-target").json();
    assert_eq!(next["rows_extracted"], 0, "{next}");
    assert_eq!(next["rows_inserted"], ROWS + 5, "{next}");
}

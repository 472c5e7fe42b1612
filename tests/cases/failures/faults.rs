//! Faults of the server and the network: those that pass are tried again, the others are not.

use icehost_tests::{Bed, Command, Dump, customers};

/// How a delta lands in a table without rows.
const FIRST_LOAD: &str = "INSERT INTO [dbo].[Customers]";

fn sync(bed: &Bed) -> Command {
    bed.sync_to_target("dbo.Customers", "demo.customers")
}

/// Source, lake and target are equal.
#[track_caller]
fn assert_in_step(bed: &Bed) {
    let source = bed.source_dump("dbo.Customers");
    source.assert_equals(
        &Dump::pyiceberg(&bed.lake("demo.customers"), None),
        "source",
        "lake",
    );
    source.assert_equals(&bed.target_dump("dbo.Customers"), "source", "target");
}

#[test]
fn a_lost_connection_is_tried_again() {
    let bed = customers::bed_on_development_server(5000);
    bed.server().faults().drop_connection_after_packets(40);
    let run = sync(&bed).args(["--output", "json"]).run().success();
    assert!(run.stderr.contains("trying again"), "{}", run.stderr);
    assert_eq!(run.json()["rows_inserted"], 5000);
    assert_in_step(&bed);
}

#[test]
fn a_deadlock_victim_is_tried_again() {
    let bed = customers::bed_on_development_server(20);
    for (statement, first) in [(FIRST_LOAD, 21), ("MERGE [dbo].[Customers]", 26)] {
        bed.server().faults().fail_next(statement, 1205);
        let run = sync(&bed).args(["--output", "json"]).run().success();
        assert!(
            run.stderr.contains("1205") || run.stderr.contains("deadlock"),
            "{statement}: {}",
            run.stderr
        );
        assert_in_step(&bed);
        customers::add(&bed, first, first + 4, "2026-02-01");
    }
}

#[test]
fn tries_come_to_an_end() {
    let bed = customers::bed_on_development_server(20);
    bed.server().faults().fail_times(FIRST_LOAD, 1205, 100);
    sync(&bed)
        .args(["--retries", "1"])
        .run()
        .failure(&["attempt 1 of 2", "error"]);
    bed.server().faults().clear();
    sync(&bed).json();
    assert_in_step(&bed);
}

#[test]
fn other_errors_are_not_tried_again() {
    let bed = customers::bed_on_development_server(20);
    bed.server().faults().fail_next(FIRST_LOAD, 229);
    let run = sync(&bed).run().failure(&["229"]);
    assert!(!run.stderr.contains("trying again"), "{}", run.stderr);
    sync(&bed).json();
    assert_in_step(&bed);
}

#[test]
fn a_value_that_the_target_cannot_hold_names_its_place_and_moves_nothing() {
    let bed = customers::bed_on_development_server(5);
    bed.target()
        .execute("ALTER TABLE dbo.Customers ALTER COLUMN Name nvarchar(9) NOT NULL");
    sync(&bed)
        .run()
        .failure(&["dbo.Customers", "Name", "CustomerID", "hint"]);
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "0"
    );
    bed.target()
        .execute("ALTER TABLE dbo.Customers ALTER COLUMN Name nvarchar(100) NOT NULL");
    sync(&bed).json();
    assert_in_step(&bed);
}

#[test]
fn a_created_target_goes_again_when_it_cannot_be_filled() {
    let bed = customers::bed_on_development_server(5);
    bed.target().execute("DROP TABLE dbo.Customers");
    bed.server().faults().fail_next(FIRST_LOAD, 229);
    sync(&bed).arg("--create-target").run().failure(&["229"]);
    assert_eq!(
        bed.target()
            .value("SELECT COUNT(*) FROM sys.tables WHERE name = N'Customers'"),
        "0"
    );
    sync(&bed).arg("--create-target").json();
    assert_in_step(&bed);
}

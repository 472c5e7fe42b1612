//! The lake and the target may take a delta differently.

use icehost_tests::{Dump, customers};

#[test]
fn history_in_the_lake_and_the_latest_in_the_target() {
    let bed = customers::bed(10);
    let sync = || {
        bed.sync_to_target("dbo.Customers", "demo.customers")
            .args(["--lake-merge", "append-only"])
            .json()
    };
    sync();
    customers::change(&bed, 4, "2026-02-01");
    let second = sync();
    assert_eq!(second["rows_appended"], 4);
    assert_eq!(second["rows_removed"], 0);
    assert_eq!(second["rows_updated"], 4);
    assert_eq!(second["rows_inserted"], 0);
    assert_eq!(
        Dump::agreed(&bed.lake("demo.customers"), None).rows.len(),
        14
    );
    bed.source_dump("dbo.Customers").assert_equals(
        &bed.target_dump("dbo.Customers"),
        "source",
        "target",
    );
}

#[test]
fn a_lake_with_several_versions_of_a_key_delivers_the_latest() {
    let bed = customers::bed(10);
    let to_lake = || {
        bed.sync("dbo.Customers", "demo.customers")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .json()
    };
    to_lake();
    for day in ["2026-02-01", "2026-02-02", "2026-02-03"] {
        customers::change(&bed, 5, day);
        to_lake();
    }
    let load = bed
        .load("demo.customers", "dbo.Customers")
        .args(["--merge", "upsert", "--merge-option", "keys=CustomerID"])
        .json();
    assert_eq!(load["rows_inserted"], 10);
    assert_eq!(load["duplicates_removed"], 15);
    bed.source_dump("dbo.Customers").assert_equals(
        &bed.target_dump("dbo.Customers"),
        "source",
        "target",
    );
}

#[test]
fn the_latest_in_the_lake_and_history_in_the_target() {
    let bed = customers::bed(10);
    bed.target().execute(
        "DROP TABLE dbo.Customers;
         CREATE TABLE dbo.Customers (CustomerID int NOT NULL, Name nvarchar(100) NOT NULL,
            Email nvarchar(200) NULL, Balance money NOT NULL, ModifiedDate datetime2(7) NOT NULL)",
    );
    let sync = || {
        bed.sync("dbo.Customers", "demo.customers")
            .args(["--strategy", "timestamp"])
            .args(["--lake-merge", "upsert", "--merge", "append-only"])
            .args(["--target", &bed.target_url()])
            .json()
    };
    assert_eq!(sync()["rows_inserted"], 10);
    customers::change(&bed, 3, "2026-02-01");
    let second = sync();
    assert_eq!(second["rows_removed"], 3);
    assert_eq!(second["rows_inserted"], 3);
    assert_eq!(second["rows_updated"], 0);
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "13"
    );
    bed.source_dump("dbo.Customers").assert_equals(
        &Dump::agreed(&bed.lake("demo.customers"), None),
        "source",
        "lake",
    );
}

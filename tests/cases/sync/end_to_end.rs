//! The whole workflow: 1,000 rows, then 100 more and 25 changed.

use icehost_tests::{Dump, customers};

#[test]
fn a_thousand_rows_then_the_delta() {
    let bed = customers::bed(1000);

    let first = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(first["first_sync"], true);
    assert_eq!(first["rows_extracted"], 1000);
    assert_eq!(first["rows_appended"], 1000);
    assert_eq!(first["rows_removed"], 0);
    assert_eq!(first["rows_inserted"], 1000);
    assert_eq!(first["rows_updated"], 0);
    assert_eq!(first["rows_deleted"], 0);
    assert_eq!(
        first["watermark"]["marks"][0][1]["timestamp"],
        "2026-01-01T00:16:40.0000000"
    );

    customers::add(&bed, 1001, 1100, "2026-02-01");
    customers::change(&bed, 25, "2026-02-02");
    let second = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(second["first_sync"], false);
    assert_eq!(second["rows_extracted"], 125);
    assert_eq!(second["rows_appended"], 125);
    assert_eq!(second["rows_removed"], 25);
    assert_eq!(second["rows_inserted"], 100);
    assert_eq!(second["rows_updated"], 25);
    assert_eq!(second["rows_deleted"], 0);

    let source = bed.source_dump("dbo.Customers");
    assert_eq!(source.rows.len(), 1100);
    source.assert_equals(&bed.target_dump("dbo.Customers"), "source", "target");
    let lake = Dump::agreed(&bed.lake("demo.customers"), None);
    source.assert_equals(&lake, "source", "lake");

    let before = Dump::agreed(&bed.lake("demo.customers"), first["snapshot_id"].as_i64());
    assert_eq!(before.rows.len(), 1000, "the first snapshot stays readable");

    let snapshots = bed.on_lake(["snapshots"], "demo.customers").json();
    let snapshots = snapshots["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 2);
    assert_eq!(snapshots[0]["snapshot_id"], first["snapshot_id"]);
    assert_eq!(snapshots[0]["sequence_number"], 1);
    assert_eq!(snapshots[1]["snapshot_id"], second["snapshot_id"]);
    assert_eq!(snapshots[1]["sequence_number"], 2);
    assert_eq!(snapshots[1]["parent_snapshot_id"], first["snapshot_id"]);
}

#[test]
fn a_sync_without_changes_makes_no_snapshot_and_moves_nothing() {
    let bed = customers::bed(10);
    let first = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    let second = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(second["rows_extracted"], 0);
    assert_eq!(second["rows_appended"], 0);
    assert_eq!(second["snapshot_created"], false);
    assert_eq!(second["snapshot_id"], first["snapshot_id"]);
    assert_eq!(second["watermark"], first["watermark"]);
    assert_eq!(second["rows_inserted"], 0);
    assert_eq!(second["rows_updated"], 0);
}

//! Rows that go because a complete read did not find them.

use icehost_tests::{Bed, Command, Dump, below};

/// `dbo.Rates` with so many rows.
fn rates(rows: u32) -> Bed {
    let bed = Bed::new();
    bed.source().execute(&format!(
        "CREATE TABLE dbo.Rates (Id int NOT NULL PRIMARY KEY, Rate int NOT NULL);
         INSERT INTO dbo.Rates SELECT value, value * 2 FROM GENERATE_SERIES(1, {rows})"
    ));
    bed
}

/// Everything that is read, into the lake, and on to the target.
fn refresh(bed: &Bed) -> Command {
    bed.sync("dbo.Rates", "demo.rates")
        .args(["--strategy", "full-refresh", "--lake-merge", "upsert"])
        .args(["--lake-merge-option", "delete-missing=true"])
        .args(["--merge", "upsert", "--target", &bed.target_url()])
        .arg("--create-target")
}

fn snapshots(bed: &Bed) -> usize {
    let list = bed.on_lake(["snapshots"], "demo.rates").json();
    list["snapshots"].as_array().map_or(0, Vec::len)
}

fn in_target(bed: &Bed) -> String {
    bed.target().value("SELECT COUNT(*) FROM dbo.Rates")
}

#[test]
fn a_run_that_would_delete_most_of_a_large_table_stops_and_says_so() {
    let bed = rates(2_002);
    refresh(&bed).json();
    bed.source().execute("DELETE FROM dbo.Rates WHERE Id > 999");
    let files = below(&bed.lake("demo.rates"));
    refresh(&bed).run().failure(&[
        "1003 of the 2002 rows of lake table demo.rates would be deleted only because a complete read did not find them, which is more than 50 %",
        "hint: see whether the source is complete",
        "--allow-deletes",
    ]);
    assert_eq!(snapshots(&bed), 1);
    assert_eq!(below(&bed.lake("demo.rates")), files);
    assert_eq!(in_target(&bed), "2002");

    // Another limit, for good.
    refresh(&bed)
        .args(["--delete-limit", "49%"])
        .run()
        .failure(&["more than 49 %"]);
    let report = refresh(&bed).args(["--delete-limit", "51%"]).json();
    // Every row that is there replaces its old image, and 1003 have no new one.
    assert_eq!(report["rows_removed"], 2_002, "{report}");
    assert_eq!(report["rows_deleted"], 1_003, "{report}");
    assert_eq!(in_target(&bed), "999");

    // Of a thousand rows and less, any may go.
    bed.source().execute("DELETE FROM dbo.Rates WHERE Id > 1");
    refresh(&bed).json();
    assert_eq!(in_target(&bed), "1");
}

#[test]
fn deletions_that_are_meant_go_through_once() {
    let bed = rates(1_500);
    refresh(&bed).json();
    bed.source().execute("DELETE FROM dbo.Rates");
    refresh(&bed)
        .run()
        .failure(&["1500 of the 1500 rows of lake table demo.rates"]);
    let report = refresh(&bed).arg("--allow-deletes").json();
    assert_eq!(report["rows_removed"], 1_500, "{report}");
    assert_eq!(report["rows_deleted"], 1_500, "{report}");
    assert_eq!(in_target(&bed), "0");
}

#[test]
fn a_source_that_has_become_empty_empties_lake_and_target() {
    let bed = rates(2);
    refresh(&bed).json();
    bed.source().execute("DELETE FROM dbo.Rates");
    let report = refresh(&bed).json();
    assert_eq!(report["rows_extracted"], 0);
    assert_eq!(report["rows_removed"], 2, "{report}");
    assert_eq!(report["rows_deleted"], 2, "{report}");
    assert_eq!(report["snapshot_created"], true);
    let lake = Dump::agreed(&bed.lake("demo.rates"), None);
    assert!(lake.rows.is_empty(), "{lake:?}");
    assert_eq!(in_target(&bed), "0");

    // It stays empty, without a snapshot for it in each run.
    let report = refresh(&bed).json();
    assert_eq!(report["snapshot_created"], false, "{report}");
    assert_eq!(snapshots(&bed), 2);
    bed.source().execute("INSERT INTO dbo.Rates VALUES (7, 1)");
    assert_eq!(refresh(&bed).json()["rows_inserted"], 1);
    assert_eq!(in_target(&bed), "1");
}

#[test]
fn what_keeps_every_image_keeps_those_of_an_empty_source() {
    let bed = rates(2);
    let append = || {
        bed.sync("dbo.Rates", "demo.rates")
            .args(["--strategy", "full-refresh", "--merge", "append-only"])
            .run()
    };
    append().success();
    bed.source().execute("DELETE FROM dbo.Rates");
    // Reading everything again into what takes no row's place is refused, whatever is read.
    append().failure(&["would add them a second time"]);
    let lake = Dump::agreed(&bed.lake("demo.rates"), None);
    assert_eq!(lake.rows.len(), 2);
}

#[test]
fn a_complete_read_of_which_a_transformer_keeps_nothing_empties_the_lake() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Rates (Id int NOT NULL PRIMARY KEY, TenantId int NOT NULL);
         INSERT INTO dbo.Rates VALUES (1, 7), (2, 7)",
    );
    let run = || {
        refresh(&bed)
            .args(["--transform", "tenant-filter"])
            .args(["--transform-option", "tenants=7"])
            .json()
    };
    run();
    assert_eq!(in_target(&bed), "2");
    bed.source()
        .execute("UPDATE dbo.Rates SET TenantId = 8; DELETE FROM dbo.Rates WHERE Id = 2");
    let report = run();
    assert_eq!(report["rows_deleted"], 2, "{report}");
    assert_eq!(in_target(&bed), "0");
}

/// A strategy that reads everything only where it has no watermark finds an empty table, too.
#[test]
fn a_cursor_that_starts_over_empties_the_lake_of_an_empty_source() {
    let bed = rates(3);
    let sync = || {
        bed.sync("dbo.Rates", "demo.rates")
            .args(["--strategy", "id", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
            .args(["--target", &bed.target_url(), "--create-target"])
            .json()
    };
    sync();
    bed.source().execute("DELETE FROM dbo.Rates");
    assert_eq!(sync()["rows_removed"], 0, "it does not see deletes");
    bed.on_lake(["watermark", "clear"], "demo.rates")
        .run()
        .success();
    let report = sync();
    assert_eq!(report["rows_removed"], 3, "{report}");
    assert_eq!(in_target(&bed), "0");
}

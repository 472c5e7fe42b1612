//! The watermark: stored, shown, set, cleared, copied to files.

use icehost_tests::customers;

use std::fs;

const MARK: &str = "2026-01-01T00:00:10.0000000";

#[test]
fn show_set_and_clear() {
    let bed = customers::bed(10);
    bed.sync_to_target("dbo.Customers", "demo.customers").json();
    let show = bed.on_lake(["watermark", "show"], "demo.customers").json();
    assert_eq!(show["watermark"]["strategy"], "timestamp");
    assert_eq!(
        show["watermark"]["source"],
        format!("{}.dbo.Customers", bed.source_database())
    );
    assert_eq!(show["watermark"]["marks"][0][1]["timestamp"], MARK);
    assert_eq!(show["watermark"]["rows"], 10);

    bed.on_lake(["watermark", "set"], "demo.customers")
        .args(["--mark", "ModifiedDate=timestamp:2026-01-01T00:00:07"])
        .run()
        .success();
    let again = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(again["first_sync"], false);
    // From the mark itself on; the lake has them all.
    assert_eq!(again["rows_read_again"], 4);
    assert_eq!(again["rows_extracted"], 0);

    bed.on_lake(["watermark", "clear"], "demo.customers")
        .run()
        .success();
    let show = bed.on_lake(["watermark", "show"], "demo.customers").json();
    assert!(show["watermark"].is_null());
    let all = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(all["first_sync"], true);
    assert_eq!(all["rows_extracted"], 10);
    bed.source_dump("dbo.Customers").assert_equals(
        &bed.target_dump("dbo.Customers"),
        "source",
        "target",
    );
}

#[test]
fn another_strategy_or_source_is_refused() {
    let bed = customers::bed(3);
    bed.sync_to_target("dbo.Customers", "demo.customers").json();
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "id", "--merge", "upsert"])
        .run()
        .failure(&["'timestamp'", "'id'", "hint"]);
    bed.sync_to_target("dbo.Customers", "demo.customers")
        .args(["--source-name", "elsewhere"])
        .run()
        .failure(&["elsewhere", "--source-name", "hint"]);
    bed.sync_to_target("dbo.Customers", "demo.customers")
        .args(["--strategy-option", "column=ModifiedDate"])
        .run()
        .success();
}

#[test]
fn files_hold_a_copy_and_the_snapshot_wins_where_they_are_behind() {
    let bed = customers::bed(10);
    let directory = bed.path("watermarks");
    let directory_text = directory.display().to_string();
    let sync = |with_files: bool| {
        let command = bed.sync_to_target("dbo.Customers", "demo.customers");
        if with_files {
            command.args(["--watermark-dir", &directory_text]).json()
        } else {
            command.json()
        }
    };
    let first = sync(true);
    let file = directory.join("demo.customers.json");
    let read =
        || -> serde_json::Value { serde_json::from_slice(&fs::read(&file).unwrap()).unwrap() };
    assert_eq!(read()["table"], "demo.customers");
    assert_eq!(read()["marks"][0][1]["timestamp"], MARK);
    assert_eq!(read()["snapshot_id"], first["snapshot_id"]);
    assert_eq!(read()["rows"], 10);
    assert!(read()["time"].is_string());

    customers::add(&bed, 11, 15, "2026-02-01");
    sync(false);
    let third = sync(true);
    assert_eq!(
        third["rows_extracted"], 0,
        "the snapshot's watermark is ahead of the file's"
    );
    customers::add(&bed, 16, 17, "2026-02-02");
    let fourth = sync(true);
    assert_eq!(fourth["rows_extracted"], 2);
    assert_eq!(
        read()["snapshot_id"],
        fourth["snapshot_id"],
        "the file has caught up"
    );
}

#[test]
fn syncs_at_the_same_time_lose_and_repeat_nothing() {
    let bed = customers::bed(500);
    let runs: Vec<_> = (0..4)
        .map(|_| {
            bed.sync_to_target("dbo.Customers", "demo.customers")
                .args(["--output", "json", "--retries", "20"])
                .args(["--watermark-dir", &bed.path("marks").display().to_string()])
        })
        .map(|command| (command.spawn(), command))
        .collect();
    for (child, _) in runs {
        icehost_tests::Run::of("sync".to_owned(), child).success();
    }
    let lake = icehost_tests::Dump::agreed(&bed.lake("demo.customers"), None);
    let source = bed.source_dump("dbo.Customers");
    source.assert_equals(&lake, "source", "lake");
    source.assert_equals(&bed.target_dump("dbo.Customers"), "source", "target");
    let snapshots = bed.on_lake(["snapshots"], "demo.customers").json();
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 1);
}

/// A slip in the name or the type would replace a good mark by one that the strategy cannot read, or passes over.
#[test]
fn a_mark_that_is_none_of_the_strategys_is_refused() {
    let bed = customers::bed(3);
    bed.sync_to_target("dbo.Customers", "demo.customers").json();
    let show = || bed.on_lake(["watermark", "show"], "demo.customers").json();
    let before = show();
    let set = |arguments: &[&str]| {
        bed.on_lake(["watermark", "set"], "demo.customers")
            .args(arguments.iter().copied())
            .run()
    };
    let mark = "ModifiedDate=timestamp:2026-01-01T00:00:01";
    set(&["--mark", "ModifedDate=timestamp:2026-01-01T00:00:01"]).failure(&[
        "strategy 'timestamp' has no mark 'ModifedDate'",
        "hint: did you mean 'ModifiedDate'?",
    ]);
    set(&["--mark", "Other=integer:1"]).failure(&["its marks are: ModifiedDate"]);
    set(&["--mark", "ModifiedDate=date:2026-01-01"]).failure(&[
        "mark 'ModifiedDate' of strategy 'timestamp' is of type timestamp, not date",
        "hint: write it as the stored one is: --mark 'ModifiedDate=timestamp:",
    ]);
    set(&["--mark", mark, "--mark", "Nme=text:a"]).failure(&["no mark 'Nme'"]);
    // The mark that it goes on from is missing.
    let read_at = "ModifiedDate read at=timestamp:2026-01-01T00:00:01";
    set(&["--mark", read_at]).failure(&["goes on from its mark 'ModifiedDate'"]);
    // Of a strategy that has never been here, a mark is a column.
    set(&["--strategy", "id", "--mark", "CustomerId2=integer:1"])
        .failure(&["strategy 'id' has no mark", "did you mean 'CustomerID'?"]);
    set(&["--strategy", "id", "--mark", "CustomerID=text:1"]).failure(&["is of type integer"]);
    set(&["--strategy", "rowversion", "--mark", "below=binary:0x01"]).failure(&["of 8 bytes"]);
    set(&["--strategy", "full-refresh", "--mark", "a=integer:1"]).failure(&["its marks are: rows"]);
    assert_eq!(show(), before, "the mark that was there stays");

    set(&["--mark", read_at, "--mark", mark]).success();
    let marks = show()["watermark"]["marks"].clone();
    assert_eq!(marks[0][0], "ModifiedDate", "in the strategy's own order");
    // Also after it was cleared.
    bed.on_lake(["watermark", "clear"], "demo.customers")
        .run()
        .success();
    let by = ["--strategy", "timestamp", "--source-name", "s", "--mark"];
    set(&[&by[..], &["ModifedDate=timestamp:2026-01-01T00:00:00"]].concat())
        .failure(&["did you mean"]);
    set(&[&by[..], &[mark]].concat()).success();
    // A column that the strategy does not go by, with and without a mark of its own before.
    let none = ["strategy 'timestamp' has no mark 'CustomerID'", "hint: "];
    set(&["--mark", "CustomerID=integer:4"]).failure(&none);
    bed.on_lake(["watermark", "clear"], "demo.customers")
        .run()
        .success();
    set(&[&by[..], &["CustomerID=integer:4"]].concat()).failure(&none);
    set(&["--strategy", "id", "--source-name", "s", "--mark", mark])
        .failure(&["strategy 'id' has no mark 'ModifiedDate'"]);
    set(&[
        "--strategy",
        "id",
        "--source-name",
        "s",
        "--mark",
        "CustomerID=integer:4",
    ])
    .success();
}

//! A first load that is resumed: what has become of source and lake meanwhile.

use icehost_tests::maintenance::{
    expire_keeping_parents, forget_older_versions, maintain, newest_version,
};
use icehost_tests::{Bed, Command, Dump, customers};
use serde_json::Value;

use crate::first_load::{assert_loaded, load, per_range};

/// A load with a commit per range that ends when four ranges of eleven are committed.
fn interrupted(lake_merge: &str) -> Bed {
    let bed = customers::bed(500);
    again(&bed, lake_merge)
        .env("FAILPOINTS", "sync::range-read=4*off->return")
        .run()
        .failure(&["sync::range-read"]);
    bed
}

fn again(bed: &Bed, lake_merge: &str) -> Command {
    per_range(bed).args(["--lake-merge", lake_merge])
}

/// Makes the current snapshot's parent current.
fn roll_back(bed: &Bed) {
    let table = bed.lake("demo.customers");
    let (_, newest) = newest_version(&table);
    let metadata: Value = serde_json::from_slice(&std::fs::read(newest).unwrap()).unwrap();
    let current = &metadata["current-snapshot-id"];
    let snapshots = metadata["snapshots"].as_array().unwrap();
    let current = snapshots.iter().find(|s| s["snapshot-id"] == *current);
    let parent = &current.unwrap()["parent-snapshot-id"];
    maintain(&table, &[&format!("rollback={parent}")]);
}

#[test]
fn what_came_since_a_load_began_is_read_behind_it() {
    for strategy in ["timestamp", "id", "rowversion"] {
        let bed = Bed::new();
        bed.source().execute(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, Version rowversion NOT NULL);
             INSERT INTO dbo.T (Id, M) SELECT value, '2026-01-01' FROM GENERATE_SERIES(1, 500)",
        );
        let load = || {
            bed.sync("dbo.T", "demo.t")
                .args([
                    "--strategy",
                    strategy,
                    "--range-rows",
                    "50",
                    "--merge",
                    "upsert",
                ])
                .args(["--target", &bed.target_url(), "--create-target"])
        };
        load()
            .env("FAILPOINTS", "sync::range-recorded=3*off->return")
            .run()
            .failure(&["sync::range-recorded"]);
        bed.source().execute(
            "UPDATE dbo.T SET M = '2026-02-01' WHERE Id <= 5;
             INSERT INTO dbo.T (Id, M) VALUES (501, '2026-02-01')",
        );
        let report = load().json();
        assert_eq!(report["rows_inserted"], 501, "{strategy}: {report}");
        let lake = Dump::agreed(&bed.lake("demo.t"), None);
        bed.source_dump("dbo.T")
            .assert_equals(&lake, "source", strategy);
        bed.target_dump("dbo.T")
            .assert_equals(&lake, "target", strategy);
        assert_eq!(load().json()["rows_extracted"], 0, "{strategy}");
    }
}

#[test]
fn ranges_that_were_rolled_back_are_committed_again() {
    for lake_merge in ["upsert", "append-only"] {
        let bed = interrupted(lake_merge);
        roll_back(&bed);
        let report = again(&bed, lake_merge).json();
        assert_eq!(report["ranges_resumed"], 4, "{lake_merge}");
        assert_loaded(&bed, lake_merge);
    }
}

#[test]
fn ranges_that_another_engine_wrote_again_are_not_added_twice() {
    let bed = interrupted("append-only");
    maintain(&bed.lake("demo.customers"), &["compact"]);
    again(&bed, "append-only")
        .run()
        .failure(&["lake table demo.customers has rows, and no watermark"]);
    bed.on_lake(["watermark", "clear"], "demo.customers")
        .run()
        .success();
    again(&bed, "append-only")
        .run()
        .failure(&["was made by somebody else while the first load was under way"]);
    again(&bed, "append-only")
        .arg("--restart")
        .run()
        .failure(&["holds 4 of 11 ranges", "a second time"]);
}

/// Whether what the journal calls committed is still there can be told as long as somebody knows the line of snapshots.
#[test]
fn a_line_of_snapshots_that_nobody_knows_is_no_proof_of_ranges() {
    let bed = interrupted("append-only");
    let table = bed.lake("demo.customers");
    expire_keeping_parents(&table);
    again(&bed, "append-only").json();
    assert_loaded(&bed, "expired, and older versions are there");

    let bed = interrupted("upsert");
    let table = bed.lake("demo.customers");
    expire_keeping_parents(&table);
    forget_older_versions(&table);
    load(&bed).run().failure(&[
        "whether lake table demo.customers still has range 0 of its first load cannot be told",
        "have everything read again with `icehost watermark clear` and then --restart",
    ]);
    bed.on_lake(["watermark", "clear"], "demo.customers")
        .run()
        .success();
    load(&bed).arg("--restart").json();
    assert_loaded(&bed, "expired, and nobody knows");
}

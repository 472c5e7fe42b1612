//! The watermark, where other engines compact the lake table, expire its snapshots or roll it back.

use icehost_tests::maintenance::{
    edit_metadata, expire_keeping_parents, forget_older_versions, maintain,
};
use icehost_tests::{Bed, Command, Dump, customers};
use serde_json::Value;

const TABLE: &str = "demo.customers";

/// A lake that takes every row as it comes, so that one that is read twice is there twice.
fn appending(bed: &Bed) -> Command {
    bed.sync("dbo.Customers", TABLE)
        .args(["--strategy", "timestamp", "--merge", "append-only"])
}

fn upserting(bed: &Bed) -> Command {
    bed.sync("dbo.Customers", TABLE)
        .args(["--strategy", "timestamp", "--merge", "upsert"])
}

#[track_caller]
fn assert_same(bed: &Bed, what: &str) {
    bed.source_dump("dbo.Customers").assert_equals(
        &Dump::agreed(&bed.lake(TABLE), None),
        &format!("source after {what}"),
        "lake",
    );
}

/// The next run reads what is new, and nothing that is there.
#[track_caller]
fn assert_goes_on(bed: &Bed, what: &str) {
    let nothing = appending(bed).json();
    assert_eq!(nothing["first_sync"], false, "{what}");
    assert_eq!(nothing["rows_appended"], 0, "{what}");
    customers::add(bed, 101, 103, "2026-03-01");
    assert_eq!(appending(bed).json()["rows_appended"], 3, "{what}");
    assert_same(bed, what);
}

/// As it was written before there was a property.
fn as_of_an_earlier_version(bed: &Bed) {
    edit_metadata(&bed.lake(TABLE), |metadata| {
        let properties = metadata["properties"].as_object_mut().unwrap();
        assert!(properties.remove("icehost.watermark").is_some());
    });
}

fn first_snapshot(bed: &Bed) -> i64 {
    let snapshots = bed.on_lake(["snapshots"], TABLE).json();
    snapshots["snapshots"][0]["snapshot_id"]
        .as_i64()
        .unwrap_or_else(|| panic!("{snapshots}"))
}

#[test]
fn the_watermark_survives_compaction_and_expiry() {
    for earlier in [false, true] {
        for (what, steps) in [
            ("compaction", &["compact"][..]),
            ("expiry", &["expire"]),
            ("compaction and expiry", &["compact", "expire"]),
            (
                "two nights of both",
                &["compact", "expire", "compact", "expire"],
            ),
        ] {
            let bed = customers::bed(10);
            appending(&bed).json();
            customers::add(&bed, 11, 15, "2026-02-01");
            appending(&bed).json();
            if earlier {
                as_of_an_earlier_version(&bed);
            }
            maintain(&bed.lake(TABLE), steps);
            assert_goes_on(&bed, what);
        }
    }
}

#[test]
fn it_survives_where_no_earlier_version_of_the_metadata_is_left() {
    let bed = customers::bed(10);
    appending(&bed).json();
    maintain(&bed.lake(TABLE), &["compact"]);
    expire_keeping_parents(&bed.lake(TABLE));
    forget_older_versions(&bed.lake(TABLE));
    let show = bed.on_lake(["watermark", "show"], TABLE).json();
    assert_eq!(show["watermark"]["rows"], 10);
    assert_goes_on(&bed, "expiry without a trace");
}

#[test]
fn a_table_with_rows_and_no_watermark_is_a_question() {
    let bed = customers::bed(10);
    appending(&bed).json();
    as_of_an_earlier_version(&bed);
    maintain(&bed.lake(TABLE), &["compact", "expire"]);
    forget_older_versions(&bed.lake(TABLE));
    for command in [
        appending(&bed),
        upserting(&bed),
        upserting(&bed).arg("--dry-run"),
        bed.on_lake(["watermark", "show"], TABLE),
    ] {
        command.run().failure(&[
            "lake table demo.customers has rows, and no watermark",
            "hint: say it with `icehost watermark set`",
            "`icehost watermark clear`",
        ]);
    }
    assert_same(&bed, "the question");

    // The two answers.
    let set = bed
        .on_lake(["watermark", "set"], TABLE)
        .args(["--strategy", "timestamp", "--source-name"])
        .arg(format!("{}.dbo.Customers", bed.source_database()))
        .args(["--mark", "ModifiedDate=timestamp:2026-01-01T00:00:10"]);
    set.json();
    assert_goes_on(&bed, "watermark set");
    bed.on_lake(["watermark", "clear"], TABLE).json();
    maintain(&bed.lake(TABLE), &["compact", "expire"]);
    forget_older_versions(&bed.lake(TABLE));
    edit_metadata(&bed.lake(TABLE), |metadata| {
        // As if its parent had been left there.
        metadata["snapshots"][0]["parent-snapshot-id"] = 4711.into();
    });
    let all = upserting(&bed).json();
    assert_eq!(
        all["rows_extracted"], 13,
        "the answer outlives its snapshot"
    );
    assert_same(&bed, "watermark clear");
}

#[test]
fn a_table_that_another_engine_wrote_is_a_question_too() {
    let bed = Bed::new();
    icehost_tests::python_script(
        "readers/make_foreign_table.py",
        &[bed.lake("demo.people").display().to_string()],
    );
    bed.source().execute(
        "CREATE TABLE dbo.People (id bigint NOT NULL PRIMARY KEY, name nvarchar(50) NULL,
            price decimal(12,2) NULL, changed datetime2(6) NOT NULL, born date NULL);
         INSERT INTO dbo.People VALUES (1, N'Ada', 0.01, '2024-01-01', NULL)",
    );
    let sync = bed.sync("dbo.People", "demo.people").args([
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
    ]);
    sync.run()
        .failure(&["has rows, and no watermark", "icehost watermark clear"]);
    bed.on_lake(["watermark", "clear"], "demo.people").json();
    assert_eq!(sync.json()["rows_extracted"], 1);
}

#[test]
fn a_table_that_is_rolled_back_has_the_watermark_of_the_state_that_is_there() {
    for steps in [&[][..], &["compact"], &["compact", "expire"]] {
        let bed = customers::bed(10);
        appending(&bed).json();
        let first = first_snapshot(&bed);
        customers::add(&bed, 11, 15, "2026-02-01");
        appending(&bed).json();
        let rollback = format!("rollback={first}");
        let steps: Vec<&str> = [rollback.as_str()]
            .into_iter()
            .chain(steps.iter().copied())
            .collect();
        maintain(&bed.lake(TABLE), &steps);
        let next = appending(&bed).json();
        assert_eq!(next["first_sync"], false, "{steps:?}");
        assert_eq!(next["rows_appended"], 5, "{steps:?}");
        assert_same(&bed, &format!("{steps:?}"));
    }
}

#[test]
fn where_nobody_knows_what_a_table_was_rolled_back_to_it_asks() {
    let bed = customers::bed(10);
    appending(&bed).json();
    let first = first_snapshot(&bed);
    customers::add(&bed, 11, 15, "2026-02-01");
    appending(&bed).json();
    maintain(
        &bed.lake(TABLE),
        &[&format!("rollback={first}"), "compact", "expire"],
    );
    forget_older_versions(&bed.lake(TABLE));
    appending(&bed).run().failure(&[
        "the watermark of lake table demo.customers was written with snapshot",
        "is not known to descend from it",
        "hint: the table was rolled back or replaced",
        "`icehost watermark set`",
        "`icehost watermark clear`",
    ]);
    // The strategy and the source are known still.
    let set: Value = bed
        .on_lake(["watermark", "set"], TABLE)
        .args(["--mark", "ModifiedDate=timestamp:2026-01-01T00:00:10"])
        .json();
    assert_eq!(set["watermark"]["strategy"], "timestamp");
    assert_eq!(appending(&bed).json()["rows_appended"], 5);
    assert_same(&bed, "rollback and set");
}

#[test]
fn a_copy_in_a_file_counts_where_the_table_has_nothing_else() {
    let bed = customers::bed(10);
    let marks = bed.path("marks").display().to_string();
    let sync = || appending(&bed).args(["--watermark-dir", &marks]);
    sync().json();
    as_of_an_earlier_version(&bed);
    maintain(&bed.lake(TABLE), &["compact"]);
    expire_keeping_parents(&bed.lake(TABLE));
    forget_older_versions(&bed.lake(TABLE));
    customers::add(&bed, 11, 12, "2026-02-01");
    let next = sync().json();
    assert_eq!(next["rows_appended"], 2);
    assert_same(&bed, "a copy");
}

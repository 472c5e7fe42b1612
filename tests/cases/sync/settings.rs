//! Settings that shape rows, changed between two runs.

use icehost_tests::maintenance::edit_metadata;
use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

const LAKE: &str = "demo.orders";

fn orders() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, TenantId int NOT NULL, Email nvarchar(80) NULL,
            Note nvarchar(40) NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.Orders VALUES (1, 7, N'ann@example.com', N'a', '2026-01-01'),
            (2, 8, N'bob@example.com', N'b', '2026-01-01'), (3, 7, N'cy@example.com', N'c', '2026-01-02')",
    );
    bed
}

fn sync(bed: &Bed, merge: &str, settings: &[&str]) -> Command {
    bed.sync("dbo.Orders", LAKE)
        .args(["--strategy", "timestamp", "--merge", merge])
        .args(settings.iter().copied())
        .env("FIRST_KEY", "a key of sixteen bytes and more")
        .env("OTHER_KEY", "another key of sixteen bytes and more")
}

fn lake(bed: &Bed) -> Dump {
    Dump::pyiceberg(&bed.lake(LAKE), None)
}

const HASHED: [&str; 4] = ["--column-rule", "Email=hash", "--hash-key-env", "FIRST_KEY"];
const OF_SEVEN: [&str; 4] = [
    "--transform",
    "tenant-filter",
    "--transform-option",
    "tenants=7",
];

#[test]
fn an_appending_lake_takes_no_row_again_because_it_is_made_otherwise_now() {
    let columns = "the columns that are carried changed";
    let rules = "the column rules, or the key for their hashes, changed";
    let transforms = "the transformers, or their options, changed";
    let cases: [(&[&str], &[&str], &str); 10] = [
        (&[], &["--exclude-columns", "Note"], columns),
        (&[], &["--columns", "Id,Email,Modified,TenantId"], columns),
        (&[], &["--column-rule", "Email=null"], rules),
        (&["--column-rule", "Email=null"], &[], rules),
        (
            &["--column-rule", "Email=constant:x"],
            &["--column-rule", "Email=constant:y"],
            rules,
        ),
        (
            &["--column-rule", "Email=truncate:3"],
            &["--column-rule", "Note=truncate:3"],
            rules,
        ),
        (
            &HASHED,
            &["--column-rule", "Email=hash", "--hash-key-env", "OTHER_KEY"],
            rules,
        ),
        (
            &OF_SEVEN,
            &[
                "--transform",
                "tenant-filter",
                "--transform-option",
                "tenants=7,8",
            ],
            transforms,
        ),
        (&OF_SEVEN, &[], transforms),
        (
            &[],
            &["--transform", "mask", "--transform-option", "columns=Email"],
            transforms,
        ),
    ];
    for (before, after, says) in cases {
        let bed = orders();
        sync(&bed, "append-only", before).json();
        let there = lake(&bed).rows;
        for run in [
            sync(&bed, "append-only", after),
            sync(&bed, "append-only", after).arg("--dry-run"),
        ] {
            run.run().failure(&[
                says,
                "since rows were written to lake table demo.orders, which keeps every row",
                "hint: go on with the settings as they were, or move the directory of the lake table away and run again",
            ]);
        }
        // A mark that somebody sets is no answer to that.
        bed.on_lake(["watermark", "set"], LAKE)
            .args(["--mark", "Modified=timestamp:2026-01-02T00:00:00"])
            .json();
        sync(&bed, "append-only", after).run().failure(&[says]);
        assert_eq!(lake(&bed).rows, there, "{says}");
        // Both ways on.
        assert_eq!(sync(&bed, "append-only", before).json()["rows_appended"], 0);
        std::fs::rename(bed.lake(LAKE), bed.path("away")).unwrap();
        sync(&bed, "append-only", after).json();
    }
}

#[test]
fn a_target_that_takes_every_row_is_not_filled_twice_on_the_way_on() {
    let bed = orders();
    let run = |settings: &[&str]| {
        sync(&bed, "append-only", settings).args(["--target", &bed.target_url(), "--create-target"])
    };
    run(&[]).json();
    run(&HASHED).run().failure(&["which keeps every row"]);
    std::fs::rename(bed.lake(LAKE), bed.path("away")).unwrap();
    run(&HASHED).run().failure(&[
        "every row would be added to target table dbo.Orders",
        "empty the target table",
    ]);
    bed.target().execute("DELETE FROM dbo.Orders");
    bed.load(LAKE, "dbo.Orders")
        .args(["--merge", "append-only", "--full"])
        .json();
    let mut target = bed.target();
    assert_eq!(target.value("SELECT COUNT(*) FROM dbo.Orders"), "3");
    let plain = "SELECT COUNT(*) FROM dbo.Orders WHERE Email LIKE N'%@%'";
    assert_eq!(target.value(plain), "0");
}

#[test]
fn other_spellings_of_the_same_settings_are_no_change() {
    let bed = orders();
    let before = [
        "--column-rule",
        "Email=null",
        "--column-rule",
        "Note=truncate:3",
    ];
    sync(&bed, "append-only", &before).json();
    let same = [
        &[
            "--column-rule",
            "NOTE=truncate:3",
            "--column-rule",
            "email=null",
        ][..],
        // A key that no rule uses.
        &[
            "--column-rule",
            "Note=truncate:3",
            "--column-rule",
            "Email=null",
            "--hash-key-env",
            "FIRST_KEY",
        ],
        &[
            "--column-rule",
            "Note=truncate:3",
            "--column-rule",
            "Email=null",
            "--columns",
            "Id,TenantId,Email,Note,Modified",
        ],
    ];
    for same in same {
        let run = sync(&bed, "append-only", same).json();
        assert_eq!(run["rows_appended"], 0, "{run}");
    }
}

#[test]
fn a_rule_that_is_added_to_rows_that_are_replaced_is_told_until_all_have_it() {
    let bed = orders();
    sync(&bed, "upsert", &[]).json();
    bed.source()
        .execute("UPDATE dbo.Orders SET Note = N'd', Modified = '2026-01-03' WHERE Id = 1");
    let told = "those that are there stay as they are until they change; have everything read again with \
                `icehost watermark clear`";
    for _ in 0..2 {
        let run = sync(&bed, "upsert", &HASHED)
            .leaves_apart("rows that are there have no hash yet")
            .run()
            .success();
        assert!(run.stderr.contains(told), "{}", run.stderr);
        assert!(format!("{:?}", lake(&bed)).contains("bob@"), "before");
    }
    bed.on_lake(["watermark", "clear"], LAKE).json();
    for _ in 0..2 {
        let run = sync(&bed, "upsert", &HASHED).run().success();
        assert!(!run.stderr.contains("changed since"), "{}", run.stderr);
        assert!(!format!("{:?}", lake(&bed)).contains('@'), "after");
    }
}

#[test]
fn another_key_or_other_transformers_of_rows_that_are_replaced_are_told_with_a_way_on() {
    let seven_and_eight = [
        "--transform",
        "tenant-filter",
        "--transform-option",
        "tenants=7,8",
    ];
    type Settings<'a> = (&'a str, &'a [&'a str]);
    let transformers = "the transformers, or their options,";
    let cases: [(Settings, Settings, &str, usize); 4] = [
        (
            ("upsert", &OF_SEVEN),
            ("upsert", &seven_and_eight),
            transformers,
            3,
        ),
        (("upsert", &[]), ("upsert", &OF_SEVEN), transformers, 2),
        (
            ("upsert", &["--merge-option", "keys=Id,Note"]),
            ("upsert", &[]),
            "the merge into the lake (rows replaced others by Id, Note; now rows replaced others by Id)",
            3,
        ),
        (
            ("append-only", &[]),
            ("upsert", &[]),
            "the merge into the lake (every row was added; now rows replaced others by Id)",
            3,
        ),
    ];
    for ((merge, before), (merge_after, after), says, rows) in cases {
        let bed = orders();
        sync(&bed, merge, before).json();
        bed.source()
            .execute("UPDATE dbo.Orders SET Note = N'd', Modified = '2026-01-03' WHERE Id = 1");
        sync(&bed, merge, before).json();
        sync(&bed, merge_after, after).run().failure(&[
            says,
            "changed since rows were written to lake table demo.orders",
            "hint: have everything read again with `icehost watermark clear`",
            "or go on with the settings as they were",
        ]);
        bed.on_lake(["watermark", "clear"], LAKE).json();
        sync(&bed, merge_after, after).json();
        assert_eq!(lake(&bed).rows.len(), rows, "{says}");
        sync(&bed, merge_after, after).json();
    }
}

#[test]
fn what_takes_nothing_from_rows_that_are_there_is_no_question() {
    let bed = orders();
    sync(&bed, "upsert", &[]).json();
    bed.source()
        .execute("UPDATE dbo.Orders SET Note = N'd', Modified = '2026-01-03' WHERE Id = 1");
    // Every version is kept from now on.
    let run = sync(&bed, "append-only", &[]).json();
    assert_eq!(run["rows_appended"], 1, "{run}");

    // Every row is read anyway.
    let bed = orders();
    let refresh = |settings: &[&str]| {
        bed.sync("dbo.Orders", LAKE)
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(settings.iter().copied())
            .json()
    };
    refresh(&[]);
    refresh(&["--column-rule", "Email=null"]);
    assert!(!format!("{:?}", lake(&bed)).contains('@'));
}

/// A target for every merge, and runs that take out of the lake what the source no longer has.
fn marked_target() -> Bed {
    let bed = orders();
    bed.target().execute(
        "CREATE TABLE dbo.Orders (Id int NOT NULL CONSTRAINT PK_Orders PRIMARY KEY, TenantId int NOT NULL,
            Email nvarchar(80) NULL, Note nvarchar(40) NULL, Modified datetime2(3) NOT NULL,
            IsDeleted bit NOT NULL DEFAULT 0)",
    );
    bed
}

fn deliver(bed: &Bed, merge: &str) -> Command {
    bed.sync("dbo.Orders", LAKE)
        .args(["--strategy", "full-refresh", "--lake-merge", "upsert"])
        .args(["--lake-merge-option", "delete-missing=true"])
        .args(["--target", &bed.target_url(), "--merge", merge])
}

const ANOTHER_MERGE: &str = "another merge delivered into it before";

#[test]
fn another_merge_into_the_target_delivers_every_row_again() {
    let bed = marked_target();
    deliver(&bed, "soft-delete").json();
    bed.source().execute("DELETE FROM dbo.Orders WHERE Id = 2");
    deliver(&bed, "soft-delete").json();
    bed.source().execute("DELETE FROM dbo.Orders WHERE Id = 3");
    let report = deliver(&bed, "upsert").json();
    assert!(
        report["warnings"].to_string().contains(ANOTHER_MERGE),
        "{report}"
    );
    let ids = |bed: &Bed| bed.target().rows("SELECT Id FROM dbo.Orders ORDER BY Id");
    assert_eq!(ids(&bed), [["1"]]);
    // It is told once.
    let report = deliver(&bed, "upsert").json();
    assert_eq!(report["warnings"], serde_json::json!([]));
}

#[test]
fn a_mark_does_not_stay_on_a_row_that_came_again_under_another_merge() {
    let bed = marked_target();
    deliver(&bed, "soft-delete").json();
    bed.source().execute("DELETE FROM dbo.Orders WHERE Id = 2");
    deliver(&bed, "soft-delete").json();
    let marked = || {
        let count = "SELECT COUNT(*) FROM dbo.Orders WHERE IsDeleted = 1";
        bed.target().value(count)
    };
    assert_eq!(marked(), "1");
    bed.source()
        .execute("INSERT INTO dbo.Orders VALUES (2, 8, N'x', N'y', '2026-05-05')");
    deliver(&bed, "upsert").json();
    // The row is not about the one that was marked.
    bed.source()
        .execute("UPDATE dbo.Orders SET Note = N'z', Modified = '2026-05-06' WHERE Id = 3");
    deliver(&bed, "soft-delete").json();
    assert_eq!(marked(), "0");
}

#[test]
fn a_merge_that_adds_every_row_does_not_go_on_from_another() {
    let bed = marked_target();
    deliver(&bed, "upsert").json();
    bed.source()
        .execute("UPDATE dbo.Orders SET Note = N'z', Modified = '2026-05-06' WHERE Id = 3");
    deliver(&bed, "append-only")
        .run()
        .failure(&[ANOTHER_MERGE, "--trust-position", "hint"]);
    bed.target()
        .execute("ALTER TABLE dbo.Orders DROP CONSTRAINT PK_Orders");
    let trusting = bed
        .load(LAKE, "dbo.Orders")
        .args(["--merge", "append-only", "--trust-position"])
        .json();
    assert_eq!(trusting["rows_inserted"], 1, "{trusting}");
    deliver(&bed, "append-only").json();
}

#[test]
fn other_columns_are_delivered_for_every_row() {
    let bed = orders();
    bed.sync("dbo.Orders", LAKE)
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .json();
    let load = |more: &[&str]| {
        bed.load(LAKE, "dbo.Orders")
            .args(["--merge", "upsert", "--create-target"])
            .args(more.iter().copied())
            .json()
    };
    load(&["--exclude-columns", "Note"]);
    bed.target()
        .execute("IF COL_LENGTH(N'dbo.Orders', N'Note') IS NULL ALTER TABLE dbo.Orders ADD Note nvarchar(40) NULL");
    let report = load(&[]);
    assert!(
        report["warnings"].to_string().contains(ANOTHER_MERGE),
        "{report}"
    );
    bed.source_dump("dbo.Orders")
        .assert_equals(&bed.target_dump("dbo.Orders"), "source", "target");
}

#[test]
fn a_watermark_of_an_earlier_version_is_gone_on_from() {
    let bed = orders();
    sync(&bed, "append-only", &[]).json();
    let without_shape = |text: &mut Value| {
        let Some(json) = text.as_str() else { return };
        let mut json: Value = serde_json::from_str(json).unwrap();
        for record in ["/record", ""] {
            if let Some(record) = json.pointer_mut(record).and_then(Value::as_object_mut) {
                record.remove("shape");
            }
        }
        *text = json.to_string().into();
    };
    edit_metadata(&bed.lake(LAKE), |metadata| {
        assert!(metadata.to_string().contains("shape"));
        without_shape(&mut metadata["properties"]["icehost.watermark"]);
        for snapshot in metadata["snapshots"].as_array_mut().unwrap() {
            without_shape(&mut snapshot["summary"]["icehost.watermark"]);
        }
        assert!(!metadata.to_string().contains("shape"));
    });
    bed.source()
        .execute("INSERT INTO dbo.Orders VALUES (4, 7, NULL, NULL, '2026-01-03')");
    assert_eq!(sync(&bed, "append-only", &[]).json()["rows_appended"], 1);
    // It is known from then on.
    sync(&bed, "append-only", &HASHED)
        .run()
        .failure(&["the column rules, or the key for their hashes, changed"]);
}

//! A column of the target that was dropped and added again under its name has no value in the rows that are there.

use icehost_tests::{Bed, Command};

fn bed(merge: &str) -> Bed {
    let bed = Bed::new();
    let columns = "Id int NOT NULL, N nvarchar(9) NULL, M datetime2(3) NOT NULL";
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T ({columns}, PRIMARY KEY (Id));
         INSERT INTO dbo.T VALUES (1, N'a', '2026-01-01'), (2, N'b', '2026-01-02')"
    ));
    let key = if merge == "append-only" {
        ""
    } else {
        ", PRIMARY KEY (Id)"
    };
    let own = if merge == "soft-delete" {
        ", IsDeleted bit NOT NULL"
    } else {
        ""
    };
    bed.target()
        .execute(&format!("CREATE TABLE dbo.T ({columns}{own}{key})"));
    sync(&bed, merge).json();
    bed
}

fn sync(bed: &Bed, merge: &str) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--lake-merge", "upsert"])
        .args(["--merge", merge, "--target", &bed.target_url()])
}

fn replace(bed: &Bed) {
    bed.target().execute("ALTER TABLE dbo.T DROP COLUMN N");
    bed.target()
        .execute("ALTER TABLE dbo.T ADD N nvarchar(9) NULL");
}

fn rows(bed: &Bed) -> Vec<Vec<String>> {
    bed.target().rows("SELECT Id, N FROM dbo.T ORDER BY Id")
}

#[test]
fn a_column_of_the_target_that_was_dropped_and_added_again_gets_every_row() {
    for merge in ["upsert", "soft-delete"] {
        for changed in [false, true] {
            let bed = bed(merge);
            replace(&bed);
            if changed {
                bed.source()
                    .execute("INSERT INTO dbo.T VALUES (3, N'c', '2026-02-01')");
            }
            let report = sync(&bed, merge).json();
            let told = report["warnings"].to_string();
            assert!(
                told.contains("dropped and added again"),
                "{merge}: {report}"
            );
            let wanted = bed.source().rows("SELECT Id, N FROM dbo.T ORDER BY Id");
            assert_eq!(rows(&bed), wanted, "{merge}");
            let next = sync(&bed, merge).json();
            assert_eq!(next["warnings"], serde_json::json!([]), "it is told once");
        }
    }
}

#[test]
fn append_only_asks_where_a_column_was_dropped_and_added_again() {
    let bed = bed("append-only");
    // A new column is none that had values.
    bed.target().execute("ALTER TABLE dbo.T ADD Other int NULL");
    sync(&bed, "append-only").json();
    replace(&bed);
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (3, N'c', '2026-02-01')");
    sync(&bed, "append-only").run().failure(&[
        "dropped and added again",
        "empty the target table",
        "--trust-position",
    ]);
    bed.target().execute("TRUNCATE TABLE dbo.T");
    bed.load("demo.t", "dbo.T")
        .args(["--merge", "append-only", "--full"])
        .json();
    sync(&bed, "append-only").json();
    let wanted = bed.source().rows("SELECT Id, N FROM dbo.T ORDER BY Id");
    assert_eq!(rows(&bed), wanted);
}

/// Whatever the merger does with the values: that the column is of another kind is no fault of the strategy. `append-only`
/// asks before it comes to that, as above.
#[test]
fn a_column_of_the_target_that_is_of_another_kind_is_named_under_every_merge() {
    for (merge, own, key) in [
        ("upsert", "", ", PRIMARY KEY (Id)"),
        (
            "soft-delete",
            ", IsDeleted bit NOT NULL",
            ", PRIMARY KEY (Id)",
        ),
        (
            "scd2",
            ", ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL",
            "",
        ),
    ] {
        let bed = Bed::new();
        let columns = "Id int NOT NULL, N nvarchar(9) NULL, M datetime2(3) NOT NULL";
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T ({columns}, PRIMARY KEY (Id)); INSERT INTO dbo.T VALUES (1, N'a', '2026-01-01')"
        ));
        bed.target()
            .execute(&format!("CREATE TABLE dbo.T ({columns}{own}{key})"));
        sync(&bed, merge).run().success();
        bed.target().execute("ALTER TABLE dbo.T DROP COLUMN N");
        bed.target().execute("ALTER TABLE dbo.T ADD N int NULL");
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (2, N'b', '2026-02-01')");
        let said = "table dbo.T, column 'N': string values cannot be loaded into int";
        sync(&bed, merge)
            .run()
            .failure(&[said, "hint: give the target column a type of the same kind"]);
        let compared = bed
            .verify("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--lake-merge", "upsert"])
            .args(["--merge", merge, "--target", &bed.target_url()])
            .run();
        assert_eq!(compared.code, Some(1), "{merge}: {}", compared.stderr);
        assert!(
            (compared.stderr.clone() + &compared.stdout).contains(said),
            "{merge}: {}",
            compared.stderr
        );
    }
}

//! Sources that are views, and names that are synonyms.

use icehost_tests::{Bed, Command, Dump};

/// A table, and a view over some of it.
fn bed(view: &str) -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V rowversion, Kind char(1) NOT NULL);
         INSERT INTO dbo.T (Id, M, Kind) VALUES (1, '2024-01-01', 'x'), (2, '2024-01-02', 'y'), (3, '2024-01-03', 'x')",
    );
    bed.source().execute(view);
    bed
}

const PLAIN: &str = "CREATE VIEW dbo.X AS SELECT Id, M FROM dbo.T WHERE Kind = 'x'";

fn sync(bed: &Bed, strategy: &str) -> Command {
    let sync = bed
        .sync("dbo.X", "demo.x")
        .args(["--target", &bed.target_url(), "--create-target"])
        .args(["--strategy", strategy, "--lake-merge", "upsert"])
        .args(["--lake-merge-option", "keys=Id"]);
    sync.args(["--merge", "upsert", "--merge-option", "keys=Id"])
}

fn assert_equal(bed: &Bed) {
    let source = bed.source_dump("dbo.X");
    let lake = Dump::pyiceberg(&bed.lake("demo.x"), None);
    source.assert_equals(&lake, "source", "lake");
    source.assert_equals(&bed.target_dump("dbo.X"), "source", "target");
}

#[test]
fn a_view_is_synced_by_chosen_keys() {
    for view in [
        PLAIN,
        "CREATE VIEW dbo.X (Id, M) AS SELECT a.Id, b.M FROM dbo.T AS a JOIN dbo.T AS b ON b.Id = a.Id WHERE a.Kind = 'x'",
    ] {
        let bed = bed(view);
        assert_eq!(sync(&bed, "timestamp").json()["rows_inserted"], 2);
        bed.source().execute(
            "INSERT INTO dbo.T (Id, M, Kind) VALUES (4, '2024-01-04', 'x'), (5, '2024-01-04', 'y');
             UPDATE dbo.T SET M = '2024-01-05' WHERE Id = 1",
        );
        let report = sync(&bed, "timestamp").json();
        assert_eq!(
            (&report["rows_inserted"], &report["rows_updated"]),
            (&1.into(), &1.into())
        );
        assert_equal(&bed);
        assert_eq!(sync(&bed, "timestamp").json()["snapshot_created"], false);
    }
}

#[test]
fn rowversions_are_read_through_a_view() {
    let bed = bed("CREATE VIEW dbo.X AS SELECT Id, Kind, V FROM dbo.T");
    let run = || {
        let sync = bed.sync("dbo.X", "demo.x");
        sync.args(["--strategy", "rowversion", "--merge", "upsert"])
            .args(["--merge-option", "keys=Id"])
            .json()
    };
    assert_eq!(run()["rows_extracted"], 3);
    bed.source()
        .execute("UPDATE dbo.T SET Kind = 'z' WHERE Id = 2");
    assert_eq!(run()["rows_extracted"], 1);
    assert_eq!(run()["rows_extracted"], 0);
    let lake = Dump::pyiceberg(&bed.lake("demo.x"), None);
    bed.source_dump("dbo.X")
        .assert_equals(&lake, "source", "lake");
}

#[test]
fn a_view_has_no_key_of_its_own() {
    let bed = bed(PLAIN);
    let keyless = |merge: &str| {
        let sync = bed.sync("dbo.X", "demo.x");
        sync.args(["--strategy", "timestamp", "--merge", merge])
    };
    keyless("upsert").run().failure(&["dbo.X", "key", "hint"]);
    assert!(!bed.lake("demo.x").exists());
    // Rows are told apart by all that they hold.
    assert_eq!(keyless("append-only").json()["rows_extracted"], 2);
    bed.source()
        .execute("INSERT INTO dbo.T (Id, M, Kind) VALUES (4, '2024-01-03', 'x')");
    assert_eq!(keyless("append-only").json()["rows_extracted"], 1);
    assert_eq!(keyless("append-only").json()["rows_extracted"], 0);
    let lake = Dump::pyiceberg(&bed.lake("demo.x"), None);
    bed.source_dump("dbo.X")
        .assert_equals(&lake, "source", "lake");
}

#[test]
fn a_view_is_no_target() {
    let bed = bed(PLAIN);
    bed.target()
        .execute("CREATE TABLE dbo.B (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL)");
    bed.target()
        .execute("CREATE VIEW dbo.X AS SELECT Id, M FROM dbo.B");
    for _ in 0..2 {
        sync(&bed, "timestamp").run().failure(&[
            "target table dbo.X is a view",
            "hint",
            "load into the table",
        ]);
    }
}

#[test]
fn a_synonym_is_refused_with_what_it_stands_for() {
    let bed = bed(PLAIN);
    let (from, to) = (bed.source_database(), bed.target_url());
    bed.source()
        .execute("CREATE SYNONYM dbo.S FOR dbo.T; CREATE SYNONYM dbo.W FOR dbo.X");
    bed.target().execute(&format!(
        "CREATE SYNONYM dbo.T FOR {from}.dbo.T; CREATE SYNONYM dbo.[odd]]name] FOR [{from}].dbo.[T]"
    ));
    for (synonym, wanted) in [("dbo.S", "[dbo].[T]"), ("dbo.W", "[dbo].[X]")] {
        bed.sync(synonym, "demo.s")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .run()
            .failure(&[&format!("{synonym} is a synonym of {wanted}"), "hint"]);
    }
    // The target would be the source.
    for target in ["dbo.T", "dbo.[odd]]name]"] {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(["--target", &to, "--target-table", target, "--create-target"])
            .run()
            .failure(&[&format!("is a synonym of [{from}].[dbo].[T]"), "hint"]);
    }
    assert!(!bed.warehouse().exists(), "nothing is written");
}

#[test]
fn a_target_under_the_source_s_view_is_refused() {
    let bed = bed("CREATE VIEW dbo.Far AS SELECT Id, M FROM dbo.T");
    bed.source()
        .execute("CREATE VIEW dbo.X (Id, M) AS SELECT f.Id, f.M FROM dbo.Far AS f");
    let sync = |url: &str, target: &str| {
        bed.sync("dbo.X", "demo.x")
            .args(["--target", url, "--target-table", target])
            .args(["--strategy", "timestamp", "--lake-merge", "upsert"])
            .args(["--lake-merge-option", "keys=Id"])
            .args(["--merge", "upsert", "--merge-option", "keys=Id"])
    };
    let here = format!("{}.dbo.t", bed.source_database());
    for (url, target) in [(bed.source_url(), "dbo.T"), (bed.target_url(), &here)] {
        let said = ["is what the source dbo.X, a view, is over", "hint"];
        sync(&url, target).run().failure(&said);
        sync(&url, target).arg("--dry-run").run().failure(&said);
        assert!(!bed.warehouse().exists(), "nothing is written");
    }
    // A table of that name in another database is another table.
    sync(&bed.target_url(), "dbo.T")
        .arg("--create-target")
        .json();
}

#[test]
fn rowversions_of_another_database_are_refused_through_a_view() {
    let bed = bed(PLAIN);
    let other = bed.source_database();
    bed.target().execute(&format!(
        "CREATE VIEW dbo.Near AS SELECT Id, V FROM {other}.dbo.T"
    ));
    let sync = Command::new(["sync", "--source", &bed.target_url(), "--table", "dbo.Near"])
        .args(["--lake-table", "demo.n", "--strategy", "rowversion"])
        .args(["--merge", "upsert", "--merge-option", "keys=Id"])
        .args(["--warehouse", &bed.warehouse().display().to_string()]);
    sync.run().failure(&[
        "dbo.Near is a view",
        &format!("in the database {other}"),
        "MIN_ACTIVE_ROWVERSION() tells of",
        "hint",
    ]);
}

//! A target table into which several lake tables deliver: what one of them finds or does, the others are told.

use icehost_tests::{Bed, Command, Run};

use crate::belonging::{as_an_earlier_version_left_it, delivered, load, rows, warns};

/// Rows 1 to 20 of `demo.t`, and 101 to 110 of `demo.u`.
fn shared(merge: &str) -> Bed {
    let bed = delivered(merge);
    bed.source().execute(
        "CREATE TABLE dbo.U (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.U SELECT value, value, '2026-01-01' FROM GENERATE_SERIES(101, 110)",
    );
    sync_other(&bed);
    assert_eq!(other(&bed, merge, &[]).json()["rows_inserted"], 10);
    bed
}

fn sync_other(bed: &Bed) {
    bed.sync("dbo.U", "demo.u")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .args(["--merge-option", "delete-missing=true"])
        .json();
}

fn other(bed: &Bed, merge: &str, more: &[&str]) -> Command {
    bed.load("demo.u", "dbo.T")
        .args(["--merge", merge])
        .args(more.iter().copied())
}

const BY_HAND: &str = "rows were removed from the target by hand";

#[track_caller]
fn assert_quiet(next: Command) {
    let next = next.json();
    assert_eq!(next["warnings"], serde_json::json!([]), "{next}");
    for count in ["rows_inserted", "rows_updated", "rows_deleted"] {
        assert_eq!(next[count], 0, "{count}");
    }
}

#[track_caller]
fn assert_both_quiet(bed: &Bed, merge: &str) {
    assert_quiet(load(bed, merge, &[]));
    assert_quiet(other(bed, merge, &[]));
}

#[test]
fn a_shared_target_that_was_emptied_gets_the_rows_of_each_lake_table() {
    for earlier in [false, true] {
        let bed = shared("upsert");
        if earlier {
            as_an_earlier_version_left_it(&bed);
        }
        for emptied in ["DELETE FROM dbo.T", "TRUNCATE TABLE dbo.T"] {
            bed.target().execute(emptied);
            let first = load(&bed, "upsert", &[]).json();
            assert_eq!(first["rows_inserted"], 20, "{emptied}");
            warns(&first, "it is empty");
            let second = other(&bed, "upsert", &[]).json();
            assert_eq!(second["rows_inserted"], 10, "{emptied}");
            warns(&second, "it was emptied after the last run");
            assert_eq!(rows(&bed), "30");
            assert_both_quiet(&bed, "upsert");
        }
    }
}

#[test]
fn a_shared_target_that_was_emptied_is_told_whatever_the_first_run_does() {
    for (changes, more) in [
        (true, &[][..]),
        (false, &["--full"]),
        (true, &["--trust-position"]),
    ] {
        let bed = shared("upsert");
        if changes {
            bed.source()
                .execute("INSERT INTO dbo.T VALUES (50, 50, '2026-02-01')");
            crate::belonging::sync(&bed);
        }
        bed.target().execute("DELETE FROM dbo.T");
        let trusts = more == ["--trust-position"];
        let excused = |run: Command| match trusts {
            true => run.leaves_apart("the target was emptied on purpose"),
            false => run,
        };
        excused(load(&bed, "upsert", more)).json();
        let second = other(&bed, "upsert", &[]).json();
        assert_eq!(second["rows_inserted"], 10, "{more:?}");
        assert_quiet(excused(load(&bed, "upsert", &[])));
        assert_quiet(other(&bed, "upsert", &[]));
    }
}

#[test]
fn append_only_into_a_shared_target_that_was_emptied_asks_each() {
    let bed = shared("append-only");
    bed.target().execute("TRUNCATE TABLE dbo.T");
    let asks = ["does not look as it was left", "--full", "--trust-position"];
    load(&bed, "append-only", &[]).run().failure(&asks);
    let full = load(&bed, "append-only", &["--full"]);
    assert_eq!(full.json()["rows_inserted"], 20);
    other(&bed, "append-only", &[]).run().failure(&asks);
    let full = other(&bed, "append-only", &["--full"]);
    assert_eq!(full.json()["rows_inserted"], 10);
    assert_eq!(rows(&bed), "30");
    assert_both_quiet(&bed, "append-only");
    // Once only.
    other(&bed, "append-only", &["--full"])
        .run()
        .failure(&["every row would be added"]);

    // On purpose, for both.
    bed.target().execute("TRUNCATE TABLE dbo.T");
    for more in [&["--trust-position"][..], &[]] {
        let next = load(&bed, "append-only", more).leaves_apart(BY_HAND).json();
        assert_eq!(next["rows_inserted"], 0);
        assert_quiet(other(&bed, "append-only", more).leaves_apart(BY_HAND));
    }
}

#[test]
fn rows_that_somebody_removes_from_a_shared_target_are_told_to_each() {
    let bed = shared("upsert");
    bed.target().execute("DELETE FROM dbo.T WHERE Id > 105");
    let first = load(&bed, "upsert", &[]).json();
    warns(&first, "has 25 rows and had 30 after the last run");
    warns(&first, "of demo.u cannot be told");
    let second = other(&bed, "upsert", &[]).leaves_apart(BY_HAND).json();
    warns(
        &second,
        "somebody else has removed rows from target table dbo.T",
    );
    // Told once; the way back is what both have named.
    assert_quiet(load(&bed, "upsert", &[]));
    assert_quiet(other(&bed, "upsert", &[]).leaves_apart(BY_HAND));
    let full = other(&bed, "upsert", &["--full"]).json();
    assert_eq!(full["rows_inserted"], 5);
    assert_both_quiet(&bed, "upsert");

    // By a run that has rows to bring.
    bed.target().execute("DELETE FROM dbo.T WHERE Id = 1");
    bed.source()
        .execute("INSERT INTO dbo.U VALUES (111, 0, '2026-02-01')");
    sync_other(&bed);
    let first = other(&bed, "upsert", &[]).json();
    warns(&first, "has 29 rows and had 30 after the last run");
    let second = load(&bed, "upsert", &[]).leaves_apart(BY_HAND).json();
    warns(
        &second,
        "somebody else has removed rows from target table dbo.T",
    );
    // A deletion that the lake brings is no such thing.
    bed.source().execute("DELETE FROM dbo.U WHERE Id = 111");
    sync_other(&bed);
    assert_eq!(other(&bed, "upsert", &[]).json()["rows_deleted"], 1);
    assert_quiet(load(&bed, "upsert", &[]).leaves_apart(BY_HAND));
    assert_quiet(other(&bed, "upsert", &[]));
}

#[test]
fn a_lake_table_in_the_place_of_another_one_is_told_of_its_rows() {
    let bed = delivered("upsert");
    bed.source().execute("DELETE FROM dbo.T WHERE Id = 5");
    bed.sync("dbo.T", "demo.t2")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .json();
    let anew = |more: &[&str]| {
        bed.load("demo.t2", "dbo.T")
            .args(["--merge", "upsert"])
            .args(more.iter().copied())
            .json()
    };
    let first = anew(&[]);
    assert_eq!(first["rows_deleted"], 0);
    warns(&first, "which of them demo.t delivered cannot be told");
    warns(&first, "or this one takes its place, delete its row");
    // The way that it names.
    bed.target()
        .execute("DELETE FROM dbo.icehost_positions WHERE lake_table = N'demo.t'");
    assert_eq!(anew(&["--full"])["rows_deleted"], 1);
    bed.source_dump("dbo.T")
        .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    assert_eq!(anew(&[])["warnings"], serde_json::json!([]));

    let bed = delivered("append-only");
    bed.sync("dbo.T", "demo.t2")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .json();
    bed.target()
        .execute("ALTER TABLE dbo.T DROP CONSTRAINT PK_T");
    let first = bed
        .load("demo.t2", "dbo.T")
        .args(["--merge", "append-only"])
        .json();
    warns(
        &first,
        "or this one takes its place, its rows are there twice",
    );
}

/// Rows 1 to 10 of `demo.t` and 11 to 20 of `demo.u`, in one target that has a mark.
fn two_sources(merge: &str) -> Bed {
    let bed = Bed::new();
    for (table, from) in [("T", 1), ("U", 11)] {
        bed.source().execute(&format!(
            "CREATE TABLE dbo.{table} (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL);
             INSERT INTO dbo.{table} SELECT value, value, '2026-01-01' FROM GENERATE_SERIES({from}, {from} + 9)"
        ));
    }
    let own = match merge {
        "scd2" => {
            "HId bigint IDENTITY NOT NULL PRIMARY KEY, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL"
        }
        _ => "IsDeleted bit NOT NULL DEFAULT 0, PRIMARY KEY (Id)",
    };
    bed.target().execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL, V int NOT NULL, Modified datetime2(3) NOT NULL, {own})"
    ));
    crate::belonging::sync(&bed);
    sync_other(&bed);
    load(&bed, merge, &[]).json();
    other(&bed, merge, &[]).json();
    bed
}

/// The values that count of a row of the target.
fn counting(bed: &Bed, merge: &str, id: u32) -> Vec<Vec<String>> {
    let counts = match merge {
        "scd2" => "ValidTo IS NULL",
        _ => "IsDeleted = 0",
    };
    bed.target()
        .rows(&format!("SELECT V FROM dbo.T WHERE Id = {id} AND {counts}"))
}

#[test]
fn a_row_that_moves_from_one_lake_table_to_another_stays() {
    for merge in ["upsert", "soft-delete", "scd2"] {
        // As it was, and changed on its way.
        for value in ["5", "55"] {
            for brought_first in [true, false] {
                let bed = two_sources(merge);
                bed.source().execute(&format!(
                    "DELETE FROM dbo.T WHERE Id IN (5, 6); INSERT INTO dbo.U VALUES (5, {value}, '2026-02-01')"
                ));
                crate::belonging::sync(&bed);
                sync_other(&bed);
                let takes = || load(&bed, merge, &[]).json();
                let brings = || other(&bed, merge, &[]).json();
                let took = match brought_first {
                    true => {
                        brings();
                        takes()
                    }
                    false => {
                        let took = takes();
                        brings();
                        took
                    }
                };
                let what = format!("{merge}, {value}, {brought_first}: {took}");
                match brought_first {
                    true => warns(
                        &took,
                        "stay in target table dbo.T (1), since demo.u has rows of the same keys",
                    ),
                    false => assert_eq!(took["warnings"], serde_json::json!([]), "{what}"),
                }
                assert_eq!(counting(&bed, merge, 5), [[value]], "{what}");
                // What has not moved goes, and nobody is told.
                assert_eq!(counting(&bed, merge, 6).len(), 0, "{what}");
                bed.source().execute("DELETE FROM dbo.T WHERE Id = 7");
                crate::belonging::sync(&bed);
                let took = takes();
                assert_eq!(took["warnings"], serde_json::json!([]), "{what}");
                assert_eq!(counting(&bed, merge, 7).len(), 0, "{what}");
                assert_eq!(counting(&bed, merge, 5), [[value]], "{what}");
                // It goes with the lake table that it is of.
                bed.source().execute("DELETE FROM dbo.U WHERE Id = 5");
                sync_other(&bed);
                brings();
                assert_eq!(counting(&bed, merge, 5).len(), 0, "{what}");
            }
        }
    }
}

#[test]
fn a_row_that_moves_under_another_spelling_of_its_key_stays() {
    // Plain letters are compared here; of others only the server knows which are one.
    for (one, anew) in [("abc", "ABC "), ("été", "ÉTÉ")] {
        let bed = Bed::new();
        let columns = "K nvarchar(20) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL";
        for (table, text) in [("T", "of t"), ("U", "of u")] {
            bed.source().execute(&format!(
                "CREATE TABLE dbo.{table} ({columns}); INSERT INTO dbo.{table} VALUES (N'{text}', 0, '2026-01-01')"
            ));
        }
        bed.source().execute(&format!(
            "INSERT INTO dbo.T VALUES (N'{one}', 1, '2026-01-01')"
        ));
        bed.target()
            .execute(&format!("CREATE TABLE dbo.T ({columns})"));
        crate::belonging::sync(&bed);
        sync_other(&bed);
        load(&bed, "upsert", &[]).json();
        other(&bed, "upsert", &[]).json();
        bed.source().execute(&format!(
            "DELETE FROM dbo.T WHERE V = 1; INSERT INTO dbo.U VALUES (N'{anew}', 2, '2026-02-01')"
        ));
        crate::belonging::sync(&bed);
        sync_other(&bed);
        other(&bed, "upsert", &[]).json();
        let took = load(&bed, "upsert", &[]).json();
        warns(&took, "since demo.u has rows of the same keys");
        let values = "SELECT V FROM dbo.T ORDER BY V";
        assert_eq!(bed.target().rows(values), [["0"], ["0"], ["2"]], "{one}");
    }
}

#[test]
fn a_row_that_is_brought_while_it_is_about_to_go_stays() {
    let bed = two_sources("upsert");
    bed.source()
        .execute("DELETE FROM dbo.T WHERE Id = 5; INSERT INTO dbo.U VALUES (5, 55, '2026-02-01')");
    crate::belonging::sync(&bed);
    sync_other(&bed);
    // It has looked, and found the key nowhere.
    let taking = load(&bed, "upsert", &["--output", "json"])
        .failpoint("sqlserver::after-stage", "1*sleep(9000)")
        .spawn();
    std::thread::sleep(std::time::Duration::from_secs(3));
    other(&bed, "upsert", &[]).json();
    let took = Run::of("the run that takes it out".to_owned(), taking);
    let took = took.success().json();
    warns(&took, "since demo.u has rows of the same keys");
    assert_eq!(counting(&bed, "upsert", 5), [["55"]]);
}

#[test]
fn nothing_is_taken_out_where_another_lake_table_cannot_be_looked_into() {
    let bed = two_sources("upsert");
    let takes_out = |id: u32| {
        bed.source()
            .execute(&format!("DELETE FROM dbo.T WHERE Id = {id}"));
        crate::belonging::sync(&bed);
    };
    takes_out(5);
    let (at, away) = (bed.lake("demo.u"), bed.lake("demo.away"));
    std::fs::rename(&at, &away).unwrap();
    load(&bed, "upsert", &[]).run().failure(&[
        "rows that lake table demo.t no longer has would go from target table dbo.T (1), into which demo.u is delivered, too",
        "hint",
        "--keys-never-move",
    ]);
    assert_eq!(counting(&bed, "upsert", 5).len(), 1);
    let said = load(&bed, "upsert", &["--keys-never-move"]).json();
    assert_eq!(said["rows_deleted"], 1);
    // Another one lies there now.
    takes_out(6);
    sync_other(&bed);
    load(&bed, "upsert", &[])
        .run()
        .failure(&["another lake table lies at", "hint"]);
    std::fs::remove_dir_all(&at).unwrap();
    std::fs::rename(&away, &at).unwrap();
    assert_eq!(load(&bed, "upsert", &[]).json()["rows_deleted"], 1);
    // It lies elsewhere, as far as is known.
    takes_out(7);
    bed.target().execute(
        "UPDATE dbo.icehost_positions SET lake_location = N'elsewhere:/lake' WHERE lake_table = N'demo.u'",
    );
    load(&bed, "upsert", &[])
        .run()
        .failure(&["it lies on another machine", "hint"]);
    // Its next run says where.
    other(&bed, "upsert", &[]).json();
    assert_eq!(load(&bed, "upsert", &[]).json()["rows_deleted"], 1);
}

#[test]
fn a_key_that_is_spelled_anew_takes_no_row_of_another_lake_table() {
    let bed = Bed::new();
    let key = |collation: &str| format!("K varchar(20) COLLATE {collation} NOT NULL PRIMARY KEY");
    for (table, text) in [("T", "abc"), ("U", "ABC")] {
        bed.source().execute(&format!(
            "CREATE TABLE dbo.{table} ({}, V int NOT NULL, Modified datetime2(3) NOT NULL);
             INSERT INTO dbo.{table} VALUES ('{text}', 1, '2026-01-01')",
            key("Latin1_General_CI_AS")
        ));
        let lake = format!("demo.{}", table.to_lowercase());
        bed.sync(&format!("dbo.{table}"), &lake)
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .json();
    }
    bed.target().execute(&format!(
        "CREATE TABLE dbo.T ({}, V int NOT NULL, Modified datetime2(3) NOT NULL)",
        key("Latin1_General_BIN2")
    ));
    load(&bed, "upsert", &[]).json();
    other(&bed, "upsert", &[]).json();
    bed.source()
        .execute("UPDATE dbo.T SET V = 2, Modified = '2026-02-01'");
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "append-only"])
        .json();
    load(&bed, "upsert", &[]).run().failure(&[
        "dbo.T has 1 row whose keys are one with keys of the delta by the source's collation",
        "hint",
        "--keys-never-move",
    ]);
    let rows = "SELECT K, V FROM dbo.T ORDER BY K";
    assert_eq!(bed.target().rows(rows), [["ABC", "1"], ["abc", "1"]]);
}

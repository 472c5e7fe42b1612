//! Rows that the merge would leave different from the lake's are refused before it, by name.

use icehost_tests::{Bed, Command};

/// A source table under `definition`, in the lake, and the same or another in the target.
fn bed(source: &str, rows: &str, target: &str) -> Bed {
    let bed = Bed::new();
    bed.source()
        .execute(&format!("CREATE TABLE dbo.T ({source})"));
    bed.source()
        .execute(&format!("INSERT INTO dbo.T VALUES {rows}"));
    bed.target()
        .execute(&format!("CREATE TABLE dbo.T ({target})"));
    sync(&bed);
    bed
}

fn sync(bed: &Bed) {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
        .args(["--merge-option", "delete-missing=true"])
        .json();
}

fn load(bed: &Bed, more: &[&str]) -> Command {
    bed.load("demo.t", "dbo.T")
        .args(["--merge", "upsert"])
        .args(more.iter().copied())
}

#[test]
fn an_identity_value_that_would_have_to_change_is_refused() {
    let bed = bed(
        "Code varchar(5) NOT NULL PRIMARY KEY, Id int NOT NULL, V int NULL",
        "('a', 1, 1), ('b', 2, 2)",
        "Code varchar(5) NOT NULL PRIMARY KEY, Id int IDENTITY NOT NULL, V int NULL",
    );
    assert_eq!(load(&bed, &[]).json()["rows_inserted"], 2);
    // Another column changes: the identity value is what it was.
    bed.source()
        .execute("UPDATE dbo.T SET V = 9 WHERE Code = 'a'");
    sync(&bed);
    assert_eq!(load(&bed, &[]).json()["rows_updated"], 1);
    bed.source()
        .execute("UPDATE dbo.T SET Id = 7, V = 3 WHERE Code = 'b'");
    sync(&bed);
    let said = [
        "column 'Id', row (b)",
        "has 2 and would have to become 7",
        "hint",
    ];
    load(&bed, &[]).run().failure(&said);
    load(&bed, &["--full"]).run().failure(&said);
    let there = "SELECT Code, Id, V FROM dbo.T ORDER BY Code";
    assert_eq!(bed.target().rows(there), [["a", "1", "9"], ["b", "2", "2"]]);
    // A row that goes and one that comes are no update.
    bed.source().execute("DELETE FROM dbo.T WHERE Code = 'b'");
    sync(&bed);
    assert_eq!(load(&bed, &[]).json()["rows_deleted"], 1);
    bed.source().execute("INSERT INTO dbo.T VALUES ('b', 7, 3)");
    sync(&bed);
    assert_eq!(load(&bed, &[]).json()["rows_inserted"], 1);
    assert_eq!(bed.target().rows(there), [["a", "1", "9"], ["b", "7", "3"]]);
}

#[test]
fn a_key_that_the_target_has_several_times_is_refused() {
    let bed = bed(
        "Code varchar(5) NOT NULL PRIMARY KEY, V int NULL",
        "('a', 1), ('b', 2)",
        "Code varchar(5) NOT NULL, V int NULL",
    );
    assert_eq!(load(&bed, &[]).json()["rows_inserted"], 2);
    bed.target().execute("INSERT INTO dbo.T VALUES ('a', 5)");
    bed.source()
        .execute("UPDATE dbo.T SET V = 3 WHERE Code = 'a'");
    sync(&bed);
    let said = [
        "it has several rows with the key (a), of which the delta has one",
        "hint",
    ];
    load(&bed, &[]).run().failure(&said);
    let there = "SELECT V FROM dbo.T ORDER BY V";
    assert_eq!(bed.target().rows(there), [["1"], ["2"], ["5"]]);
    bed.target().execute("DELETE FROM dbo.T WHERE V = 5");
    assert_eq!(load(&bed, &[]).json()["rows_updated"], 1);
}

#[test]
fn rows_that_have_a_chosen_key_in_common_are_refused_unless_one_is_chosen() {
    let bed = bed(
        "Id int NOT NULL PRIMARY KEY, Team int NOT NULL, V int NULL",
        "(1, 10, 1), (2, 10, 2), (3, 20, 3)",
        "Id int NOT NULL, Team int NOT NULL PRIMARY KEY, V int NULL",
    );
    let said = ["several rows have the key (10)", "deduplicate-by"];
    load(&bed, &["--merge-option", "keys=Team"])
        .run()
        .failure(&said);
    // The target's own key is no better.
    load(&bed, &[]).run().failure(&said);
    assert_eq!(bed.target().value("SELECT COUNT(*) FROM dbo.T"), "0");
    let chosen = load(&bed, &["--merge-option", "deduplicate-by=V"]).json();
    assert_eq!(chosen["rows_inserted"], 2);
    let kept = "SELECT Id FROM dbo.T ORDER BY Id";
    assert_eq!(bed.target().rows(kept), [["2"], ["3"]]);
}

#[test]
fn columns_may_be_named_like_icehosts_own() {
    let table = "Id int NOT NULL PRIMARY KEY, icehost_operation int NULL, icehost_arrival int NULL, \
                 icehost_matched int NULL, ICEHOST_SUCCESSION int NULL, icehost_column_2 int NULL, Größe int NULL";
    let bed = bed(table, "(1, 0, 1, 2, 3, 4, 5), (2, 0, 1, 2, 3, 4, 5)", table);
    assert_eq!(load(&bed, &[]).json()["rows_inserted"], 2);
    bed.source().execute(
        "UPDATE dbo.T SET icehost_arrival = 8 WHERE Id = 1; DELETE FROM dbo.T WHERE Id = 2",
    );
    sync(&bed);
    let next = load(&bed, &[]).json();
    assert_eq!(
        (&next["rows_updated"], &next["rows_deleted"]),
        (&1.into(), &1.into())
    );
    bed.source_dump("dbo.T")
        .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    bed.target().execute("INSERT INTO dbo.T (Id) VALUES (9)");
    assert_eq!(load(&bed, &["--full"]).json()["rows_deleted"], 1);
    bed.source_dump("dbo.T")
        .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
}

#[test]
fn as_many_columns_as_can_be_staged_are_and_more_are_refused() {
    for (columns, fits) in [(1020, true), (1022, false)] {
        let names: Vec<String> = (1..columns).map(|n| format!("c{n} bit NULL")).collect();
        let table = format!("Id int NOT NULL PRIMARY KEY, {}", names.join(", "));
        let values = vec!["1"; columns - 1].join(", ");
        let bed = bed(&table, &format!("(1, {values})"), &table);
        let run = load(&bed, &[]).run();
        if !fits {
            run.failure(&[
                "a delta of 1022 columns cannot be staged; 1021 is the most",
                "--exclude-columns",
            ]);
            continue;
        }
        run.success();
        bed.source().execute("UPDATE dbo.T SET c1 = 0");
        sync(&bed);
        assert_eq!(load(&bed, &[]).json()["rows_updated"], 1);
    }
}

#[test]
fn columns_that_the_target_makes_itself_are_told() {
    let bed = bed(
        "Id int NOT NULL PRIMARY KEY, A int NULL, Twice int NULL",
        "(1, 2, 5)",
        "Id int NOT NULL PRIMARY KEY, A int NULL, Twice AS (A * 2)",
    );
    let first = load(&bed, &[]).json();
    let warnings = first["warnings"].to_string();
    assert!(
        warnings.contains("makes the values of Twice itself"),
        "{warnings}"
    );
    bed.source().execute("UPDATE dbo.T SET A = 3");
    sync(&bed);
    let next = load(&bed, &[]).json();
    assert_eq!(next["warnings"], serde_json::json!([]), "said once");
}

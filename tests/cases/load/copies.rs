//! A key that stands in the lake several times: what goes is told by what is there afterwards.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command};

fn table(bed: &Bed, key: &str) {
    bed.source().execute(&format!(
        "CREATE TABLE dbo.P (Id {key} NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL)"
    ));
}

/// Keeps every version in the lake.
fn history(bed: &Bed) {
    bed.sync("dbo.P", "demo.p")
        .args(["--strategy", "timestamp", "--merge", "append-only"])
        .run()
        .success();
}

fn load(bed: &Bed, merge: &str) -> Command {
    bed.load("demo.p", "dbo.P").args(["--merge", merge])
}

fn rows(bed: &Bed, columns: &str) -> Vec<Vec<String>> {
    let sql = format!("SELECT {columns} FROM dbo.P ORDER BY 1, 2");
    bed.target().rows(&sql)
}

/// Two rows, of which the first has two versions in the lake, and a target that has been brought there.
fn two_versions(bed: &Bed) {
    table(bed, "int");
    bed.source().execute(
        "INSERT INTO dbo.P VALUES (1, 10, '2024-01-01'), (2, 20, '2024-01-01'), (3, 30, '2024-01-01')",
    );
    history(bed);
    bed.source()
        .execute("UPDATE dbo.P SET V = 11, Modified = '2024-02-01' WHERE Id = 1");
    history(bed);
}

#[test]
fn old_versions_that_are_removed_in_the_lake_leave_the_newest_in_the_target() {
    let bed = Bed::new();
    two_versions(&bed);
    load(&bed, "upsert").arg("--create-target").json();
    maintain(&bed.lake("demo.p"), &["delete=Id = 1 and V = 10 or Id = 3"]);
    let report = load(&bed, "upsert").json();
    assert_eq!(report["rows_deleted"], 1, "{report}");
    assert_eq!(rows(&bed, "Id, V"), [["1", "11"], ["2", "20"]]);
}

#[test]
fn the_newest_version_that_is_removed_gives_way_to_the_one_before_it() {
    let bed = Bed::new();
    two_versions(&bed);
    load(&bed, "upsert").arg("--create-target").json();
    maintain(&bed.lake("demo.p"), &["delete=Id = 1 and V = 11"]);
    let report = load(&bed, "upsert").json();
    assert_eq!(report["rows_updated"], 1, "{report}");
    assert_eq!(report["rows_deleted"], 0, "{report}");
    assert_eq!(rows(&bed, "Id, V"), [["1", "10"], ["2", "20"], ["3", "30"]]);
}

#[test]
fn a_copy_that_is_removed_takes_nothing_with_it() {
    let bed = Bed::new();
    two_versions(&bed);
    maintain(&bed.lake("demo.p"), &["copy=Id = 2"]);
    load(&bed, "upsert").arg("--create-target").json();
    maintain(&bed.lake("demo.p"), &["distinct"]);
    let report = load(&bed, "upsert")
        .leaves_apart(
            "which of the two versions of a key is the newest is lost with the order of the rows",
        )
        .json();
    assert_eq!(report["rows_deleted"], 0, "{report}");
    let wanted = [["1", "11"], ["2", "20"], ["3", "30"]];
    assert_eq!(rows(&bed, "Id, V"), wanted);
    load(&bed, "upsert")
        .arg("--full")
        .run()
        .failure(&["with the key Id = 1, and nothing tells which of them is the newest"]);
    load(&bed, "upsert")
        .args(["--full", "--merge-option", "deduplicate-by=Modified"])
        .json();
    assert_eq!(rows(&bed, "Id, V"), wanted);
}

#[test]
fn nothing_is_marked_as_gone_that_is_there() {
    let bed = Bed::new();
    two_versions(&bed);
    bed.target().execute(
        "CREATE TABLE dbo.P (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL,
            IsDeleted bit NOT NULL)",
    );
    load(&bed, "soft-delete").json();
    maintain(&bed.lake("demo.p"), &["delete=Id = 1 and V = 10 or Id = 3"]);
    load(&bed, "soft-delete").json();
    let wanted = [
        ["1", "11", "false"],
        ["2", "20", "false"],
        ["3", "30", "true"],
    ];
    assert_eq!(rows(&bed, "Id, V, IsDeleted"), wanted);
}

#[test]
fn no_version_is_closed_of_what_is_there() {
    let bed = Bed::new();
    two_versions(&bed);
    bed.target().execute(
        "CREATE TABLE dbo.P (RowId bigint IDENTITY NOT NULL PRIMARY KEY, Id int NOT NULL, V int NOT NULL,
            Modified datetime2(3) NOT NULL, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL)",
    );
    let history = || {
        load(&bed, "scd2")
            .args(["--merge-option", "keys=Id"])
            .json()
    };
    history();
    maintain(&bed.lake("demo.p"), &["delete=Id = 1 and V = 10 or Id = 3"]);
    history();
    let open = "Id, V, CASE WHEN ValidTo IS NULL THEN 1 ELSE 0 END";
    let wanted = [["1", "11", "1"], ["2", "20", "1"], ["3", "30", "0"]];
    assert_eq!(rows(&bed, open), wanted);
}

#[test]
fn the_target_s_notion_of_a_key_decides() {
    let bed = Bed::new();
    // Two keys in the source, and one in the target: the one goes as the other comes.
    table(&bed, "varchar(10) COLLATE Latin1_General_CS_AS");
    bed.source()
        .execute("INSERT INTO dbo.P VALUES ('abc', 1, '2024-01-01'), ('x', 3, '2024-01-01')");
    history(&bed);
    bed.target().execute(
        "CREATE TABLE dbo.P (Id varchar(10) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY, V int NOT NULL,
            Modified datetime2(3) NOT NULL)",
    );
    load(&bed, "upsert").json();
    bed.source()
        .execute("DELETE FROM dbo.P; INSERT INTO dbo.P VALUES ('ABC', 2, '2024-01-02')");
    history(&bed);
    maintain(&bed.lake("demo.p"), &["delete=Id = 'abc' or Id = 'x'"]);
    let report = load(&bed, "upsert").json();
    assert_eq!(report["rows_deleted"], 1, "{report}");
    assert_eq!(rows(&bed, "UPPER(Id), V"), [["ABC", "2"]]);
}

#[test]
fn an_order_of_versions_does_not_let_what_is_gone_win() {
    let bed = Bed::new();
    two_versions(&bed);
    let by_value = || {
        load(&bed, "upsert")
            .args(["--merge-option", "deduplicate-by=V"])
            .arg("--create-target")
            .json()
    };
    by_value();
    maintain(&bed.lake("demo.p"), &["delete=Id = 1 and V = 11"]);
    by_value();
    assert_eq!(rows(&bed, "Id, V"), [["1", "10"], ["2", "20"], ["3", "30"]]);
}

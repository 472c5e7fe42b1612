//! What a merge makes of rows is what they are compared with.

use crate::{Case, counts, insert, keys, mirror_in_lake};

#[test]
fn marked_rows_have_to_be_gone_from_the_lake() {
    let case = Case::new(50, &mirror_in_lake("soft-delete", &[]));
    case.target(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL, IsDeleted bit NOT NULL, DeletedAt datetime2(3) NULL)",
    );
    case.run();
    case.source("DELETE FROM dbo.T WHERE Id <= 5");
    case.run();
    let report = case.agrees();
    assert_eq!(report["target"]["rows_found"], 45);
    case.target("UPDATE dbo.T SET IsDeleted = 0, DeletedAt = NULL WHERE Id = 1; UPDATE dbo.T SET IsDeleted = 1 WHERE Id = 20");
    let report = case.differs();
    assert_eq!(
        keys(&report, "target", "wrong"),
        ["extra Id = 1", "missing Id = 20"]
    );
}

#[test]
fn the_current_versions_of_a_history_are_the_rows_of_the_lake() {
    let sync = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "upsert",
        "--merge",
        "scd2",
    ];
    let case = Case::new(30, &sync);
    case.target(
        "CREATE TABLE dbo.T (HistoryId bigint IDENTITY NOT NULL PRIMARY KEY, Id int NOT NULL, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL, IsCurrent bit NOT NULL)",
    );
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id <= 4");
    case.run();
    assert_eq!(case.bed.target().value("SELECT COUNT(*) FROM dbo.T"), "34");
    let report = case.agrees();
    assert_eq!(report["target"]["rows_found"], 30);
    case.target("UPDATE dbo.T SET Amount = 0 WHERE Id = 2 AND IsCurrent = 1; DELETE FROM dbo.T WHERE Id = 9; UPDATE dbo.T SET ValidTo = '2026-01-01', IsCurrent = 0 WHERE Id = 10");
    let report = case.differs();
    assert_eq!(
        keys(&report, "target", "wrong"),
        [
            "changed Id = 2: Amount",
            "missing Id = 10",
            "missing Id = 9",
            // It ends before it begins.
            "overlapping Id = 10"
        ]
    );
}

#[test]
fn an_appending_lake_has_every_row_of_the_source_among_its_versions() {
    let sync = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "append-only",
        "--merge",
        "upsert",
    ];
    let case = Case::new(30, &sync);
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id <= 4");
    case.run();
    let report = case.agrees();
    assert_eq!(report["lake"]["rows_found"], 34);
    assert_eq!(report["not_seen"], 0);
    // An older version in the target is wrong, though the lake has it.
    case.target("UPDATE dbo.T SET Name = N'name 3', Modified = '2026-01-01' WHERE Id = 3");
    case.source("UPDATE dbo.T SET Amount = 1 WHERE Id = 7");
    let report = case.differs();
    assert_eq!(
        keys(&report, "target", "wrong"),
        ["changed Id = 3: "].map(|k| k.trim_end_matches(": "))
    );
    assert_eq!(keys(&report, "lake", "wrong"), ["missing Id = 7"]);
}

#[test]
fn an_appending_target_has_every_row_of_the_lake_once() {
    let sync = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "upsert",
        "--merge",
        "append-only",
    ];
    let case = Case::new(30, &sync);
    case.target("CREATE TABLE dbo.T (Id int NOT NULL, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL)");
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id <= 4");
    case.run();
    let report = case.agrees();
    assert_eq!(report["target"]["rows_found"], 34);
    case.target(
        "INSERT INTO dbo.T SELECT * FROM dbo.T WHERE Id = 2; DELETE FROM dbo.T WHERE Id = 8",
    );
    let report = case.differs();
    assert_eq!(counts(&report, "target", "wrong"), "1 missing, 2 repeated");
}

#[test]
fn rows_that_a_merge_leaves_alone_are_not_seen() {
    let sync = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "upsert",
        "--merge",
        "upsert",
        "--merge-option",
        "when-matched=skip",
    ];
    let case = Case::new(10, &sync);
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id = 4");
    case.run();
    let report = case.agrees();
    assert_eq!(counts(&report, "target", "not_seen"), "1 changed");
}

#[test]
fn rules_and_transformers_are_applied_before_rows_are_compared() {
    let sync = [
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
        "--column-rule",
        "Name=truncate:4",
    ];
    let case = Case::new(40, &sync);
    case.run();
    let report = case.agrees();
    assert_eq!(report["lake"]["checksums_by_server"], false, "{report}");
    let notes = report["lake"]["notes"].to_string();
    assert!(
        notes.contains("'Name': compared as column rules leave it"),
        "{notes}"
    );
    case.source("UPDATE dbo.T SET Name = N'name is cut' WHERE Id = 3");
    case.agrees();
    case.source("UPDATE dbo.T SET Name = N'other' WHERE Id = 3");
    assert_eq!(
        keys(&case.differs(), "lake", "wrong"),
        ["changed Id = 3: Name"]
    );
}

#[test]
fn keys_that_the_server_takes_for_one_are_one_row_with_another_spelling() {
    let bed = icehost_tests::Bed::new();
    let table = "CREATE TABLE dbo.T (Code varchar(10) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL)";
    bed.source().execute(table);
    bed.source()
        .execute("INSERT INTO dbo.T VALUES ('abc', '2026-01-01'), ('def', '2026-01-01')");
    let sync = [
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
        "--target",
        &bed.target_url(),
    ];
    bed.sync("dbo.T", "demo.t")
        .args(sync)
        .arg("--create-target")
        .run()
        .success();
    bed.target()
        .execute("UPDATE dbo.T SET Code = 'ABC' WHERE Code = 'abc'");
    let report = crate::differs(bed.verify("dbo.T", "demo.t").args(sync));
    assert_eq!(counts(&report, "target", "wrong"), "1 changed");
    assert_eq!(
        keys(&report, "target", "wrong"),
        ["changed Code = abc: Code"]
    );
}

#[test]
fn a_table_without_a_key_is_compared_row_by_row() {
    let bed = icehost_tests::Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (A int NULL, B int NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1, '2026-01-01'), (1, 1, '2026-01-01'), (2, NULL, '2026-01-01')",
    );
    let sync = ["--strategy", "timestamp", "--merge", "append-only"];
    bed.sync("dbo.T", "demo.t").args(sync).run().success();
    let verify = || bed.verify("dbo.T", "demo.t").args(sync);
    assert_eq!(verify().json()["wrong"], 0);
    bed.source().execute(
        "INSERT INTO dbo.T VALUES (1, 1, '2020-01-01'), (3, 3, '2026-01-01T00:00:00.001')",
    );
    let report = crate::differs(verify());
    assert_eq!(counts(&report, "lake", "wrong"), "1 missing");
    assert_eq!(counts(&report, "lake", "pending"), "1 missing");
}

#[test]
fn rows_beyond_one_batch_are_compared() {
    let case = Case::synced(10);
    insert(&case.bed, 100, 9000, "2026-01-05");
    case.run();
    assert_eq!(case.agrees()["lake"]["rows_found"], 9010);
}

/// Both sides have the same rows, and one of them is one too many.
#[test]
fn an_older_version_beside_the_newest_is_found_in_a_target_without_an_index() {
    let sync = [
        "--strategy",
        "timestamp",
        "--lake-merge",
        "append-only",
        "--merge",
        "upsert",
        "--merge-option",
        "keys=Id",
    ];
    let case = Case::new(20, &sync);
    case.target("CREATE TABLE dbo.T (Id int NOT NULL, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL)");
    case.run();
    case.source("UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id = 4");
    case.run();
    assert_eq!(case.agrees()["target"]["rows_found"], 20);
    case.target("INSERT INTO dbo.T VALUES (4, N'name 4', 4.25, '2026-01-01')");
    let report = case.differs();
    assert_eq!(
        report["target"]["rows_expected"],
        report["target"]["rows_found"]
    );
    assert_eq!(keys(&report, "target", "wrong"), ["repeated Id = 4"]);
}

/// Servers add up rows under any key; where not all agree, rows whose keys are spelled differently are brought together
/// here.
#[test]
fn keys_of_text_and_bytes_and_none_are_added_up_by_servers_while_all_agrees() {
    for (key, one, other) in [
        (
            "Code nvarchar(20) NOT NULL PRIMARY KEY",
            "N'caf' + NCHAR(233)",
            "N'abc'",
        ),
        ("Code varchar(20) NOT NULL PRIMARY KEY", "'abc'", "'abd'"),
        ("Code char(9) NOT NULL PRIMARY KEY", "'abc'", "'abd'"),
        ("Code varbinary(20) NOT NULL PRIMARY KEY", "0x0100", "0x02"),
        ("Code binary(4) NOT NULL PRIMARY KEY", "0x01", "0x02"),
        ("Code int NULL", "7", "NULL"),
    ] {
        let bed = icehost_tests::Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T ({key}, V int NOT NULL, Modified datetime2(3) NOT NULL);
             INSERT INTO dbo.T VALUES ({one}, 1, '2026-01-01'), ({other}, 2, '2026-01-02')"
        ));
        let merge = match key.ends_with("KEY") {
            true => "upsert",
            false => "append-only",
        };
        let to = bed.target_url();
        let told = |command: icehost_tests::Command| {
            command.args(["--strategy", "timestamp", "--merge", merge, "--target", &to])
        };
        told(bed.sync("dbo.T", "demo.t"))
            .arg("--create-target")
            .json();
        let verify = || told(bed.verify("dbo.T", "demo.t"));
        let report = verify().json();
        for side in ["lake", "target"] {
            assert_eq!(report[side]["checksums_by_server"], true, "{key}: {report}");
            assert_eq!(report[side]["rows_read_again"], 0, "{key}: {report}");
        }
        bed.target().execute("UPDATE dbo.T SET V = 5 WHERE V = 1");
        let report = crate::differs(verify());
        let wanted = match merge {
            "upsert" => "1 changed",
            _ => "1 missing, 1 extra",
        };
        assert_eq!(counts(&report, "target", "wrong"), wanted, "{key}");
        assert_eq!(report["target"]["checksums_by_server"], false, "{key}");
    }
}

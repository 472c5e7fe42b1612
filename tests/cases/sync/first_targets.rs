//! A target that a first sync could not deliver into ends it before the lake has a row.

use icehost_tests::{Bed, Command, READER, WRITER};

const SOURCE: &str =
    "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL, Val int NULL, Modified datetime2(3) NOT NULL);
     INSERT INTO dbo.T VALUES (1, N'one', 1, '2026-01-01'), (2, N'two', 2, '2026-01-02')";

fn bed() -> Bed {
    let bed = Bed::on_development_server();
    bed.source().execute(SOURCE);
    bed
}

fn sync(bed: &Bed, merge: &str, target: &str) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", merge])
        .args(["--target", target])
}

fn as_login(bed: &Bed, login: &str) -> String {
    let url = bed.target_url();
    let other = url.replacen("mssql://sa:", &format!("mssql://{login}:"), 1);
    assert_ne!(other, url);
    other
}

/// Neither the run nor its preview gets further than the target; nothing is left.
#[track_caller]
fn is_refused(bed: &Bed, run: &Command, saying: &[&str]) {
    run.clone().run().failure(saying);
    assert!(!bed.warehouse().exists(), "the source was read");
    let tables = "SELECT COUNT(*) FROM sys.tables WHERE name = 'icehost_positions'";
    assert_eq!(bed.target().value(tables), "0");
}

#[test]
fn columns_that_a_target_could_not_take_are_told_before_a_first_sync_reads() {
    let cases = [
        (
            "Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL, Val nvarchar(20) NULL, Modified datetime2(3) NOT NULL",
            "'Val'",
        ),
        (
            "Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL, Modified datetime2(3) NOT NULL",
            "lake table demo.t has column 'Val', which target table dbo.T lacks",
        ),
        (
            "Name nvarchar(50) NULL, Val int NULL, Modified datetime2(3) NOT NULL",
            "lake table demo.t has column 'Id', which target table dbo.T lacks",
        ),
        (
            "Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL, Val int NULL, Modified datetime2(3) NOT NULL, Extra int NOT NULL",
            "column 'Extra': it is NOT NULL and has no default",
        ),
    ];
    for (columns, saying) in cases {
        for merge in ["upsert", "append-only"] {
            let bed = bed();
            bed.target()
                .execute(&format!("CREATE TABLE dbo.T ({columns})"));
            let run = sync(&bed, merge, &bed.target_url());
            is_refused(&bed, &run.clone().arg("--dry-run"), &[saying, "hint: "]);
            is_refused(&bed, &run, &[saying, "hint: "]);
        }
    }
}

/// What the server fills by itself, and what rows that are there have, is no obstacle.
#[test]
fn columns_that_the_merge_need_not_fill_stop_no_first_sync() {
    let bed = bed();
    bed.target().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL, Val int NULL, Modified datetime2(3) NOT NULL,
             Number int IDENTITY NOT NULL, Twice AS Val * 2, Since datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Version rowversion)",
    );
    sync(&bed, "upsert", &bed.target_url()).json();

    let bed = self::bed();
    bed.target().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL, Val int NULL, Modified datetime2(3) NOT NULL, Extra int NOT NULL);
         INSERT INTO dbo.T VALUES (1, NULL, NULL, '2025-01-01', 5), (2, NULL, NULL, '2025-01-01', 6)",
    );
    let report = sync(&bed, "upsert", &bed.target_url()).json();
    assert_eq!(report["rows_updated"], 2, "{report}");
}

#[test]
fn what_a_login_may_not_do_at_the_target_is_told_before_a_first_sync_reads() {
    // Neither may create the table, nor the one of positions.
    for login in [READER, WRITER] {
        let bed = bed();
        let creating = sync(&bed, "upsert", &as_login(&bed, login)).arg("--create-target");
        let saying = "dbo.T is missing, and the login may not create it";
        is_refused(&bed, &creating, &[saying, "GRANT CREATE TABLE"]);
    }
    let target = SOURCE.split(';').next().unwrap();
    for (login, saying) in [
        (
            WRITER,
            "icehost_positions is missing, and the login may not create it",
        ),
        (
            READER,
            "the login has no permission for INSERT, UPDATE on dbo.T",
        ),
    ] {
        let bed = bed();
        bed.target().execute(target);
        let run = sync(&bed, "upsert", &as_login(&bed, login));
        is_refused(&bed, &run, &[saying, "hint: "]);
    }

    // Where the table of positions is there, writing rows is enough.
    let bed = bed();
    bed.target().execute(target);
    let other = bed.sync("dbo.T", "demo.other");
    other
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--target", &bed.target_url()])
        .json();
    sync(&bed, "upsert", &as_login(&bed, WRITER)).json();
}

/// The lake is there already: the run goes as far as it can, and says what is missing.
#[test]
fn a_table_that_a_login_may_not_create_is_told_with_what_to_do() {
    let bed = bed();
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    let creating = sync(&bed, "upsert", &as_login(&bed, WRITER)).arg("--create-target");
    creating.run().failure(&[
        "creating table dbo.T: CREATE TABLE permission denied",
        "hint: allow the login to create the table",
    ]);
}

/// The table would be created where no schema is, and a hash has more digits than the target's column.
#[test]
fn a_schema_that_is_missing_and_a_hash_that_does_not_fit_are_told_before_a_first_sync_reads() {
    let bed = bed();
    let creating = bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--target", &bed.target_url(), "--target-table", "nosch.T"])
        .arg("--create-target");
    let saying = [
        "target table nosch.T cannot be created: its database has no schema [nosch]",
        "hint: create the schema with CREATE SCHEMA",
    ];
    is_refused(&bed, &creating.clone().arg("--dry-run"), &saying);
    is_refused(&bed, &creating, &saying);

    bed.target().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(63) NULL, Val int NULL, Modified datetime2(3) NOT NULL)",
    );
    let key = bed.path("key");
    std::fs::write(&key, "a key of sixteen bytes and more").unwrap();
    let hashing = sync(&bed, "upsert", &bed.target_url())
        .args(["--column-rule", "Name=hash"])
        .args(["--hash-key-file", &key.display().to_string()]);
    let saying = [
        "target table dbo.T, column 'Name': a hash has 64 characters, and nvarchar(63) holds fewer",
        "hint: make the target column longer",
    ];
    is_refused(&bed, &hashing, &saying);
    bed.target()
        .execute("ALTER TABLE dbo.T ALTER COLUMN Name nvarchar(64) NULL");
    hashing.json();
}

//! A directory that another catalog writes to: read, where it can be said which version is the newest, and
//! never written to.

use std::fs;
use std::path::Path;

use icehost_tests::maintenance::{maintain, newest_version};
use icehost_tests::{Bed, Command, customers, python_script};

const TABLE: &str = "demo.customers";

fn sync(bed: &Bed) -> Command {
    bed.sync("dbo.Customers", TABLE)
        .args(["--strategy", "timestamp", "--merge", "upsert"])
}

fn load(bed: &Bed) -> Command {
    bed.load(TABLE, "dbo.Customers").args([
        "--merge",
        "upsert",
        "--merge-option",
        "keys=CustomerID",
    ])
}

/// The files that tell the table's versions, with what is in the hint.
fn versions(table: &Path) -> Vec<String> {
    let dir = table.join("metadata");
    let mut names: Vec<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("metadata.json"))
        .collect();
    names.sort();
    names.push(fs::read_to_string(dir.join("version-hint.text")).unwrap());
    names
}

#[test]
fn a_table_that_duckdb_wrote_is_not_written_to() {
    let bed = Bed::new();
    let place = bed.lake("demo.people");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    python_script("readers/write_duckdb.py", &[place.display().to_string()]);
    let before = versions(&place);
    bed.source().execute(
        "CREATE TABLE dbo.People (id bigint NOT NULL PRIMARY KEY, name nvarchar(50) NULL);
         INSERT INTO dbo.People VALUES (3, N'Edsger')",
    );
    for command in [
        bed.sync("dbo.People", "demo.people")
            .args(["--strategy", "id", "--merge", "upsert"]),
        bed.on_lake(["watermark", "clear"], "demo.people"),
    ] {
        command
            .run()
            .failure(&["another catalog keeps lake table demo.people", "hint"]);
    }
    assert_eq!(versions(&place), before);
    // What DuckDB writes lacks a field that the spec asks for in format v2.
    bed.load("demo.people", "dbo.People")
        .args(["--merge", "upsert", "--create-target"])
        .run()
        .failure(&["another catalog keeps lake table demo.people", "hint"]);
}

#[test]
fn what_another_catalog_committed_is_not_passed_over() {
    let bed = customers::bed(10);
    sync(&bed).json();
    maintain(&bed.lake(TABLE), &["delete=CustomerID > 7", "--own"]);
    let before = versions(&bed.lake(TABLE));
    customers::add(&bed, 11, 12, "2026-02-01");
    for command in [sync(&bed), bed.on_lake(["watermark", "clear"], TABLE)] {
        command
            .run()
            .failure(&[TABLE, "another catalog keeps it", "hint"]);
    }
    assert_eq!(versions(&bed.lake(TABLE)), before);
    let loaded = load(&bed).args(["--output", "json"]).run().success();
    assert!(
        loaded.stderr.contains("another catalog keeps this table"),
        "{}",
        loaded.stderr
    );
    assert_eq!(loaded.json()["rows_inserted"], 7);
}

#[test]
fn a_version_that_was_taken_over_is_history() {
    let bed = customers::bed(10);
    sync(&bed).json();
    let table = bed.lake(TABLE);
    maintain(&table, &["delete=CustomerID > 7", "--own"]);
    let metadata = table.join("metadata");
    let theirs = versions(&table);
    let theirs = theirs
        .iter()
        .rfind(|name| name.starts_with("0000"))
        .unwrap();
    let (newest, _) = newest_version(&table);
    fs::copy(
        metadata.join(theirs),
        metadata.join(format!("v{}.metadata.json", newest + 1)),
    )
    .unwrap();
    customers::add(&bed, 11, 12, "2026-02-01");
    // Two are new; the three lie within the lookback, and are read again and missed.
    assert_eq!(sync(&bed).json()["rows_appended"], 5);
    assert_eq!(load(&bed).json()["rows_inserted"], 12);
}

#[test]
fn a_fork_is_neither_read_nor_written() {
    let bed = customers::bed(10);
    sync(&bed).json();
    let table = bed.lake(TABLE);
    maintain(&table, &["delete=CustomerID > 7", "--own"]);
    // As if that had not been there yet.
    let metadata = table.join("metadata");
    let aside = bed.path("aside");
    fs::create_dir(&aside).unwrap();
    let theirs: Vec<String> = versions(&table)
        .into_iter()
        .filter(|name| name.starts_with("0000"))
        .collect();
    for name in &theirs {
        fs::rename(metadata.join(name), aside.join(name)).unwrap();
    }
    customers::add(&bed, 11, 12, "2026-02-01");
    sync(&bed).json();
    for name in &theirs {
        fs::rename(aside.join(name), metadata.join(name)).unwrap();
    }
    let before = versions(&table);
    for command in [sync(&bed), load(&bed), bed.on_lake(["snapshots"], TABLE)] {
        command.run().failure(&[
            "nobody can say which is the newest version of lake table demo.customers",
            "v2.metadata.json",
            theirs.last().unwrap(),
            "hint: several catalogs",
        ]);
    }
    assert_eq!(versions(&table), before);
}

//! Bits that flip in the lake's files at rest: every command that reads them stops, and nothing moves on.

use std::fs;
use std::path::{Path, PathBuf};

use icehost_tests::{Bed, Command, Dump, below, customers};

fn sync(bed: &Bed) -> Command {
    bed.sync_to_target("dbo.Customers", "demo.customers")
}

fn load(bed: &Bed) -> Command {
    bed.load("demo.customers", "dbo.Customers")
        .args(["--merge", "upsert"])
}

/// The newest of the table's files whose name this fits.
fn newest(bed: &Bed, fits: impl Fn(&str) -> bool) -> PathBuf {
    below(&bed.lake("demo.customers"))
        .into_iter()
        .filter(|path| fits(path.file_name().unwrap().to_str().unwrap()))
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap())
        .unwrap()
}

/// Flips the lowest bit of the byte in the middle of a file, and gives what it was.
fn flip(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(path, flipped).unwrap();
    bytes
}

/// Five hundred customers of whom some were changed, in lake and target.
fn delivered() -> Bed {
    let bed = customers::bed(500);
    sync(&bed).json();
    customers::change(&bed, 100, "2026-02-01");
    sync(&bed).json();
    bed
}

#[test]
fn a_damaged_data_file_ends_load_sync_and_verify() {
    let bed = delivered();
    let path = below(&bed.lake("demo.customers").join("data"))
        .into_iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let before = flip(&path);
    let says = [
        name.as_str(),
        "is damaged: bytes 0 to ",
        "are not what was written",
        "hint: restore the file from a backup",
    ];
    let target = bed.target_dump("dbo.Customers");
    load(&bed).arg("--full").run().failure(&says);
    sync(&bed).comparison().unwrap().run().failure(&says);
    // Keys that are looked up: the lake stays where it is.
    let snapshots = bed.on_lake(["snapshots"], "demo.customers");
    let version = newest(&bed, |name| name.ends_with(".metadata.json"));
    customers::change(&bed, 50, "2026-03-01");
    sync(&bed).run().failure(&says);
    assert_eq!(
        newest(&bed, |name| name.ends_with(".metadata.json")),
        version
    );
    assert_eq!(bed.target_dump("dbo.Customers"), target);
    snapshots.run().success();
    // The file is restored, and all goes on.
    fs::write(&path, before).unwrap();
    assert_eq!(sync(&bed).json()["rows_appended"], 50);
    bed.source_dump("dbo.Customers").assert_equals(
        &bed.target_dump("dbo.Customers"),
        "source",
        "target",
    );
}

#[test]
fn every_kind_of_file_is_found_damaged() {
    let bed = delivered();
    type Fits = fn(&str) -> bool;
    let kinds: [(&str, Fits); 4] = [
        ("data file", |name| name.ends_with("-deletes.parquet")),
        ("manifest", |name| name.contains("-m0-crc32-")),
        ("manifest list", |name| name.starts_with("snap-")),
        ("table metadata", |name| name.ends_with(".metadata.json")),
    ];
    for (kind, fits) in kinds {
        let path = newest(&bed, fits);
        let before = flip(&path);
        let says = format!("the {kind} {} is damaged", path.display());
        load(&bed)
            .arg("--full")
            .run()
            .failure(&[&says, "hint: restore the file from a backup"]);
        fs::write(&path, before).unwrap();
    }
    load(&bed).arg("--full").json();
    // Other engines read such files as before.
    Dump::agreed(&bed.lake("demo.customers"), None).assert_equals(
        &bed.source_dump("dbo.Customers"),
        "lake",
        "source",
    );
}

/// What an earlier version or another engine wrote says nothing of checksums.
#[test]
fn files_without_checksums_are_read_as_they_are() {
    let bed = delivered();
    icehost_tests::maintenance::maintain(&bed.lake("demo.customers"), &["compact"]);
    load(&bed).arg("--full").json();
    customers::change(&bed, 10, "2026-03-01");
    assert_eq!(sync(&bed).json()["rows_appended"], 10);
}

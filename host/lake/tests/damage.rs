//! Bits that flip in a table's files: an error or no effect, and never another value.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use icehost_lake::{LakeErrorKind, Result};
use support::*;

/// A pseudo-random sequence (SplitMix64), the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A data file of several blocks, one that replaces rows of it, and its position deletes.
async fn table_with_every_kind_of_file() -> Fixture {
    let lake = Fixture::new();
    let table = lake.table().await;
    let mut random = Random(1);
    let people: Vec<Row> = (0..4_000)
        .map(|id| {
            let name: Vec<String> = (0..4).map(|_| format!("{:016x}", random.next())).collect();
            row(id, &name.concat())
        })
        .collect();
    let first = append(&table, &people).await;
    let changed: Vec<Row> = (0..4_000)
        .step_by(7)
        .map(|id| row(id, "another name"))
        .collect();
    upsert(&first.table, &changed).await;
    lake
}

/// Every row, read as a program that starts anew reads it.
async fn all_rows(lake: &Fixture) -> Result<Vec<Row>> {
    let table = lake.warehouse.load(&name()).await?;
    let mut rows = rows_of(&scan(&table, Default::default()).await?);
    rows.sort();
    Ok(rows)
}

fn flip(path: &Path, bytes: &[u8], bit: u64) {
    let mut bytes = bytes.to_vec();
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

/// What kind of file it is, if the current snapshot's rows depend on it.
fn kind(path: &Path) -> &'static str {
    let name = path.file_name().unwrap().to_str().unwrap();
    match name {
        _ if name.starts_with("snap-") && !is_current(path) => "not read",
        _ if name.ends_with("-deletes.parquet") => "position deletes",
        _ if name.ends_with(".parquet") => "data",
        _ if name.starts_with("snap-") => "manifest list",
        _ if name.ends_with(".avro") => "manifest",
        "v3.metadata.json" => "metadata",
        _ => "not read",
    }
}

/// Whether the list of manifests is the current snapshot's.
fn is_current(list: &Path) -> bool {
    let metadata = fs::read(list.with_file_name("v3.metadata.json")).unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata).unwrap();
    let snapshots = metadata["snapshots"].as_array().unwrap().iter();
    snapshots
        .filter(|one| one["snapshot-id"] == metadata["current-snapshot-id"])
        .any(|one| one["manifest-list"] == list.to_str().unwrap())
}

#[tokio::test]
async fn a_flipped_bit_is_an_error_and_never_another_value() {
    let lake = table_with_every_kind_of_file().await;
    let expected = all_rows(&lake).await.unwrap();
    let mut random = Random(2);
    // By kind of file: told as damage, another error, no effect.
    let mut found: BTreeMap<&str, [u32; 3]> = BTreeMap::new();
    for path in lake.files() {
        let path: PathBuf = lake.dir.path().join(path);
        let kind = kind(&path);
        let bytes = fs::read(&path).unwrap();
        let flips = match kind {
            "data" => 150,
            "not read" => 5,
            _ => 60,
        };
        for _ in 0..flips {
            let bit = random.next() % (bytes.len() as u64 * 8);
            flip(&path, &bytes, bit);
            let place = format!("bit {bit} of {} ({} bytes)", path.display(), bytes.len());
            let outcome = match all_rows(&lake).await {
                Ok(rows) => {
                    assert!(rows == expected, "other values from {place}");
                    2
                }
                Err(error) if error.to_string().contains("is damaged") => {
                    assert_eq!(error.kind(), LakeErrorKind::Corrupt, "{place}");
                    let name = path.file_name().unwrap().to_str().unwrap();
                    assert!(error.to_string().contains(name), "{place}: {error}");
                    assert!(error.hint().is_some(), "{place}");
                    0
                }
                Err(_) => 1,
            };
            found.entry(kind).or_default()[outcome] += 1;
        }
        fs::write(&path, &bytes).unwrap();
    }
    println!("told as damage, other errors, no effect: {found:?}");
    assert_eq!(all_rows(&lake).await.unwrap(), expected);
    // Without effect are flips in the few bytes by which a checksum is found, and in what is not read.
    for kind in [
        "data",
        "position deletes",
        "manifest list",
        "manifest",
        "metadata",
    ] {
        let [told, other, without] = found[kind];
        assert!(told > 40 && other + without <= 4, "{kind}: {found:?}");
    }
}

/// Each bit of what a footer says of its own checksums.
#[tokio::test]
async fn a_flip_in_what_speaks_of_checksums_is_found_too() {
    let lake = table_with_every_kind_of_file().await;
    let expected = all_rows(&lake).await.unwrap();
    let path = lake
        .files()
        .iter()
        .map(|path| lake.dir.path().join(path))
        .find(|path| kind(path) == "position deletes")
        .unwrap();
    let bytes = fs::read(&path).unwrap();
    let entry = b"icehost.crc32-end";
    let start = bytes
        .windows(entry.len())
        .rposition(|w| w == entry)
        .unwrap() as u64;
    let mut without = 0;
    for bit in (start - 2) * 8..(start + entry.len() as u64 + 27) * 8 {
        flip(&path, &bytes, bit);
        match all_rows(&lake).await {
            Ok(rows) => {
                assert_eq!(rows, expected, "{bit}");
                without += 1;
            }
            Err(error) => assert_eq!(error.kind(), LakeErrorKind::Corrupt, "{bit}: {error}"),
        }
    }
    assert_eq!(without, 0);
}

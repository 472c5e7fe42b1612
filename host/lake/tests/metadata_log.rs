//! Old versions of a table's metadata: how many are remembered, and when they are removed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;

use icehost_lake::{CommitRequest, LakeErrorKind, LakeTable, NewTable, Warehouse};
use serde_json::{Value, json};
use support::*;

const DELETE: &str = "write.metadata.delete-after-commit.enabled";
const MAX: &str = "write.metadata.previous-versions-max";

async fn with_properties(lake: &Fixture, properties: &[(&str, &str)]) -> LakeTable {
    let properties = properties.iter();
    let properties = properties.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let new = NewTable {
        properties: properties.collect(),
        ..people()
    };
    lake.warehouse.create_table(&name(), &new).await.unwrap()
}

/// The versions whose files are there.
fn versions(lake: &Fixture) -> Vec<u64> {
    let files = lake.files().into_iter();
    let names = files.filter_map(|file| {
        let name = file.rsplit('/').next()?.strip_suffix(".metadata.json")?;
        name.strip_prefix('v')?.parse().ok()
    });
    let mut versions: Vec<u64> = names.collect();
    versions.sort_unstable();
    versions
}

fn metadata_path(lake: &Fixture, version: u64) -> std::path::PathBuf {
    let file = format!("demo/people/metadata/v{version}.metadata.json");
    lake.dir.path().join(file)
}

fn logged(lake: &Fixture, version: u64) -> usize {
    let bytes = fs::read(metadata_path(lake, version)).unwrap();
    let metadata: Value = serde_json::from_slice(&bytes).unwrap();
    metadata["metadata-log"].as_array().unwrap().len()
}

async fn appended(mut table: LakeTable, ids: std::ops::Range<i64>) -> LakeTable {
    for id in ids {
        table = append(&table, &rows(&[(id, "a")])).await.table;
    }
    table
}

#[tokio::test]
async fn the_log_is_cut_and_files_go_where_the_table_says_so() {
    let lake = Fixture::new();
    let table = with_properties(&lake, &[(MAX, "3"), (DELETE, "false")]).await;
    appended(table, 0..6).await;
    assert_eq!(versions(&lake), (1..=7).collect::<Vec<_>>());
    assert_eq!(logged(&lake, 7), 3);

    let lake = Fixture::new();
    let table = with_properties(&lake, &[(MAX, "3"), (DELETE, "true")]).await;
    let mut old = table.clone();
    let checksum = |version| {
        metadata_path(&lake, version).with_file_name(format!(".v{version}.metadata.json.crc"))
    };
    fs::write(checksum(1), "by Hadoop").unwrap();
    let table = appended(table, 0..6).await;
    assert_eq!(versions(&lake), [4, 5, 6, 7]);
    assert!(!checksum(1).exists());
    assert_eq!(logged(&lake, 7), 3);
    // Whoever has held an old version finds the newest, with and without the hint.
    old.refresh().await.unwrap();
    assert_eq!(old.version(), Some(7));
    fs::remove_file(metadata_path(&lake, 7).with_file_name("version-hint.text")).unwrap();
    let found = lake.load().await;
    assert_eq!(found.version(), Some(7));
    assert_eq!(read(&found, None).await.len(), 6);
    let first = table.snapshots()[0].id;
    assert_eq!(read(&found, Some(first)).await, rows(&[(0, "a")]));
}

#[tokio::test]
async fn a_table_of_icehost_keeps_a_hundred_versions() {
    let lake = Fixture::new();
    let mut table = lake.table().await;
    for _ in 0..103 {
        let request = CommitRequest {
            allow_empty: true,
            ..CommitRequest::default()
        };
        table = table.commit(request).await.unwrap().unwrap().table;
    }
    assert_eq!(versions(&lake), (4..=104).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_no_version_of_the_table_stays_whatever_the_log_names() {
    let lake = Fixture::new();
    let table = with_properties(&lake, &[(MAX, "1"), (DELETE, "true")]).await;
    let table = appended(table, 0..2).await;
    assert_eq!(versions(&lake), [2, 3]);
    let outside = lake.dir.path().join("v1.metadata.json");
    let metadata = metadata_path(&lake, 3);
    let beside = metadata.with_file_name("00001-abc.txt");
    let others = metadata.with_file_name("version-hint.text");
    let above = metadata.with_file_name("../metadata/../../../v1.metadata.json");
    fs::write(&outside, "mine").unwrap();
    fs::write(&beside, "mine").unwrap();
    let mut content: Value = serde_json::from_slice(&fs::read(&metadata).unwrap()).unwrap();
    let at = content["last-updated-ms"].clone();
    let entry = |file: &std::path::Path| json!({"metadata-file": file, "timestamp-ms": at});
    content["metadata-log"] = [&outside, &above, &beside, &others]
        .map(|file| entry(file))
        .as_slice()
        .into();
    content["properties"]
        .as_object_mut()
        .unwrap()
        .remove("icehost.metadata-crc32");
    fs::write(&metadata, content.to_string()).unwrap();
    let mut table = table;
    table.refresh().await.unwrap();
    appended(lake.load().await, 2..3).await;
    assert!(outside.exists() && beside.exists() && others.exists());
    assert_eq!(
        versions(&lake)[..],
        [1, 2, 3, 4],
        "the one that is not in the log any more stays"
    );
}

#[tokio::test]
async fn a_setting_that_says_nothing_is_an_error() {
    let lake = Fixture::new();
    let new = NewTable {
        properties: [(DELETE.to_owned(), "sometimes".to_owned())].into(),
        ..people()
    };
    let created = lake.warehouse.create_table(&name(), &new).await;
    let error = created.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Unsupported);
    let told = error.to_string();
    assert!(
        told.contains("'sometimes', which is not true or false"),
        "{told}"
    );
    assert!(error.hint().is_some());
    assert!(versions(&lake).is_empty());
}

#[tokio::test]
async fn readers_and_writers_beside_each_other_lose_nothing_where_only_one_version_is_kept() {
    let lake = Fixture::new();
    with_properties(&lake, &[(MAX, "1"), (DELETE, "true")]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..3_i64 {
        let root = lake.dir.path().to_owned();
        tasks.spawn(async move {
            let warehouse = Warehouse::open(root).unwrap();
            let table = warehouse.load(&name()).await.unwrap();
            appended(table, 10 * writer..10 * writer + 8).await;
        });
    }
    for _ in 0..2 {
        let root = lake.dir.path().to_owned();
        tasks.spawn(async move {
            let warehouse = Warehouse::open(root).unwrap();
            let mut seen = 0;
            while seen < 24 {
                let table = warehouse.load(&name()).await.unwrap();
                let now = read(&table, None).await.len();
                assert!(now >= seen);
                seen = now;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(versions(&lake), [24, 25]);
}

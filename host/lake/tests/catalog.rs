//! The catalog on bare files: versions, hints, damage, tables of other writers, concurrent commits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use icehost_lake::{LakeErrorKind, LakeTableName, Warehouse};
use support::*;

fn metadata(lake: &Fixture) -> PathBuf {
    lake.dir.path().join("demo/people/metadata")
}

#[tokio::test]
async fn a_missing_stale_or_garbled_hint_is_no_obstacle() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let first = append(&table, &rows(&[(1, "a")])).await;
    append(&first.table, &rows(&[(2, "b")])).await;
    let hint = metadata(&lake).join("version-hint.text");
    assert_eq!(fs::read_to_string(&hint).unwrap(), "3");

    for text in ["1", "99", "three", ""] {
        fs::write(&hint, text).unwrap();
        assert_eq!(lake.load().await.version(), Some(3), "hint '{text}'");
    }
    fs::remove_file(&hint).unwrap();
    let loaded = lake.load().await;
    assert_eq!(loaded.version(), Some(3));
    append(&loaded, &rows(&[(3, "c")])).await;
    assert_eq!(fs::read_to_string(&hint).unwrap(), "4");
}

#[tokio::test]
async fn damaged_metadata_is_named() {
    let lake = Fixture::new();
    let table = lake.table().await;
    append(&table, &rows(&[(1, "a")])).await;
    let newest = metadata(&lake).join("v2.metadata.json");
    fs::write(&newest, "{\"format-version\": 2").unwrap();
    let error = lake.warehouse.load(&name()).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Corrupt);
    assert!(error.to_string().contains("v2.metadata.json"), "{error}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_missing_data_file_fails_the_read_and_names_the_file() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let done = append(&table, &rows(&[(1, "a")])).await;
    let data = lake.dir.path().join("demo/people/data");
    let file = fs::read_dir(&data).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    let error = scan(&done.table, Default::default()).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Io);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    fs::write(&file, b"PAR1 not really").unwrap();
    let error = scan(&done.table, Default::default()).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Corrupt);
}

#[tokio::test]
async fn tables_are_listed_by_name() {
    let lake = Fixture::new();
    assert_eq!(lake.warehouse.list_tables().await.unwrap(), []);
    for text in ["sales.eu.orders", "demo.people", "sales.orders"] {
        let name: LakeTableName = text.parse().unwrap();
        lake.warehouse.create_table(&name, &people()).await.unwrap();
    }
    fs::create_dir_all(lake.dir.path().join("demo/empty")).unwrap();
    let names = lake.warehouse.list_tables().await.unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["demo.people", "sales.orders", "sales.eu.orders"]);
    let nowhere = Warehouse::open(lake.dir.path().join("nowhere")).unwrap();
    assert_eq!(nowhere.list_tables().await.unwrap(), []);
    assert!(!nowhere.exists().await.unwrap(), "opening creates nothing");
}

#[tokio::test]
async fn a_moved_table_is_read_but_not_written() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let first = upsert(&table, &rows(&[(1, "a"), (2, "b")])).await;
    upsert(&first.table, &rows(&[(1, "A")])).await;
    let moved = lake.dir.path().join("elsewhere");
    fs::rename(lake.dir.path().join("demo/people"), &moved).unwrap();
    let table = Warehouse::open_location(&moved).await.unwrap();
    assert_eq!(read(&table, None).await, rows(&[(1, "A"), (2, "b")]));
    let error = table
        .stage(uuid::Uuid::new_v4(), appending(&table), Default::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Unsupported);
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn another_catalogs_table_is_read_but_not_written() {
    let lake = Fixture::new();
    let table = lake.table().await;
    append(&table, &rows(&[(1, "a")])).await;
    let dir = metadata(&lake);
    for (version, name) in [(1, "00000-x.metadata.json"), (2, "00001-y.metadata.json")] {
        fs::rename(
            dir.join(format!("v{version}.metadata.json")),
            dir.join(name),
        )
        .unwrap();
    }
    fs::remove_file(dir.join("version-hint.text")).unwrap();
    let table = lake.load().await;
    assert_eq!(table.version(), None);
    assert_eq!(read(&table, None).await, rows(&[(1, "a")]));
    let error = table
        .stage(uuid::Uuid::new_v4(), appending(&table), Default::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another catalog"), "{error}");
}

#[tokio::test]
async fn a_table_created_again_is_not_mistaken_for_the_old_one() {
    let lake = Fixture::new();
    let old = lake.table().await;
    let staged = stage(&old, appending(&old), &[batch(&rows(&[(1, "a")]))])
        .await
        .unwrap();
    fs::remove_dir_all(metadata(&lake)).unwrap();
    let new = lake.table().await;
    append(&new, &rows(&[(2, "b")])).await;
    let error = commit(&old, staged).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Conflict);
    assert!(error.is_transient());
    assert_eq!(read(&lake.load().await, None).await, rows(&[(2, "b")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_commits_all_land() {
    const TASKS: i64 = 8;
    const COMMITS: i64 = 10;
    let lake = Fixture::new();
    let table = lake.table().await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let table = table.clone();
        tasks.spawn(async move {
            for i in 0..COMMITS {
                // Each adds a row of its own and fights over row 0.
                let people = [
                    row(1 + task * COMMITS + i, "own"),
                    row(0, &format!("{task}.{i}")),
                ];
                upsert(&table, &people).await;
            }
        });
    }
    tasks.join_all().await;
    let loaded = lake.load().await;
    assert_eq!(loaded.version(), Some(1 + (TASKS * COMMITS) as u64));
    let snapshots = loaded.snapshots();
    assert_eq!(snapshots.len() as i64, TASKS * COMMITS);
    let line = loaded.ancestors(loaded.current_snapshot().unwrap().id);
    assert_eq!(line.len(), snapshots.len(), "one line of history");
    let numbers: BTreeSet<i64> = snapshots.iter().map(|s| s.sequence_number).collect();
    assert_eq!(numbers.len(), snapshots.len());
    let ids: Vec<i64> = read(&loaded, None)
        .await
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(
        ids,
        (0..=TASKS * COMMITS).collect::<Vec<_>>(),
        "every row once"
    );
    let hint = fs::read_to_string(metadata(&lake).join("version-hint.text")).unwrap();
    assert_eq!(hint, (1 + TASKS * COMMITS).to_string());

    // Lost attempts leave nothing: one list a snapshot, two manifests at most, and no temporary files.
    let names = files_below(&metadata(&lake));
    let lists = names
        .iter()
        .filter(|name| name.starts_with("snap-"))
        .count();
    assert_eq!(lists, snapshots.len());
    let manifests = names.iter().filter(|name| name.contains("-m")).count();
    assert!(manifests <= 2 * snapshots.len(), "{manifests} manifests");
    assert!(
        !names.iter().any(|name| name.ends_with(".tmp")),
        "{names:?}"
    );
    let deletes = files_below(&lake.dir.path().join("demo/people/data"));
    let deletes = deletes
        .iter()
        .filter(|name| name.ends_with("-deletes.parquet"))
        .count();
    assert!(deletes < snapshots.len());
}

//! Failures and crashes at every step of a commit: the old state or the new, and no half.
#![cfg(feature = "failpoints")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::Command;

use icehost_lake::{CommitRequest, LakeErrorKind};
use support::*;

/// Before the new version has its name, and after.
const BEFORE: [&str; 3] = [
    "lake::after-staging",
    "lake::after-manifests",
    "lake::before-metadata-link",
];
const AFTER: [&str; 2] = ["lake::after-metadata-link", "lake::after-hint"];

/// Set in the process that is to crash: the failpoint, and the warehouse.
const CRASH_AT: &str = "ICEHOST_TEST_CRASH_AT";
const CRASH_IN: &str = "ICEHOST_TEST_CRASH_IN";

/// Replaces row 1 and adds row 3; what is warned of.
async fn change(table: &icehost_lake::LakeTable) -> icehost_lake::Result<Option<String>> {
    let people = batch(&rows(&[(1, "A"), (3, "c")]));
    let staged = stage(table, upserting(table), &[people]).await?;
    let request = CommitRequest {
        staged: Some(staged),
        ..CommitRequest::default()
    };
    let committed = table.commit(request).await?;
    Ok(committed.and_then(|committed| committed.warning))
}

fn old() -> Vec<Row> {
    rows(&[(1, "a"), (2, "b")])
}

fn new() -> Vec<Row> {
    rows(&[(1, "A"), (2, "b"), (3, "c")])
}

/// Failpoints belong to the whole process, so that one test at a time may set any.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn an_error_leaves_the_old_state_or_the_new() {
    let _turn = TURN.lock().await;
    for place in BEFORE.into_iter().chain(AFTER) {
        let lake = Fixture::new();
        let table = lake.table().await;
        let table = append(&table, &old()).await.table;
        let before = lake.files();
        fail::cfg(place, "return").unwrap();
        let changed = change(&table).await;
        fail::remove(place);
        let published = AFTER.contains(&place);
        match changed {
            // It stands, and says what went wrong behind it.
            Ok(warning) => {
                assert!(published, "{place}");
                let warning = warning.unwrap();
                assert!(
                    warning.contains("stands, but") && warning.contains(place),
                    "{warning}"
                );
            }
            Err(error) => {
                assert!(!published, "{place}: {error}");
                assert_eq!(error.kind(), LakeErrorKind::Io, "{place}: {error}");
            }
        }
        let wanted = if published { new() } else { old() };
        assert_eq!(read(&lake.load().await, None).await, wanted, "{place}");
        if !published {
            assert_eq!(lake.files(), before, "{place}");
        }
        change(&lake.load().await).await.unwrap();
        assert_eq!(
            read(&lake.load().await, None).await,
            new(),
            "again after {place}"
        );
    }
}

#[tokio::test]
async fn a_crash_leaves_the_old_state_or_the_new() {
    if let (Ok(place), Ok(root)) = (std::env::var(CRASH_AT), std::env::var(CRASH_IN)) {
        fail::cfg_callback(place, || std::process::abort()).unwrap();
        let warehouse = icehost_lake::Warehouse::open(root).unwrap();
        change(&warehouse.load(&name()).await.unwrap())
            .await
            .unwrap();
        panic!("the failpoint was not reached");
    }
    let _turn = TURN.lock().await;
    for place in BEFORE.into_iter().chain(AFTER) {
        let lake = Fixture::new();
        let table = lake.table().await;
        append(&table, &old()).await;
        let outcome = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_crash_leaves_the_old_state_or_the_new"])
            .env(CRASH_AT, place)
            .env(CRASH_IN, lake.dir.path())
            .output()
            .unwrap();
        assert_eq!(
            outcome.status.code(),
            None,
            "{place}: killed by a signal, {outcome:?}"
        );
        let wanted = if AFTER.contains(&place) { new() } else { old() };
        assert_eq!(read(&lake.load().await, None).await, wanted, "{place}");
        change(&lake.load().await).await.unwrap();
        assert_eq!(
            read(&lake.load().await, None).await,
            new(),
            "again after {place}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_there_and_removed_is_not_made_again() {
    let _turn = TURN.lock().await;
    let lake = Fixture::new();
    let properties = [
        ("write.metadata.previous-versions-max", "1"),
        ("write.metadata.delete-after-commit.enabled", "true"),
    ];
    let new = icehost_lake::NewTable {
        properties: properties
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..people()
    };
    let created = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let table = append(&created, &rows(&[(1, "a")])).await.table;
    // Between a writer's look and its version others make three, and the one that it is to make is gone again.
    let root = lake.dir.path().to_owned();
    let begun = std::sync::atomic::AtomicBool::new(false);
    let others = move || {
        if begun.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        let root = root.clone();
        let others = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let warehouse = icehost_lake::Warehouse::open(root).unwrap();
                let mut table = warehouse.load(&name()).await.unwrap();
                for id in 2..5 {
                    table = append(&table, &rows(&[(id, "others")])).await.table;
                }
            });
        });
        others.join().unwrap();
    };
    fail::cfg_callback("lake::before-metadata-link", others).unwrap();
    let done = append(&table, &rows(&[(9, "slow")])).await;
    fail::remove("lake::before-metadata-link");
    assert_eq!(done.version, 6);
    let wanted = [
        (1, "a"),
        (2, "others"),
        (3, "others"),
        (4, "others"),
        (9, "slow"),
    ];
    assert_eq!(read(&lake.load().await, None).await, rows(&wanted));
}

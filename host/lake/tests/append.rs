//! Appending rows: versions, sequence numbers, snapshots, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use icehost_lake::{CommitRequest, LakeError, LakeErrorKind, NewTable, ScanRequest, StageOptions};
use icehost_plan::LakeType;
use support::*;

#[tokio::test]
async fn an_append_adds_a_snapshot_and_keeps_those_before() {
    let lake = Fixture::new();
    let table = lake.table().await;
    assert_eq!(table.version(), Some(1));
    assert_eq!(table.current_snapshot(), None);

    let first = append(&table, &rows(&[(1, "Ada"), (2, "Grace")])).await;
    let second = append(&first.table, &rows(&[(3, "Edsger")])).await;
    assert_eq!((first.version, second.version), (2, 3));
    assert_eq!((first.sequence_number, second.sequence_number), (1, 2));
    assert_eq!((second.rows_appended, second.rows_removed), (1, 0));

    let loaded = lake.load().await;
    assert_eq!(loaded.version(), Some(3));
    let current = loaded.current_snapshot().unwrap();
    assert_eq!(current.id, second.snapshot_id);
    assert_eq!(current.parent, Some(first.snapshot_id));
    assert_eq!(current.operation, "append");
    let ids: Vec<i64> = loaded.snapshots().iter().map(|s| s.id).collect();
    assert_eq!(ids, [first.snapshot_id, second.snapshot_id]);
    let line: Vec<i64> = loaded.ancestors(current.id).iter().map(|s| s.id).collect();
    assert_eq!(line, [second.snapshot_id, first.snapshot_id]);

    let all = rows(&[(1, "Ada"), (2, "Grace"), (3, "Edsger")]);
    assert_eq!(read(&loaded, None).await, all);
    assert_eq!(read(&loaded, Some(first.snapshot_id)).await, all[..2]);
    assert_eq!(loaded.describe().unwrap().row_estimate, Some(3));
}

#[tokio::test]
async fn the_first_commit_creates_a_prepared_table() {
    let lake = Fixture::new();
    let prepared = lake
        .warehouse
        .prepare_create(&name(), &people())
        .await
        .unwrap();
    assert_eq!(prepared.version(), Some(0));
    let staged = stage(
        &prepared,
        upserting(&prepared),
        &[batch(&rows(&[(1, "Ada")]))],
    )
    .await;
    assert!(!lake.warehouse.has_table(&name()).await.unwrap());
    let done = commit(&prepared, staged.unwrap()).await.unwrap().unwrap();
    assert_eq!((done.version, done.sequence_number), (1, 1));
    assert_eq!(read(&lake.load().await, None).await, rows(&[(1, "Ada")]));
}

#[tokio::test]
async fn a_failed_first_sync_leaves_nothing_behind() {
    let lake = Fixture::new();
    let prepared = lake
        .warehouse
        .prepare_create(&name(), &people())
        .await
        .unwrap();
    let staged = stage(
        &prepared,
        appending(&prepared),
        &[batch(&rows(&[(1, "Ada")]))],
    )
    .await;
    assert_eq!(lake.files().len(), 1);
    staged.unwrap().discard();
    assert_eq!(lake.files(), Vec::<String>::new());
    assert!(!lake.dir.path().join("demo").exists());
    assert!(lake.dir.path().exists());
}

#[tokio::test]
async fn a_dropped_writer_removes_what_it_wrote() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let before = lake.files();
    let options = StageOptions {
        target_file_bytes: 1,
        ..StageOptions::default()
    };
    let mut writer = table
        .stage(uuid::Uuid::new_v4(), appending(&table), options)
        .await
        .unwrap();
    for id in 0..5 {
        writer.write(batch(&[row(id, "x")])).await.unwrap();
    }
    drop(writer);
    // The writing thread notices the drop on its own time.
    for _ in 0..200 {
        if lake.files() == before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("staged files remain: {:?}", lake.files());
}

#[tokio::test]
async fn nothing_staged_makes_no_snapshot_unless_it_may() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let files = lake.files();
    let staged = stage(&table, appending(&table), &[]).await.unwrap();
    assert!(commit(&table, staged).await.unwrap().is_none());
    let staged = stage(&table, appending(&table), &[batch(&[])])
        .await
        .unwrap();
    assert!(commit(&table, staged).await.unwrap().is_none());
    assert_eq!(lake.load().await.version(), Some(1));
    assert_eq!(lake.files(), files);

    let done = table
        .commit(CommitRequest {
            summary: BTreeMap::from([("icehost.watermark".to_owned(), "7".to_owned())]),
            allow_empty: true,
            ..CommitRequest::default()
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (0, 0));
    let current = lake.load().await.current_snapshot().unwrap();
    assert_eq!(current.summary["icehost.watermark"], "7");
    assert_eq!(current.summary["total-records"], "0");
    assert_eq!(read(&lake.load().await, None).await, []);
}

#[tokio::test]
async fn a_missing_table_is_an_error_with_advice() {
    let lake = Fixture::new();
    let error = lake.warehouse.load(&name()).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::TableNotFound);
    assert!(error.to_string().contains("demo.people"), "{error}");
    assert!(error.hint().is_some());
    assert!(!error.is_transient());
    assert!(lake.warehouse.find(&name()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_table_is_created_once() {
    let lake = Fixture::new();
    let early = lake
        .warehouse
        .prepare_create(&name(), &people())
        .await
        .unwrap();
    lake.table().await;
    let error = lake
        .warehouse
        .create_table(&name(), &people())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::TableExists);

    let staged = stage(&early, appending(&early), &[batch(&rows(&[(1, "Ada")]))]).await;
    let late = commit(&early, staged.unwrap()).await.unwrap_err();
    assert_eq!(late.kind(), LakeErrorKind::TableExists);
    assert!(late.is_transient(), "trying the sync again finds the table");
    let data = lake.dir.path().join("demo/people/data");
    assert!(!data.exists() || files_below(&data).is_empty());
}

#[tokio::test]
async fn a_table_needs_sound_columns() {
    let lake = Fixture::new();
    let broken = [
        NewTable {
            columns: vec![],
            ..people()
        },
        NewTable {
            identifier: vec![1],
            ..people()
        },
        NewTable {
            identifier: vec![9],
            ..people()
        },
        {
            let mut twice = people();
            twice.columns[1].name = "id".to_owned();
            twice
        },
        {
            let mut floating = people();
            floating.columns[0].lake_type = LakeType::Double;
            floating
        },
    ];
    for new in broken {
        let error = lake
            .warehouse
            .create_table(&name(), &new)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::InvalidData, "{error}");
    }
    assert_eq!(lake.files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_guard_stops_a_commit_and_its_files_go() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let before = lake.files();
    let staged = stage(&table, appending(&table), &[batch(&rows(&[(1, "Ada")]))])
        .await
        .unwrap();
    let error = table
        .commit(CommitRequest {
            staged: Some(staged),
            guard: Some(Box::new(|_| Err(LakeError::guard("the watermark moved")))),
            ..CommitRequest::default()
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::GuardRefused);
    assert_eq!(lake.files(), before);
}

#[tokio::test]
async fn a_null_in_a_required_column_is_named() {
    let lake = Fixture::new();
    let mut new = people();
    new.columns[1].required = true;
    let table = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let before = lake.files();
    let mut delta = delta_like(&table.describe().unwrap());
    delta.columns[1].nullable = true;
    let change = lower(&table, append_plan(), &delta).unwrap();
    let error = stage(&table, change, &[batch(&[row(1, "Ada"), (42, None)])])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::InvalidData);
    let text = error.to_string();
    assert!(
        text.contains("'name'") && text.contains("id = 42"),
        "{text}"
    );
    assert_eq!(lake.files(), before);
}

#[tokio::test]
async fn files_end_at_their_target_size() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let options = StageOptions {
        target_file_bytes: 20_000,
        row_group_bytes: 8_000,
        ..StageOptions::default()
    };
    let people: Vec<Row> = (0..40_000)
        .map(|id| (id, Some(format!("{:x}", id * 7_919))))
        .collect();
    let batches: Vec<_> = people.chunks(1_000).map(batch).collect();
    let staged = stage_with(&table, appending(&table), &batches, options)
        .await
        .unwrap();
    assert!(staged.files() > 3, "{} files", staged.files());
    assert_eq!(staged.rows(), 40_000);
    commit(&table, staged).await.unwrap().unwrap();
    assert_eq!(read(&lake.load().await, None).await, people);
    let narrow = ScanRequest {
        columns: Some(vec![1]),
        ..ScanRequest::default()
    };
    let batches = scan(&lake.load().await, narrow).await.unwrap();
    assert!(batches.iter().all(|b| b.num_columns() == 1));
}

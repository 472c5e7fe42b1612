//! Rows of a delta that the table has already.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use arrow_array::{Array, Int64Array};
use icehost_lake::{
    CommitRequest, HELD_ROW_BYTES, HeldRequest, LakeTable, RowChange, StageOptions,
};
use icehost_plan::{MergePlan, Value};
use support::*;
use uuid::Uuid;

fn change(table: &LakeTable, plan: MergePlan) -> RowChange {
    lower(table, plan, &delta_like(&table.describe().unwrap())).unwrap()
}

/// Looks from an id on, tells rows apart by these columns, and has room for so many.
fn request(change: &RowChange, from: Option<i64>, identity: &[u32], rows: usize) -> HeldRequest {
    HeldRequest {
        change: change.clone(),
        identity: identity.to_vec(),
        from: from.map(|id| (0, Value::Integer(id), false)),
        apart: None,
        copies: false,
        most_bytes: rows * HELD_ROW_BYTES,
    }
}

/// Stages a delta without what the table holds, and commits what is left. Gives how many rows were left out.
async fn deliver(
    table: &LakeTable,
    plan: MergePlan,
    from: Option<i64>,
    identity: &[u32],
    delta: &[Row],
) -> (u64, LakeTable) {
    let change = change(table, plan);
    let held = table
        .held(request(&change, from, identity, 100_000))
        .await
        .unwrap()
        .expect("they fit");
    let mut writer = table
        .stage_beside(Uuid::new_v4(), change, StageOptions::default(), Some(held))
        .await
        .unwrap();
    writer.write(batch(delta)).await.unwrap();
    let staged = writer.finish().await.unwrap();
    let left_out = staged.rows_held();
    let committed = table
        .commit(CommitRequest {
            staged: Some(staged),
            ..CommitRequest::default()
        })
        .await
        .unwrap();
    (
        left_out,
        committed.map_or_else(|| table.clone(), |c| c.table),
    )
}

#[tokio::test]
async fn the_same_row_counts_as_often_as_it_is_there() {
    let fixture = Fixture::new();
    let table = fixture.table().await;
    let first = rows(&[(1, "a"), (2, "b"), (2, "b")]);
    let (left_out, table) = deliver(&table, append_plan(), None, &[], &first).await;
    assert_eq!(left_out, 0);
    let again = rows(&[(2, "b"), (2, "b"), (2, "b"), (1, "x"), (1, "a")]);
    let (left_out, table) = deliver(&table, append_plan(), None, &[], &again).await;
    assert_eq!(left_out, 3);
    let mut all = read(&table, None).await;
    all.sort();
    assert_eq!(
        all,
        rows(&[(1, "a"), (1, "x"), (2, "b"), (2, "b"), (2, "b")])
    );
}

#[tokio::test]
async fn with_an_identity_the_newest_row_is_what_counts() {
    let fixture = Fixture::new();
    let mut table = fixture.table().await;
    for (name, new) in [("a", true), ("b", true), ("b", false), ("a", true)] {
        let delta = rows(&[(1, name)]);
        let (left_out, next) = deliver(&table, append_plan(), Some(1), &[0], &delta).await;
        assert_eq!(left_out == 0, new, "{name}");
        table = next;
    }
    assert_eq!(read(&table, None).await.len(), 3);
}

#[tokio::test]
async fn an_upsert_of_what_is_there_changes_nothing() {
    let fixture = Fixture::new();
    let table = fixture.table().await;
    let all: Vec<Row> = (0..20_000).map(|id| row(id, "a")).collect();
    let (_, table) = deliver(&table, upsert_plan(&[0]), None, &[0], &all).await;
    let snapshots = table.snapshots().len();
    let (left_out, table) = deliver(
        &table,
        upsert_plan(&[0]),
        Some(19_000),
        &[0],
        &all[19_000..],
    )
    .await;
    assert_eq!(left_out, 1000);
    assert_eq!(table.snapshots().len(), snapshots, "no snapshot");
    let delta = rows(&[(19_998, "b"), (19_999, "a"), (20_000, "a")]);
    let (left_out, table) = deliver(&table, upsert_plan(&[0]), Some(19_998), &[0], &delta).await;
    assert_eq!(left_out, 1);
    let read = read(&table, None).await;
    assert_eq!(read.len(), 20_001);
    assert!(read.contains(&row(19_998, "b")) && !read.contains(&row(19_998, "a")));
}

#[tokio::test]
async fn deleted_rows_are_not_held() {
    let fixture = Fixture::new();
    let table = fixture.table().await;
    let (_, table) = deliver(&table, upsert_plan(&[0]), None, &[0], &rows(&[(1, "a")])).await;
    let (_, table) = deliver(&table, upsert_plan(&[0]), None, &[0], &rows(&[(1, "b")])).await;
    let (left_out, table) =
        deliver(&table, upsert_plan(&[0]), None, &[0], &rows(&[(1, "a")])).await;
    assert_eq!(left_out, 0);
    assert_eq!(read(&table, None).await, rows(&[(1, "a")]));
}

#[tokio::test]
async fn only_rows_above_the_bound_take_memory() {
    let fixture = Fixture::new();
    let table = fixture.table().await;
    let all: Vec<Row> = (0..5000).map(|id| row(id, "a")).collect();
    let (_, table) = deliver(&table, append_plan(), None, &[], &all).await;
    let change = change(&table, append_plan());
    for (from, fits) in [(Some(4990), true), (Some(4989), false), (None, false)] {
        let held = table.held(request(&change, from, &[], 10)).await.unwrap();
        assert_eq!(held.is_some(), fits, "{from:?}");
    }
}

/// Copies of a key, which an appending merge has left, give way to one row again.
#[tokio::test]
async fn copies_of_a_key_are_not_held_by_an_upsert() {
    let fixture = Fixture::new();
    let table = fixture.table().await;
    let twice = rows(&[(1, "a"), (1, "a"), (2, "b")]);
    let (_, table) = deliver(&table, append_plan(), None, &[], &twice).await;
    let once = rows(&[(1, "a"), (2, "b")]);
    let (left_out, table) = deliver(&table, upsert_plan(&[0]), None, &[0], &once).await;
    assert_eq!(left_out, 1);
    let mut all = read(&table, None).await;
    all.sort();
    assert_eq!(all, once);
}

#[tokio::test]
async fn rows_that_do_not_come_again_are_known_with_those_that_stand() {
    let fixture = Fixture::new();
    let table = fixture.table().await;
    let all: Vec<Row> = (1..=9).map(|id| row(id, "a")).collect();
    let (_, table) = deliver(&table, upsert_plan(&[0]), None, &[0], &all).await;
    let change = change(&table, upsert_plan(&[0]));
    let stage = async |delta: &[Row], apart: Option<i64>| {
        let mut request = request(&change, Some(4), &[0], 100);
        request.apart = apart.map(Value::Integer);
        let held = table.held(request).await.unwrap();
        let options = StageOptions::default();
        let mut writer = table
            .stage_beside(Uuid::new_v4(), change.clone(), options, held)
            .await
            .unwrap();
        writer.write(batch(delta)).await.unwrap();
        let mut staged = writer.finish().await.unwrap();
        let held = staged.take_held().unwrap();
        staged.discard();
        held
    };
    let held = stage(&all[3..], None).await;
    assert!(!held.has_unseen());
    // 4 stands, 5 comes otherwise, 6 to 9 do not come, and 20 is new.
    let delta = rows(&[(4, "a"), (5, "b"), (20, "a")]);
    let held = stage(&delta, Some(19)).await;
    assert_eq!((held.has_unseen(), held.rows_apart()), (true, 1));
    let found = table.unseen(held, &[0], 2).await.unwrap();
    assert_eq!(found.standing, Some(4));
    let ids: Vec<i64> = found
        .rows
        .iter()
        .flat_map(|batch| {
            let ids = batch.column(1).as_any().downcast_ref::<Int64Array>();
            ids.unwrap().values().to_vec()
        })
        .collect();
    assert_eq!(ids, [8, 9], "the greatest of them");
}

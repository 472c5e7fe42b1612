//! Changes between snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use futures::StreamExt;
use icehost_lake::{ChangesRequest, KeyFold, LakeErrorKind, LakeTable};
use icehost_plan::{Action, Collation, Contents, Occasion};
use proptest::prelude::*;
use support::foreign::{self, Foreign};
use support::*;

const DELETE: i32 = 0;
const INSERT: i32 = 1;
const UPDATE: i32 = 2;

async fn delete(table: &LakeTable, ids: &[i64]) -> icehost_lake::Committed {
    let mut plan = upsert_plan(&[0]);
    plan.clauses = vec![clause(Occasion::Matched, Action::Delete)];
    let change = lower(table, plan, &delta_like(&table.describe().unwrap())).unwrap();
    let keys: Vec<Row> = ids.iter().map(|id| (*id, None)).collect();
    let staged = stage(table, change, &[batch(&keys)]).await.unwrap();
    commit(table, staged).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_first_read_is_the_whole_snapshot() {
    let lake = Fixture::new();
    let table = lake.table().await;
    upsert(&table, &rows(&[(1, "a"), (2, "b")])).await;
    let done = upsert(&lake.load().await, &rows(&[(1, "A")])).await;
    let request = ChangesRequest::new(None, done.snapshot_id);
    let plan = done.table.changes(request.clone()).await.unwrap();
    let delta = plan.delta();
    assert_eq!(delta.contents, Contents::Snapshot);
    assert_eq!((delta.operation, delta.columns.len()), (None, 2));
    assert_eq!(plan.stats().snapshots, 2);
    assert_eq!(plan.stats().rows, 2);
    let found = changes(&done.table, request).await.unwrap();
    assert_eq!(found, [(INSERT, row(2, "b")), (INSERT, row(1, "A"))]);
}

#[tokio::test]
async fn inserts_updates_and_deletes_are_told_apart() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let from = upsert(&table, &rows(&[(1, "a"), (2, "b"), (3, "c")])).await;
    let middle = upsert(&from.table, &rows(&[(2, "B"), (4, "d")])).await;
    let to = delete(&middle.table, &[3]).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to.snapshot_id);
    let plan = to.table.changes(request.clone()).await.unwrap();
    let delta = plan.delta();
    assert_eq!(delta.contents, Contents::Changes);
    assert_eq!(delta.operation, Some(2));
    assert_eq!(delta.columns[2].name, "icehost_operation");
    assert!(plan.stats().has_removals);
    assert_eq!(plan.stats().snapshots, 2);
    let found = changes(&to.table, request).await.unwrap();
    assert_eq!(
        found,
        [
            (DELETE, row(3, "c")),
            (UPDATE, row(2, "B")),
            (INSERT, row(4, "d"))
        ]
    );
    let none = ChangesRequest::new(Some(to.snapshot_id), to.snapshot_id);
    assert_eq!(changes(&to.table, none).await.unwrap(), []);
}

#[tokio::test]
async fn a_row_that_came_and_went_is_no_change() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let from = upsert(&table, &rows(&[(1, "a")])).await;
    let there = upsert(&from.table, &rows(&[(1, "b"), (7, "x")])).await;
    let back = upsert(&there.table, &rows(&[(1, "a")])).await;
    let to = delete(&back.table, &[7]).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to.snapshot_id);
    assert_eq!(changes(&to.table, request).await.unwrap(), []);
}

#[tokio::test]
async fn versions_of_a_key_come_in_the_order_of_their_commits() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let from = append(&table, &rows(&[(1, "first")])).await;
    let second = append(&from.table, &rows(&[(1, "second"), (2, "x")])).await;
    let third = append(&second.table, &rows(&[(1, "third")])).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), third.snapshot_id);
    let found = changes(&third.table, request).await.unwrap();
    let wanted = [(1, "second"), (2, "x"), (1, "third")].map(|(id, name)| (INSERT, row(id, name)));
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn a_key_that_changed_its_case_is_an_update_where_case_is_ignored() {
    let lake = Fixture::new();
    let mut new = people();
    new.columns[1].required = true;
    new.identifier = vec![1];
    let table = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let folded = |table: &LakeTable| {
        let delta = delta_like(&table.describe().unwrap());
        lower(
            table,
            upsert_plan(&[1]),
            &collated(delta, 1, "Latin1_General_CI_AS"),
        )
        .unwrap()
    };
    let staged = stage(&table, folded(&table), &[batch(&rows(&[(1, "foo")]))])
        .await
        .unwrap();
    let from = commit(&table, staged).await.unwrap().unwrap();
    let staged = stage(
        &from.table,
        folded(&from.table),
        &[batch(&rows(&[(1, "FOO")]))],
    )
    .await;
    let to = commit(&from.table, staged.unwrap()).await.unwrap().unwrap();
    let exact = ChangesRequest::new(Some(from.snapshot_id), to.snapshot_id);
    let ignoring_case = ChangesRequest {
        key_fold: KeyFold::new([Some(Collation::from_name("Latin1_General_CI_AS"))]),
        ..exact.clone()
    };
    let found = changes(&to.table, ignoring_case).await.unwrap();
    assert_eq!(found, [(UPDATE, row(1, "FOO"))]);
    let found = changes(&to.table, exact).await.unwrap();
    assert_eq!(found, [(DELETE, row(1, "foo")), (INSERT, row(1, "FOO"))]);
}

#[tokio::test]
async fn a_new_row_can_come_with_all_others_of_its_key() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let people = rows(&[(1, "foo"), (2, "bar"), (3, "Foo "), (4, "fóo")]);
    let from = append(&table, &people).await;
    let to = append(&from.table, &rows(&[(5, "FOO")])).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to.snapshot_id);
    let with = |others: bool, collation: &str| {
        let (table, request) = (to.table.clone(), request.clone());
        let fold = KeyFold::new([Some(Collation::from_name(collation))]);
        async move {
            let plan = table.changes(request).await.unwrap();
            let plan = plan.keyed(&[1], fold).unwrap();
            let plan = match others {
                true => plan.with_others_of_each_key(),
                false => plan,
            };
            told(plan).await.unwrap()
        }
    };
    let alone = [(INSERT, row(5, "FOO"))];
    assert_eq!(with(false, "Latin1_General_CI_AS").await, alone);
    // Whether the third is one only the server knows.
    let all = [
        (UPDATE, row(1, "foo")),
        (UPDATE, row(3, "Foo ")),
        (UPDATE, row(4, "fóo")),
        (INSERT, row(5, "FOO")),
    ];
    assert_eq!(with(true, "Latin1_General_CI_AS").await, all);
    assert_eq!(with(true, "Latin1_General_BIN2").await, alone);
}

#[tokio::test]
async fn a_table_without_a_snapshot_has_no_rows_to_tell() {
    let table = Fixture::new().table().await;
    let nothing = ChangesRequest::new(None, None);
    let plan = table.changes(nothing.clone()).await.unwrap();
    assert_eq!(plan.stats().rows, 0);
    assert_eq!(plan.delta().contents, Contents::Snapshot);
    assert_eq!(changes(&table, nothing).await.unwrap(), []);
}

/// Another engine takes rows out by their whole image.
async fn without(table: &LakeTable, gone: &[(i64, &str)]) -> (LakeTable, i64) {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(gone.iter().map(|r| r.0)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(gone.iter().map(|r| r.1)));
    let deletes = vec![foreign::equality_deletes(
        table,
        &[(1, "id", ids), (2, "name", names)],
    )];
    foreign::commit(
        table,
        Foreign {
            deletes,
            ..Foreign::default()
        },
    )
    .await
}

/// Another engine writes the table anew with these rows.
async fn rewritten(table: &LakeTable, people: &[(i64, &str)]) -> (LakeTable, i64) {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(people.iter().map(|r| r.0)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(people.iter().map(|r| r.1)));
    let rewrite = Foreign {
        added: vec![foreign::data_file(
            table,
            &[(1, "id", ids), (2, "name", names)],
        )],
        replace_all: true,
        ..Foreign::default()
    };
    foreign::commit(table, rewrite).await
}

/// The changes for a reader that tells rows apart by this column.
async fn by_column(
    table: &LakeTable,
    range: (i64, i64),
    key: &[u32],
    collation: Option<&str>,
) -> Vec<(i32, Row)> {
    let found = within(usize::MAX, table, range, key, collation).await;
    let found = found.unwrap();
    match within(0, table, range, key, collation).await {
        Ok(without_memory) => assert_eq!(without_memory, found),
        Err(error) => {
            assert_eq!(error.kind(), LakeErrorKind::KeysUnknown);
            assert!(collation.is_some_and(|name| !name.ends_with("BIN2")));
        }
    }
    found
}

async fn within(
    most_bytes: usize,
    table: &LakeTable,
    (from, to): (i64, i64),
    key: &[u32],
    collation: Option<&str>,
) -> icehost_lake::Result<Vec<(i32, Row)>> {
    let request = ChangesRequest {
        most_bytes,
        ..ChangesRequest::new(Some(from), to)
    };
    let plan = table.changes(request).await.unwrap();
    let fold = KeyFold::new([collation.map(Collation::from_name)]);
    told(plan.keyed(key, fold).unwrap()).await
}

/// Keys that are gone have to be compared with those that are there, which only memory allows.
#[tokio::test]
async fn keys_that_went_and_only_the_server_tells_apart_are_refused_with_the_limit_that_they_need()
{
    let lake = Fixture::new();
    let people = rows(&[(1, "Meier"), (2, "Huber"), (3, "Otto")]);
    let from = append(&lake.table().await, &people).await;
    let (table, to) = without(&from.table, &[(1, "Meier")]).await;
    let range = (from.snapshot_id, to);
    let case = Some("Latin1_General_CI_AS");
    // Certain keys, all of them.
    let found = within(0, &table, range, &[1], case).await.unwrap();
    assert_eq!(found, [(DELETE, row(1, "Meier"))]);
    // One that is there is not, and one that is gone.
    let there = append(&table, &rows(&[(4, "Müller")])).await;
    let (gone, without_it) = without(&there.table, &[(4, "Müller")]).await;
    for (table, range) in [
        (&there.table, (from.snapshot_id, there.snapshot_id)),
        (&gone, (there.snapshot_id, without_it)),
    ] {
        let error = within(0, table, range, &[1], case).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::KeysUnknown);
        assert!(
            error.to_string().contains("where they take 1 MiB"),
            "{error}"
        );
        let hint = error.hint().unwrap();
        assert!(hint.contains("--memory-limit of 12 MiB"), "{hint}");
        // Byte by byte, they are what they are.
        within(0, table, range, &[1], None).await.unwrap();
        within(1 << 20, table, range, &[1], case).await.unwrap();
    }
}

/// What is in memory and what is on disk tell the same, in the same order, of more rows than one part has.
#[tokio::test]
async fn what_is_on_disk_tells_the_same_as_what_is_in_memory() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let all = |ids: std::ops::Range<i64>, name: &str| -> Vec<Row> {
        ids.map(|id| row(id * 7919 % 20_011, name)).collect()
    };
    let from = upsert(&table, &all(0..5000, "a")).await;
    let changed = upsert(&from.table, &all(1000..3000, "b")).await;
    let gone: Vec<i64> = (2500..4000).map(|id| id * 7919 % 20_011).collect();
    let deleted = delete(&changed.table, &gone).await;
    let to = append(&deleted.table, &all(4500..6000, "c")).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to.snapshot_id);
    let found = changes(&to.table, request).await.unwrap();
    let of = |operation| {
        found
            .iter()
            .filter(|(found, _)| *found == operation)
            .count()
    };
    assert_eq!((of(DELETE), of(UPDATE), of(INSERT)), (1500, 1500, 1500));
}

#[tokio::test]
async fn a_key_that_still_has_a_row_is_not_gone() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let old = append(&table, &rows(&[(1, "old"), (2, "x"), (3, "z")])).await;
    let from = append(&old.table, &rows(&[(1, "new"), (3, "z")])).await;
    // An old version goes, a copy goes, and a row.
    let (table, to) = without(&from.table, &[(1, "old"), (2, "x")]).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    let found = changes(&table, request).await.unwrap();
    assert_eq!(found, [(DELETE, row(2, "x")), (UPDATE, row(1, "new"))]);
}

#[tokio::test]
async fn a_version_counts_again_when_the_newer_one_goes() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let old = append(&table, &rows(&[(1, "old"), (2, "x")])).await;
    let from = append(&old.table, &rows(&[(1, "new")])).await;
    let (table, to) = without(&from.table, &[(1, "new")]).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    let found = changes(&table, request).await.unwrap();
    assert_eq!(found, [(UPDATE, row(1, "old"))]);
}

#[tokio::test]
async fn a_copy_that_is_written_away_is_no_delete() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let one = append(&table, &rows(&[(1, "x"), (2, "y")])).await;
    let from = append(&one.table, &rows(&[(1, "x"), (2, "newer")])).await;
    let (table, to) = rewritten(&from.table, &[(1, "x"), (2, "newer")]).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    let mut found = changes(&table, request).await.unwrap();
    found.sort();
    assert_eq!(found, [(UPDATE, row(1, "x")), (UPDATE, row(2, "newer"))]);
    // Without a key there is nothing to deliver again.
    let mut found = by_column(&table, (from.snapshot_id, to), &[], None).await;
    found.sort();
    assert_eq!(found, [(DELETE, row(1, "x")), (DELETE, row(2, "y"))]);
}

#[tokio::test]
async fn all_versions_that_are_there_come_in_the_order_of_their_commits() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let first = append(&table, &rows(&[(1, "first"), (9, "n")])).await;
    let second = append(&first.table, &rows(&[(1, "second")])).await;
    let from = append(&second.table, &rows(&[(1, "third")])).await;
    let (table, to) = without(&from.table, &[(1, "third")]).await;
    let request = ChangesRequest::new(Some(from.snapshot_id), to);
    let plan = table.changes(request).await.unwrap();
    assert!(plan.stats().has_removals);
    let found = by_column(&table, (from.snapshot_id, to), &[0], None).await;
    let wanted = [(UPDATE, row(1, "first")), (UPDATE, row(1, "second"))];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn the_reader_says_what_the_key_is() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let one = append(&table, &rows(&[(1, "a"), (2, "b")])).await;
    let from = append(&one.table, &rows(&[(3, "A ")])).await;
    let (table, to) = without(&from.table, &[(1, "a"), (2, "b")]).await;
    let range = (from.snapshot_id, to);
    let found = by_column(&table, range, &[1], Some("Latin1_General_CI_AS")).await;
    assert_eq!(found, [(DELETE, row(2, "b")), (UPDATE, row(3, "A "))]);
    let found = by_column(&table, range, &[1], Some("Latin1_General_CS_AS")).await;
    assert_eq!(found, [(DELETE, row(1, "a")), (DELETE, row(2, "b"))]);
    let found = by_column(&table, range, &[0], None).await;
    assert_eq!(found, [(DELETE, row(1, "a")), (DELETE, row(2, "b"))]);
    let error = table
        .changes(ChangesRequest::new(Some(range.0), range.1))
        .await;
    let error = error.unwrap().keyed(&[2], KeyFold::default()).unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Internal);
}

#[tokio::test]
async fn rows_that_only_the_server_can_tell_from_those_that_went_come_after_them() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let one = append(
        &table,
        &rows(&[(1, "3"), (2, "straße"), (3, "otto"), (5, "kir")]),
    )
    .await;
    let kept = [(6, "３"), (7, "STRASSE"), (8, "Gasse"), (9, "KIR")];
    let from = append(&one.table, &rows(&kept)).await;
    let gone = [(1, "3"), (2, "straße"), (5, "kir")];
    let (table, to) = without(&from.table, &gone).await;
    let range = (from.snapshot_id, to);
    let deletes = gone.map(|(id, name)| (DELETE, row(id, name)));
    let update = |(id, name): (i64, &str)| (UPDATE, row(id, name));

    // `kir` and `KIR` are one for certain.
    let found = by_column(&table, range, &[1], Some("Latin1_General_CI_AS")).await;
    assert_eq!(found[..2], deletes[..2]);
    assert_eq!(found[2..], [kept[0], kept[1], kept[3]].map(update));
    // And here they are for the server to tell.
    let found = by_column(&table, range, &[1], Some("Turkish_CI_AS")).await;
    assert_eq!(found[..3], deletes);
    assert_eq!(found[3..], [kept[0], kept[1], kept[3]].map(update));
    // Byte by byte, they are what they are.
    let found = by_column(&table, range, &[1], Some("Latin1_General_BIN2")).await;
    assert_eq!(found, deletes);
}

#[tokio::test]
async fn a_position_that_is_no_ancestor_is_lost() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let first = append(&table, &rows(&[(1, "a")])).await;
    let second = append(&first.table, &rows(&[(2, "b")])).await;
    for (from, to) in [
        (999, second.snapshot_id),
        (second.snapshot_id, first.snapshot_id),
    ] {
        let request = ChangesRequest::new(Some(from), to);
        let error = second.table.changes(request).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::PositionLost);
        assert!(error.hint().is_some());
    }
    let error = second
        .table
        .changes(ChangesRequest::new(None, 999))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::SnapshotNotFound);
}

#[tokio::test]
async fn only_wanted_columns_come_and_the_key_still_counts() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let from = upsert(&table, &rows(&[(1, "a"), (2, "b")])).await;
    let to = upsert(&from.table, &rows(&[(2, "B")])).await;
    let request = ChangesRequest {
        columns: Some(vec![1]),
        ..ChangesRequest::new(Some(from.snapshot_id), to.snapshot_id)
    };
    let plan = to.table.changes(request).await.unwrap();
    let names: Vec<String> = plan.delta().columns.into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["name", "icehost_operation"]);
    let batches: Vec<_> = plan.stream().collect().await;
    let batch = batches[0].as_ref().unwrap();
    assert_eq!(
        (batches.len(), batch.num_columns(), batch.num_rows()),
        (1, 2, 1)
    );
}

#[tokio::test]
async fn a_dropped_stream_stops_reading() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let people: Vec<Row> = (0..50_000).map(|id| row(id, "x")).collect();
    let done = append(&table, &people).await;
    let request = ChangesRequest {
        batch_rows: 100,
        ..ChangesRequest::new(None, done.snapshot_id)
    };
    let mut stream = done.table.changes(request).await.unwrap().stream();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 100);
    drop(stream);
    // The reading thread ends; were it stuck, the runtime could not shut down and the test would hang.
}

/// What a history does to a table.
#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Upsert(Vec<(u8, u8)>),
    Delete(Vec<u8>),
    /// Another engine deletes keys, there or not, by equality.
    EqualityDelete(Vec<u8>),
    /// Another engine writes all rows again, without a second file for what is left.
    Compact,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..20u8;
    let step = prop_oneof![
        prop::collection::vec(20..40u8, 1..5).prop_map(Step::Append),
        prop::collection::vec((key.clone(), 0..4u8), 1..8).prop_map(Step::Upsert),
        prop::collection::vec(key.clone(), 1..6).prop_map(Step::Delete),
        prop::collection::vec(key, 1..6).prop_map(Step::EqualityDelete),
        Just(Step::Compact),
    ];
    prop::collection::vec(step, 1..10)
}

fn remember(state: &mut BTreeMap<i64, String>, people: &[Row]) {
    let named = people.iter().map(|(id, name)| (*id, name.clone().unwrap()));
    state.extend(named);
}

/// Runs a history, and checks every snapshot and the changes between any two against a map.
async fn check_history(history: &[Step]) {
    let lake = Fixture::new();
    let mut table = lake.table().await;
    let mut state: BTreeMap<i64, String> = BTreeMap::new();
    let mut states: Vec<(i64, BTreeMap<i64, String>)> = Vec::new();
    let mut next = 100;
    for step in history {
        let before = table.version();
        let snapshot;
        (table, snapshot) = match step {
            Step::Append(values) => {
                // New keys throughout: appends do not look at the table.
                let people: Vec<Row> = values
                    .iter()
                    .map(|value| {
                        next += 1;
                        row(next, &format!("v{value}"))
                    })
                    .collect();
                remember(&mut state, &people);
                let done = append(&table, &people).await;
                (done.table, done.snapshot_id)
            }
            Step::Upsert(pairs) => {
                let people: Vec<Row> = pairs
                    .iter()
                    .map(|(id, value)| row(i64::from(*id), &format!("v{value}")))
                    .collect();
                remember(&mut state, &people);
                let done = upsert(&table, &people).await;
                (done.table, done.snapshot_id)
            }
            Step::Delete(ids) => {
                let known: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
                if !known.iter().any(|id| state.contains_key(id)) {
                    continue;
                }
                known.iter().for_each(|id| drop(state.remove(id)));
                let done = delete(&table, &known).await;
                (done.table, done.snapshot_id)
            }
            Step::EqualityDelete(ids) => {
                let keys: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
                keys.iter().for_each(|id| drop(state.remove(id)));
                let keys: ArrayRef = Arc::new(Int64Array::from(keys));
                let deletes = vec![foreign::equality_deletes(&table, &[(1, "id", keys)])];
                foreign::commit(
                    &table,
                    Foreign {
                        deletes,
                        ..Foreign::default()
                    },
                )
                .await
            }
            Step::Compact => {
                let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(state.keys().copied()));
                let names: ArrayRef = Arc::new(StringArray::from_iter_values(state.values()));
                let added = match state.is_empty() {
                    true => vec![],
                    false => vec![foreign::data_file(
                        &table,
                        &[(1, "id", ids), (2, "name", names)],
                    )],
                };
                let compact = Foreign {
                    added,
                    replace_all: true,
                    ..Foreign::default()
                };
                foreign::commit(&table, compact).await
            }
        };
        assert_eq!(table.version(), before.map(|version| version + 1));
        states.push((snapshot, state.clone()));
    }
    let table = lake.load().await;
    let mut starts: Vec<(Option<i64>, BTreeMap<i64, String>)> = vec![(None, BTreeMap::new())];
    starts.extend(states.iter().map(|(id, state)| (Some(*id), state.clone())));
    for (at, (to, wanted)) in states.iter().enumerate() {
        let scanned: BTreeMap<i64, String> = read(&table, Some(*to))
            .await
            .into_iter()
            .map(|(id, n)| (id, n.unwrap()))
            .collect();
        assert_eq!(&scanned, wanted, "snapshot {at} of {history:?}");
        for (from, before) in &starts[..=at + 1] {
            let request = ChangesRequest::new(*from, *to);
            let found = changes(&table, request).await.unwrap();
            let mut reached = before.clone();
            let mut touched = BTreeSet::new();
            for (operation, (id, name)) in found {
                assert!(touched.insert(id), "key {id} came twice");
                let name = name.unwrap();
                match operation {
                    DELETE => assert_eq!(reached.remove(&id), Some(name), "last image of {id}"),
                    INSERT => assert_eq!(reached.insert(id, name), None, "{id} was there"),
                    _ => {
                        let old = reached.insert(id, name.clone());
                        assert!(old.is_some_and(|old| old != name), "{id} did not change");
                    }
                }
            }
            assert_eq!(
                &reached, wanted,
                "changes up to snapshot {at} of {history:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn scans_and_changes_agree_with_a_map(history in steps()) {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(check_history(&history));
    }
}

//! Row-level changes by key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use futures::future::BoxFuture;
use icehost_lake::{
    CommitRequest, KeyQuestion, LakeErrorKind, LakeTable, NewColumn, NewTable, SameKeys,
    ScanRequest, StageOptions,
};
use icehost_plan::{Action, Direction, LakeType, MergePlan, Occasion, Value};
use support::*;

#[tokio::test]
async fn known_keys_are_replaced_and_new_ones_inserted() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let first = upsert(&table, &rows(&[(1, "Ada"), (2, "Grace"), (3, "Edsger")])).await;
    let second = upsert(&first.table, &rows(&[(2, "Grace Hopper"), (4, "Barbara")])).await;
    assert_eq!((second.rows_appended, second.rows_removed), (2, 1));
    let loaded = lake.load().await;
    let now = rows(&[
        (1, "Ada"),
        (2, "Grace Hopper"),
        (3, "Edsger"),
        (4, "Barbara"),
    ]);
    assert_eq!(read(&loaded, None).await, now);
    let then = rows(&[(1, "Ada"), (2, "Grace"), (3, "Edsger")]);
    assert_eq!(read(&loaded, Some(first.snapshot_id)).await, then);
    let current = loaded.current_snapshot().unwrap();
    assert_eq!(current.operation, "overwrite");
    for (field, value) in [
        ("total-records", "5"),
        ("total-position-deletes", "1"),
        ("total-delete-files", "1"),
        ("total-data-files", "2"),
        ("total-equality-deletes", "0"),
        ("added-records", "2"),
        ("added-position-deletes", "1"),
    ] {
        assert_eq!(current.summary[field], value, "{field}");
    }
    assert_eq!(loaded.describe().unwrap().row_estimate, Some(4));
}

#[tokio::test]
async fn many_snapshots_replace_one_row_each_once() {
    let lake = Fixture::new();
    let mut table = lake.table().await;
    for round in 0..12 {
        let name = format!("round {round}");
        let done = upsert(&table, &[row(1, &name), row(100 + round, "new")]).await;
        assert_eq!(done.rows_removed, u64::from(round > 0), "round {round}");
        table = done.table;
    }
    let all = read(&table, None).await;
    assert_eq!(all.len(), 13);
    assert_eq!(all[0], row(1, "round 11"));
    for (round, snapshot) in table.snapshots().iter().enumerate() {
        let then = read(&table, Some(snapshot.id)).await;
        assert_eq!(then[0], row(1, &format!("round {round}")));
        assert_eq!(then.len(), round + 2);
    }
}

#[tokio::test]
async fn the_last_of_several_rows_with_one_key_counts() {
    let lake = Fixture::new();
    let table = lake.table().await;
    upsert(&table, &rows(&[(1, "old")])).await;
    let delta = rows(&[(1, "a"), (2, "b"), (1, "c"), (2, "d"), (1, "e")]);
    let done = upsert(&lake.load().await, &delta).await;
    assert_eq!((done.rows_appended, done.rows_removed), (2, 1));
    assert_eq!(
        read(&lake.load().await, None).await,
        rows(&[(1, "e"), (2, "d")])
    );
}

/// A row of [`ranked`]: id and rank.
type Ranked = (i64, Option<i64>);

/// Like `people`, with a number that can say which row counts: systems order texts differently.
async fn ranked(lake: &Fixture) -> LakeTable {
    let mut new = people();
    new.columns[1] = NewColumn {
        name: "rank".to_owned(),
        lake_type: LakeType::Long,
        required: false,
        doc: None,
    };
    lake.warehouse.create_table(&name(), &new).await.unwrap()
}

fn ranks(rows: &[Ranked]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let ranks: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)));
    RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("rank", ranks, true)]).unwrap()
}

async fn read_ranks(table: &LakeTable) -> Vec<Ranked> {
    let mut rows = Vec::new();
    for batch in scan(table, ScanRequest::default()).await.unwrap() {
        let column = |at: usize| batch.column(at).as_primitive::<Int64Type>().clone();
        let (ids, ranks) = (column(0), column(1));
        rows.extend(ids.iter().flatten().zip(ranks.iter()));
    }
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn the_plans_order_decides_between_rows_with_one_key() {
    let lake = Fixture::new();
    let table = ranked(&lake).await;
    let delta = delta_like(&table.describe().unwrap());
    let plan = |direction| MergePlan {
        among: None,
        deduplicate: vec![by(1, direction)],
        ..upsert_plan(&[0])
    };
    // Across batches and files too.
    let options = || StageOptions {
        target_file_bytes: 1,
        ..StageOptions::default()
    };
    let batches = [
        ranks(&[(1, Some(7)), (2, None)]),
        ranks(&[(1, Some(9)), (2, Some(2)), (1, None)]),
        ranks(&[(1, Some(-8)), (2, Some(1))]),
    ];
    let descending = lower(&table, plan(Direction::Descending), &delta).unwrap();
    let staged = stage_with(&table, descending, &batches, options())
        .await
        .unwrap();
    commit(&table, staged).await.unwrap().unwrap();
    assert_eq!(
        read_ranks(&lake.load().await).await,
        [(1, Some(9)), (2, Some(2))]
    );

    let table = lake.load().await;
    let ascending = lower(&table, plan(Direction::Ascending), &delta).unwrap();
    let staged = stage_with(&table, ascending, &batches, options())
        .await
        .unwrap();
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!(done.rows_removed, 2);
    // NULL is the lowest, as SQL Server has it.
    assert_eq!(read_ranks(&lake.load().await).await, [(1, None), (2, None)]);
}

#[tokio::test]
async fn an_order_of_texts_decides_nothing() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let mut plan = upsert_plan(&[0]);
    plan.deduplicate = vec![by(1, Direction::Descending)];
    let error = lower(&table, plan, &delta_like(&table.describe().unwrap()));
    let message = error.err().unwrap().to_string();
    assert!(message.contains("column 'name'"), "{message}");
}

#[tokio::test]
async fn nulls_outside_the_key_come_and_go() {
    let lake = Fixture::new();
    let table = lake.table().await;
    upsert(&table, &[(1, None), row(2, "b")]).await;
    upsert(&lake.load().await, &[row(1, "a"), (2, None)]).await;
    assert_eq!(
        read(&lake.load().await, None).await,
        vec![row(1, "a"), (2, None)]
    );
}

#[tokio::test]
async fn text_keys_match_as_the_source_compares_them() {
    let lake = Fixture::new();
    let mut new = people();
    new.columns[1].required = true;
    new.identifier = vec![1];
    let table = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let plan = || upsert_plan(&[1]);
    let folded = |table: &icehost_lake::LakeTable| {
        let delta = delta_like(&table.describe().unwrap());
        lower(
            table,
            plan(),
            &collated(delta, 1, "SQL_Latin1_General_CP1_CI_AS"),
        )
        .unwrap()
    };
    let staged = stage(
        &table,
        folded(&table),
        &[batch(&rows(&[(1, "foo"), (2, "bar")]))],
    )
    .await;
    let table = commit(&table, staged.unwrap())
        .await
        .unwrap()
        .unwrap()
        .table;
    // 'FOO  ' sorts outside the file's bounds and is yet the same key.
    let staged = stage(&table, folded(&table), &[batch(&rows(&[(3, "FOO  ")]))])
        .await
        .unwrap();
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (1, 1));
    assert_eq!(
        read(&done.table, None).await,
        rows(&[(2, "bar"), (3, "FOO  ")])
    );

    let delta = delta_like(&done.table.describe().unwrap());
    let exact = lower(&done.table, plan(), &delta).unwrap();
    let staged = stage(&done.table, exact, &[batch(&rows(&[(4, "foo")]))])
        .await
        .unwrap();
    let done = commit(&done.table, staged).await.unwrap().unwrap();
    assert_eq!(
        done.rows_removed, 0,
        "without a collation text compares byte by byte"
    );
}

#[tokio::test]
async fn composite_keys_match_in_all_parts() {
    let lake = Fixture::new();
    let column = |name: &str, lake_type, required| NewColumn {
        name: name.to_owned(),
        lake_type,
        required,
        doc: None,
    };
    let new = NewTable {
        columns: vec![
            column("country", LakeType::String, true),
            column("number", LakeType::Int, true),
            column("note", LakeType::String, false),
        ],
        identifier: vec![0, 1],
        properties: Default::default(),
    };
    let table = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let batch = |rows: &[(&str, i32, &str)]| {
        let columns: [(&str, ArrayRef); 3] = [
            (
                "country",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.0))),
            ),
            (
                "number",
                Arc::new(Int32Array::from_iter_values(rows.iter().map(|r| r.1))),
            ),
            (
                "note",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.2))),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let upserting = |table: &icehost_lake::LakeTable| {
        let delta = delta_like(&table.describe().unwrap());
        lower(table, upsert_plan(&[0, 1]), &delta).unwrap()
    };
    let rows = batch(&[("de", 1, "a"), ("de", 2, "b"), ("fr", 1, "c")]);
    let staged = stage(&table, upserting(&table), &[rows]).await.unwrap();
    let table = commit(&table, staged).await.unwrap().unwrap().table;
    let rows = batch(&[("de", 2, "B"), ("fr", 2, "d")]);
    let staged = stage(&table, upserting(&table), &[rows]).await.unwrap();
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (2, 1));
    let batches = scan(&done.table, ScanRequest::default()).await.unwrap();
    let mut notes: Vec<String> = batches
        .iter()
        .flat_map(|b| {
            let notes = b.column(2).clone();
            (0..b.num_rows())
                .map(|row| arrow_cast::display::array_value_to_string(&notes, row).unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    notes.sort();
    assert_eq!(notes, ["B", "a", "c", "d"]);
}

#[tokio::test]
async fn matched_rows_can_be_left_alone() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let insert_only = |table: &icehost_lake::LakeTable| {
        let mut plan = upsert_plan(&[0]);
        plan.clauses[0] = clause(Occasion::Matched, Action::Skip);
        lower(table, plan, &delta_like(&table.describe().unwrap())).unwrap()
    };
    append(&table, &rows(&[(1, "Ada")])).await;
    let table = lake.load().await;
    let delta = [batch(&rows(&[(1, "changed"), (2, "Grace")]))];
    let staged = stage(&table, insert_only(&table), &delta).await.unwrap();
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (1, 0));
    assert_eq!(
        read(&done.table, None).await,
        rows(&[(1, "Ada"), (2, "Grace")])
    );

    let files = lake.files();
    let staged = stage(&done.table, insert_only(&done.table), &delta)
        .await
        .unwrap();
    assert!(
        commit(&done.table, staged).await.unwrap().is_none(),
        "nothing is new"
    );
    assert_eq!(lake.files(), files);
}

#[tokio::test]
async fn unknown_keys_can_be_ignored() {
    let lake = Fixture::new();
    let table = lake.table().await;
    append(&table, &rows(&[(1, "Ada")])).await;
    let table = lake.load().await;
    let mut plan = upsert_plan(&[0]);
    plan.clauses.pop();
    let change = lower(&table, plan, &delta_like(&table.describe().unwrap())).unwrap();
    let staged = stage(
        &table,
        change,
        &[batch(&rows(&[(1, "Ada L."), (2, "Grace")]))],
    )
    .await;
    let done = commit(&table, staged.unwrap()).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (1, 1));
    assert_eq!(read(&done.table, None).await, rows(&[(1, "Ada L.")]));
}

#[tokio::test]
async fn changes_carry_deletes() {
    let lake = Fixture::new();
    let table = lake.table().await;
    append(&table, &rows(&[(1, "Ada"), (2, "Grace"), (3, "Edsger")])).await;
    let table = lake.load().await;
    let delta = changes_delta(&table.describe().unwrap());
    let deleted = || equals(2, Value::Integer(0));
    let mut plan = upsert_plan(&[0]);
    let mut delete = clause(Occasion::Matched, Action::Delete);
    delete.condition = Some(deleted());
    let mut skip = clause(Occasion::NotMatched, Action::Skip);
    skip.condition = Some(deleted());
    plan.clauses.insert(0, delete);
    plan.clauses.insert(1, skip);
    let change = lower(&table, plan, &delta).unwrap();
    let people = rows(&[
        (1, "gone"),
        (2, "Grace H."),
        (4, "Barbara"),
        (9, "never was"),
        (5, "x"),
        (5, "x"),
    ]);
    let batch = with_operations(&people, &[0, 2, 1, 0, 1, 0]);
    let staged = stage(&table, change, &[batch]).await.unwrap();
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (2, 2));
    let now = rows(&[(2, "Grace H."), (3, "Edsger"), (4, "Barbara")]);
    assert_eq!(read(&done.table, None).await, now);
}

#[tokio::test]
async fn a_delta_of_deletes_alone_is_a_delete_snapshot() {
    let lake = Fixture::new();
    let table = lake.table().await;
    append(&table, &rows(&[(1, "Ada"), (2, "Grace")])).await;
    let table = lake.load().await;
    let mut plan = upsert_plan(&[0]);
    plan.clauses = vec![clause(Occasion::Matched, Action::Delete)];
    let change = lower(&table, plan, &delta_like(&table.describe().unwrap())).unwrap();
    let staged = stage(&table, change, &[batch(&[(2, None)])]).await.unwrap();
    assert_eq!(staged.files(), 0);
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (0, 1));
    assert_eq!(done.table.current_snapshot().unwrap().operation, "delete");
    assert_eq!(read(&done.table, None).await, rows(&[(1, "Ada")]));
}

#[tokio::test]
async fn rows_missing_from_a_complete_delta_can_go() {
    let lake = Fixture::new();
    let table = lake.table().await;
    append(&table, &rows(&[(1, "Ada"), (2, "Grace"), (3, "Edsger")])).await;
    let table = lake.load().await;
    let mut plan = upsert_plan(&[0]);
    plan.clauses
        .push(clause(Occasion::NotMatchedBySource, Action::Delete));
    let delta = complete(delta_like(&table.describe().unwrap()));
    let change = lower(&table, plan, &delta).unwrap();
    let staged = stage(
        &table,
        change,
        &[batch(&rows(&[(2, "Grace H."), (4, "Barbara")]))],
    )
    .await;
    let done = commit(&table, staged.unwrap()).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (2, 3));
    assert_eq!(
        read(&done.table, None).await,
        rows(&[(2, "Grace H."), (4, "Barbara")])
    );
}

#[tokio::test]
async fn a_key_with_null_is_refused_and_one_that_is_there_matches_nothing() {
    let lake = Fixture::new();
    let mut new = people();
    new.identifier.clear();
    let table = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let by_name = |table: &icehost_lake::LakeTable| {
        lower(
            table,
            upsert_plan(&[1]),
            &delta_like(&table.describe().unwrap()),
        )
        .unwrap()
    };
    let there = [(1, None), row(3, "c")];
    let table = append(&table, &there).await.table;
    let written = lake.files();
    let only_adds = StageOptions {
        unique_keys: true,
        unmatched: true,
        ..StageOptions::default()
    };
    for options in [StageOptions::default(), only_adds] {
        let rows = [batch(&[row(7, "g")]), batch(&[row(5, "c"), (4, None)])];
        let error = stage_with(&table, by_name(&table), &rows, options).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::InvalidData);
        let message = error.to_string();
        assert!(message.contains("name = NULL has NULL"), "{message}");
        assert!(error.hint().unwrap().contains("append-only"));
    }
    assert_eq!(lake.files(), written, "nothing is left of it");
    let staged = stage(&table, by_name(&table), &[batch(&[row(5, "c")])]).await;
    let done = commit(&table, staged.unwrap()).await.unwrap().unwrap();
    assert_eq!((done.rows_appended, done.rows_removed), (1, 1));
    let all = vec![(1, None), row(5, "c")];
    assert_eq!(read(&done.table, None).await, all);
}

#[tokio::test]
async fn a_key_that_comes_twice_is_refused_where_no_order_says_which_row_counts() {
    let lake = Fixture::new();
    let table = ranked(&lake).await;
    let strict = || StageOptions {
        refuse_repeats: true,
        ..StageOptions::default()
    };
    let twice = [ranks(&[(1, Some(1)), (2, Some(2))]), ranks(&[(1, Some(3))])];
    let error = stage_with(&table, upserting(&table), &twice, strict()).await;
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("id = 1 stands in several rows"),
        "{message}"
    );
    let mut ordered = upsert_plan(&[0]);
    ordered.deduplicate = vec![by(1, Direction::Descending)];
    let change = lower(&table, ordered, &delta_like(&table.describe().unwrap())).unwrap();
    let staged = stage_with(&table, change, &twice, strict()).await.unwrap();
    let done = commit(&table, staged).await.unwrap().unwrap();
    assert_eq!(read_ranks(&done.table).await, [(1, Some(3)), (2, Some(2))]);
}

#[tokio::test]
async fn a_unique_first_load_collects_no_keys_and_notices_other_writers() {
    let lake = Fixture::new();
    let table = lake.table().await;
    let unique = StageOptions {
        unique_keys: true,
        ..StageOptions::default()
    };
    let load = [batch(&rows(&[(1, "Ada")]))];
    let early = stage_with(&table, upserting(&table), &load, unique.clone())
        .await
        .unwrap();
    let late = stage_with(&table, upserting(&table), &load, unique.clone())
        .await
        .unwrap();
    commit(&table, early).await.unwrap().unwrap();
    let error = commit(&table, late).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Conflict);
    assert!(error.is_transient());
    assert_eq!(read(&lake.load().await, None).await, rows(&[(1, "Ada")]));

    // On a table with rows the promise of unique keys still leaves matching to be done.
    let table = lake.load().await;
    let staged = stage_with(
        &table,
        upserting(&table),
        &[batch(&rows(&[(1, "A.")]))],
        unique,
    )
    .await;
    let done = commit(&table, staged.unwrap()).await.unwrap().unwrap();
    assert_eq!(done.rows_removed, 1);
}

#[tokio::test]
async fn a_commit_on_a_stale_table_matches_the_newest_rows() {
    let lake = Fixture::new();
    let stale = lake.table().await;
    let staged = stage(&stale, upserting(&stale), &[batch(&rows(&[(1, "mine")]))])
        .await
        .unwrap();
    append(&stale, &rows(&[(1, "theirs"), (2, "kept")])).await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let done = stale
        .commit(CommitRequest {
            staged: Some(staged),
            guard: Some(Box::new(move |table| {
                log.lock().unwrap().push(table.version());
                Ok(())
            })),
            ..CommitRequest::default()
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [Some(2)],
        "the guard sees the newest state"
    );
    assert_eq!(done.rows_removed, 1);
    assert_eq!(
        read(&done.table, None).await,
        rows(&[(1, "mine"), (2, "kept")])
    );
}

/// Ids in the order in which they come: sorted, or strewn over pages.
fn strewn(count: i64, sorted: bool) -> Vec<Row> {
    let id = |n: i64| if sorted { n } else { n * 48_271 % 65_537 };
    (1..=count).map(|n| row(id(n), "before")).collect()
}

/// Pages hold 20,000 rows at most and row groups end early, so that bounds have something to rule out.
#[tokio::test]
async fn what_bounds_rule_out_holds_no_key() {
    for sorted in [true, false] {
        let lake = Fixture::new();
        let mut expected: std::collections::BTreeMap<i64, String> = Default::default();
        let mut table = lake.table().await;
        let before = strewn(60_000, sorted);
        let options = StageOptions {
            row_group_bytes: 64 << 10,
            ..StageOptions::default()
        };
        let staged = stage_with(&table, upserting(&table), &[batch(&before)], options)
            .await
            .unwrap();
        table = commit(&table, staged).await.unwrap().unwrap().table;
        expected.extend(before.iter().map(|(id, _)| (*id, "before".to_owned())));
        // Keys at the ends of pages and groups, in the middle, beyond both ends, and of every file so far.
        for round in 0..4i64 {
            let mut delta: Vec<i64> = vec![
                i64::MIN,
                -1,
                0,
                1,
                20_000,
                20_001,
                59_999,
                60_000,
                60_001,
                i64::MAX,
            ];
            delta.extend((0..200).map(|n| (n * 7_919 + round * 104_729) % 70_000));
            let name = format!("round {round}");
            let mut rows: Vec<Row> = delta.iter().map(|&id| row(id, &name)).collect();
            rows.sort();
            rows.dedup();
            let known = rows
                .iter()
                .filter(|(id, _)| expected.contains_key(id))
                .count();
            let done = upsert(&table, &rows).await;
            assert_eq!(
                done.rows_removed, known as u64,
                "round {round}, sorted {sorted}"
            );
            expected.extend(rows.iter().map(|(id, _)| (*id, name.clone())));
            table = done.table;
        }
        let mut now = read(&table, None).await;
        now.sort();
        let wanted: Vec<Row> = expected.iter().map(|(id, name)| row(*id, name)).collect();
        assert!(
            now == wanted,
            "{} rows where {} are expected",
            now.len(),
            wanted.len()
        );
    }
}

/// A server whose keys are one if they are so without case, accents and width.
struct Server {
    asked: Vec<(Vec<String>, Vec<String>)>,
}

impl SameKeys for Server {
    fn same<'a>(
        &'a mut self,
        question: &'a KeyQuestion,
    ) -> BoxFuture<'a, icehost_lake::Result<Vec<(u32, u32)>>> {
        Box::pin(async move {
            let texts = |columns: &[ArrayRef]| -> Vec<String> {
                let texts = columns[0].as_string::<i32>().iter();
                texts.map(|text| text.unwrap().to_owned()).collect()
            };
            let (delta, table) = (texts(&question.delta), texts(&question.table));
            let plain = |text: &str| {
                let plain = text.to_lowercase().replace('é', "e");
                plain.replace(['３', '³'], "3").replace('ß', "ss")
            };
            let mut pairs = Vec::new();
            for (left, one) in (0..).zip(&delta) {
                for (right, other) in (0..).zip(&table) {
                    if plain(one) == plain(other) {
                        pairs.push((left, right));
                    }
                }
            }
            self.asked.push((delta, table));
            Ok(pairs)
        })
    }
}

/// Rows by their names, as a collation compares them.
fn by_name(table: &LakeTable, collation: &str) -> icehost_lake::RowChange {
    let delta = delta_like(&table.describe().unwrap());
    lower(table, upsert_plan(&[1]), &collated(delta, 1, collation)).unwrap()
}

async fn named(collation: &str, there: &[Row]) -> (Fixture, LakeTable) {
    let lake = Fixture::new();
    let mut new = people();
    new.identifier.clear();
    let table = lake.warehouse.create_table(&name(), &new).await.unwrap();
    let staged = stage(&table, by_name(&table, collation), &[batch(there)]).await;
    let table = commit(&table, staged.unwrap())
        .await
        .unwrap()
        .unwrap()
        .table;
    (lake, table)
}

async fn ask(table: &LakeTable, collation: &str, delta: &[Row]) -> (LakeTable, Server) {
    let staged = stage(table, by_name(table, collation), &[batch(delta)]).await;
    let request = CommitRequest {
        staged: Some(staged.unwrap()),
        ..CommitRequest::default()
    };
    let mut server = Server { asked: Vec::new() };
    let done = table.commit_asking(request, &mut server).await.unwrap();
    (done.unwrap().table, server)
}

const AI: &str = "Latin1_General_CI_AI";

#[tokio::test]
async fn keys_that_only_the_server_can_tell_are_asked_about() {
    let there = rows(&[
        (1, "AB3"),
        (2, "straße"),
        (3, "cafe"),
        (4, "Gasse"),
        (5, "ı"),
        (6, "x"),
    ]);
    let (_lake, table) = named(AI, &there).await;
    let delta = rows(&[
        (11, "ab３"),
        (12, "STRASSE"),
        (13, "CAFÉ"),
        (15, "I"),
        (16, "X "),
        (17, "new"),
    ]);
    let (table, server) = ask(&table, AI, &delta).await;
    let mut now = rows(&[(4, "Gasse"), (5, "ı")]);
    now.extend(delta);
    assert_eq!(read(&table, None).await, now);
    // Once, about nothing that is certain, and about no more than may be.
    let [(asked, of)] = server.asked.as_slice() else {
        panic!("{:?}", server.asked);
    };
    let sorted = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<_>>();
    assert!(sorted(asked).is_superset(&sorted(&["ab３".into(), "strasse".into(), "CAFÉ".into()])));
    assert!(!asked.contains(&"x".to_owned()), "{asked:?}");
    assert!(sorted(of).is_superset(&sorted(&["AB3".into(), "straße".into(), "cafe".into()])));
    assert!(
        !of.contains(&"Gasse".to_owned()) && !of.contains(&"x".to_owned()),
        "{of:?}"
    );
}

#[tokio::test]
async fn keys_of_plain_ascii_ask_nobody() {
    let (_lake, table) = named(AI, &rows(&[(1, "a-1"), (2, "b 2"), (3, "É")])).await;
    // Every key is found as it is spelled; and where all are certain, new ones are new.
    let (table, server) = ask(&table, AI, &rows(&[(11, "A-1"), (13, "É ")])).await;
    assert!(server.asked.is_empty(), "{:?}", server.asked);
    let (_lake, plain) = named(AI, &rows(&[(1, "a-1")])).await;
    let (_, server) = ask(&plain, AI, &rows(&[(2, "b"), (3, "A-1")])).await;
    assert!(server.asked.is_empty(), "{:?}", server.asked);
    let binary = "Latin1_General_BIN2";
    let (_lake, other) = named(binary, &rows(&[(1, "é")])).await;
    let (other, server) = ask(&other, binary, &rows(&[(2, "É"), (3, "é ")])).await;
    assert!(server.asked.is_empty(), "{:?}", server.asked);
    assert_eq!(read(&other, None).await, rows(&[(2, "É"), (3, "é ")]));
    assert_eq!(read(&table, None).await.len(), 3);
}

#[tokio::test]
async fn without_a_server_a_key_that_it_would_be_asked_about_is_refused() {
    let (lake, table) = named(AI, &rows(&[(1, "3")])).await;
    let files = lake.files();
    let staged = stage(
        &table,
        by_name(&table, AI),
        &[batch(&rows(&[(2, "³\u{1b}")]))],
    )
    .await;
    let error = commit(&table, staged.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::KeysUnknown);
    let message = error.to_string();
    assert!(
        message.contains("'³\\u001b' is the same as '3'"),
        "{message}"
    );
    assert!(error.hint().unwrap().contains("binary collation"));
    assert_eq!(lake.files(), files);
}

#[tokio::test]
async fn answers_count_for_the_snapshot_that_they_are_of() {
    let (_lake, table) = named(AI, &rows(&[(1, "3")])).await;
    let staged = stage(&table, by_name(&table, AI), &[batch(&rows(&[(2, "³")]))]).await;
    // Another writer is faster, and brings another spelling.
    let (_, quiet) = ask(&table, AI, &rows(&[(5, "unrelated")])).await;
    assert!(quiet.asked.is_empty());
    let request = CommitRequest {
        staged: Some(staged.unwrap()),
        ..CommitRequest::default()
    };
    let mut server = Server { asked: Vec::new() };
    let done = table.commit_asking(request, &mut server).await.unwrap();
    let all = rows(&[(2, "³"), (5, "unrelated")]);
    assert_eq!(read(&done.unwrap().table, None).await, all);
}

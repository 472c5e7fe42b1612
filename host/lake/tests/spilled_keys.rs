//! Keys that do not fit into memory are on disk, and decide what they would have decided in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use icehost_lake::{LakeErrorKind, LakeTable, StageOptions};
use icehost_plan::{Action, Direction, MergePlan, Occasion, Value};
use support::{
    Fixture, Row, append, batch, by, changes_delta, clause, collated, commit, compare, complete,
    delta_like, equals, lower, read, row, rows, stage_with, upsert_plan, with_operations,
};

/// SplitMix64 (Steele, Lea, Flood 2014): the same deltas in each run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn rows(&mut self, count: u64, keys: u64) -> Vec<Row> {
        (0..count)
            .map(|_| {
                let name = format!("name {}", self.below(50));
                row(self.below(keys) as i64 * 3, &name)
            })
            .collect()
    }
}

/// No key stays in memory, or all, or those of the first batch.
const MEMORIES: [usize; 3] = [usize::MAX, 0, 40_000];

fn options(key_bytes: usize) -> StageOptions {
    StageOptions {
        key_bytes,
        // Several files, in which rows have positions.
        target_file_bytes: 1,
        ..StageOptions::default()
    }
}

/// What merges there are: plain, what is there stays, only known rows, a mirror, and one with an order.
fn plans() -> Vec<MergePlan> {
    let keep = MergePlan {
        clauses: vec![
            clause(Occasion::Matched, Action::Skip),
            clause(Occasion::NotMatched, Action::WriteAll),
        ],
        ..upsert_plan(&[0])
    };
    let mut some = upsert_plan(&[0]);
    some.clauses[0].condition = Some(compare(
        icehost_plan::Comparison::Lt,
        0,
        Value::Integer(300),
    ));
    let mut mirror = upsert_plan(&[0]);
    mirror
        .clauses
        .push(clause(Occasion::NotMatchedBySource, Action::Delete));
    let mut ordered = upsert_plan(&[0]);
    ordered.deduplicate = vec![by(0, Direction::Ascending)];
    vec![upsert_plan(&[0]), keep, some, mirror, ordered]
}

async fn apply(
    table: &LakeTable,
    plan: &MergePlan,
    batches: &[Vec<Row>],
    key_bytes: usize,
) -> (u64, u64) {
    let mut delta = delta_like(&table.describe().unwrap());
    let mirrors = |clause: &icehost_plan::Clause| clause.occasion == Occasion::NotMatchedBySource;
    if plan.clauses.iter().any(mirrors) {
        delta = complete(delta);
    }
    let change = lower(table, plan.clone(), &delta).unwrap();
    let batches: Vec<_> = batches.iter().map(|rows| batch(rows)).collect();
    let staged = stage_with(table, change, &batches, options(key_bytes)).await;
    match commit(table, staged.unwrap()).await.unwrap() {
        Some(done) => (done.rows_appended, done.rows_removed),
        None => (0, 0),
    }
}

#[tokio::test]
async fn whatever_the_merge_keys_on_disk_decide_as_keys_in_memory() {
    for (number, plan) in plans().into_iter().enumerate() {
        let lakes = MEMORIES.map(|_| Fixture::new());
        for lake in &lakes {
            lake.table().await;
        }
        let mut seeded = Seeded(number as u64);
        for round in 0..4 {
            let batches: Vec<Vec<Row>> = (0..3).map(|_| seeded.rows(400, 700)).collect();
            let mut outcomes = Vec::new();
            for (lake, memory) in lakes.iter().zip(MEMORIES) {
                let counts = apply(&lake.load().await, &plan, &batches, memory).await;
                let table = lake.load().await;
                outcomes.push((counts, read(&table, None).await));
            }
            let (first, others) = outcomes.split_first().unwrap();
            assert!(!first.1.is_empty());
            for other in others {
                assert_eq!(first, other, "plan {number}, round {round}");
            }
        }
    }
}

#[tokio::test]
async fn deletions_on_disk_are_deletions() {
    let mut outcomes = Vec::new();
    for memory in MEMORIES {
        let lake = Fixture::new();
        lake.table().await;
        let mut seeded = Seeded(9);
        for _ in 0..4 {
            let table = lake.load().await;
            let delta = changes_delta(&table.describe().unwrap());
            let deleted = || equals(2, Value::Integer(0));
            let mut plan = upsert_plan(&[0]);
            let mut delete = clause(Occasion::Matched, Action::Delete);
            delete.condition = Some(deleted());
            let mut skip = clause(Occasion::NotMatched, Action::Skip);
            skip.condition = Some(deleted());
            plan.clauses.splice(0..0, [delete, skip]);
            let change = lower(&table, plan, &delta).unwrap();
            let rows = seeded.rows(1000, 600);
            let operations: Vec<i32> = rows.iter().map(|_| seeded.below(3) as i32).collect();
            let batches = [with_operations(&rows, &operations)];
            let staged = stage_with(&table, change, &batches, options(memory)).await;
            commit(&table, staged.unwrap()).await.unwrap().unwrap();
        }
        outcomes.push(read(&lake.load().await, None).await);
    }
    assert!(outcomes[0].len() > 100);
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
}

#[tokio::test]
async fn a_key_that_comes_again_after_it_went_to_disk_is_refused_by_name_and_nothing_is_left() {
    let lake = Fixture::new();
    let table = append(&lake.table().await, &rows(&[(1, "Ada")]))
        .await
        .table;
    let before = lake.files();
    let change = support::upserting(&table);
    let mut people: Vec<Row> = (10..2000).map(|id| row(id, "x")).collect();
    people.push(row(1234, "again"));
    let strict = StageOptions {
        refuse_repeats: true,
        ..options(0)
    };
    let error = stage_with(&table, change, &[batch(&people)], strict).await;
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("id = 1234 stands in several rows"),
        "{message}"
    );
    assert_eq!(lake.files(), before);
}

#[tokio::test]
async fn keys_that_only_the_server_tells_apart_are_refused_with_the_limit_that_they_need() {
    for (memory, asked) in [
        (usize::MAX, "it cannot be asked"),
        (0, "about keys in memory only, where they take 1 MiB"),
    ] {
        let lake = Fixture::new();
        let mut new = support::people();
        new.identifier.clear();
        let table = lake
            .warehouse
            .create_table(&support::name(), &new)
            .await
            .unwrap();
        let table = append(&table, &rows(&[(1, "Müller"), (2, "Meier")]))
            .await
            .table;
        let before = lake.files();
        let delta = collated(
            delta_like(&table.describe().unwrap()),
            1,
            "Latin1_General_CI_AI",
        );
        let upsert = |people: &[Row]| {
            let change = lower(&table, upsert_plan(&[1]), &delta).unwrap();
            let (table, batch) = (table.clone(), batch(people));
            async move {
                let staged = stage_with(&table, change, &[batch], options(memory)).await;
                commit(&table, staged.unwrap()).await
            }
        };
        let error = upsert(&rows(&[(3, "Muller"), (4, "MULLER")])).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::KeysUnknown);
        assert!(error.to_string().contains(asked), "{error}");
        if memory == 0 {
            let hint = error.hint().unwrap();
            assert!(hint.contains("--memory-limit of 56 MiB"), "{hint}");
        }
        assert_eq!(lake.files(), before);
        // What is found as it is spelled, and what is certainly another key, needs nobody.
        let found = upsert(&rows(&[(5, "Müller"), (6, "Meier")])).await;
        let found = found.unwrap().unwrap();
        assert_eq!((found.rows_appended, found.rows_removed), (2, 2));
    }
}

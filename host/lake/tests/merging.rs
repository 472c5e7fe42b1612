//! Manifests are merged as they are written, and say of each file what they said before.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use apache_avro::types::Value;
use icehost_lake::{ChangesRequest, LakeErrorKind, LakeTable, NewTable};
use support::avro::{Record, entries, long, manifests, record, text};
use support::foreign::{self, Foreign};
use support::*;

async fn with_properties(lake: &Fixture, properties: &[(&str, &str)]) -> LakeTable {
    let properties = properties.iter();
    let properties = properties.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let new = NewTable {
        properties: properties.collect(),
        ..people()
    };
    lake.warehouse.create_table(&name(), &new).await.unwrap()
}

/// Numbers of files that each manifest of a content adds, keeps and deletes, in the order of the list.
fn counts(table: &LakeTable, content: i32) -> Vec<[i64; 3]> {
    let of = |manifest: &Record| {
        ["added", "existing", "deleted"].map(|what| long(&manifest[&format!("{what}_files_count")]))
    };
    let all = manifests(table).into_iter();
    let all = all.filter(|manifest| manifest["content"] == Value::Int(content));
    all.map(|manifest| of(&manifest)).collect()
}

/// Of each live file: who added it, and its data and file sequence numbers, with what entries inherit.
fn origins(table: &LakeTable) -> BTreeMap<String, [i64; 3]> {
    let mut origins = BTreeMap::new();
    for manifest in manifests(table) {
        let entries = entries(&manifest);
        assert_eq!(
            entries
                .iter()
                .filter(|e| e["status"] == Value::Int(2))
                .count() as i64,
            long(&manifest["deleted_files_count"])
        );
        let mut least = i64::MAX;
        for entry in entries {
            if entry["status"] == Value::Int(2) {
                continue;
            }
            let or = |field: &str, inherited: &str| match &entry[field] {
                Value::Null => long(&manifest[inherited]),
                stated => long(stated),
            };
            let sequence = or("sequence_number", "sequence_number");
            least = least.min(sequence);
            let origin = [
                or("snapshot_id", "added_snapshot_id"),
                sequence,
                or("file_sequence_number", "sequence_number"),
            ];
            let file = record(entry["data_file"].clone());
            let twice = origins.insert(text(&file["file_path"]).to_owned(), origin);
            assert_eq!(twice, None, "a file stands there once");
        }
        assert_eq!(long(&manifest["min_sequence_number"]), least);
    }
    origins
}

#[tokio::test]
async fn manifests_are_merged_and_each_file_stays_what_it_was() {
    let lake = Fixture::new();
    let mut table = lake.table().await;
    let mut known: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    let mut states = Vec::new();
    for round in 0..24_i64 {
        let changed = rows(&[(round, "new"), (round / 2, &format!("round {round}"))]);
        let done = upsert(&table, &changed).await;
        let now = origins(&done.table);
        for (path, origin) in &now {
            let [snapshot, data, file] = *origin;
            assert_eq!(data, file);
            match known.get(path) {
                Some(before) => assert_eq!(origin, before, "{path}"),
                None => assert_eq!((snapshot, data), (done.snapshot_id, done.sequence_number)),
            }
        }
        known.extend(now);
        table = done.table;
        states.push((done.snapshot_id, read(&table, None).await));
        for content in [0, 1] {
            let most = counts(&table, content).len();
            assert!(
                most <= 9,
                "{most} manifests of content {content} after {round}"
            );
        }
    }
    let table = lake.load().await;
    for (snapshot, rows) in &states {
        assert_eq!(&read(&table, Some(*snapshot)).await, rows);
    }
    for pair in states.windows(2) {
        let request = ChangesRequest::new(Some(pair[0].0), pair[1].0);
        let told = changes(&table, request).await.unwrap();
        let (before, after) = (&pair[0].1, &pair[1].1);
        let came: Vec<&Row> = after.iter().filter(|row| !before.contains(row)).collect();
        let mut found: Vec<&Row> = told.iter().map(|(_, row)| row).collect();
        found.sort();
        assert_eq!(found, came);
    }
    let current = table.current_snapshot().unwrap();
    let live = read(&table, None).await.len() as u64;
    let total = |field| current.summary_number(field).unwrap();
    assert_eq!(
        total("total-records") - total("total-position-deletes"),
        live
    );
    assert_eq!(
        total("total-data-files") + total("total-delete-files"),
        origins(&table).len() as u64
    );
}

#[tokio::test]
async fn a_table_says_how_its_manifests_are_merged() {
    let lake = Fixture::new();
    let mut table = with_properties(&lake, &[("commit.manifest.min-count-to-merge", "3")]).await;
    for (id, wanted) in [
        (1, vec![[1, 0, 0]]),
        (2, vec![[1, 0, 0], [1, 0, 0]]),
        (3, vec![[1, 2, 0]]),
        (4, vec![[1, 0, 0], [1, 2, 0]]),
        (5, vec![[1, 4, 0]]),
    ] {
        table = append(&table, &rows(&[(id, "a")])).await.table;
        assert_eq!(counts(&table, 0), wanted, "after {id}");
    }

    let lake = Fixture::new();
    let never = [
        ("commit.manifest-merge.enabled", "FALSE"),
        ("commit.manifest.min-count-to-merge", "2"),
    ];
    let mut table = with_properties(&lake, &never).await;
    for id in 0..5 {
        table = append(&table, &rows(&[(id, "a")])).await.table;
    }
    assert_eq!(counts(&table, 0), vec![[1, 0, 0]; 5]);

    let lake = Fixture::new();
    let small = [
        ("commit.manifest.target-size-bytes", "1"),
        ("commit.manifest.min-count-to-merge", "2"),
    ];
    let mut table = with_properties(&lake, &small).await;
    for id in 0..5 {
        table = append(&table, &rows(&[(id, "a")])).await.table;
    }
    assert_eq!(counts(&table, 0), vec![[1, 0, 0]; 5], "each is full");

    for (property, value) in [
        ("commit.manifest-merge.enabled", "yes"),
        ("commit.manifest.min-count-to-merge", "-1"),
        ("commit.manifest.target-size-bytes", "8MB"),
    ] {
        let lake = Fixture::new();
        let table = with_properties(&lake, &[(property, value)]).await;
        let before = lake.files();
        let staged = stage(&table, appending(&table), &[batch(&rows(&[(1, "a")]))]).await;
        let error = commit(&table, staged.unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Unsupported);
        let told = error.to_string();
        assert!(told.contains(property) && told.contains(value), "{told}");
        assert!(error.hint().is_some());
        assert_eq!(lake.files(), before);
    }
}

#[tokio::test]
async fn what_other_snapshots_deleted_is_not_carried_on() {
    let lake = Fixture::new();
    let property = [("commit.manifest.min-count-to-merge", "2")];
    let table = with_properties(&lake, &property).await;
    let table = upsert(&table, &rows(&[(1, "a"), (2, "b")])).await.table;
    let table = upsert(&table, &rows(&[(2, "B"), (3, "c")])).await.table;
    assert_eq!(counts(&table, 0), [[1, 1, 0]]);
    let ids: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Int64Array::from(vec![7]));
    let names: arrow_array::ArrayRef =
        std::sync::Arc::new(arrow_array::StringArray::from(vec!["seven"]));
    let replaced = Foreign {
        added: vec![foreign::data_file(
            &table,
            &[(1, "id", ids), (2, "name", names)],
        )],
        replace_all: true,
        ..Foreign::default()
    };
    let (table, by_another) = foreign::commit(&table, replaced).await;
    assert_eq!(counts(&table, 0), [[0, 0, 2], [1, 0, 0]]);
    let done = append(&table, &rows(&[(8, "eight")])).await;
    assert_eq!(counts(&done.table, 0), [[1, 1, 0]]);
    assert_eq!(counts(&done.table, 1), Vec::<[i64; 3]>::new());
    let added_by: Vec<i64> = origins(&done.table)
        .values()
        .map(|origin| origin[0])
        .collect();
    assert!(added_by.contains(&by_another) && added_by.contains(&done.snapshot_id));
    assert_eq!(
        read(&done.table, None).await,
        rows(&[(7, "seven"), (8, "eight")])
    );
}

/// Files that are live, by content: data, position deletes.
fn live(table: &LakeTable) -> [usize; 2] {
    let of = |content| {
        let counts = counts(table, content).into_iter();
        counts
            .map(|[added, existing, _]| (added + existing) as usize)
            .sum()
    };
    [of(0), of(1)]
}

/// The totals of the summary are those of the files.
async fn check_totals(table: &LakeTable) {
    let current = table.current_snapshot().unwrap();
    let total = |field| current.summary_number(field).unwrap();
    let rows = read(table, None).await.len() as u64;
    assert_eq!(
        total("total-records") - total("total-position-deletes"),
        rows
    );
    assert_eq!(total("total-data-files"), live(table)[0] as u64);
    assert_eq!(total("total-delete-files"), live(table)[1] as u64);
    assert_eq!(table.count_rows().await.unwrap(), Some(rows));
}

#[tokio::test]
async fn files_that_are_needed_no_longer_leave() {
    let lake = Fixture::new();
    let mut table = append(&lake.table().await, &rows(&[(7, "stays"), (8, "goes")]))
        .await
        .table;
    let mut before = table.current_snapshot().unwrap().id;
    for round in 0..20 {
        let image = format!("image {round}");
        let done = upsert(&table, &rows(&[(1, &image), (2, &image)])).await;
        table = done.table;
        check_totals(&table).await;
        assert!(
            live(&table)[0] <= 6 && live(&table)[1] <= 5,
            "{:?} after {round}",
            live(&table)
        );
        let now = rows(&[(1, &image), (2, &image), (7, "stays"), (8, "goes")]);
        assert_eq!(read(&table, None).await, now);
        // Who stands at the snapshot before is told what changed, though its files have left.
        let operation = if round == 0 { 1 } else { 2 };
        let request = ChangesRequest::new(Some(before), done.snapshot_id);
        let told = changes(&table, request).await.unwrap();
        assert_eq!(
            told,
            [(operation, row(1, &image)), (operation, row(2, &image))]
        );
        before = done.snapshot_id;
    }
    let operations: Vec<String> = table.snapshots().into_iter().map(|s| s.operation).collect();
    assert!(
        operations
            .iter()
            .skip(2)
            .all(|operation| operation == "overwrite")
    );
    let first = table.snapshots()[1].id;
    assert_eq!(
        read(&table, Some(first)).await.len(),
        4,
        "an old snapshot has its files"
    );
    let request = ChangesRequest::new(Some(first), before);
    let told = changes(&table, request).await.unwrap();
    assert_eq!(told, [(2, row(1, "image 19")), (2, row(2, "image 19"))]);
}

#[tokio::test]
async fn a_file_stays_that_a_delete_file_names_which_others_need() {
    let lake = Fixture::new();
    let always = [("commit.manifest.min-count-to-merge", "2")];
    let table = with_properties(&lake, &always).await;
    let table = append(&table, &rows(&[(1, "a"), (2, "b")])).await.table;
    let table = append(&table, &rows(&[(3, "c"), (4, "d")])).await.table;
    // One delete file names both; then the rest of the first goes, and of the second nothing.
    let table = upsert(&table, &rows(&[(1, "A"), (3, "C")])).await.table;
    let mut table = upsert(&table, &rows(&[(2, "B")])).await.table;
    for id in 10..13 {
        table = upsert(&table, &rows(&[(id, "more")])).await.table;
        check_totals(&table).await;
    }
    assert_eq!(live(&table), [7, 2]);
    // The last row of the second: both leave, with what deleted their rows, and nothing is written for it.
    let table = upsert(&table, &rows(&[(4, "D")])).await.table;
    check_totals(&table).await;
    assert_eq!(live(&table), [6, 0]);
    let wanted = [
        (1, "A"),
        (2, "B"),
        (3, "C"),
        (4, "D"),
        (10, "more"),
        (11, "more"),
        (12, "more"),
    ];
    assert_eq!(read(&table, None).await, rows(&wanted));
}

#[tokio::test]
async fn delete_files_that_a_compaction_left_behind_leave() {
    let lake = Fixture::new();
    let property = [("commit.manifest.min-count-to-merge", "3")];
    let table = with_properties(&lake, &property).await;
    let table = append(&table, &rows(&[(1, "a"), (2, "b")])).await.table;
    let table = upsert(&table, &rows(&[(1, "A")])).await.table;
    // The data files are replaced, and what deleted their rows stays, as Spark leaves it.
    let ids: arrow_array::ArrayRef = std::sync::Arc::new(arrow_array::Int64Array::from(vec![1, 2]));
    let names: arrow_array::ArrayRef =
        std::sync::Arc::new(arrow_array::StringArray::from(vec!["A", "b"]));
    let compacted = Foreign {
        added: vec![foreign::data_file(
            &table,
            &[(1, "id", ids), (2, "name", names)],
        )],
        replace_data: true,
        ..Foreign::default()
    };
    let (mut table, _) = foreign::commit(&table, compacted).await;
    assert_eq!(live(&table), [1, 1]);
    for round in 0..3 {
        table = upsert(&table, &rows(&[(2, &format!("b{round}"))]))
            .await
            .table;
        assert_eq!(
            read(&table, None).await,
            rows(&[(1, "A"), (2, &format!("b{round}"))])
        );
    }
    assert!(live(&table)[1] < 4, "{:?}", live(&table));
    check_totals(&table).await;
}

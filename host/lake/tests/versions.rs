//! Several rows of a key, some of them in files of another engine: whether the newest is known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use icehost_lake::{ChangesRequest, KeyFold, LakeErrorKind, LakeTable};
use icehost_plan::{Direction, SortKey};
use proptest::prelude::*;
use support::foreign::{self, Foreign};
use support::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

fn pairs(rows: &[(u8, u8)]) -> Vec<Row> {
    let row_of = |&(id, name): &(u8, u8)| row(id.into(), NAMES[usize::from(name) % NAMES.len()]);
    rows.iter().map(row_of).collect()
}

/// The table with these rows alone, in this order, in one file of another engine.
async fn rewritten(table: &LakeTable, rows: &[Row]) -> LakeTable {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let names: ArrayRef = Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringArray>());
    let rewrite = Foreign {
        added: vec![foreign::data_file(
            table,
            &[(1, "id", ids), (2, "name", names)],
        )],
        replace_all: true,
        ..Foreign::default()
    };
    foreign::commit(table, rewrite).await.0
}

/// The key that the error names; `None` where everything was delivered.
async fn doubt(table: &LakeTable, order: &[SortKey], most_bytes: usize) -> Option<String> {
    let request = ChangesRequest {
        most_bytes,
        ..ChangesRequest::new(None, table.current_snapshot().unwrap().id)
    };
    let plan = table.changes(request).await.unwrap();
    let plan = plan.keyed(&[0], KeyFold::default()).unwrap();
    match told(plan.one_of_each_key(order)).await {
        Ok(_) => None,
        Err(error) => {
            assert_eq!(error.kind(), LakeErrorKind::VersionsUnordered, "{error}");
            Some(error.to_string())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever memory there is.
    #[test]
    fn a_key_is_doubtful_where_one_foreign_file_has_it_twice_and_nothing_came_behind(
        before in prop::collection::vec((0u8..12, 0u8..3), 1..12),
        foreign in prop::collection::vec((0u8..12, 0u8..3), 1..30),
        behind in prop::collection::vec((0u8..12, 0u8..3), 0..12),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let lake = Fixture::new();
            let mut table = append(&lake.table().await, &pairs(&before)).await.table;
            table = rewritten(&table, &pairs(&foreign)).await;
            if !behind.is_empty() {
                table = append(&table, &pairs(&behind)).await.table;
            }
            let settled: BTreeSet<u8> = behind.iter().map(|(id, _)| *id).collect();
            let images: BTreeSet<(u8, u8)> = foreign.iter().copied().collect();
            let several = |id: u8| images.iter().filter(|(other, _)| *other == id).count() > 1;
            let wanted = (0..12).any(|id| several(id) && !settled.contains(&id));
            for most_bytes in [1, 40, 200, 1 << 20] {
                let found = doubt(&table, &[], most_bytes).await;
                assert_eq!(found.is_some(), wanted, "{most_bytes}: {found:?}");
                // A column that ties says nothing, and one that does not says it all.
                let found = doubt(&table, &[by(0, Direction::Descending)], most_bytes).await;
                assert_eq!(found.is_some(), wanted, "{most_bytes}: {found:?}");
                let found = doubt(&table, &[by(1, Direction::Descending)], most_bytes).await;
                assert_eq!(found, None, "{most_bytes}");
            }
        });
    }
}

#[tokio::test]
async fn a_key_is_named_and_a_lake_of_icehost_alone_is_not_asked_about() {
    let lake = Fixture::new();
    let mut table = lake.table().await;
    for name in NAMES {
        table = append(&table, &rows(&[(1, name), (2, name), (1, name)]))
            .await
            .table;
    }
    assert_eq!(doubt(&table, &[], 1).await, None);
    let table = rewritten(&table, &rows(&[(2, "b"), (7, "a"), (7, "c")])).await;
    let said = doubt(&table, &[], 1).await.unwrap();
    assert!(
        said.contains("several rows that differ with the key id = 7, and nothing tells which of them is the newest"),
        "{said}"
    );
}

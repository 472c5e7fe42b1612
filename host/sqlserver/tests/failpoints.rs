//! A load that breaks off anywhere leaves old rows with the old position, or new rows with the new one.
#![cfg(feature = "failpoints")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use icehost_plan::{
    Action, Clause, Column, ColumnType, Contents, Delta, KeyPair, LakeType, MergePlan, Occasion,
    WriteMode,
};
use icehost_sqlserver::{ConnectOptions, ErrorKind, Loader, Position};
use support::{Server, introspect};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_breaks_off_is_all_or_nothing() {
    let scenario = fail::FailScenario::setup();
    let mut server = Server::start().await;
    for without_merge in [false, true] {
        for (place, committed) in [
            ("sqlserver::after-stage", false),
            ("sqlserver::before-merge", false),
            ("sqlserver::before-commit", false),
            ("sqlserver::after-commit", true),
        ] {
            let name = server.table("broken").await;
            server
                .execute(&format!(
                    "CREATE TABLE {0} (Id int NOT NULL PRIMARY KEY, V int NULL); INSERT INTO {0} VALUES (1, 1)",
                    name.sql()
                ))
                .await;
            let options = ConnectOptions {
                without_merge,
                ..ConnectOptions::default()
            };
            let mut connection = server.connect_with(&options).await;
            connection.ensure_positions().await.unwrap();
            let target = introspect(&mut connection, &name).await;
            let delta = Delta {
                columns: ["Id", "V"]
                    .map(|name| Column::new(name, ColumnType::Lake(LakeType::Int), true))
                    .to_vec(),
                contents: Contents::Upserts,
                operation: None,
                rows: 2,
                run_time: 0,
            };
            let clause = |occasion| Clause {
                occasion,
                condition: None,
                action: Action::WriteAll,
            };
            let plan = MergePlan {
                keys: vec![KeyPair {
                    source: 0,
                    target: 0,
                }],
                among: None,
                deduplicate: Vec::new(),
                clauses: vec![clause(Occasion::Matched), clause(Occasion::NotMatched)],
                mode: WriteMode::MergeOnRead,
            };
            let plan = plan.validate(&target.table, &delta).unwrap();
            let values: ArrayRef = Arc::new(Int32Array::from_iter_values([1, 2]));
            let tens: ArrayRef = Arc::new(Int32Array::from_iter_values([10, 20]));
            let batch = RecordBatch::try_from_iter([("Id", values), ("V", tens)]).unwrap();
            let lake_uuid = Uuid::new_v4();
            let position = Position {
                lake_table: "demo.t".to_owned(),
                lake_uuid,
                lake_location: None,
                previous: None,
                snapshot_id: 7,
                sequence_number: 1,
                run_id: "run".to_owned(),
                merge: None,
            };

            fail::cfg(place, "return").unwrap();
            let mut loader = Loader::begin(&mut connection, &target, &delta.columns)
                .await
                .unwrap();
            loader.stage(&batch).await.unwrap();
            let error = loader.merge(&plan, &delta, &position).await.unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{place}");
            fail::remove(place);

            let found = server
                .query(&format!("SELECT Id, V FROM {} ORDER BY Id", name.sql()))
                .await;
            let reached = connection
                .read_position(lake_uuid, &target)
                .await
                .unwrap()
                .map(|known| known.snapshot_id);
            if committed {
                assert_eq!(
                    (found, reached),
                    (
                        vec![vec!["1".into(), "10".into()], vec!["2".into(), "20".into()]],
                        Some(7)
                    )
                );
            } else {
                assert_eq!(
                    (found, reached),
                    (vec![vec!["1".into(), "1".into()]], None),
                    "{place}"
                );
                // The same load again finishes the job, on the same connection.
                let mut loader = Loader::begin(&mut connection, &target, &delta.columns)
                    .await
                    .unwrap();
                loader.stage(&batch).await.unwrap();
                let counts = loader.merge(&plan, &delta, &position).await.unwrap();
                assert_eq!((counts.inserted, counts.updated), (1, 1), "{place}");
            }
            server.execute(&format!("DROP TABLE {}", name.sql())).await;
        }
    }
    scenario.teardown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_breaks_off_is_as_if_it_had_not() {
    use support::history::History;
    let scenario = fail::FailScenario::setup();
    let mut server = Server::start().await;
    for without_merge in [false, true] {
        for (place, committed) in [
            ("sqlserver::before-merge", false),
            ("sqlserver::after-merge", false),
            ("sqlserver::before-commit", false),
            ("sqlserver::after-commit", true),
        ] {
            let options = ConnectOptions {
                without_merge,
                ..ConnectOptions::default()
            };
            let mut connection = server.connect_with(&options).await;
            let name = server.table("broken history").await;
            let mut history = History::create(&mut server, &mut connection, name).await;
            let first = [("a", Some(1), 1), ("b", Some(2), 1), ("c", None, 1)];
            let loaded = history
                .load(&mut connection, 1, Contents::Changes, &first)
                .await;
            loaded.unwrap();
            let before = history.versions(&mut server).await;

            let second = [("a", Some(10), 2), ("b", Some(2), 0), ("d", Some(4), 1)];
            fail::cfg(place, "return").unwrap();
            let broken = history
                .load(&mut connection, 2, Contents::Changes, &second)
                .await;
            fail::remove(place);
            assert_eq!(
                broken.unwrap_err().kind(),
                &ErrorKind::ConnectionLost,
                "{place}"
            );
            if !committed {
                assert_eq!(history.versions(&mut server).await, before, "{place}");
                let again = history
                    .load(&mut connection, 2, Contents::Changes, &second)
                    .await;
                let counts = again.unwrap();
                assert_eq!((counts.inserted, counts.updated), (2, 2), "{place}");
            }
            assert_eq!(
                history.versions(&mut server).await,
                [
                    "a 1 1 2",
                    "a 10 2 NULL",
                    "b 2 1 2",
                    "c NULL 1 NULL",
                    "d 4 2 NULL"
                ],
                "{place}"
            );
        }
    }
    scenario.teardown();
}

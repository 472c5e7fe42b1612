//! Rows that are superseded: the old one changes and a new one stands beside it, by MERGE and without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use icehost_plan::{Assignment, Contents, Expression, Node, Side};
use icehost_sqlserver::{ConnectOptions, Connection, MergeCounts, Position};
use support::Server;
use support::history::{History, Row, delta};
use uuid::Uuid;

fn ways() -> [ConnectOptions; 2] {
    [false, true].map(|without_merge| ConnectOptions {
        without_merge,
        ..ConnectOptions::default()
    })
}

fn counts(inserted: u64, updated: u64, deleted: u64, duplicates_removed: u64) -> MergeCounts {
    MergeCounts {
        inserted,
        updated,
        deleted,
        duplicates_removed,
    }
}

async fn begin(server: &mut Server, options: &ConnectOptions) -> (Connection, History) {
    let mut connection = server.connect_with(options).await;
    let name = server.table("history").await;
    let history = History::create(server, &mut connection, name).await;
    (connection, history)
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_follow_each_other() {
    let mut server = Server::start().await;
    for options in &ways() {
        let (mut connection, mut history) = begin(&mut server, options).await;
        let runs: [(Contents, &[Row], MergeCounts); 6] = [
            // Into an empty table; of the two rows of key b the last stays.
            (
                Contents::Snapshot,
                &[
                    ("a", Some(1), 0),
                    ("b", None, 0),
                    ("c", Some(3), 0),
                    ("b", Some(2), 0),
                ],
                counts(3, 0, 0, 1),
            ),
            // The same again: nothing changed.
            (
                Contents::Changes,
                &[
                    ("a", Some(1), 2),
                    ("b", Some(2), 1),
                    ("c", Some(3), 2),
                    ("x", None, 0),
                ],
                counts(0, 0, 0, 0),
            ),
            // To another value, to NULL, gone, new, and a key spelled otherwise.
            (
                Contents::Changes,
                &[
                    ("A", Some(10), 2),
                    ("b", None, 2),
                    ("c", Some(3), 0),
                    ("d", None, 1),
                ],
                counts(3, 3, 0, 0),
            ),
            // NULL stays NULL, and what was gone comes again.
            (
                Contents::Changes,
                &[("b", None, 2), ("c", Some(3), 1), ("d", None, 2)],
                counts(1, 0, 0, 0),
            ),
            // From NULL to a value, twice in one delta.
            (
                Contents::Changes,
                &[("b", Some(4), 2), ("b", Some(5), 2)],
                counts(1, 1, 0, 1),
            ),
            // All there is: d and c are missing, and the versions that are closed are not looked at.
            (
                Contents::Snapshot,
                &[("a", Some(11), 0), ("b", Some(5), 0)],
                counts(1, 3, 0, 0),
            ),
        ];
        for (run, (contents, rows, wanted)) in (1..).zip(runs) {
            let loaded = history.load(&mut connection, run, contents, rows).await;
            assert_eq!(loaded.unwrap(), wanted, "run {run}, {options:?}");
        }
        let found = history.versions(&mut server).await;
        assert_eq!(
            found,
            [
                "a 1 1 3",
                "A 10 3 6",
                "a 11 6 NULL",
                "b 2 1 3",
                "b NULL 3 5",
                "b 5 5 NULL",
                "c 3 1 3",
                "c 3 4 6",
                "d NULL 3 6",
            ],
            "{options:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_take_no_part_are_left_alone() {
    let mut server = Server::start().await;
    for options in &ways() {
        let (mut connection, mut history) = begin(&mut server, options).await;
        server
            .execute(&format!(
                "INSERT INTO {} (Code, V, FromRun, ToRun) VALUES ('a', 1, 1, 2), ('b', 2, 1, 2), ('c', 3, 1, NULL)",
                history.name.sql()
            ))
            .await;
        // A first delivery into a table with rows; key a is there, but only in a closed version.
        let rows: &[Row] = &[("a", Some(1), 0)];
        let loaded = history
            .load(&mut connection, 7, Contents::Snapshot, rows)
            .await;
        assert_eq!(loaded.unwrap(), counts(1, 1, 0, 0), "{options:?}");
        let found = history.versions(&mut server).await;
        assert_eq!(
            found,
            ["a 1 1 2", "a 1 7 NULL", "b 2 1 2", "c 3 1 7"],
            "{options:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn triggers_see_both_rows_and_do_not_disturb_the_counts() {
    let mut server = Server::start().await;
    for options in &ways() {
        let (mut connection, mut history) = begin(&mut server, options).await;
        let log = server.table("log").await;
        server
            .execute(&format!("CREATE TABLE {} (V int NULL)", log.sql()))
            .await;
        server
            .execute(&format!(
                "CREATE TRIGGER [dbo].[t {}] ON {} AFTER INSERT, UPDATE AS BEGIN INSERT INTO {} SELECT V FROM inserted END",
                history.name.table(),
                history.name.sql(),
                log.sql()
            ))
            .await;
        history.target = support::introspect(&mut connection, &history.name).await;
        assert!(history.target.has_triggers);
        for (run, rows, wanted) in [
            (
                1,
                [("a", Some(1), 1), ("b", Some(2), 1)],
                counts(2, 0, 0, 0),
            ),
            (
                2,
                [("a", Some(5), 2), ("b", Some(2), 2)],
                counts(1, 1, 0, 0),
            ),
        ] {
            let loaded = history
                .load(&mut connection, run, Contents::Changes, &rows)
                .await;
            assert_eq!(loaded.unwrap(), wanted, "{options:?}");
        }
        let seen = server
            .query(&format!("SELECT V FROM {} ORDER BY V", log.sql()))
            .await;
        assert_eq!(seen, [["1"], ["1"], ["2"], ["5"]], "{options:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_column_takes_values_where_the_new_row_brings_them() {
    let mut server = Server::start().await;
    for options in &ways() {
        let (mut connection, history) = begin(&mut server, options).await;
        server
            .execute(&format!(
                "INSERT INTO {} (Code, V, FromRun, ToRun) VALUES ('a', 1, 1, NULL)",
                history.name.sql()
            ))
            .await;
        let (delta, batch) = delta(
            Contents::Snapshot,
            &[("a", Some(100), 0), ("b", Some(200), 0)],
        );
        // The value is the number of the new version; that of a row without a counterpart is the server's.
        let mut plan = (*history.plan(&delta, 2)).clone();
        for clause in &mut plan.clauses {
            if let icehost_plan::Action::Supersede(succession) = &mut clause.action {
                succession.new.push(Assignment {
                    target: 0,
                    value: Expression {
                        nodes: vec![Node::Column {
                            side: Side::Source,
                            column: 1,
                        }],
                        root: 0,
                    },
                });
            }
        }
        let plan = plan.validate(&history.target.table, &delta).unwrap();
        let mut loader =
            icehost_sqlserver::Loader::begin(&mut connection, &history.target, &delta.columns)
                .await
                .unwrap();
        loader.stage(&batch).await.unwrap();
        let position = Position {
            lake_table: "demo.t".to_owned(),
            lake_uuid: Uuid::new_v4(),
            lake_location: None,
            previous: None,
            snapshot_id: 1,
            sequence_number: 1,
            run_id: "run".to_owned(),
            merge: None,
        };
        let loaded = loader.merge(&plan, &delta, &position).await.unwrap();
        assert_eq!(loaded, counts(2, 1, 0, 0), "{options:?}");
        let found = server
            .query(&format!(
                "SELECT HistoryId, V, ToRun FROM {} ORDER BY HistoryId",
                history.name.sql()
            ))
            .await;
        assert_eq!(
            found,
            [
                ["1", "1", "2"],
                ["2", "200", "NULL"],
                ["100", "100", "NULL"]
            ],
            "{options:?}"
        );
        server
            .execute(&format!("DROP TABLE {}", history.name.sql()))
            .await;
    }
}

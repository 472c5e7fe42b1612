//! What the source's database is: another one than the connection's, a readable secondary, one that is about to
//! change whether it allows SNAPSHOT isolation.

use std::thread;
use std::time::Duration;

use icehost_tests::{Bed, Client, Command, Dump};

const TABLE: &str =
    "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, M datetime2(3) NOT NULL, V rowversion);
     INSERT INTO dbo.T (Id, M) VALUES (1, '2024-01-01'), (2, '2024-01-02')";

fn sync(bed: &Bed, table: &str, strategy: &str) -> Command {
    bed.sync(table, "demo.t")
        .args(["--strategy", strategy, "--merge", "upsert"])
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let lake = Dump::pyiceberg(&bed.lake("demo.t"), None);
    bed.source_dump("dbo.T")
        .assert_equals(&lake, "source", "lake");
}

/// `MIN_ACTIVE_ROWVERSION()` tells of the connection's database.
#[test]
fn rowversion_reads_only_the_database_that_the_connection_is_to() {
    let bed = Bed::new();
    bed.source().execute(TABLE);
    let own = bed.source_database().to_owned();
    let rows = |table: &str| sync(&bed, table, "rowversion").json()["rows_extracted"].clone();
    assert_eq!(rows(&format!("{own}.dbo.T")), 2, "its own, in three parts");
    assert_equal(&bed);

    bed.target()
        .execute("CREATE TABLE dbo.Here (Id int NOT NULL PRIMARY KEY, V rowversion)");
    let from_target = |strategy: &str| {
        Command::new(["sync", "--source", &bed.target_url()])
            .args(["--table", &format!("{own}.dbo.T")])
            .args(["--warehouse", &bed.warehouse().display().to_string()])
            .args(["--lake-table", "demo.other", "--strategy", strategy])
            .args(["--merge", "upsert"])
    };
    from_target("rowversion").run().failure(&[
        &own,
        "MIN_ACTIVE_ROWVERSION() tells of",
        "hint",
        "own database in the connection",
    ]);
    assert!(!bed.lake("demo.other").exists());
    // Whether SNAPSHOT transactions can read is the table's database's affair, either way.
    let other = bed.target().value("SELECT DB_NAME()");
    for (there, here) in [("ON", "OFF"), ("OFF", "ON")] {
        for (database, allowed) in [(&own, there), (&other, here)] {
            bed.source().execute(&format!(
                "ALTER DATABASE {database} SET ALLOW_SNAPSHOT_ISOLATION {allowed}"
            ));
        }
        from_target("timestamp").json();
        let lake = Dump::pyiceberg(&bed.lake("demo.other"), None);
        bed.source_dump("dbo.T")
            .assert_equals(&lake, "source", "lake");
    }
}

#[test]
fn a_readable_secondary_is_read_by_all_but_rowversion() {
    let bed = Bed::on_development_server();
    bed.source().execute(TABLE);
    let replica = |secondary: u8| {
        bed.target().execute(&format!(
            "EXEC devserver.replica @database = '{}', @secondary = {secondary}",
            bed.source_database()
        ));
    };
    replica(1);
    sync(&bed, "dbo.T", "rowversion").run().failure(&[
        "read-only",
        "readable secondary",
        "hint",
        "primary",
    ]);
    assert!(!bed.lake("demo.t").exists());
    for strategy in ["timestamp", "id", "full-refresh"] {
        let lake = format!("demo.{}", strategy.replace('-', "_"));
        let sync = || {
            bed.sync("dbo.T", &lake)
                .args(["--strategy", strategy, "--merge", "upsert"])
                .json()
        };
        assert!(sync()["rows_extracted"].as_u64() > Some(0), "{strategy}");
        replica(0);
        bed.source().execute(
            "INSERT INTO dbo.T (Id, M)
             SELECT MAX(Id) + 1, DATEADD(second, 1, MAX(M)) FROM dbo.T",
        );
        replica(1);
        assert!(sync()["rows_extracted"].as_u64() > Some(0), "{strategy}");
    }
    replica(0);
    assert_eq!(
        sync(&bed, "dbo.T", "rowversion").json()["rows_extracted"],
        5
    );
    assert_equal(&bed);
}

fn wait_for_state(client: &mut Client, database: &str, wanted: &str) {
    let query = format!(
        "SELECT CAST(snapshot_isolation_state AS int) FROM sys.databases WHERE name = '{database}'"
    );
    for _ in 0..500 {
        if client.value(&query) == wanted {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{database} never came to state {wanted}");
}

/// States 2 and 3 of `snapshot_isolation_state`: nothing can be read in a SNAPSHOT transaction that begins then.
#[test]
fn a_database_on_its_way_to_or_from_snapshot_isolation_is_read_under_read_committed() {
    for (before, then, state, begins) in [
        (
            "ON",
            "OFF",
            "2",
            "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION; SELECT Id FROM dbo.Other",
        ),
        (
            "OFF",
            "ON",
            "3",
            "BEGIN TRANSACTION; INSERT INTO dbo.Other VALUES (1)",
        ),
    ] {
        let bed = Bed::new();
        let database = bed.source_database().to_owned();
        let mut source = bed.source();
        source.execute(TABLE);
        source.execute("CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY)");
        let alter =
            |to: &str| format!("ALTER DATABASE {database} SET ALLOW_SNAPSHOT_ISOLATION {to}");
        source.execute(&alter(before));
        let mut open = bed.source();
        open.execute(begins);
        let mut waiting = bed.source();
        let (statement, mut told) = (alter(then), Vec::new());
        thread::scope(|scope| {
            let altered = scope.spawn(|| waiting.execute(&statement));
            wait_for_state(&mut source, &database, state);
            for strategy in ["timestamp", "timestamp"] {
                let run = sync(&bed, "dbo.T", strategy)
                    .env("RUST_LOG", "icehost_sync=warn")
                    .run();
                told.push(run.success().stderr);
            }
            let verified = bed
                .verify("dbo.T", "demo.t")
                .args(["--strategy", "timestamp", "--merge", "upsert"])
                .json();
            wait_for_state(&mut source, &database, state);
            told.push(verified.to_string());
            open.execute("ROLLBACK TRANSACTION");
            altered.join().unwrap();
        });
        for told in &told {
            assert!(
                told.contains("under READ COMMITTED"),
                "state {state}: {told}"
            );
        }
        assert!(told[0].contains("is about to change"), "{}", told[0]);
        assert_equal(&bed);
        source.execute("INSERT INTO dbo.T (Id, M) VALUES (3, '2024-01-03')");
        assert_eq!(sync(&bed, "dbo.T", "timestamp").json()["rows_extracted"], 1);
        assert_equal(&bed);
    }
}

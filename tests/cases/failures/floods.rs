//! A server whose answers never end: the run ends with a word, and takes little memory until then.

use icehost_tests::proxy::{Fault, Flood, Proxy, When};
use icehost_tests::{Bed, Command, customers};

use crate::files::files;

const FLOODS: [Flood; 7] = [
    Flood::Rows,
    Flood::Value,
    Flood::Infos,
    Flood::Errors,
    Flood::Dones,
    Flood::Changes,
    Flood::Columns,
];
/// What a request of each stage says. The login has the program's name.
const SOURCE_STAGES: [&str; 6] = [
    "icehost",
    "SET ANSI_NULLS",
    "sys.columns",
    "MAX(",
    "SYSUTCDATETIME",
    "ORDER BY",
];
const TARGET_STAGES: [&str; 4] = [
    "icehost_positions",
    "INSERT BULK",
    "INSERT INTO [dbo].[Customers]",
    "COMMIT TRANSACTION",
];
/// What a run may take in all: a debug build, compiled strategies and what is bounded. A flood would take gigabytes.
const MOST_MEMORY: u64 = 400 << 20;
/// What a run lets come before it has had enough: a value of its memory limit's share, and what sockets hold.
const MOST_FLOOD: u64 = 96 << 20;

/// The floods that a stage meets: each meets some, and all of them where `ICEHOST_TEST_ALL_FLOODS` is set.
fn drawn(stage: usize) -> impl Iterator<Item = Flood> {
    let all = std::env::var_os("ICEHOST_TEST_ALL_FLOODS").is_some();
    let floods = FLOODS.into_iter().enumerate();
    floods
        .filter(move |(number, _)| all || (number + stage).is_multiple_of(3))
        .map(|(_, flood)| flood)
}

fn sync(bed: &Bed, source: &str) -> Command {
    Command::new(["sync", "--source", source])
        .args(["--table", "dbo.Customers", "--strategy", "timestamp"])
        .args(["--merge", "upsert", "--lake-table", "demo.customers"])
        .args(["--warehouse", &bed.warehouse().display().to_string()])
        .args(["--retries", "0", "--memory-limit", "128MiB"])
}

#[track_caller]
fn assert_ends(command: &Command, proxy: &Proxy, stage: &str, flood: Flood) {
    let what = format!("{flood:?} at {stage}");
    let (acted, before) = (proxy.acted(), proxy.flooded());
    proxy.order(When::Answer(stage.to_owned(), 0), Fault::Flood(flood));
    let (run, memory) = command.run_watched();
    assert_eq!(proxy.acted(), acted + 1, "{what}\n{}", run.stderr);
    let run = run.failure(&["error", "hint"]);
    let flooded = proxy.flooded() - before;
    assert!(
        flooded < MOST_FLOOD,
        "{what}: {flooded} bytes\n{}",
        run.stderr
    );
    assert!(
        memory < MOST_MEMORY,
        "{what}: {memory} bytes\n{}",
        run.stderr
    );
}

#[test]
fn an_answer_of_the_source_that_never_ends_ends_the_run() {
    let bed = customers::bed_on_development_server(50);
    let proxy = Proxy::new(bed.server().addr());
    let command = sync(&bed, &proxy.clear(&bed.source_url()));
    for (at, stage) in SOURCE_STAGES.into_iter().enumerate() {
        for flood in drawn(at) {
            assert_ends(&command, &proxy, stage, flood);
            assert_eq!(files(&bed.warehouse()), Vec::<String>::new());
        }
    }
    sync(&bed, &bed.source_url()).run().success();
}

#[test]
fn an_answer_of_the_target_that_never_ends_ends_the_run() {
    for (at, stage) in TARGET_STAGES.into_iter().enumerate() {
        for flood in drawn(at) {
            let bed = customers::bed_on_development_server(50);
            sync(&bed, &bed.source_url()).run().success();
            let proxy = Proxy::new(bed.server().addr());
            let load = |target: &str| {
                Command::new(["load", "--target", target, "--merge", "upsert"])
                    .args(["--target-table", "dbo.Customers", "--retries", "0"])
                    .args(["--lake-table", "demo.customers"])
                    .args(["--warehouse", &bed.warehouse().display().to_string()])
            };
            assert_ends(&load(&proxy.clear(&bed.target_url())), &proxy, stage, flood);
            load(&bed.target_url()).run().success();
            let rows = bed.target().value("SELECT COUNT(*) FROM dbo.Customers");
            assert_eq!(rows, "50", "{flood:?} at {stage}");
        }
    }
}

#[test]
fn a_row_has_a_share_of_the_memory_limit() {
    let bed = customers::bed_on_development_server(0);
    bed.source().execute(
        "CREATE TABLE dbo.Wide (Id int NOT NULL PRIMARY KEY, Text varchar(max) NOT NULL);
         INSERT INTO dbo.Wide VALUES (1, REPLICATE(CAST('x' AS varchar(max)), 20000000))",
    );
    let sync = || {
        bed.sync("dbo.Wide", "demo.wide").args([
            "--strategy",
            "full-refresh",
            "--merge",
            "upsert",
            "--retries",
            "0",
        ])
    };
    sync().args(["--memory-limit", "64MiB"]).run().failure(&[
        "a row has more than 2.2 MiB",
        "--memory-limit",
        "--exclude-columns",
    ]);
    assert_eq!(files(&bed.warehouse()), Vec::<String>::new());
    assert_eq!(
        sync().args(["--memory-limit", "256MiB"]).json()["rows_appended"],
        1
    );
}

//! A server or a network that stops in the middle, at each stage: the run ends with a word when a wait has taken too long,
//! or when it is asked to stop, and leaves nothing half-done.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command as Process};
use std::time::{Duration, Instant};

use icehost_tests::proxy::{Fault, Proxy, When};
use icehost_tests::{Bed, Command, Dump, Run, customers};

use crate::files::files;

/// More rows than a few packets hold.
const ROWS: u32 = 3000;
/// A run that was asked to stop ends within a second; a busy machine may take longer.
const STOPS_WITHIN: Duration = Duration::from_secs(8);

/// What a statement of each stage says: before the lake's commit, and after it.
const SOURCE_STAGES: [(&str, &str); 5] = [
    ("the session", "SET ANSI_NULLS"),
    ("the version", "@@VERSION"),
    ("the catalog", "sys.columns"),
    ("the probes", "MAX("),
    ("the rows", "ORDER BY"),
];
const TARGET_STAGES: [(&str, &str); 5] = [
    ("the session", "SET ANSI_NULLS"),
    ("the catalog", "sys.columns"),
    ("the position", "icehost_positions"),
    ("the merge", "INSERT INTO [dbo].[Customers]"),
    ("the commit", "COMMIT TRANSACTION"),
];

struct Stage {
    bed: Bed,
    proxy: Proxy,
}

impl Stage {
    fn new() -> Stage {
        let bed = customers::bed_on_development_server(ROWS);
        let proxy = Proxy::new(bed.server().addr());
        Stage { bed, proxy }
    }

    /// The source by way of the proxy, to the lake alone: where there is a target, a look at both comes first, which may
    /// fail.
    fn source(&self) -> Command {
        self.sync(&self.proxy.clear(&self.bed.source_url()))
            .args(["--retries", "0"])
    }

    /// The target by way of the proxy.
    fn target(&self) -> Command {
        self.sync(&self.bed.source_url())
            .args(["--target", &self.proxy.clear(&self.bed.target_url())])
    }

    /// The second half alone, by way of the proxy.
    fn load(&self) -> Command {
        Command::new(["load", "--merge", "upsert", "--retries", "0"])
            .args(["--target", &self.proxy.clear(&self.bed.target_url())])
            .args([
                "--target-table",
                "dbo.Customers",
                "--lake-table",
                "demo.customers",
            ])
            .args(["--warehouse", &self.bed.warehouse().display().to_string()])
    }

    fn sync(&self, source: &str) -> Command {
        Command::new(["sync", "--source", source])
            .args(["--table", "dbo.Customers", "--strategy", "timestamp"])
            .args(["--merge", "upsert", "--lake-table", "demo.customers"])
            .args(["--warehouse", &self.bed.warehouse().display().to_string()])
    }

    /// The same run, without the proxy, finishes the job.
    #[track_caller]
    fn assert_recovers(&self, what: &str) {
        self.bed
            .sync_to_target("dbo.Customers", "demo.customers")
            .run()
            .success();
        let source = self.bed.source_dump("dbo.Customers");
        assert_eq!(source.rows.len(), ROWS as usize, "{what}");
        let lake = Dump::pyiceberg(&self.bed.lake("demo.customers"), None);
        source.assert_equals(&lake, what, "lake");
        source.assert_equals(&self.bed.target_dump("dbo.Customers"), what, "target");
    }
}

/// Waits until a fault has acted.
#[track_caller]
fn until_stalled(proxy: &Proxy, child: &mut Child, what: &str) {
    let started = Instant::now();
    while proxy.acted() == 0 {
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            let _read = child.stderr.take().unwrap().read_to_string(&mut said);
            panic!("{what}: the run ended early, {status}\n{said}");
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{what}: no stall"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    // The program meets it.
    std::thread::sleep(Duration::from_millis(200));
}

fn signal(child: &Child, name: &str) {
    let sent = Process::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Sends SIGTERM; what the run says until its end, which must come soon.
#[track_caller]
fn stopped(child: Child, what: &str) -> Run {
    let asked = Instant::now();
    signal(&child, "-TERM");
    let run = Run::of(what.to_owned(), child);
    assert!(
        asked.elapsed() < STOPS_WITHIN,
        "{what}: took {:?}\n{}",
        asked.elapsed(),
        run.stderr
    );
    run.failure(&[
        "stopping; once more to stop at once",
        "stopped before it was done",
        "hint",
    ])
}

#[test]
fn an_answer_that_stops_in_its_middle_ends_the_run() {
    for (stage, statement) in SOURCE_STAGES {
        let on = Stage::new();
        on.proxy
            .order(When::Answer(statement.to_owned(), 5), Fault::Stall);
        let run = on.source().args(["--idle-timeout", "1"]).run();
        let run = run.failure(&["did not answer", "hint"]);
        assert_eq!(on.proxy.acted(), 1, "{stage}\n{}", run.stderr);
        assert_eq!(files(&on.bed.warehouse()), Vec::<String>::new(), "{stage}");
        on.assert_recovers(stage);
    }
    for (stage, statement) in TARGET_STAGES {
        let on = Stage::new();
        on.proxy
            .order(When::Answer(statement.to_owned(), 5), Fault::Stall);
        on.sync(&on.bed.source_url()).run().success();
        let run = on.load().args(["--idle-timeout", "1"]).run();
        let run = run.failure(&["did not answer", "hint"]);
        assert_eq!(on.proxy.acted(), 1, "{stage}\n{}", run.stderr);
        on.assert_recovers(stage);
    }
}

#[test]
fn a_stream_of_rows_that_stops_ends_the_run_in_either_direction() {
    let on = Stage::new();
    // Some packets of rows have come.
    on.proxy
        .order(When::Answer("ORDER BY".to_owned(), 60_000), Fault::Stall);
    on.source()
        .args(["--idle-timeout", "1"])
        .run()
        .failure(&["an answer stopped in its middle", "--idle-timeout"]);
    assert_eq!(files(&on.bed.warehouse()), Vec::<String>::new());
    on.assert_recovers("rows from the source");

    // More rows than the sockets hold, so that the program has to wait for the server to take them.
    let bed = customers::bed_on_development_server(0);
    for table in ["source", "target"] {
        let mut client = if table == "source" {
            bed.source()
        } else {
            bed.target()
        };
        client.execute(
            "CREATE TABLE dbo.Wide (Id int NOT NULL PRIMARY KEY, Text nvarchar(max) NOT NULL)",
        );
    }
    bed.source().execute(
        "INSERT INTO dbo.Wide SELECT value, REPLICATE(CAST(N'x' AS nvarchar(max)), 200000) FROM GENERATE_SERIES(1, 60)",
    );
    let proxy = Proxy::new(bed.server().addr());
    let sync = |target: &str| {
        bed.sync("dbo.Wide", "demo.wide")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--target", target, "--retries", "0"])
    };
    proxy.order(
        When::Request("INSERT BULK".to_owned(), 100_000),
        Fault::Stall,
    );
    sync(&proxy.clear(&bed.target_url()))
        .args(["--idle-timeout", "1"])
        .run()
        .failure(&["took nothing of what was sent", "--idle-timeout"]);
    assert_eq!(bed.target().value("SELECT COUNT(*) FROM dbo.Wide"), "0");
    sync(&bed.target_url()).run().success();
    assert_eq!(bed.target().value("SELECT COUNT(*) FROM dbo.Wide"), "60");
}

#[test]
fn a_part_of_an_encrypted_record_is_an_answer_that_has_begun() {
    let on = Stage::new();
    let url = on.proxy.url(
        &on.bed.source_url(),
        "encrypt=true&trust_server_certificate=true",
    );
    let sync = || {
        on.sync(&url)
            .args(["--idle-timeout", "1", "--retries", "0"])
    };
    // Where the rows come is known from a run that only looks.
    sync().arg("--dry-run").run().success();
    let before_rows = on.proxy.received();
    // In the middle of a record of some kilobytes.
    on.proxy
        .order(When::Received(2 * before_rows + 20_003), Fault::Stall);
    sync().run().failure(&["an answer stopped in its middle"]);
    on.assert_recovers("TLS");
}

#[test]
fn a_silent_server_is_waited_for_unless_the_user_says_how_long() {
    let on = Stage::new();
    on.bed
        .server()
        .faults()
        .delay("INSERT INTO [dbo].[Customers]", Duration::from_secs(4));
    // Longer than an answer may stop: a long merge says nothing until it is done.
    on.target()
        .args(["--idle-timeout", "1", "--retries", "0"])
        .run()
        .success();

    customers::add(&on.bed, ROWS + 1, ROWS + 5, "2026-02-01");
    on.bed
        .server()
        .faults()
        .delay("MERGE [dbo].[Customers]", Duration::from_secs(30));
    let run = on
        .target()
        .args(["--query-timeout", "1", "--retries", "3"])
        .run()
        .failure(&["no answer came within 1 s", "--query-timeout"]);
    assert!(!run.stderr.contains("trying again"), "{}", run.stderr);
    on.bed
        .sync_to_target("dbo.Customers", "demo.customers")
        .run()
        .success();
}

#[test]
fn a_lock_is_waited_for_as_long_as_the_user_says() {
    let on = Stage::new();
    on.target().run().success();
    customers::change(&on.bed, 3, "2026-02-01");
    let mut other = on.bed.target();
    other.execute("BEGIN TRANSACTION; UPDATE dbo.Customers SET Balance = 1 WHERE CustomerID = 2");
    on.target()
        .args(["--lock-timeout", "1", "--retries", "0"])
        .run()
        .failure(&["1222"]);
    other.execute("ROLLBACK TRANSACTION");
    on.target().args(["--lock-timeout", "1"]).run().success();
    on.assert_recovers("a lock");
}

#[test]
fn sigterm_ends_a_run_that_waits_for_the_source() {
    for (stage, statement) in SOURCE_STAGES {
        let on = Stage::new();
        on.proxy
            .order(When::Answer(statement.to_owned(), 0), Fault::Stall);
        let mut child = on.source().spawn();
        until_stalled(&on.proxy, &mut child, stage);
        stopped(child, stage);
        assert_eq!(files(&on.bed.warehouse()), Vec::<String>::new(), "{stage}");
        on.assert_recovers(stage);
    }
}

#[test]
fn sigterm_ends_a_run_that_waits_for_the_target() {
    for (stage, statement) in TARGET_STAGES {
        if stage == "the commit" {
            continue;
        }
        let on = Stage::new();
        on.proxy
            .order(When::Answer(statement.to_owned(), 0), Fault::Stall);
        let mut child = on.target().spawn();
        until_stalled(&on.proxy, &mut child, stage);
        stopped(child, stage);
        on.assert_recovers(stage);
    }
}

#[test]
fn sigterm_waits_for_the_answer_to_a_commit_for_a_while() {
    let on = Stage::new();
    on.bed
        .server()
        .faults()
        .delay("COMMIT TRANSACTION", Duration::from_secs(3));
    let child = on.target().env("RUST_LOG", "icehost_cli=info").spawn();
    let mut child = when_said(child, "merging");
    // The merge itself takes no time.
    std::thread::sleep(Duration::from_millis(1500));
    signal(&child, "-TERM");
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    let rows = on.bed.target().value("SELECT COUNT(*) FROM dbo.Customers");
    assert_eq!(rows, ROWS.to_string());

    // An answer that never comes is not waited for in vain for ever.
    customers::add(&on.bed, ROWS + 1, ROWS + 5, "2026-02-01");
    on.proxy.order(
        When::Answer("COMMIT TRANSACTION".to_owned(), 0),
        Fault::Stall,
    );
    let mut child = on.target().args(["--retries", "0"]).spawn();
    until_stalled(&on.proxy, &mut child, "the commit");
    signal(&child, "-TERM");
    Run::of("the commit".to_owned(), child).failure(&[
        "stopped while a commit was under way, and whether it was done is not known",
        "it finds out",
    ]);
    let next = on
        .bed
        .sync_to_target("dbo.Customers", "demo.customers")
        .json();
    assert_eq!(next["rows_inserted"], 0, "it was done");
}

/// Reads what a run says until a line has this text.
fn when_said(mut child: Child, text: &str) -> Child {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended early");
    }
    child.stderr = Some(stderr.into_inner());
    child
}

#[test]
fn the_second_signal_ends_a_run_at_once_with_a_word() {
    let on = Stage::new();
    on.proxy.order(
        When::Answer("COMMIT TRANSACTION".to_owned(), 0),
        Fault::Stall,
    );
    let mut child = on.target().args(["--retries", "0"]).spawn();
    until_stalled(&on.proxy, &mut child, "the commit");
    signal(&child, "-INT");
    let child = when_said(child, "stopping");
    let asked = Instant::now();
    signal(&child, "-INT");
    Run::of("twice".to_owned(), child).failure(&["stopped at once", "the next run goes on"]);
    assert!(asked.elapsed() < STOPS_WITHIN);
    on.assert_recovers("the second signal");
}

#[test]
fn every_command_that_waits_for_a_server_is_ended_by_sigterm() {
    let on = Stage::new();
    on.source().run().success();
    customers::add(&on.bed, ROWS + 1, ROWS + 5, "2026-02-01");
    let (source, target) = (
        on.proxy.clear(&on.bed.source_url()),
        on.proxy.clear(&on.bed.target_url()),
    );
    let file = on.bed.path("icehost.toml");
    std::fs::write(
        &file,
        format!(
            "warehouse = \"warehouse\"\n[connections.db]\nurl = \"{source}\"\nallow-inline-secret = true\n\
             [pipelines.customers]\nsource = \"db\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\n\
             merge = \"upsert\"\nlake-table = \"demo.customers\"\n"
        ),
    )
    .unwrap();
    let file = file.display().to_string();
    let warehouse = on.bed.warehouse().display().to_string();
    let place = ["--warehouse", &warehouse, "--lake-table", "demo.customers"];
    let commands = [
        (
            "load",
            Command::new(["load", "--target", &target, "--merge", "upsert"])
                .args(["--target-table", "dbo.Customers", "--retries", "0"])
                .args(place),
        ),
        ("check", Command::new(["check", "--config", &file])),
        ("sync", Command::new(["sync", "--config", &file])),
        (
            "dry run",
            Command::new(["sync", "--config", &file, "--dry-run"]),
        ),
        ("verify", Command::new(["verify", "--config", &file])),
        (
            "verify of a load",
            Command::new(["verify", "--target", &target, "--merge", "upsert"])
                .args(["--target-table", "dbo.Customers"])
                .args(place),
        ),
    ];
    for (name, command) in commands {
        let proxy_acted = on.proxy.acted();
        on.proxy
            .order(When::Answer("sys.columns".to_owned(), 0), Fault::Stall);
        let mut child = command.spawn();
        let started = Instant::now();
        while on.proxy.acted() == proxy_acted {
            assert!(child.try_wait().unwrap().is_none(), "{name} ended early");
            assert!(started.elapsed() < Duration::from_secs(120), "{name}");
            std::thread::sleep(Duration::from_millis(10));
        }
        stopped(child, name);
    }
}

#[test]
fn sigterm_ends_a_command_that_waits_for_a_file_or_for_another_process() {
    let bed = customers::bed_on_development_server(5);
    // A pipe that nobody writes to, as a strategy.
    let pipe = bed.path("pipe.wasm");
    assert!(
        Process::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let child = bed
        .sync("dbo.Customers", "demo.customers")
        .args([
            "--strategy",
            &pipe.display().to_string(),
            "--merge",
            "upsert",
        ])
        .spawn();
    std::thread::sleep(Duration::from_millis(1500));
    let asked = Instant::now();
    signal(&child, "-TERM");
    let run = Run::of("a pipe".to_owned(), child);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(asked.elapsed() < STOPS_WITHIN);

    // The lock of a watermark's copy, which somebody holds: it is given up, with a warning, and the commit stands.
    let directory = bed.path("marks");
    std::fs::create_dir_all(&directory).unwrap();
    let lock = std::fs::File::create(directory.join("demo.customers.lock")).unwrap();
    lock.lock().unwrap();
    let run = bed
        .sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--watermark-dir", &directory.display().to_string()])
        .run()
        .success();
    assert!(
        run.stderr.contains("another process holds it"),
        "{}",
        run.stderr
    );
}

//! A first load in ranges that fails, crashes or is stopped: the next run reads only what is missing.

use std::fs;

use icehost_tests::{Bed, Command, Dump, customers};
use serde_json::Value;

use crate::cancellation::interrupt_when;
use crate::files::files;

/// 500 customers in 11 ranges, one connection at a time so that their order is known.
pub(crate) fn load(bed: &Bed) -> Command {
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--range-rows", "50", "--retries", "0"])
}

pub(crate) fn per_range(bed: &Bed) -> Command {
    load(bed).args(["--commit", "per-range"])
}

fn journal(bed: &Bed) -> std::path::PathBuf {
    bed.lake("demo.customers")
        .join("metadata/icehost-first-load.json")
}

/// The journal is gone, no file is left that no snapshot refers to, and the rows are the source's.
#[track_caller]
pub(crate) fn assert_loaded(bed: &Bed, place: &str) {
    assert!(!journal(bed).exists(), "{place}: the journal is removed");
    let lake = Dump::agreed(&bed.lake("demo.customers"), None);
    bed.source_dump("dbo.Customers")
        .assert_equals(&lake, &format!("source after {place}"), "lake");
}

/// The ranges that the journal, which must be there, knows to have been read.
fn ranges_done(bed: &Bed) -> usize {
    let text = fs::read(journal(bed)).unwrap();
    let journal: Value = serde_json::from_slice(&text).unwrap();
    let ranges = journal["ranges"].as_array().unwrap();
    ranges
        .iter()
        .filter(|range| !range["done"].is_null())
        .count()
}

fn data_files(bed: &Bed) -> usize {
    let all = files(&bed.lake("demo.customers").join("data"));
    all.len()
}

#[test]
fn after_a_crash_in_the_middle_only_what_is_missing_is_read() {
    for (place, recorded) in [
        ("sync::load-begun=return(crash)", 0..=0),
        // The third is written down while the fourth is read, or was before.
        ("sync::range-read=3*off->return(crash)", 2..=3),
        ("sync::range-recorded=3*off->return(crash)", 4..=4),
        ("sync::after-extract=return(crash)", 11..=11),
        ("lake::before-metadata-link=1*off->return(crash)", 11..=11),
    ] {
        let bed = customers::bed(500);
        let run = load(&bed).env("FAILPOINTS", place).run();
        assert_eq!(run.code, None, "{place}\n{}", run.stderr);
        let resumed = ranges_done(&bed);
        assert!(recorded.contains(&resumed), "{resumed} at {place}");
        // What changes now lies above the bounds of the load, and is read behind it.
        customers::change(&bed, 5, "2026-02-02");
        customers::add(&bed, 501, 510, "2026-02-01");
        let next = load(&bed).json();
        assert_eq!(next["ranges"], 11, "{place}");
        assert_eq!(next["ranges_resumed"], resumed, "{place}");
        let of_ranges = if resumed == 0 { 495 } else { 500 };
        assert_eq!(next["rows_extracted"], of_ranges + 15, "{place}");
        assert_eq!(next["first_sync"], true);
        assert_loaded(&bed, place);
        assert_eq!(load(&bed).json()["rows_extracted"], 0, "{place}");
    }
}

#[test]
fn after_an_error_in_a_range_the_others_stay() {
    let bed = customers::bed(500);
    let run = load(&bed)
        .env("FAILPOINTS", "sync::range-read=4*off->return")
        .run()
        .failure(&["sync::range-read"]);
    assert!(run.stderr.contains("4 of 11 ranges"), "{}", run.stderr);
    assert_eq!(
        data_files(&bed),
        4,
        "those of the range that failed are gone"
    );
    let next = load(&bed).json();
    assert_eq!(next["ranges_resumed"], 4);
    assert_eq!(data_files(&bed), 10, "the last range is empty");
    assert_loaded(&bed, "an error");
}

#[test]
fn a_crash_behind_the_commit_leaves_a_journal_that_is_cleared_away() {
    for place in [
        "lake::after-metadata-link=1*off->return(crash)",
        "sync::ranges-committed=return(crash)",
    ] {
        let bed = customers::bed(500);
        let run = load(&bed).env("FAILPOINTS", place).run();
        assert_eq!(run.code, None, "{place}\n{}", run.stderr);
        let next = load(&bed).json();
        assert_eq!(next["rows_extracted"], 0, "{place}");
        assert_loaded(&bed, place);
    }
}

#[test]
fn ranges_that_were_committed_one_by_one_are_not_added_twice() {
    for place in [
        "sync::range-recorded=4*off->return(crash)",
        "sync::ranges-committed=return(crash)",
        "sync::ranges-committed=4*off->return(crash)",
        "sync::ranges-committed=9*off->return(crash)",
        "lake::after-metadata-link=5*off->return(crash)",
        "lake::before-metadata-link=5*off->return(crash)",
    ] {
        for finish in [load, per_range] {
            let bed = customers::bed(500);
            let run = per_range(&bed).env("FAILPOINTS", place).run();
            assert_eq!(run.code, None, "{place}\n{}", run.stderr);
            let watermark = bed.on_lake(["watermark", "show"], "demo.customers").json();
            if place != "sync::ranges-committed=9*off->return(crash)" {
                assert_eq!(watermark["watermark"], Value::Null, "{place}");
            }
            finish(&bed).json();
            assert_loaded(&bed, place);
            customers::change(&bed, 5, "2026-02-02");
            assert_eq!(load(&bed).json()["rows_removed"], 5, "{place}");
            assert_loaded(&bed, place);
        }
    }
}

#[test]
fn files_that_are_missing_or_cut_short_are_read_again() {
    let bed = customers::bed(500);
    load(&bed)
        .env("FAILPOINTS", "sync::range-read=4*off->return")
        .run()
        .failure(&["sync::range-read"]);
    let there = files(&bed.lake("demo.customers").join("data"));
    fs::remove_file(&there[0]).unwrap();
    let cut = fs::OpenOptions::new().write(true).open(&there[1]).unwrap();
    cut.set_len(100).unwrap();
    let run = load(&bed).args(["--output", "json"]).run().success();
    assert!(
        run.stderr.contains("missing or of another size"),
        "{}",
        run.stderr
    );
    assert_eq!(run.json()["ranges_resumed"], 2);
    assert_eq!(data_files(&bed), 10);
    assert_loaded(&bed, "lost files");
}

#[test]
fn changed_settings_start_the_load_over() {
    for changed in [
        vec!["--strategy-option", "lookback-seconds=5"],
        vec!["--exclude-columns", "Email"],
        vec!["--time-precision", "error"],
        vec!["--restart"],
    ] {
        let bed = customers::bed(500);
        load(&bed)
            .env("FAILPOINTS", "sync::range-read=4*off->return")
            .run()
            .failure(&["sync::range-read"]);
        let run = load(&bed)
            .args(changed.iter().copied())
            .args(["--output", "json"])
            .run()
            .success();
        assert!(run.stderr.contains("is started over"), "{}", run.stderr);
        assert_eq!(run.json()["ranges_resumed"], 0);
        assert_eq!(data_files(&bed), 10, "{changed:?}: the old files are gone");
        assert!(!journal(&bed).exists());
    }
}

#[test]
fn a_load_that_is_partly_committed_is_not_started_over_where_rows_would_come_twice() {
    let bed = customers::bed(500);
    let append = |bed: &Bed| {
        bed.sync("dbo.Customers", "demo.customers")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .args([
                "--range-rows",
                "50",
                "--retries",
                "0",
                "--commit",
                "per-range",
            ])
    };
    append(&bed)
        .env("FAILPOINTS", "sync::range-read=4*off->return")
        .run()
        .failure(&["sync::range-read"]);
    append(&bed).arg("--restart").run().failure(&[
        "holds 4 of 11 ranges",
        "a second time",
        "finish the load with the settings that it was begun with, or sync into a new lake table",
    ]);
    // The ways that the hint names.
    let new = bed.sync("dbo.Customers", "demo.new");
    new.args(["--strategy", "timestamp", "--merge", "append-only"])
        .json();
    bed.source_dump("dbo.Customers").assert_equals(
        &Dump::agreed(&bed.lake("demo.new"), None),
        "source",
        "new lake table",
    );
    append(&bed).json();
    assert_loaded(&bed, "append-only");

    // An upsert finds them by their keys.
    let bed = customers::bed(500);
    per_range(&bed)
        .env("FAILPOINTS", "sync::range-read=4*off->return")
        .run()
        .failure(&["sync::range-read"]);
    let report = per_range(&bed).arg("--restart").json();
    assert_eq!(report["ranges"], Value::Null);
    assert_eq!(report["rows_removed"], 200);
    assert_loaded(&bed, "upsert");
}

#[test]
fn a_second_run_at_once_is_refused() {
    let bed = customers::bed(500);
    let mut first = load(&bed)
        .args(["--parallel", "2"])
        .env("FAILPOINTS", "sync::while-staging=sleep(1000)")
        .spawn();
    while !journal(&bed).exists() {
        assert!(first.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    load(&bed)
        .run()
        .failure(&["another run is at work on the first load of lake table demo.customers"]);
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .failure(&["another run is at work"]);
    assert!(first.wait().unwrap().success());
    assert_loaded(&bed, "two at once");
}

#[test]
fn writers_that_are_at_work_meanwhile_lose_nothing_under_snapshot() {
    let bed = customers::bed(2000);
    bed.source().execute(&format!(
        "ALTER DATABASE {} SET ALLOW_SNAPSHOT_ISOLATION ON",
        bed.source_database()
    ));
    assert_writers_lose_nothing(&bed);
}

#[test]
fn nor_under_read_committed() {
    assert_writers_lose_nothing(&customers::bed(2000));
}

#[track_caller]
fn assert_writers_lose_nothing(bed: &Bed) {
    let child = bed
        .sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--parallel", "3", "--range-rows", "100"])
        .env("FAILPOINTS", "sync::while-staging=sleep(30)")
        .spawn();
    while !journal(bed).exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let mut source = bed.source();
    for round in 0..20 {
        source.execute(&format!(
            "UPDATE dbo.Customers SET Name = CONCAT(N'changed {round} ', CustomerID), ModifiedDate = DATEADD(second, {round}, '2026-03-01')
             WHERE CustomerID % 20 = {round};
             INSERT INTO dbo.Customers VALUES ({}, N'new', NULL, 1, DATEADD(second, {round}, '2026-03-01'))",
            10_000 + round
        ));
    }
    let first = icehost_tests::Run::of("the first load".to_owned(), child).success();
    assert!(!first.stderr.contains("error"), "{}", first.stderr);
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    assert_loaded(bed, "concurrent writers");
}

#[test]
fn a_lost_connection_costs_its_range_only() {
    let bed = customers::bed_on_development_server(5000);
    bed.server().faults().drop_connection_after_packets(25);
    let run = bed
        .sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--parallel", "2", "--range-rows", "500", "--output", "json"])
        .run()
        .success();
    assert!(run.stderr.contains("trying again"), "{}", run.stderr);
    assert_loaded(&bed, "a lost connection");
}

#[test]
fn an_interrupt_keeps_the_finished_ranges() {
    let bed = customers::bed(500);
    let child = load(&bed)
        .env("FAILPOINTS", "sync::while-staging=sleep(300)")
        .env("RUST_LOG", "icehost_cli=info")
        .spawn();
    let rest = interrupt_when(child, "done=2");
    assert!(rest.contains("ranges of the first load are kept"), "{rest}");
    assert!(rest.contains("it resumes"), "{rest}");
    let next = load(&bed).json();
    assert!(next["ranges_resumed"].as_u64().unwrap() >= 2, "{next}");
    assert_loaded(&bed, "an interrupt");
}

#[test]
fn a_damaged_journal_is_refused_by_name_and_the_load_starts_over_without_it() {
    let bed = customers::bed(500);
    let crashed = load(&bed)
        .failpoint("sync::range-recorded", "3*off->return(crash)")
        .run();
    assert_eq!(crashed.code, None, "{}", crashed.stderr);
    let whole = fs::read(journal(&bed)).unwrap();
    let other =
        String::from_utf8(whole.clone())
            .unwrap()
            .replacen("\"format\":", "\"format\":9", 1);
    for damaged in [&b""[..], &whole[..whole.len() / 2], b"{}", other.as_bytes()] {
        fs::write(journal(&bed), damaged).unwrap();
        load(&bed).run().failure(&[
            "icehost-first-load.json, cannot be read",
            "start the load over with --restart",
        ]);
        assert_eq!(
            fs::read(journal(&bed)).unwrap(),
            damaged,
            "it is left as it is"
        );
    }
    let over = load(&bed)
        .args(["--restart", "--output", "json"])
        .run()
        .success();
    assert!(over.stderr.contains("is started over"), "{}", over.stderr);
    let over = over.json();
    assert_eq!(
        (&over["rows_extracted"], &over["ranges_resumed"]),
        (&500.into(), &0.into())
    );
    assert_loaded(&bed, "a damaged journal");
}

#[test]
fn ranges_whose_journal_is_lost_are_not_added_a_second_time() {
    let append = |bed: &Bed| per_range(bed).args(["--lake-merge", "append-only"]);
    for lose in [
        (|journal| fs::write(journal, "{").unwrap()) as fn(std::path::PathBuf),
        |journal| fs::remove_file(journal).unwrap(),
    ] {
        let bed = customers::bed(500);
        let interrupt = |command: Command| {
            let failed = command.env("FAILPOINTS", "sync::range-read=4*off->return");
            failed.run().failure(&["sync::range-read"]);
            lose(journal(&bed));
        };
        interrupt(append(&bed));
        for command in [
            append(&bed).arg("--restart"),
            append(&bed).args(["--restart", "--dry-run"]),
        ] {
            command.run().failure(&[
                "lake table demo.customers has rows, and they are a part of a first load that was not finished",
                "would add them a second time",
                "hint: merge by a key (--lake-merge upsert), or sync into a new lake table",
            ]);
        }
        // The ways that the hint names.
        let new = bed.sync("dbo.Customers", "demo.new").args([
            "--strategy",
            "timestamp",
            "--merge",
            "append-only",
        ]);
        new.json();
        bed.source_dump("dbo.Customers").assert_equals(
            &Dump::agreed(&bed.lake("demo.new"), None),
            "source",
            "new lake table",
        );
        // A key finds them again.
        per_range(&bed).arg("--restart").json();
        assert_loaded(&bed, "a lost journal");
        assert_eq!(load(&bed).json()["rows_extracted"], 0);
    }
}

//! What a column rule takes out of the lake is nowhere in it, and in no message: not by way of what decides which rows
//! are read.

use icehost_tests::{Bed, Command, Dump, assert_nowhere};

const KEY: &str = "a key for hashes, of some length";

fn people() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.People (Id int NOT NULL, Email nvarchar(40) NOT NULL, Born date NOT NULL,
            Changed datetime2(7) NOT NULL, CONSTRAINT PK_People PRIMARY KEY NONCLUSTERED (Id));
         CREATE CLUSTERED INDEX By_Email ON dbo.People (Email);
         INSERT INTO dbo.People VALUES (1, N'ann@example.com', '1971-03-05', '2026-01-01T10:11:12.1234567'),
            (2, N'bob@example.com', '1982-04-06', '2026-01-01'), (3, N'cid@example.com', '1993-05-07', '2026-01-01'),
            (4, N'dan@example.com', '1994-06-08', '2026-01-01'), (5, N'eve@example.com', '1995-07-09', '2026-01-01')",
    );
    bed
}

fn sync(bed: &Bed, rules: &[&str]) -> Command {
    let mut sync = bed
        .sync("dbo.People", "demo.people")
        .args(["--hash-key-env", "HASH_KEY"])
        .env("HASH_KEY", KEY)
        .env("RUST_LOG", "debug");
    for rule in rules {
        sync = sync.args(["--column-rule", rule]);
    }
    sync
}

/// By a cursor that has no rule.
fn by_changed(bed: &Bed, rules: &[&str]) -> Command {
    sync(bed, rules)
        .args(["--strategy", "timestamp", "--strategy-option"])
        .args(["column=Changed", "--merge", "upsert"])
}

#[test]
fn a_detector_does_not_go_by_what_a_rule_takes_away() {
    let bed = people();
    let rules = ["Born=constant:2000-01-01", "Email=hash"];
    for (strategy, option) in [("timestamp", "column=Born"), ("timestamp", "column=born")] {
        sync(&bed, &rules)
            .args([
                "--strategy",
                strategy,
                "--strategy-option",
                option,
                "--merge",
                "upsert",
            ])
            .run()
            .failure(&[
                "hint",
                "columns that have a rule",
                "Born, Email",
                "columns = [",
            ]);
        assert!(!bed.lake("demo.people").exists());
    }
    // Another cursor is as good as ever, and nothing of the originals is anywhere.
    by_changed(&bed, &rules).json();
    assert_nowhere(
        &bed.warehouse(),
        &["example.com", "1971-03-05", "1995-07-09"],
    );
    let dump = Dump::agreed(&bed.lake("demo.people"), None);
    assert_eq!(dump.rows.len(), 5);
}

#[test]
fn a_grant_by_name_lets_a_detector_go_by_a_column_with_a_rule() {
    let bed = people();
    let file = bed.path("icehost.toml");
    let write = |grant: &str| {
        let text = format!(
            "warehouse = \"warehouse\"\n[connections.source]\nurl = \"{}\"\nallow-inline-secret = true\n\
             [strategies.cursor]\nshipped = \"timestamp\"\n{grant}\n[pipelines.people]\nsource = \"source\"\n\
             table = \"dbo.People\"\nstrategy = \"cursor\"\nstrategy-options = {{ column = \"Born\" }}\n\
             merge = \"upsert\"\ncolumn-rules = {{ Born = \"constant:2000-01-01\" }}\n",
            bed.source_url()
        );
        std::fs::write(&file, text).unwrap();
    };
    let run =
        |command: &str| Command::new([command, "--config", &file.display().to_string()]).run();
    write("");
    for command in ["check", "sync"] {
        run(command).failure(&["hint", "columns that have a rule", "Born"]);
    }
    write("columns = [\"Born\"]");
    run("check").success();
    run("sync").success();
    // As the operator has said, the mark is what the server has; the rows are not.
    let shown = Command::new([
        "watermark",
        "show",
        "people",
        "--config",
        &file.display().to_string(),
    ]);
    let shown = shown.run().success();
    assert!(shown.stdout.contains("1995-07-09"), "{}", shown.stdout);
    let dump = format!("{:?}", Dump::agreed(&bed.lake("dbo.people"), None));
    assert!(
        !dump.contains("1995-07-09") && dump.contains("2000-01-01"),
        "{dump}"
    );
}

#[test]
fn ranges_are_not_cut_at_values_that_a_rule_takes_away() {
    let bed = people();
    // What an interrupted load leaves holds the boundaries.
    by_changed(&bed, &["Email=hash"])
        .args(["--range-rows", "2"])
        .failpoint("sync::load-begun", "return")
        .run()
        .failure(&["error"]);
    let journal = bed
        .lake("demo.people")
        .join("metadata/icehost-first-load.json");
    assert!(journal.exists());
    assert_nowhere(&bed.warehouse(), &["example.com"]);
    let report = by_changed(&bed, &["Email=hash"])
        .args(["--range-rows", "2"])
        .json();
    assert_eq!(report["rows_appended"], 5);
    assert_nowhere(&bed.warehouse(), &["example.com"]);
}

#[test]
fn messages_do_not_show_what_a_rule_takes_away() {
    let bed = people();
    bed.source().execute(
        "INSERT INTO dbo.People VALUES (6, N'ann@example.com', '1971-03-05', '2026-01-02')",
    );
    // Two rows with one key, whose values are hashed.
    let keyed = |rule: &str| {
        sync(&bed, &[rule])
            .args([
                "--strategy",
                "full-refresh",
                "--merge",
                "upsert",
                "--merge-option",
                "keys=Email",
            ])
            .run()
    };
    let run = keyed("Email=hash").failure(&["Email"]);
    assert!(!run.stderr.contains("ann@example"), "{}", run.stderr);
    // Keys that a rule makes alike.
    for rule in ["Email=truncate:1", "Email=constant:x"] {
        let run = keyed(rule).failure(&["whose rule makes different values the same", "hint"]);
        assert!(!run.stderr.contains("@example"), "{}", run.stderr);
    }
    // A value that cannot be carried.
    let run = sync(&bed, &["Changed=constant:2000-01-01"])
        .args([
            "--strategy",
            "full-refresh",
            "--merge",
            "upsert",
            "--time-precision",
            "error",
        ])
        .run()
        .failure(&["column 'Changed'", "not shown, since the column has a rule"]);
    assert!(!run.stderr.contains("1234567"), "{}", run.stderr);
}

#[test]
fn rows_that_a_rule_makes_one_for_the_target_are_refused_by_what_it_left() {
    let columns = "Id int NOT NULL, Name nvarchar(30) NOT NULL, M datetime2(3) NOT NULL";
    for merge in ["upsert", "soft-delete"] {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T ({columns}, PRIMARY KEY (Id));
             INSERT INTO dbo.T VALUES (1, N'secret one', '2026-01-01')"
        ));
        bed.target().execute(&format!(
            "CREATE TABLE dbo.T ({columns}, IsDeleted bit NOT NULL DEFAULT 0, PRIMARY KEY (Name))"
        ));
        let sync = || {
            bed.sync("dbo.T", "demo.t")
                .args(["--strategy", "timestamp", "--lake-merge", "upsert"])
                .args(["--merge", merge, "--target", &bed.target_url()])
                .args(["--column-rule", "Name=truncate:3"])
        };
        sync().run().success();
        let rows = || bed.target().rows("SELECT Id, Name FROM dbo.T");
        assert_eq!(rows(), [["1", "sec"]], "{merge}");
        bed.source()
            .execute("INSERT INTO dbo.T VALUES (2, N'secret two', '2026-02-01')");
        let run = sync()
            .run()
            .failure(&["several rows have the key (sec)", "hint"]);
        assert!(!run.stderr.contains("secret"), "{merge}: {}", run.stderr);
        assert_eq!(rows(), [["1", "sec"]], "{merge}");
    }
}

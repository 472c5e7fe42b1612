//! Text of servers, rows, components, files and arguments, on its way to a terminal or a log. That nothing of it
//! controls a terminal, the kit asserts after every run of every suite; here is that each source is told, on one line,
//! and where it was cut.

use icehost_tests::{Bed, Command, Run, customers};

/// Clears the screen, sets the window's title, forges a line, turns what follows around and hides.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\nerror: forged\r\u{9b}31m\u{202e}desrever\u{200b}\u{2028}\u{e0041}";
/// What is shown of it.
const SHOWN: &str = r"\u001b[2J\u001b]0;owned\u0007\nerror: forged\r\u009b31m\u202edesrever\u200b\u2028\udb40\udc41";

/// Each line of stderr is one that icehost began, as is each of stdout that is not indented: SQL of a dry run is shown
/// as it is sent.
#[track_caller]
fn assert_no_forgery(run: &Run) {
    let is_forged = |line: &str| line.starts_with("error: forged");
    for line in run.stderr.lines().map(str::trim_start) {
        assert!(!is_forged(line), "{}", run.stderr);
    }
    for line in run.stdout.lines() {
        assert!(!is_forged(line), "{}", run.stdout);
    }
}

#[track_caller]
fn told(run: &Run, text: &str) {
    assert!(run.stderr.contains(text), "{}", run.stderr);
    assert_no_forgery(run);
}

#[test]
fn what_a_server_says_is_one_line_and_not_endless() {
    let bed = customers::bed_on_development_server(3);
    let sync = || bed.sync_to_target("dbo.Customers", "demo.customers");
    let fail = |text: &str| {
        let faults = bed.server().faults();
        faults.fail_saying("FROM [dbo].[Customers]", text);
        sync()
            .args(["--output", "json"])
            .env("RUST_LOG", "debug")
            .run()
            .failure(&["error: "])
    };
    let run = fail(&format!("no {EVIL} luck"));
    told(&run, &format!("no {SHOWN} luck (error 50000"));
    let told_as_json = run.json()["error"].as_str().unwrap().to_owned();
    assert!(told_as_json.contains(SHOWN), "{told_as_json}");

    let run = fail(&"x".repeat(30_000));
    told(&run, "…");
    let longest = run.stderr.lines().map(str::len).max();
    assert!(longest < Some(10_000), "{longest:?}");
    sync().run().success();
}

#[test]
fn names_and_values_of_tables_are_shown_as_they_are() {
    let bed = Bed::new();
    // Names of SQL Server can have any character but NUL.
    let quoted = EVIL.replace(']', "]]");
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, [{quoted}] int NULL, Name nvarchar(200) NOT NULL, Day date NULL);
         INSERT INTO dbo.T VALUES (1, 1, N'{EVIL}', '2026-01-01'), (2, 1, N'{EVIL}', '2026-01-01')"
    ));
    let sync = |more: &[&str]| {
        bed.sync("dbo.T", "demo.t")
            .args(["--merge", "upsert"])
            .args(more.iter().copied())
            .env("RUST_LOG", "debug")
            .run()
    };
    // Columns, in a hint.
    let run = sync(&["--strategy", "full-refresh", "--columns", "Nothing"]).failure(&["Nothing"]);
    assert_no_forgery(&run);
    let run = sync(&[
        "--strategy",
        "timestamp",
        "--strategy-option",
        "column=Nothing",
    ]);
    assert_no_forgery(&run.failure(&["hint"]));
    // The values of a key that repeats.
    let run = sync(&["--strategy", "full-refresh", "--merge-option", "keys=Name"]);
    told(
        &run.failure(&["stand"]),
        r"\u001b[2J\u001b]0;owned\u0007\nerror: forged",
    );
    // Everything that a run that goes well tells.
    let run = sync(&["--strategy", "full-refresh"]).success();
    assert_no_forgery(&run);
    let dry = sync(&["--strategy", "full-refresh", "--dry-run"]).success();
    assert_no_forgery(&dry);
    bed.source()
        .execute(&format!("UPDATE dbo.T SET [{quoted}] = 5 WHERE Id = 2"));
    let verify =
        bed.verify("dbo.T", "demo.t")
            .args(["--strategy", "full-refresh", "--merge", "upsert"]);
    let run = verify.run().failure(&["do not agree"]);
    assert!(run.stdout.contains(SHOWN), "{}", run.stdout);
    assert_no_forgery(&run);
    let run = verify
        .args(["--output", "json"])
        .run()
        .failure(&["do not agree"]);
    let columns = run.json()["lake"]["columns"].to_string();
    assert!(
        run.stdout.contains(r"\u202e") && columns.contains('\u{202e}'),
        "{columns}"
    );
}

/// A hint has lines of its own, and what it quotes makes none.
#[test]
fn what_a_hint_quotes_is_no_line_of_it() {
    let bed = customers::bed_on_development_server(3);
    let name = format!("x'{EVIL}");
    let quoted = name.replace(']', "]]");
    let sync = |table: &str, more: &[&str]| {
        bed.sync(table, "demo.customers")
            .args(["--strategy", "timestamp", "--merge", "upsert"])
            .args(more.iter().copied())
            .run()
    };
    // A source's name, out of the watermark.
    sync("dbo.Customers", &["--source-name", &name]).success();
    let run = sync("dbo.Customers", &[]).failure(&["belongs to source", "hint: "]);
    told(&run, &format!("--source-name 'x'{SHOWN}"));
    let run = bed
        .verify("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run();
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(
        said.contains(&format!("--source-name 'x'{SHOWN}")),
        "{said}"
    );
    assert_no_forgery(&run);
    // A column that the lake lacks.
    let add = format!("ALTER TABLE dbo.Customers ADD [{quoted}] int NULL");
    bed.source().execute(&add);
    let run = sync("dbo.Customers", &["--source-name", &name]).failure(&["hint: "]);
    told(&run, &format!("--exclude-columns 'x'{SHOWN}"));
    // One whose type is not carried.
    bed.source().execute(&format!(
        "CREATE TABLE dbo.Odd (Id int NOT NULL PRIMARY KEY, [{quoted}] sql_variant NULL, Modified datetime2 NOT NULL)"
    ));
    let run = bed
        .sync("dbo.Odd", "demo.odd")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .failure(&["sql_variant", "hint: "]);
    told(&run, &format!("--exclude-columns 'x'{SHOWN}"));
    // Lines that are the hint's own stay lines.
    let run = bed
        .sync("dbo.Customers", "demo.fresh")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--strategy-option", "column=Nothing"])
        .run()
        .failure(&["hint: it takes\n  column ("]);
    assert_no_forgery(&run);
}

#[test]
fn a_mark_is_data_to_programs_and_harmless_to_people() {
    let bed = customers::bed(1);
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .success();
    bed.on_lake(["watermark", "set"], "demo.customers")
        // A strategy of which nothing is known may have any.
        .args([
            "--strategy",
            "heard",
            "--mark",
            &format!("Heard=text:{EVIL}"),
        ])
        .run()
        .success();
    let show = bed.on_lake(["watermark", "show"], "demo.customers");
    let run = show.run().success();
    assert!(run.stdout.contains(r"\u001b[2J"), "{}", run.stdout);
    assert_no_forgery(&run);
    let run = show.args(["--output", "json"]).run().success();
    // Programs get the very text.
    let marks = &run.json()["watermark"]["marks"];
    assert_eq!(marks[0][1]["text"], EVIL, "{marks}");
}

#[test]
fn a_configuration_is_told_by_names_that_are_seen() {
    let bed = Bed::on_development_server();
    let file = bed.path("icehost.toml");
    let evil = serde_json::to_string(&format!("a{EVIL}")).unwrap();
    // JSON's escapes are TOML's, but for surrogates.
    let evil = evil
        .replace("\u{e0041}", "\\U000E0041")
        .replace('\u{9b}', "\\u009b");
    let base = "warehouse = \"w\"\n[connections.c]\nurl = \"mssql://127.0.0.1:1/d\"\n";
    let pipeline = |name: &str, more: &str| {
        format!(
            "{base}[pipelines.{name}]\nsource = \"c\"\nstrategy = \"id\"\nmerge = \"upsert\"\n{more}\n"
        )
    };
    for text in [
        pipeline(&evil, "table = \"dbo.T\""),
        pipeline("p", &format!("table = {evil}")),
        pipeline("p", &format!("table = \"dbo.T\"\nlake-table = {evil}")),
        pipeline("p", &format!("table = \"dbo.T\"\nlake-merge = {evil}")),
        pipeline("p", &format!("table = \"dbo.T\"\ntarget = {evil}")),
        pipeline("p", &format!("table = \"dbo.T\"\n{evil} = 1")),
        pipeline("p", &format!("table = \"dbo.T\"\nmemory-limit = {evil}")),
        pipeline(
            "p",
            &format!("table = \"dbo.T\"\ncolumn-rules = {{ {evil} = 1 }}"),
        ),
        format!("{base}[{evil}]\nx = 1\n"),
    ] {
        std::fs::write(&file, &text).unwrap();
        for output in ["text", "json"] {
            let run = Command::new(["check", "--offline", "--output", output, "--config"])
                .arg(file.display().to_string())
                .run();
            assert_ne!(run.code, Some(0), "{text}");
            assert_no_forgery(&run);
        }
    }
}

#[test]
fn arguments_and_names_of_files_make_no_lines() {
    let bed = Bed::on_development_server();
    let path = bed.path(&format!("x{EVIL}")).display().to_string();
    for arguments in [
        vec!["sync", EVIL],
        vec!["sync", &format!("--{EVIL}")],
        vec!["snapshots", "--warehouse", &path, "--lake-table", "a.b"],
        vec!["snapshots", "--warehouse", "w", "--lake-table", EVIL],
        vec!["check", "--config", &path],
        vec!["plugin", "inspect", &format!("{path}.wasm")],
        vec!["plugin", "inspect", EVIL],
        vec!["plugin", "pull", EVIL],
        vec![
            "watermark",
            "set",
            "--warehouse",
            "w",
            "--lake-table",
            "a.b",
            "--mark",
            EVIL,
        ],
    ] {
        let run = Command::new(arguments.iter().copied()).run();
        assert_ne!(run.code, Some(0));
        assert!(!run.stderr.is_empty());
        assert_no_forgery(&run);
    }
    let run = Command::new(["watermark", "show", "--lake-table", "a.b"])
        .env("ICEHOST_WAREHOUSE", &format!("s3://{EVIL}"))
        .run();
    assert_no_forgery(&run.failure(&["s3"]));
}

#[test]
fn a_filter_of_the_log_that_is_not_understood_is_told_on_one_line() {
    for format in ["text", "json"] {
        let run = Command::new(["plugin", "list", "--log-format", format])
            .env("RUST_LOG", &format!("icehost={EVIL}"))
            .run()
            .success();
        told(&run, "RUST_LOG is not understood");
        if format == "json" {
            for line in run.stderr.lines() {
                serde_json::from_str::<serde_json::Value>(line).expect(line);
            }
        }
    }
}

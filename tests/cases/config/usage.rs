//! What is told of a command line that is wrong: to people, and to programs.

use icehost_tests::{Bed, Command, customers};

use crate::file::{PASSWORD, with_config, without_password, write, write_raw};

/// A command that is wrong usage, and says all of these.
#[track_caller]
fn refused(command: Command, saying: &[&str]) -> icehost_tests::Run {
    let run = command.run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    for text in saying {
        assert!(run.stderr.contains(text), "'{text}': {}", run.stderr);
    }
    run
}

#[test]
fn a_program_that_reads_stdout_finds_an_object_of_wrong_usage_too() {
    let place = tempfile::tempdir().unwrap();
    for (arguments, error, hint) in [
        (
            &["sync", "--table", "dbo.T", "--nope", "--output", "json"][..],
            "unexpected argument '--nope' found",
            "Usage: icehost",
        ),
        (
            &["--output=json", "verify", "--limit", "x"],
            "a whole number from 0 to 10000 is wanted, of keys, such as 20",
            "--help",
        ),
        (
            &["sync", "--output", "json"],
            "there is no icehost.toml in the working directory",
            "[pipelines.customers]",
        ),
    ] {
        let command = Command::new(arguments.iter().copied()).in_directory(place.path());
        let run = refused(command, &[error]);
        let object = run.json();
        let told = object["error"].as_str().unwrap();
        assert!(told.contains(error) && !told.starts_with("error"), "{told}");
        assert!(object["hint"].as_str().unwrap().contains(hint), "{object}");
        let text = refused(
            Command::new(
                arguments
                    .iter()
                    .map(|word| word.strip_suffix("json").unwrap_or(word)),
            )
            .in_directory(place.path()),
            &[],
        );
        assert_eq!(text.stdout, "");
    }
    let command = Command::new(["sync", "--log-format", "json", "--nope"]);
    let run = refused(command, &[]);
    let line: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(line["level"], "ERROR");
}

#[test]
fn a_server_without_a_table_of_it_is_not_passed_over() {
    let nowhere = "mssql://sa:x@127.0.0.1:1/d";
    let says = [
        "'--source' names a server, and no '--table' of it",
        "hint: ",
    ];
    let explain = || Command::new(["plugin", "explain", "timestamp"]);
    refused(explain().args(["--source", nowhere]), &says);
    // Its variable may be there for other commands.
    explain().env("ICEHOST_SOURCE", nowhere).run().success();
    let verify = [
        "verify",
        "--warehouse",
        "w",
        "--lake-table",
        "a.b",
        "--merge",
        "upsert",
    ];
    let verify = Command::new(verify).args(["--target", nowhere, "--source", nowhere]);
    refused(verify, &says);
    explain().args(["--target-only", "Id"]).run().failure(&[
        "'timestamp' is a change-detector",
        "leave --target-only out",
    ]);
}

#[test]
fn what_goes_with_a_file_alone_is_told_so_beside_flags() {
    let place = tempfile::tempdir().unwrap();
    let flags = [
        "--source",
        "mssql://sa:x@h/d",
        "--table",
        "dbo.T",
        "--warehouse",
        "w",
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
    ];
    for (more, what) in [
        (&["--jobs", "2"][..], "'--jobs'"),
        (&["customers"], "a pipeline's name"),
    ] {
        let command = Command::new(["sync"])
            .args(flags)
            .args(more.iter().copied());
        let says = format!("{what} goes with a configuration file, and there is no icehost.toml");
        let run = refused(command.in_directory(place.path()), &[&says, "leave it out"]);
        assert!(!run.stderr.contains("[pipelines"), "{}", run.stderr);
    }
}

#[test]
fn a_file_that_is_not_there_is_the_failure_and_its_example_stands_in_lines() {
    let place = tempfile::tempdir().unwrap();
    for arguments in [
        &["check"][..],
        &["check", "--config", "nope.toml"],
        &["sync", "--config", "nope.toml"],
    ] {
        let command = || Command::new(arguments.iter().copied()).in_directory(place.path());
        let run = command().run().failure(&["error: cannot read "]);
        assert!(
            run.stderr.contains("\n  [connections.shop]\n"),
            "{}",
            run.stderr
        );
        for wrong in ["\\n", "1 problem", "mend the file"] {
            assert!(!run.stderr.contains(wrong), "{}", run.stderr);
        }
        let object = command().args(["--output", "json"]).run().json();
        let hint = object["hint"].as_str().unwrap();
        assert!(hint.contains("\n  table = \"dbo.Customers\"\n"), "{hint}");
        assert_eq!(object["problems"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_connection_says_which_half_of_its_login_is_missing() {
    let bed = customers::bed_on_development_server(1);
    let pipeline = "[pipelines.customers]\nsource = \"db\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\nmerge = \"upsert\"\n";
    let user = without_password(&bed.source_url());
    let nobody = user.replace("sa@", "");
    for (connection, lacking, way) in [
        (
            format!("url = \"{user}\""),
            "no password",
            "password-env or a file with password-file",
        ),
        (
            format!("url = \"{nobody}\""),
            "no user and no password",
            "user = \"…\"",
        ),
        (
            format!("url = \"{nobody}\"\npassword-env = \"{PASSWORD}\""),
            "no user ",
            "user = \"…\"",
        ),
    ] {
        write_raw(
            &bed,
            &format!("warehouse = \"w\"\n[connections.db]\n{connection}\n{pipeline}"),
        );
        for command in ["sync", "check"] {
            let run = with_config(&bed, [command]).run();
            let run = run.failure(&[
                &format!("icehost.toml:2:14: the connection has {lacking}"),
                way,
            ]);
            assert!(!run.stderr.contains("user:password"), "{}", run.stderr);
        }
    }
    let run = Command::new(["sync", "--table", "dbo.T", "--warehouse", "w"])
        .args([
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
            "--source",
            &user,
        ])
        .run();
    run.failure(&[
        "there is no password for ",
        "hint: write user and password into the URL",
    ]);
    let ado = "Server=127.0.0.1:14339;Database=x;User Id=sa;Password=y";
    Command::new(["sync", "--table", "dbo.T", "--warehouse", "w"])
        .args([
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
            "--source",
            ado,
        ])
        .run()
        .failure(&["the port stands behind a comma: Server=host,1433"]);
}

#[test]
fn what_verify_says_of_pipelines_has_what_the_object_of_a_sync_has() {
    let bed = customers::bed(2);
    write(
        &bed,
        r#"
[defaults]
source = "source"
strategy = "timestamp"
merge = "upsert"
[pipelines.right]
table = "dbo.Customers"
[pipelines.wrong]
table = "dbo.Customers"
lake-table = "demo.w"
target = "target"
[pipelines.missing]
table = "dbo.Nowhere"
"#,
    );
    with_config(&bed, ["sync", "right", "wrong"])
        .run()
        .success();
    bed.target()
        .execute("DELETE FROM dbo.Customers WHERE CustomerID = 1");
    let verify = |more: &[&str]| {
        with_config(&bed, ["verify"])
            .args(more.iter().copied())
            .run()
    };
    let object = verify(&["--output", "json"]).failure(&[]).json();
    assert!(object["duration_ms"].as_f64().unwrap() > 0.0);
    let of = |at: usize| &object["pipelines"][at];
    assert_eq!(
        (&of(0)["ok"], &of(0)["error"]),
        (&true.into(), &serde_json::Value::Null)
    );
    for at in [1, 2] {
        assert_eq!(of(at)["ok"], false, "{object}");
        assert!(
            of(at)["error"].is_string() && of(at)["hint"].is_string(),
            "{object}"
        );
    }
    let error = of(1)["error"].as_str().unwrap();
    assert!(
        error.starts_with("wrong: they do not agree: 1 missing"),
        "{error}"
    );
    // The sides that differ are not said to be equal.
    let text = verify(&[]).failure(&[]).stdout;
    assert!(
        text.contains("compared source table dbo.Customers with lake table demo.w: 2 and 2 rows, "),
        "{text}"
    );
    assert!(
        text.contains("with target table dbo.Customers: 2 and 1 row, "),
        "{text}"
    );
    assert!(!text.contains(" = lake"), "{text}");
    // Nothing but errors.
    let quiet = verify(&["--quiet"]).failure(&["do not agree"]);
    assert_eq!(quiet.stdout, "");
    for line in quiet.stderr.lines() {
        assert!(
            line.starts_with("error: ") || line.starts_with("hint: "),
            "{line}"
        );
    }
}

/// A dry run has done nothing that could stay.
#[test]
fn a_dry_run_that_fails_says_nothing_of_what_is_done() {
    let bed = Bed::on_development_server();
    write(
        &bed,
        "[pipelines.a]\nsource = \"source\"\ntable = \"dbo.Nowhere\"\nstrategy = \"timestamp\"\nmerge = \"upsert\"\n",
    );
    let run = with_config(&bed, ["sync", "--dry-run"]).run();
    let run = run.failure(&["1 of 1 pipeline failed, 0 done: a"]);
    assert!(!run.stderr.contains("what is done stays"), "{}", run.stderr);
}

#[test]
fn names_that_are_nearly_right_are_named() {
    let bed = customers::bed(1);
    bed.sync("dbo.Customers", "demo.lines")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .run()
        .success();
    let near = "did you mean 'demo.lines'?";
    bed.on_lake(["snapshots"], "demo.Lines")
        .run()
        .failure(&[near]);
    bed.on_lake(["watermark", "show"], "demo.line")
        .run()
        .failure(&[near]);
    let load = bed.load("demo.Lines", "dbo.T").args(["--merge", "upsert"]);
    load.run().failure(&[near]);
    let sync = bed.sync("dbo.Customers", "demo.other");
    let sync = sync.args(["--strategy", "timestamp", "--merge", "upsert"]);
    sync.args(["--strategy-option", "column=Modified"])
        .run()
        .failure(&["no column 'Modified' (did you mean 'ModifiedDate'?)"]);
    Command::new(["plugin", "explain", "timestamp", "--option", "colum=x"])
        .run()
        .failure(&["did you mean 'column'?"]);
    let misspelt = "mssql://sa:x@127.0.0.1:1/d?trust_server_certficate=true";
    Command::new([
        "sync",
        "--table",
        "dbo.T",
        "--warehouse",
        "w",
        "--source",
        misspelt,
    ])
    .args(["--strategy", "timestamp", "--merge", "upsert"])
    .run()
    .failure(&["did you mean 'trust_server_certificate'?"]);
}

/// What says how to go on says it at once, as a command that can be typed.
#[test]
fn a_mark_for_a_lake_without_a_watermark_is_set_by_the_command_that_is_told() {
    let bed = customers::bed(1);
    bed.sync("dbo.Customers", "demo.c")
        .args(["--strategy", "timestamp", "--merge", "append-only"])
        .run()
        .success();
    bed.on_lake(["watermark", "clear"], "demo.c")
        .run()
        .success();
    let set = bed.on_lake(["watermark", "set"], "demo.c");
    let set = set.args(["--mark", "ModifiedDate=timestamp:2026-01-31T12:00:00"]);
    let run = set
        .run()
        .failure(&["has no watermark to take the strategy and the source's name from"]);
    let command = run.stderr.split('`').nth(1).unwrap();
    let words = command.strip_prefix("icehost ").unwrap();
    // As a shell reads it.
    let words = words.replace('\'', "");
    Command::new(words.split(' ')).run().success();
    let shown = bed.on_lake(["watermark", "show"], "demo.c").json();
    assert_eq!(shown["watermark"]["strategy"], "timestamp");
}

#[test]
fn a_file_without_registries_has_nothing_to_lock() {
    let bed = Bed::on_development_server();
    write_raw(
        &bed,
        "warehouse = \"w\"\n[connections.a]\nurl = \"mssql://sa@h/d\"\npassword-env = \"X\"\n\
         [pipelines.a]\nsource = \"a\"\ntable = \"dbo.T\"\nstrategy = \"id\"\nmerge = \"upsert\"\n",
    );
    let run = with_config(&bed, ["plugin", "lock"]).run().success();
    assert!(run.stdout.contains("nothing to lock"), "{}", run.stdout);
    assert!(!bed.path("icehost.lock").exists());
}

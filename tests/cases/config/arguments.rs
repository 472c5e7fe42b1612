//! The flags beside `--config`, and those that only go without it.

use icehost_tests::{Bed, Command, customers};

use crate::file::{with_config, without_password, write};

#[test]
fn without_a_file_the_flags_are_required_as_ever() {
    let place = tempfile::tempdir().unwrap();
    let run = Command::new(["sync"]).in_directory(place.path()).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    for flag in [
        "--source",
        "--table",
        "--warehouse",
        "--strategy",
        "--merge",
    ] {
        assert!(run.stderr.contains(flag), "{flag}: {}", run.stderr);
    }
    // Some of them are no question of a file.
    let some = ["sync", "--table", "dbo.T", "--merge", "upsert"];
    let run = Command::new(some).in_directory(place.path()).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("--source"), "{}", run.stderr);
    assert!(!run.stderr.contains("icehost.toml"), "{}", run.stderr);
}

#[test]
fn where_there_is_no_file_that_is_said_and_what_the_least_is_that_one_says() {
    let bed = customers::bed(1);
    let none = "there is no icehost.toml in the working directory";
    let elsewhere = tempfile::tempdir().unwrap();
    for arguments in [
        &["sync"][..],
        &["sync", "customers"],
        &["sync", "--jobs=2"],
        &["load", "customers"],
        &["verify", "customers"],
        &["verify"],
        &["snapshots", "customers"],
        &["table", "list"],
        &["table", "describe", "customers"],
        &["watermark", "show", "customers"],
        &["watermark", "clear", "customers"],
    ] {
        let run = Command::new(arguments.iter().copied()).in_directory(elsewhere.path());
        let run = run.run();
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        for said in [none, "hint: ", "--config FILE", "[pipelines.customers]"] {
            assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
        }
    }
    let check = Command::new(["check"]).in_directory(elsewhere.path());
    check.run().failure(&[
        "cannot read icehost.toml",
        "hint: name the configuration file with --config, or write one",
        "[pipelines.customers]",
    ]);

    // The example is a file, but for names.
    let run = Command::new(["sync"]).in_directory(elsewhere.path()).run();
    let example = run
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("  "));
    let example: Vec<&str> = example.take_while(|line| !line.is_empty()).collect();
    let text = example.join("\n");
    let url = without_password(&bed.source_url());
    let text = text.replace("mssql://USER@HOST/DATABASE", &url);
    std::fs::write(bed.path("icehost.toml"), text).unwrap();
    Command::new(["sync", "customers"])
        .in_directory(bed.path(""))
        .env("SHOP_PASSWORD", &bed.login().1)
        .run()
        .success();
}

/// Of the strategies of the kind that is wanted, and of the options of the strategy.
#[test]
fn a_misspelt_strategy_or_option_is_named_with_the_nearest() {
    let bed = customers::bed(1);
    let sync = |flags: &[&'static str]| {
        let mut all = vec![("--strategy", "timestamp"), ("--merge", "upsert")];
        for pair in flags.chunks(2) {
            all.retain(|(flag, _)| *flag != pair[0] || pair[0] == "--transform");
            all.push((pair[0], pair[1]));
        }
        let target = bed.target_url();
        let mut command = bed
            .sync("dbo.Customers", "demo.c")
            .args(["--target", &target]);
        for (flag, value) in all {
            command = command.args([flag, value]);
        }
        command.run()
    };
    for (flags, near) in [
        (&["--strategy", "timestmp"][..], "timestamp"),
        (&["--merge", "upsrt"], "upsert"),
        (&["--lake-merge", "append_only"], "append-only"),
        (&["--transform", "msk"], "mask"),
        (&["--strategy-option", "colum=ModifiedDate"], "column"),
        (&["--merge-option", "key=CustomerID"], "keys"),
        (
            &[
                "--merge",
                "append-only",
                "--lake-merge",
                "upsert",
                "--lake-merge-option",
                "when-match=skip",
            ],
            "when-matched",
        ),
        (
            &["--transform", "mask", "--transform-option", "colums=Name"],
            "columns",
        ),
        (
            &[
                "--transform",
                "mask",
                "--transform-option",
                "msk:columns=Name",
                "--transform",
                "tenant-filter",
            ],
            "mask",
        ),
    ] {
        sync(flags).failure(&[&format!("hint: did you mean '{near}'?")]);
    }
    // What is near is of another kind.
    let run = sync(&["--strategy", "upsrt"])
        .failure(&["there is no strategy 'upsrt'", "hint: shipped are "]);
    assert!(
        run.stderr.contains("timestamp") && !run.stderr.contains("append-only"),
        "{}",
        run.stderr
    );
    // The file has the same.
    write(
        &bed,
        r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
strategy-options = { colum = "ModifiedDate" }
merge = "upsert"
"#,
    );
    with_config(&bed, ["check"])
        .run()
        .failure(&["there is no option 'colum'", "did you mean 'column'?"]);
}

#[test]
fn what_the_file_says_is_refused_as_a_flag_but_not_as_a_variable() {
    let bed = customers::bed(1);
    write(
        &bed,
        r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
merge = "upsert"
"#,
    );
    for (flag, value) in [
        ("--source", "mssql://sa:hunter2@nowhere/db"),
        ("--warehouse", "/elsewhere"),
        ("--parallel", "2"),
        ("--merge-option", "keys=a"),
    ] {
        let run = with_config(&bed, ["sync"]).args([flag, value]).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(flag), "{}", run.stderr);
        assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
    }
    with_config(&bed, ["sync"])
        .env("ICEHOST_SOURCE", "mssql://nowhere/db")
        .env("ICEHOST_WAREHOUSE", "/elsewhere")
        .run()
        .success();
    assert!(bed.lake("dbo.customers").exists());
}

#[test]
fn a_pipeline_that_is_not_there_is_named_with_the_nearest() {
    let bed = Bed::on_development_server();
    write(
        &bed,
        r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
merge = "upsert"
"#,
    );
    with_config(&bed, ["sync", "custmers"]).run().failure(&[
        "there is no pipeline 'custmers'",
        "did you mean 'customers'?",
    ]);
    Command::new(["sync", "--config", "nowhere/icehost.toml"])
        .run()
        .failure(&["cannot read nowhere/icehost.toml", "hint"]);
}

#[test]
fn an_address_that_is_refused_is_said_to_be_the_sources_or_the_targets() {
    let right = "mssql://sa@127.0.0.1:1/d";
    let wrong = "mssql://sa@127.0.0.1:one/d";
    for (source, target, whose) in [
        (
            wrong,
            right,
            "the address of the source (--source, ICEHOST_SOURCE): ",
        ),
        (
            right,
            wrong,
            "the address of the target (--target, ICEHOST_TARGET): ",
        ),
    ] {
        for command in ["sync", "verify"] {
            let arguments = ["--table", "dbo.T", "--warehouse", "lake"];
            Command::new([command])
                .args(arguments)
                .args(["--strategy", "timestamp", "--merge", "upsert"])
                .args(["--source", source])
                .env("ICEHOST_TARGET", target)
                .run()
                .failure(&[whose, "port", "hint: "]);
        }
    }
}

//! The flags beside `--config`, and those that only go without it.

use icehost_tests::{Bed, Command, customers};

use crate::file::{with_config, write};

#[test]
fn without_a_file_the_flags_are_required_as_ever() {
    let run = Command::new(["sync"]).run();
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
    for alone in [["sync", "customers"], ["sync", "--jobs=2"]] {
        let run = Command::new(alone).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("--config"), "{}", run.stderr);
    }
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

//! `icehost.toml` in the working directory, found without `--config`.

use icehost_tests::{Bed, Command, customers};

use crate::file::{PASSWORD, write};

const PIPELINES: &str = r#"
[defaults]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
merge = "upsert"

[pipelines.customers]
target = "target"

[pipelines.copy]
lake-table = "other.customers"
"#;

/// `icehost` in the bed's directory.
fn here<'a>(bed: &Bed, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let command = Command::new(arguments).in_directory(bed.path(""));
    command.env(PASSWORD, &bed.login().1)
}

#[test]
fn every_command_of_pipelines_finds_the_file() {
    let bed = customers::bed(3);
    write(&bed, PIPELINES);
    here(&bed, ["check"]).run().success();
    let dry = here(&bed, ["sync", "--dry-run"]).run().success();
    assert!(dry.stdout.contains("copy:"), "{}", dry.stdout);
    let synced = here(&bed, ["sync", "--jobs", "2"]).json();
    assert_eq!(synced["succeeded"], 2);
    let verified = here(&bed, ["verify", "customers"]).json();
    assert_eq!(verified["pipelines"].as_array().map(Vec::len), Some(1));
    let snapshots = here(&bed, ["snapshots", "copy"]).json();
    assert_eq!(snapshots["snapshots"].as_array().map(Vec::len), Some(1));
    here(&bed, ["watermark", "show", "customers"])
        .run()
        .success();
    here(&bed, ["load", "customers", "--full"]).run().success();
    here(&bed, ["load", "customers", "--dry-run"])
        .run()
        .success();
    here(&bed, ["watermark", "clear", "copy"]).run().success();
    here(&bed, ["load", "nobody"])
        .run()
        .failure(&["there is no pipeline 'nobody'"]);
}

#[test]
fn a_command_that_is_not_yet_one_shows_its_help() {
    let bed = customers::bed_on_development_server(1);
    write(&bed, PIPELINES);
    for words in [&[] as &[&str], &["watermark"], &["plugin"]] {
        let run = here(&bed, words.iter().copied()).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("Usage: icehost"), "{}", run.stderr);
        assert!(!run.stderr.contains("unexpected"), "{}", run.stderr);
    }
    here(&bed, ["completions", "bash"]).run().success();
}

#[test]
fn a_file_in_another_encoding_is_told_with_a_way_on() {
    let bed = customers::bed_on_development_server(1);
    std::fs::write(bed.path("icehost.toml"), b"# f\xfcr\n").unwrap();
    let run = here(&bed, ["check"]).run();
    let run = run.failure(&[
        "is not text in UTF-8, from byte 3 on",
        "hint: save the file as UTF-8",
    ]);
    assert!(!run.stderr.contains("--config"), "{}", run.stderr);
}

#[test]
fn flags_that_say_what_is_where_count_instead() {
    let bed = customers::bed(3);
    // Whoever reads it stops here.
    std::fs::write(bed.path("icehost.toml"), "this is not TOML").unwrap();
    bed.sync_to_target("dbo.Customers", "demo.c")
        .in_directory(bed.path(""))
        .run()
        .success();
    let loaded = bed.load("demo.c", "dbo.Customers");
    let loaded = loaded.args(["--merge", "upsert"]);
    loaded.in_directory(bed.path("")).run().success();
    for subcommand in [vec!["snapshots"], vec!["watermark", "show"]] {
        let asked = bed.on_lake(subcommand, "demo.c");
        asked.in_directory(bed.path("")).run().success();
    }
    for subcommand in ["sync", "verify"] {
        here(&bed, [subcommand])
            .run()
            .failure(&["1 problem in icehost.toml"]);
    }
    // Another file is named by hand.
    let named = ["sync", "--config", "elsewhere.toml"];
    here(&bed, named)
        .run()
        .failure(&["cannot read elsewhere.toml"]);
}

#[test]
fn what_the_file_says_is_refused_as_a_flag() {
    let bed = customers::bed(1);
    write(&bed, PIPELINES);
    for (arguments, flag) in [
        (vec!["sync", "--parallel", "4"], "parallel"),
        (vec!["sync", "copy", "--table", "dbo.T"], "table"),
        (vec!["load", "copy", "--merge", "upsert"], "merge"),
        (vec!["snapshots", "copy", "--warehouse", "w"], "warehouse"),
    ] {
        let run = here(&bed, arguments).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        let said = format!("'--{flag}' cannot be used with 'icehost.toml': set '{flag}'");
        assert!(run.stderr.contains(&said), "{}", run.stderr);
    }
    // Variables may be there for other commands.
    here(&bed, ["sync", "customers"])
        .env("ICEHOST_SOURCE", "mssql://nowhere/db")
        .env("ICEHOST_WAREHOUSE", "/elsewhere")
        .env("ICEHOST_TARGET", "mssql://nowhere/db")
        .run()
        .success();
}

//! `icehost plugin explain`: a plan in its own terms, and the SQL that it becomes.

use icehost_tests::{Bed, Command};

fn explain(arguments: &[&str]) -> Command {
    Command::new(["plugin", "explain"]).args(arguments.iter().copied())
}

/// The text that people get, of a strategy and the table that it needs.
fn text(arguments: &[&str]) -> String {
    explain(arguments).run().success().stdout
}

const VERSIONS: [&str; 7] = [
    "HistoryId int identity key",
    "Id int",
    "Price money null",
    "ModifiedDate datetime2(3)",
    "ValidFrom datetime2(3)",
    "ValidTo datetime2(3) null",
    "IsCurrent bit",
];

#[test]
fn shipped_strategies_are_explained() {
    let mut report = Vec::new();
    let mut add = |arguments: &[&str]| {
        report.push(format!("### {}\n{}", arguments.join(" "), text(arguments)));
    };
    add(&["timestamp"]);
    add(&["id"]);
    add(&["rowversion"]);
    add(&["full-refresh"]);
    add(&["upsert", "--option", "delete-missing=true"]);
    add(&["append-only"]);
    add(&[
        "soft-delete",
        "--column",
        "Id int key",
        "--column",
        "Name nvarchar(50) null",
        "--column",
        "IsDeleted bit",
        "--target-only",
        "IsDeleted",
    ]);
    let mut history = vec!["scd2", "--option", "keys=Id"];
    history.extend(["--target-only", "HistoryId,ValidFrom,ValidTo,IsCurrent"]);
    for column in VERSIONS {
        history.extend(["--column", column]);
    }
    add(&history);
    add(&["mask", "--option", "columns=Email"]);
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn json_says_the_same() {
    let json = explain(&["timestamp"]).json();
    assert_eq!(json["kind"], "change-detector");
    assert_eq!(json["runs"][0]["run"], "first run");
    let text = text(&["timestamp"]);
    for run in json["runs"].as_array().unwrap() {
        for part in ["plan", "sql", "probe_sql"] {
            for said in run[part].as_str().unwrap().lines() {
                assert!(text.contains(said), "{said}\n{text}");
            }
        }
    }
    let checks = json["checks"].as_array().unwrap();
    assert!(checks.len() >= 4 && checks.iter().all(|check| check["holds"] == true));
}

#[test]
fn a_table_of_a_server_is_explained_and_names_of_others_make_no_lines() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.[x\u{202e}\nerror: y] (Id int NOT NULL PRIMARY KEY, [a\u{1b}]]b] int NOT NULL)",
    );
    let source = bed.source_url();
    let table = "dbo.[x\u{202e}\nerror: y]";
    let run = explain(&["upsert", "--source", &source, "--table", table])
        .run()
        .success();
    assert!(run.stdout.contains("a\\u001b]b int"), "{}", run.stdout);
    assert!(run.stdout.lines().all(|line| !line.starts_with("error")));
    explain(&["id", "--source", &source, "--table", "dbo.nothing"])
        .run()
        .failure(&["nothing"]);
}

#[test]
fn what_a_strategy_cannot_use_is_told_with_what_to_do() {
    explain(&["timestamp", "--column", "Id int key"])
        .run()
        .failure(&["timestamp", "--column"]);
    explain(&["upsert", "--option", "nothing=1"])
        .run()
        .failure(&["nothing"]);
    explain(&["upsert", "--column", "Id inte"])
        .run()
        .failure(&["inte"]);
}

/// The example has what a merger needs beside the source's columns.
#[test]
fn mergers_are_shown_an_example_that_they_take() {
    for (strategy, column) in [
        ("upsert", "Id int key"),
        ("soft-delete", "IsDeleted bit"),
        ("scd2", "ValidFrom datetime2(3) key"),
    ] {
        let told = text(&[strategy]);
        assert!(told.contains(column), "{told}");
    }
}

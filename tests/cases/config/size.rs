//! Files with many pipelines, and files that would make many of a few lines.

use std::fmt::Write;

use icehost_tests::Bed;

use crate::file::{with_config, write_raw};

/// What the program may take for a file of a few megabytes: a debug build and compiled strategies.
const MOST_MEMORY: u64 = 400 << 20;

const HEAD: &str = r#"
warehouse = "lake"
[connections.shop]
server = "db.invalid"
user = "sa"
password-env = "SHOP_PASSWORD"
[defaults]
source = "shop"
strategy = "timestamp"
merge = "upsert"
"#;

fn pipelines(count: usize) -> String {
    let mut text = HEAD.to_owned();
    for number in 0..count {
        writeln!(text, "[pipelines.p{number}]\ntable = \"dbo.T{number}\"").unwrap();
    }
    text
}

#[test]
fn thousands_of_pipelines_are_checked() {
    let bed = Bed::on_development_server();
    write_raw(&bed, &pipelines(10_000));
    let (run, memory) = with_config(&bed, ["check", "--offline"]).run_watched();
    assert!(
        run.success()
            .stdout
            .contains("no problem found in 10000 pipelines")
    );
    assert!(memory < MOST_MEMORY, "{memory}");

    // Each with a mistake of its own, in one line.
    let (top, rest) = HEAD.split_once("[connections").unwrap();
    let mut text = format!("{top}pipelines = {{");
    for number in 0..3000 {
        write!(
            text,
            " p{number} = {{ table = \"dbo.T\", strategie = \"s{number}\" }},"
        )
        .unwrap();
    }
    text.push_str(" q = { table = \"dbo.Q\" } }\n");
    text.push_str("[connections");
    text.push_str(rest);
    write_raw(&bed, &text);
    let (run, memory) = with_config(&bed, ["check", "--offline"]).run_watched();
    let run = run.failure(&["'strategie'", "did you mean 'strategy'?"]);
    // Each of them writes the table of the one before, too. The first of them, how many more there are, and all of them for programs.
    assert_eq!(run.stderr.matches("'strategie'").count(), 20);
    for said in ["5959 problems more", "5999 problems in", "--output json"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    let json = with_config(&bed, ["check", "--offline", "--output", "json"]).run();
    assert_eq!(json.json()["problems"].as_array().unwrap().len(), 5999);
    assert!(memory < MOST_MEMORY, "{memory}");
}

#[test]
fn a_file_has_so_many_pipelines_and_no_more() {
    let bed = Bed::on_development_server();
    write_raw(&bed, &pipelines(20_001));
    with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&["more than 20000 pipelines", "make several files of it"]);

    let mut text = HEAD.to_owned();
    for number in 0..300 {
        writeln!(text, "[tenants.t{number}]\nlake-namespace = \"n{number}\"").unwrap();
        writeln!(
            text,
            "[pipelines.p{number}]\ntable = \"dbo.T{number}\"\ntenants = \"all\""
        )
        .unwrap();
    }
    write_raw(&bed, &text);
    let (run, memory) = with_config(&bed, ["check", "--offline"]).run_watched();
    run.failure(&["more than 20000 pipelines"]);
    assert!(memory < MOST_MEMORY, "{memory}");
}

#[test]
fn long_names_take_no_memory() {
    let bed = Bed::on_development_server();
    let mut text = HEAD.to_owned();
    let long = "n".repeat(60_000);
    writeln!(
        text,
        "[pipelines.p]\ntable = \"dbo.T\"\nstrategy = \"{long}x\""
    )
    .unwrap();
    writeln!(text, "[strategies.{long}]\nshipped = \"timestamp\"").unwrap();
    write_raw(&bed, &text);
    let (run, memory) = with_config(&bed, ["check", "--offline"]).run_watched();
    let run = run.failure(&["there is no strategy"]);
    assert!(run.stderr.len() < 10_000, "{}", run.stderr.len());
    assert!(memory < MOST_MEMORY, "{memory}");
}

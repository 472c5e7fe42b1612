//! What commands say on stderr: to people, to programs, and not at all.

use icehost_tests::{Bed, Command, below, customers};
use serde_json::Value;

use crate::file::{with_config, write};

/// A source whose last digit the lake cannot hold: the run warns.
fn bed() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, At datetime2(7) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '2026-01-01T00:00:00.1234567')",
    );
    bed
}

fn sync(bed: &Bed) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
}

#[test]
fn quiet_is_quiet_but_for_errors_and_the_object() {
    let bed = bed();
    let told = sync(&bed).run().success();
    assert!(told.stderr.starts_with("warning: "), "{}", told.stderr);
    assert!(told.stdout.contains("1 row read"), "{}", told.stdout);
    for quiet in ["-q", "--quiet"] {
        let run = sync(&bed).arg(quiet).env("RUST_LOG", "debug").run();
        let run = run.success();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    }
    let run = sync(&bed).args(["-q", "--output", "json"]).run().success();
    assert_eq!(run.stderr, "");
    assert_eq!(run.json()["rows_extracted"], 1);
    let run = sync(&bed)
        .args(["-q", "--exclude-columns", "Nowhere"])
        .run();
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    // What was asked for is no report.
    let shown = bed.on_lake(["snapshots"], "demo.t").arg("-q").run();
    assert!(shown.success().stdout.contains("snapshot"));
}

#[test]
fn programs_get_an_object_a_line() {
    let bed = bed();
    let objects = |stderr: &str| -> Vec<Value> {
        let lines = stderr.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    };
    let json = || sync(&bed).args(["--log-format", "json"]);
    let run = json().env("RUST_LOG", "info").run().success();
    let said = objects(&run.stderr);
    let level = |level: &str| said.iter().any(|object| object["level"] == level);
    assert!(level("INFO") && level("WARN"), "{said:#?}");
    for object in &said {
        assert!(object["timestamp"].is_string(), "{object}");
        assert!(object["message"].is_string(), "{object}");
    }
    let run = json().args(["--exclude-columns", "Nowhere"]).run();
    let said = objects(&run.failure(&[]).stderr);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert_eq!(said[0]["level"], "ERROR");
    assert!(said[0]["hint"].is_string(), "{said:#?}");
}

const PIPELINE: &str = r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
merge = "upsert"
"#;

#[test]
fn people_are_told_warnings_without_modules_and_times() {
    let bed = customers::bed(1);
    write(&bed, PIPELINE);
    let cache = bed.path("cache");
    let sync = || {
        let command = with_config(&bed, ["sync"]);
        command.args(["--cache-dir", &cache.display().to_string()])
    };
    sync().run().success();
    for file in below(&cache) {
        if !file.ends_with("key") {
            std::fs::write(file, "damaged").unwrap();
        }
    }
    let run = sync().run().success();
    let again = "warning: compiling again: ";
    assert!(run.stderr.contains(again), "{}", run.stderr);
    for line in run.stderr.lines() {
        assert!(line.starts_with("warning: "), "{line}");
        let is_bare = !line.contains("icehost_strategy") && !line.contains("WARN");
        assert!(is_bare, "{line}");
    }
    // Who asks for a log gets one.
    let run = sync().env("RUST_LOG", "icehost=info").run().success();
    assert!(
        run.stderr.contains("icehost_sync::") || run.stderr.contains("icehost_cli::"),
        "{}",
        run.stderr
    );
}

#[test]
fn hints_name_keys_beside_a_file_and_flags_otherwise() {
    let bed = customers::bed(1);
    let wrong = PIPELINE.replace("merge =", "column-rules = { CustomerID = 'null' }\nmerge =");
    write(&bed, &wrong);
    let said = "--exclude-columns leaves other columns out";
    let flags = bed.sync("dbo.Customers", "demo.c").args([
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
        "--column-rule",
        "CustomerID=null",
    ]);
    flags.run().failure(&[said]);
    let key = "'exclude-columns' leaves other columns out";
    for command in ["sync", "check"] {
        let run = with_config(&bed, [command]).run().failure(&[key]);
        assert!(!run.stderr.contains("--exclude-columns"), "{}", run.stderr);
    }
}

#[test]
fn many_pipelines_fit_a_screen() {
    let bed = customers::bed(1);
    let mut text = String::from(
        "[defaults]\nsource = \"source\"\nstrategy = \"timestamp\"\nmerge = \"upsert\"\nretries = 0\n",
    );
    for number in 0..14 {
        let table = match number {
            0..12 => "dbo.Customers",
            _ => "dbo.Nowhere",
        };
        text.push_str(&format!(
            "[pipelines.p{number:02}]\ntable = \"{table}\"\nlake-table = \"demo.t{number}\"\n"
        ));
    }
    write(&bed, &text);
    let run = with_config(&bed, ["sync", "--jobs", "4"])
        .run()
        .failure(&[]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stdout);
    let failed = "failed: p12, p13: ";
    assert!(lines[0].starts_with(failed), "{}", run.stdout);
    assert!(
        lines[1].starts_with("changed: p00, p01, "),
        "{}",
        run.stdout
    );
    assert!(
        lines[1].contains("and 4 more: 12 rows read, 12 appended"),
        "{}",
        run.stdout
    );
    let told = run.stderr.matches("error: ").count();
    assert_eq!(told, 2, "equal ones once, and the sum: {}", run.stderr);
    let ended = "2 of 14 pipelines failed, 12 done: p12, p13";
    assert!(run.stderr.contains(ended), "{}", run.stderr);
    // All of it is in the object.
    let run = with_config(&bed, ["sync", "--output", "json"]).run();
    let object = run.failure(&[]).json();
    assert_eq!(object["pipelines"].as_array().map(Vec::len), Some(14));
    let run = with_config(
        &bed,
        [
            "sync", "p00", "p01", "p02", "p03", "p04", "p05", "p06", "p07", "p08", "p09", "p10",
        ],
    )
    .run();
    assert_eq!(run.success().stdout.lines().next(), Some("nothing new: 11"));
}

/// On a terminal a line moves; what is said meanwhile stands on lines of its own, with nothing of it left there.
#[test]
#[cfg(target_os = "linux")]
fn a_warning_stands_above_the_line_that_moves() {
    let bed = bed();
    let program = icehost_tests::program().display().to_string();
    let url = bed.source_url();
    let warehouse = bed.warehouse().display().to_string();
    let on_terminal = |more: &str| {
        let command = format!(
            "'{program}' sync --source \"$SOURCE\" --table dbo.T --warehouse '{warehouse}' --lake-table demo.t \
             --strategy full-refresh --merge upsert {more}"
        );
        let output = std::process::Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("SOURCE", &url)
            .env("NO_COLOR", "1")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = on_terminal("");
    assert!(
        shown.contains("asking the source what changed"),
        "{shown:?}"
    );
    let warnings: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("warning: "))
        .collect();
    assert!(!warnings.is_empty(), "{shown:?}");
    for line in warnings {
        // What was on the line is taken away before.
        let left = line
            .rsplit(['\r', '\u{1b}'])
            .find(|part| part.contains("warning: "));
        let left = left
            .unwrap_or_default()
            .trim_start_matches("[2K")
            .trim_start_matches("[K");
        assert!(left.starts_with("warning: "), "{line:?}");
    }
    let report = shown.lines().find(|line| line.contains("-> demo.t: "));
    let report = report.unwrap_or_default();
    assert!(report.starts_with("dbo.T -> demo.t: "), "{shown:?}");
    for quiet in ["-q", "--log-format json"] {
        let shown = on_terminal(quiet);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}

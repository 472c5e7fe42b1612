//! The author's path in each language: new, build, inspect, test, sync.

use std::path::Path;

use icehost_tests::{Bed, Command, Dump};

fn tools() -> String {
    std::env::var("ICEHOST_TEST_TOOLS").expect(
        "ICEHOST_TEST_TOOLS is a search path of componentize-py and componentize-js: run tests/run.sh",
    )
}

/// A command that finds the tools that `tests/run.sh` installs, and compiles into the bed's own cache.
fn command<'a>(bed: &Bed, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let path = std::env::var("PATH").unwrap();
    Command::new(arguments)
        .env("PATH", &format!("{}:{path}", tools()))
        .env("XDG_CACHE_HOME", &bed.path("cache").display().to_string())
}

/// A new strategy in the directory `made`.
fn new(bed: &Bed, kind: &str, language: &str) -> String {
    if language == "javascript" {
        // What its transformers import is looked for above, as node does.
        let packages = std::env::split_paths(&tools())
            .filter_map(|bin| Some(bin.parent()?.to_owned()))
            .find(|packages| packages.ends_with("node_modules"))
            .expect("ICEHOST_TEST_TOOLS has node_modules/.bin");
        std::os::unix::fs::symlink(packages, bed.path("node_modules")).unwrap();
    }
    let directory = bed.path("made").display().to_string();
    command(
        bed,
        [
            "plugin", "new", &directory, "--kind", kind, "--lang", language,
        ],
    )
    .run()
    .success();
    directory
}

/// The checks of a directory that do not hold under cases.
fn failures(bed: &Bed, directory: &str, cases: &Path) -> Vec<String> {
    let tested = command(bed, ["plugin", "test", directory, "--cases"])
        .arg(cases.display().to_string())
        .args(["--output", "json"])
        .run();
    let failed: Vec<String> = tested.json()["checks"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", tested.stderr))
        .iter()
        .filter(|check| check["holds"] != true)
        .map(ToString::to_string)
        .collect();
    if failed.is_empty() {
        tested.success();
    }
    failed
}

/// What is beside this file.
fn beside(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cases/plugin/languages")
        .join(path)
}

/// A new strategy, built and found to be good; gives its component.
fn good(bed: &Bed, kind: &str, language: &str) -> String {
    let directory = new(bed, kind, language);
    let component = bed.path("made.wasm").display().to_string();
    let run = |arguments: &[&str]| command(bed, arguments.iter().copied());
    let built = run(&["plugin", "build", &directory, "--out", &component])
        .run()
        .success();
    let installing = built.stderr.contains("installing");
    assert!(!installing, "tests install nothing: {}", built.stderr);

    let inspected = run(&["plugin", "inspect", &component]).json();
    let strategy = &inspected["strategies"][0];
    assert_eq!(
        (&strategy["name"], &strategy["kind"]),
        (&"made".into(), &kind.into())
    );
    for import in strategy["imports"].as_array().unwrap() {
        let import = import.as_str().unwrap();
        assert!(import.starts_with("icehost:strategy/"), "{import}");
    }

    for cases in [&bed.path("made/cases"), &beside(&format!("{kind}.toml"))] {
        let failed = failures(bed, &directory, cases);
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }
    component
}

/// Runs of a detector by `Number`: what came since, what came late, and what an earlier version had read.
fn syncs(bed: &Bed, detector: &str) {
    for (number, kind) in [("bigint", "integer"), ("float", "double")] {
        syncs_by(bed, detector, number, kind);
        bed.source().execute("DROP TABLE dbo.T");
        std::fs::remove_dir_all(bed.warehouse()).unwrap();
    }
}

fn syncs_by(bed: &Bed, detector: &str, number: &str, kind: &str) {
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Number {number} NULL); \
         INSERT INTO dbo.T VALUES (1, 7), (2, 8)",
    ));
    let reads = |change: &str, rows: u64, again: u64| {
        bed.source().execute(change);
        let synced = bed
            .sync("dbo.T", "demo.t")
            .args(["--strategy", detector, "--strategy-option"])
            .args(["column=Number", "--merge", "append-only"])
            .env("XDG_CACHE_HOME", &bed.path("cache").display().to_string())
            .json();
        let told = (&synced["rows_extracted"], &synced["rows_read_again"]);
        assert_eq!(told, (&rows.into(), &again.into()), "{change}");
    };
    reads("SELECT 1", 2, 0);
    reads("UPDATE dbo.T SET Number = 9 WHERE Id = 1", 1, 1);
    reads("INSERT INTO dbo.T VALUES (3, 9), (4, 8)", 2, 2);
    bed.on_lake(["watermark", "set"], "demo.t")
        .args(["--format", "1", "--mark", &format!("Number={kind}:9")])
        .run()
        .success();
    reads("INSERT INTO dbo.T VALUES (5, 7), (6, 9)", 2, 4);
    reads("INSERT INTO dbo.T VALUES (7, 10)", 1, 6);
    let dump = Dump::agreed(&bed.lake("demo.t"), None);
    assert_eq!(dump.rows.len(), 8, "{:?}", dump.rows);
}

#[test]
fn a_detector_in_javascript() {
    let bed = Bed::new();
    let detector = good(&bed, "change-detector", "javascript");
    syncs(&bed, &detector);
}

#[test]
fn a_merger_in_javascript() {
    good(&Bed::new(), "merger", "javascript");
}

#[test]
fn a_detector_in_python() {
    let bed = Bed::new();
    let detector = good(&bed, "change-detector", "python");
    syncs(&bed, &detector);
}

#[test]
fn a_merger_in_python() {
    good(&Bed::new(), "merger", "python");
}

#[test]
fn a_detector_in_c() {
    let bed = Bed::new();
    let detector = good(&bed, "change-detector", "c");
    syncs(&bed, &detector);
}

#[test]
fn a_merger_in_c() {
    good(&Bed::new(), "merger", "c");
}

/// The template of a transformer, on the way to the lake.
fn transforms(language: &str) {
    let bed = Bed::new();
    let transformer = good(&bed, "batch-transformer", language);
    bed.source().execute(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email nvarchar(100) NULL); \
         INSERT INTO dbo.People VALUES (1, N'ann@Example.com'), (2, NULL), (3, N'bob@other.org')",
    );
    let sync = || {
        bed.sync("dbo.People", "demo.people")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--transform", &transformer])
            .args(["--transform-option", "column=Email"])
            .env("XDG_CACHE_HOME", &bed.path("cache").display().to_string())
            .json()
    };
    let domains = || {
        let dump = Dump::agreed(&bed.lake("demo.people"), None);
        let row = |row: &String| serde_json::from_str::<Vec<serde_json::Value>>(row).unwrap();
        let domain = |row: Vec<serde_json::Value>| row[2].as_str().unwrap().to_owned();
        let mut domains: Vec<String> = dump.rows.iter().map(row).map(domain).collect();
        domains.sort();
        domains
    };
    sync();
    assert_eq!(domains(), ["example.com", "other.org"]);
    bed.source()
        .execute("UPDATE dbo.People SET Email = N'cy@x.io' WHERE Id = 2");
    sync();
    assert_eq!(domains(), ["example.com", "other.org", "x.io"]);
}

/// A strategy of the template whose source writes what it reads: every type comes back as it was.
fn echoes(language: &str, source: &str) {
    let bed = Bed::new();
    let directory = new(&bed, "batch-transformer", language);
    let name = format!("echo/{source}");
    std::fs::copy(beside(&name), bed.path("made").join(source)).unwrap();
    let cases = beside("echo/cases.toml");
    let failed = failures(&bed, &directory, &cases);
    assert!(failed.is_empty(), "{}", failed.join("\n"));

    // More bytes than an instance may have.
    command(&bed, ["plugin", "bench", &directory, "--runs", "10"])
        .arg("--cases")
        .arg(cases.display().to_string())
        .run()
        .success();
}

#[test]
fn a_transformer_in_javascript() {
    transforms("javascript");
}

#[test]
fn a_transformer_in_javascript_reads_and_writes_every_type() {
    echoes("javascript", "strategy.js");
}

#[test]
fn a_transformer_in_python() {
    transforms("python");
}

#[test]
fn a_transformer_in_python_reads_and_writes_every_type() {
    echoes("python", "strategy.py");
}

#[test]
fn a_transformer_in_c() {
    transforms("c");
}

#[test]
fn a_transformer_in_c_reads_and_writes_every_type() {
    echoes("c", "strategy.c");
}

#[test]
fn rust_answers_the_same() {
    for kind in ["change-detector", "merger"] {
        let bed = Bed::new();
        let component = good(&bed, kind, "rust");
        if kind == "change-detector" {
            syncs(&bed, &component);
        }
    }
    transforms("rust");
}

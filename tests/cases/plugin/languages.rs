//! The author's path in each language: new, build, inspect, test, sync.

use std::path::Path;

use icehost_tests::{Bed, Command};

/// A command that finds the tools that `tests/run.sh` installs, and compiles into the bed's own cache.
fn command<'a>(bed: &Bed, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let tools = std::env::var("ICEHOST_TEST_TOOLS").expect(
        "ICEHOST_TEST_TOOLS is a search path of componentize-py and componentize-js: run tests/run.sh",
    );
    let path = std::env::var("PATH").unwrap();
    Command::new(arguments)
        .env("PATH", &format!("{tools}:{path}"))
        .env("XDG_CACHE_HOME", &bed.path("cache").display().to_string())
}

/// A new strategy, built and found to be good; gives its component.
fn good(bed: &Bed, kind: &str, language: &str) -> String {
    let directory = bed.path("made").display().to_string();
    let component = bed.path("made.wasm").display().to_string();
    let run = |arguments: &[&str]| command(bed, arguments.iter().copied());
    run(&[
        "plugin", "new", &directory, "--kind", kind, "--lang", language,
    ])
    .run()
    .success();
    run(&["plugin", "build", &directory, "--out", &component])
        .run()
        .success();

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

    let more = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cases/plugin/languages")
        .join(format!("{kind}.toml"));
    for cases in [&bed.path("made/cases"), &more] {
        let tested = run(&["plugin", "test", &directory, "--cases"])
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
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        tested.success();
    }
    component
}

/// Two runs of a detector by `Number`, with its own merger or a shipped one.
fn syncs(bed: &Bed, detector: &str) {
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Number bigint NULL); \
         INSERT INTO dbo.T VALUES (1, 7), (2, 8)",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", detector, "--strategy-option"])
            .args(["column=Number", "--merge", "upsert"])
            .env("XDG_CACHE_HOME", &bed.path("cache").display().to_string())
            .json()
    };
    assert_eq!(sync()["rows_extracted"], 2);
    bed.source()
        .execute("UPDATE dbo.T SET Number = 9 WHERE Id = 1");
    assert_eq!(sync()["rows_extracted"], 1);
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

#[test]
fn rust_answers_the_same() {
    for kind in ["change-detector", "merger"] {
        good(&Bed::new(), kind, "rust");
    }
}

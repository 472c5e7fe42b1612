//! The author's path: new, test, build, sync.

use std::fs;
use std::path::Path;

use icehost_tests::{Bed, Command, Dump};

#[test]
fn a_new_detector_builds_passes_its_tests_and_syncs_as_it_is() {
    let bed = Bed::new();
    let directory = bed.path("by-number").display().to_string();
    Command::new(["plugin", "new", &directory, "--kind", "change-detector"])
        .run()
        .success();
    let tested = Command::new(["plugin", "test", &directory]).json();
    assert_eq!(tested["strategy"], "by-number");
    let checks = tested["checks"].as_array().unwrap();
    assert!(checks.len() >= 10, "{tested}");
    assert!(checks.iter().all(|check| check["holds"] == true));

    let component = bed.path("by-number.wasm").display().to_string();
    Command::new(["plugin", "build", &directory, "--out", &component])
        .run()
        .success();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Number bigint NOT NULL); INSERT INTO dbo.T VALUES (1, 7), (2, 8)",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", &component, "--strategy-option"])
            .args(["column=Number", "--merge", "upsert"])
            .json()
    };
    assert_eq!(sync()["rows_extracted"], 2);
    bed.source()
        .execute("UPDATE dbo.T SET Number = 9 WHERE Id = 1");
    assert_eq!(sync()["rows_extracted"], 1);
}

#[test]
fn a_new_merger_passes_its_tests_and_a_wrong_case_says_what_came() {
    let bed = Bed::new();
    let directory = bed.path("overwrite");
    let shown = directory.display().to_string();
    Command::new(["plugin", "new", &shown, "--kind", "merger"])
        .run()
        .success();
    Command::new(["plugin", "test", &shown]).run().success();

    let file = directory.join("cases/first.toml");
    let cases = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        cases.replacen("when matched: write all", "when matched: skip", 1),
    )
    .unwrap();
    let failed = Command::new(["plugin", "test", &shown])
        .args(["--output", "json"])
        .run()
        .failure(&["1 of", "checks do not hold"]);
    let failures: Vec<String> = failed.json()["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|check| Some(check["failure"].as_str()?.to_owned()))
        .collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(
        failures[0].contains("when matched: skip")
            && failures[0].contains("when matched: write all")
    );
}

#[test]
fn a_name_that_cannot_be_and_a_directory_that_is_there_are_refused() {
    let bed = Bed::new();
    let new = |path: &Path| {
        Command::new([
            "plugin",
            "new",
            &path.display().to_string(),
            "--kind",
            "merger",
        ])
        .run()
    };
    new(&bed.path("By Number")).failure(&["is no name for a strategy", "hint"]);
    let there = bed.path("there");
    fs::create_dir(&there).unwrap();
    new(&there).failure(&["exists already"]);
    assert_eq!(fs::read_dir(&there).unwrap().count(), 0);
}

#[test]
fn case_files_that_are_wrong_are_refused_with_their_place() {
    let bed = Bed::new();
    let table = "[table]\nname = \"dbo.T\"\ncolumns = [\"Id int key\"]\n";
    for (text, says) in [
        ("[[case]\n", "line 1"),
        ("[table]\nname = 1\n", "line 2"),
        (table, "no [[case]]"),
        (
            "[[case]]\nname = \"a\"\nexpect = {}\nreading = []\n",
            "unknown field `reading`",
        ),
        (
            "[[case]]\nname = \"a\"\nexpect = {}\n",
            "case 'a': it has no [table]",
        ),
        (
            "[table]\nname = \"t\"\ncolumns = [\"Id inte\"]\n[[case]]\nname = \"a\"\nexpect = {}\n",
            "column 'Id inte'",
        ),
    ] {
        let file = bed.path("cases.toml");
        fs::write(&file, text).unwrap();
        Command::new([
            "plugin",
            "test",
            "id",
            "--cases",
            &file.display().to_string(),
        ])
        .run()
        .failure(&["cases.toml", says]);
    }
}

#[test]
fn a_bench_tells_what_loading_and_each_case_takes() {
    let bed = Bed::new();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/upsert/cases");
    let cache = bed.path("cache").display().to_string();
    let bench = || {
        Command::new(["plugin", "bench", "upsert", "--runs", "5"])
            .args(["--cases", &cases.display().to_string()])
            .args(["--cache-dir", &cache])
            .json()
    };
    let told = bench();
    assert_eq!(told["strategy"], "upsert");
    for time in ["compile_ms", "load_from_cache_ms"] {
        assert!(told[time].as_f64() > Some(0.0), "{told}");
    }
    let cases = told["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3, "a case that expects an error is not timed");
    assert!(
        cases
            .iter()
            .all(|case| case["calls"] == 1 && case["median_ms"].as_f64() > Some(0.0))
    );
    let used = |told: &serde_json::Value, what: &str| -> Vec<u64> {
        let cases = told["cases"].as_array().unwrap().iter();
        cases.map(|case| case[what].as_u64().unwrap()).collect()
    };
    assert!(used(&told, "memory").iter().all(|&bytes| bytes > 0));
    assert!(used(&told, "fuel").iter().all(|&fuel| fuel > 0));
    let again = bench();
    for what in ["memory", "fuel"] {
        assert_eq!(
            used(&told, what),
            used(&again, what),
            "{what} of one question"
        );
    }
}

#[test]
fn the_shipped_strategies_pass_theirs() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let listed = Command::new(["plugin", "list"]).json();
    for strategy in listed["strategies"].as_array().unwrap() {
        let name = strategy["name"].as_str().unwrap();
        let cases = plugins.join(name).join("cases").display().to_string();
        Command::new(["plugin", "test", name, "--cases", &cases])
            .run()
            .success();
    }
}

#[test]
fn a_new_transformer_builds_passes_its_tests_and_adds_its_column_as_it_is() {
    let bed = Bed::new();
    let directory = bed.path("domains").display().to_string();
    Command::new(["plugin", "new", &directory, "--kind", "batch-transformer"])
        .run()
        .success();
    let tested = Command::new(["plugin", "test", &directory]).json();
    let checks = tested["checks"].as_array().unwrap();
    assert!(checks.len() >= 10, "{tested}");
    assert!(
        checks.iter().all(|check| check["holds"] == true),
        "{tested}"
    );
    let benched = Command::new(["plugin", "bench", &directory, "--runs", "2"]).json();
    assert!(
        benched["cases"][0]["rows_per_second"].as_f64().unwrap() > 0.0,
        "{benched}"
    );

    let component = bed.path("domains.wasm").display().to_string();
    Command::new(["plugin", "build", &directory, "--out", &component])
        .run()
        .success();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Mail nvarchar(50) NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T VALUES (1, N'ann@Example.com', '2026-01-01'), (2, NULL, '2026-01-01'), (3, N'bob@x.org', '2026-01-01')",
    );
    let sync = |column: &str| {
        bed.sync_to_target("dbo.T", "demo.t")
            .arg("--create-target")
            .args(["--transform", &component, "--transform-option"])
            .arg(format!("column={column}"))
    };
    assert_eq!(sync("Mail").json()["rows_inserted"], 2);
    assert_eq!(
        bed.target()
            .rows("SELECT Id, Mail, MailDomain FROM dbo.T ORDER BY Id"),
        [
            ["1", "ann@Example.com", "example.com"],
            ["3", "bob@x.org", "x.org"]
        ]
    );
    bed.target_dump("dbo.T").assert_equals(
        &Dump::agreed(&bed.lake("demo.t"), None),
        "target",
        "lake",
    );
    sync("Id")
        .run()
        .failure(&["'Id' is not text", "[wrong-type]"]);
    // An address that goes takes its row with it; one that changes its domain with it.
    bed.source().execute(
        "UPDATE dbo.T SET Mail = N'none', Modified = '2026-01-02' WHERE Id = 1;
         UPDATE dbo.T SET Mail = N'bob@y.org', Modified = '2026-01-02' WHERE Id = 3",
    );
    let report = sync("Mail").json();
    assert_eq!(
        (&report["rows_deleted"], &report["rows_updated"]),
        (&1.into(), &1.into())
    );
    assert_eq!(bed.target().value("SELECT MailDomain FROM dbo.T"), "y.org");
}

//! A merger that decides by the row that is there, as the documentation shows it: a SQL Server target takes it, a lake
//! table refuses it in the same words wherever it is met.

use std::fs;
use std::path::Path;

use icehost_tests::{Bed, Command};

const GUIDE: &str = include_str!("../../../docs/strategies.md");
const REFUSED: &str = ": a condition reads column 'version' of the table's row";
const CASE: &str = "[table]\nname = \"dbo.T\"\ncolumns = [\"Id int key\", \"version bigint\"]\n\n\
                    [delta]\ncontents = \"upserts\"\ncolumns = [\"Id int key\", \"version bigint\"]\n\n\
                    [[case]]\nname = \"newer rows are taken\"\n[case.expect]\nplan = '''\nby Id\n\
                    when matched and version > target.version: write all\nwhen not matched: write all\n\
                    merge-on-read\n'''\n";

/// The crate of the example, built.
fn component(bed: &Bed) -> String {
    let shown = GUIDE
        .split("```rust\n")
        .find(|rest| rest.contains("pub struct Newer;"));
    let (example, _) = shown.unwrap().split_once("```").unwrap();
    let directory = bed.path("newer");
    fs::create_dir_all(directory.join("src")).unwrap();
    fs::write(directory.join("src/lib.rs"), example).unwrap();
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../sdk")
        .canonicalize()
        .unwrap();
    let manifest = format!(
        "[package]\nname = \"newer\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\n\
         crate-type = [\"cdylib\"]\n[dependencies]\nicehost-sdk = {{ path = {sdk:?} }}\n[workspace]\n"
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    let component = bed.path("newer.wasm").display().to_string();
    let directory = directory.display().to_string();
    Command::new(["plugin", "build", &directory, "--out", &component])
        .run()
        .success();
    component
}

#[test]
fn update_only_where_newer_is_for_targets_and_refused_for_the_lake_in_the_same_words() {
    let bed = Bed::new();
    let component = component(&bed);
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, version bigint NOT NULL); INSERT INTO dbo.T VALUES (1, 5), (2, 5)",
    );

    let cases = bed.path("cases.toml");
    let test = |text: &str| {
        fs::write(&cases, text).unwrap();
        let cases = cases.display().to_string();
        Command::new(["plugin", "test", &component, "--cases", &cases]).run()
    };
    let refused = test(CASE).failure(&["1 of 4 checks do not hold"]);
    assert!(refused.stdout.contains(REFUSED), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("lake = false"),
        "{}",
        refused.stdout
    );
    test(&format!("lake = false\n{CASE}")).success();

    let config = bed.path("icehost.toml");
    let text = format!(
        "warehouse = {:?}\n[connections.c]\nurl = \"{}\"\nallow-inline-secret = true\n[strategies.newer]\n\
         file = \"{component}\"\n[pipelines.p]\nsource = \"c\"\ntable = \"dbo.T\"\nlake-table = \"demo.t\"\n\
         strategy = \"full-refresh\"\nmerge = \"newer\"\n",
        bed.path("warehouse"),
        bed.source_url(),
    );
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    Command::new(["check", "--config", &config])
        .run()
        .failure(&[REFUSED]);
    let sync = |merges: &[&str]| {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "full-refresh", "--merge", &component])
            .args(merges.iter().copied())
    };
    sync(&["--dry-run"]).run().failure(&[REFUSED]);
    sync(&[]).run().failure(&[REFUSED, "hint"]);

    // A target compares: what is newer there stays.
    let target = bed.target_url();
    let both = [
        "--lake-merge",
        "upsert",
        "--target",
        &target,
        "--create-target",
    ];
    sync(&both).run().success();
    bed.target()
        .execute("UPDATE dbo.T SET version = 9 WHERE Id = 1");
    bed.source().execute("UPDATE dbo.T SET version = 7");
    sync(&both)
        .leaves_apart("the target's first row is newer than the lake's")
        .run()
        .success();
    assert_eq!(
        bed.target().value("SELECT version FROM dbo.T WHERE Id = 1"),
        "9"
    );
    assert_eq!(
        bed.target().value("SELECT version FROM dbo.T WHERE Id = 2"),
        "7"
    );
}

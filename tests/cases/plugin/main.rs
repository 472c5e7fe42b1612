//! `icehost plugin`, and strategies that third parties write.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod author;
mod explain;
mod languages;
mod newer;
mod places;
mod probes;
mod tools;
mod tutorial;
mod values;

use std::fs;
use std::path::Path;

use icehost_tests::{Bed, Command};

#[test]
fn the_shipped_strategies_are_listed_with_their_options() {
    let listed = Command::new(["plugin", "list"]).json();
    let strategies = listed["strategies"].as_array().unwrap();
    let names: Vec<&str> = strategies
        .iter()
        .map(|strategy| strategy["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "timestamp",
            "id",
            "rowversion",
            "full-refresh",
            "upsert",
            "append-only",
            "soft-delete",
            "scd2",
            "mask",
            "tenant-filter"
        ]
    );
    for strategy in strategies {
        assert_eq!(strategy["options_schema"]["type"], "object");
        let imports = strategy["imports"].to_string();
        assert!(!imports.contains("wasi"), "{imports}");
    }
}

/// A crate outside this workspace that depends on the SDK by its path.
fn third_party_crate(directory: &Path) {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk");
    fs::create_dir_all(directory.join("src")).unwrap();
    fs::write(
        directory.join("Cargo.toml"),
        format!(
            "[package]\nname = \"everything\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n\
             [lib]\ncrate-type = [\"cdylib\"]\n\n[dependencies]\nicehost-sdk = {{ path = {:?} }}\n\n[workspace]\n",
            sdk.canonicalize().unwrap()
        ),
    )
    .unwrap();
    fs::write(directory.join("src/lib.rs"), readme_example()).unwrap();
}

/// The strategy that the README shows.
fn readme_example() -> String {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```rust\n").expect("a Rust example");
    let (example, _) = rest.split_once("```").expect("its end");
    example.to_owned()
}

#[test]
fn the_readmes_strategy_builds_outside_the_workspace_and_syncs() {
    let bed = Bed::new();
    let source = bed.path("everything");
    third_party_crate(&source);
    let component = bed.path("everything.wasm").display().to_string();
    Command::new([
        "plugin",
        "build",
        &source.display().to_string(),
        "--out",
        &component,
    ])
    .run()
    .success();

    let inspected = Command::new(["plugin", "inspect", &component]).json();
    let strategy = &inspected["strategies"][0];
    assert_eq!(strategy["name"], "everything");
    assert_eq!(strategy["version"], "1.2.3");
    assert_eq!(strategy["kind"], "change-detector");
    assert_eq!(strategy["sha256"].as_str().unwrap().len(), 64);

    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY); INSERT INTO dbo.T VALUES (1), (2)",
    );
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", &component, "--merge", "upsert"])
            .json()
    };
    assert_eq!(sync()["rows_extracted"], 2);
    bed.source().execute("INSERT INTO dbo.T VALUES (3)");
    let second = sync();
    assert_eq!(second["rows_extracted"], 3);
    assert_eq!(second["rows_removed"], 2);
}

#[test]
fn what_is_no_strategy_is_refused_by_what_it_is() {
    let bed = Bed::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = bed.path(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let empty = file("empty.wasm", b"");
    let garbage = file("garbage.wasm", b"MZ\x90\x00 this is no component");
    let core = file("core.wasm", b"\0asm\x01\0\0\0");
    for (path, says) in [
        (&empty, "empty"),
        (&garbage, "not WebAssembly"),
        (&core, "without an embedded component type"),
        (&"./missing.wasm".to_owned(), "missing.wasm"),
    ] {
        Command::new(["plugin", "inspect", path])
            .run()
            .failure(&[says, "hint"]);
    }
}

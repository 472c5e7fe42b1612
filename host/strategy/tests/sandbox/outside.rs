//! A strategy that a third party writes: a crate anywhere, with the SDK as its only dependency.

use std::fs;
use std::path::Path;

use icehost_componentize::{Error, build};
use icehost_plan::{Coverage, Node, Value};
use icehost_strategy::{Context, Kind};

use crate::fixtures::{build_options, options, orders, runtime};

/// The strategy in the SDK's documentation.
fn documented() -> String {
    let text = include_str!("../../../../sdk/src/lib.rs");
    let example = text.split("//! ```").nth(1).unwrap();
    let lines = example.lines().map(|line| line.trim_start_matches("//!"));
    lines
        .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
        .collect()
}

fn write_crate(directory: &Path, source: &str) {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk");
    let sdk = sdk.canonicalize().unwrap();
    let manifest = format!(
        "[package]\nname = \"by-version\"\nversion = \"1.2.3\"\nedition = \"2024\"\n\n\
         [lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nicehost-sdk = {{ path = {sdk:?} }}\n"
    );
    fs::create_dir_all(directory.join("src")).unwrap();
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::write(directory.join("src/lib.rs"), source).unwrap();
}

#[tokio::test]
async fn the_documented_strategy_is_built_elsewhere_and_runs() {
    let directory = tempfile::tempdir().unwrap();
    write_crate(directory.path(), &documented());
    let built = match build(directory.path(), &build_options()) {
        Ok(built) => built,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(built.package, "by-version");
    let strategy = runtime()
        .load("by-version.wasm", &built.component)
        .await
        .unwrap();
    assert_eq!(strategy.kind(), Kind::ChangeDetector);
    assert_eq!(strategy.world(), "icehost:strategy/change-detector@0.3.0");
    assert_eq!(strategy.description().version, "1.2.3");
    assert!(
        strategy
            .imports()
            .iter()
            .all(|name| name.starts_with("icehost:strategy/"))
    );
    let mut table = orders();
    table.columns[0].name = "version".to_owned();
    let options = options(&strategy, &[]);
    let context = Context {
        table: &table,
        options: &options,
        watermark: None,
    };
    let detector = strategy.as_change_detector().unwrap();
    assert_eq!(detector.probes(&context).await.unwrap().len(), 3);
    // The largest value, the server's time, the smallest value.
    let readings = [
        Value::Integer(42),
        Value::Timestamp(17_000_000_000_000_000),
        Value::Integer(7),
    ];
    let plan = detector.plan(&context, &readings).await.unwrap();
    assert_eq!(plan.coverage, Coverage::Full);
    let filter = plan.filter.as_ref().unwrap();
    assert!(
        filter.nodes.contains(&Node::Literal(Value::Integer(42))),
        "{filter:?}"
    );
}

#[test]
fn the_guide_shows_the_same_strategy() {
    let guide = include_str!("../../../../docs/strategies.md");
    let shown = documented();
    assert!(
        guide.contains(shown.trim()),
        "docs/strategies.md should hold:\n{shown}"
    );
}

#[test]
fn what_the_compiler_says_reaches_the_author() {
    let directory = tempfile::tempdir().unwrap();
    write_crate(directory.path(), "fn broken() -> u32 { \"text\" }\n");
    let error = build(directory.path(), &build_options()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("mismatched types") && text.contains("src/lib.rs:1:22"),
        "{text}"
    );
}

#[test]
fn a_crate_without_a_strategy_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_crate(directory.path(), "");
    let error = build(directory.path(), &build_options()).unwrap_err();
    assert!(matches!(error, Error::NoComponentType), "{error}");
    assert!(error.hint().unwrap().contains("export_change_detector!"));
}

#[test]
fn a_crate_that_is_no_dynamic_library_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_crate(directory.path(), "");
    let manifest = directory.path().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("[\"cdylib\"]", "[\"rlib\"]")).unwrap();
    let error = build(directory.path(), &build_options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "package 'by-version' has no library of type cdylib"
    );
}

#[test]
fn a_directory_without_a_crate_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = build(directory.path(), &build_options()).unwrap_err();
    assert!(matches!(error, Error::NoProject { .. }), "{error}");
    assert!(error.hint().is_some());
}

//! Values that a strategy returns and its columns cannot have.

use std::path::Path;

use icehost_tests::{Bed, Command, below};

/// The transformer that returns what it is told to, built as a third party's is.
fn component(bed: &Bed) -> String {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/strategy/tests/transformer");
    let component = bed.path("hostile.wasm").display().to_string();
    Command::new(["plugin", "build", &sources.display().to_string()])
        .args(["--out", &component])
        .run()
        .success();
    component
}

/// What is in the lake before a load fails is in it for good, and each later run fails.
#[test]
fn an_impossible_value_of_a_transformer_never_comes_to_the_lake() {
    let bed = Bed::new();
    let component = component(&bed);
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NULL);
         INSERT INTO dbo.T VALUES (7, N'a'), (8, NULL)",
    );
    let sync = |wrong: &str| {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--target", &bed.target_url(), "--create-target"])
            .args(["--transform", &component, "--transform-option"])
            .arg(format!("wrong={wrong}"))
            .run()
    };
    for (kind, says) in [
        (
            "decimal(5,2)",
            "1701411834604692317316873037158841057.27 is no value of decimal(5,2)",
        ),
        ("tinyint", "-70000 is no value of tinyint"),
        ("date", "is no value of date"),
        ("time(6)", "-1 µs is no value of time(6)"),
        ("datetime2(6)", "is no value of datetime2(6)"),
        ("float", "NaN is no value of float"),
        (
            "nvarchar(5)",
            "'too long\\u001b[2J' is no value of nvarchar(5)",
        ),
    ] {
        sync(&format!("value {kind}")).failure(&[
            "returned an impossible value: column 'New', row Id = 7: ",
            says,
            "hint: nothing was changed",
        ]);
        let files = match bed.warehouse().exists() {
            true => below(&bed.warehouse()),
            false => Vec::new(),
        };
        let written = |file: &std::path::PathBuf| file.extension().is_some_and(|e| e == "parquet");
        assert!(!files.iter().any(written), "{files:?}");
    }
    sync("nothing").success();
    assert_eq!(bed.target().value("SELECT COUNT(*) FROM dbo.T"), "2");
}

//! Ten real tables of Microsoft's AdventureWorks sample: source, target, PyIceberg and DuckDB agree on
//! every row and value.
//!
//! The data is not part of the repository. `ICEHOST_TEST_ADVENTUREWORKS` names its directory; where that is
//! not set and `../shared/data/adventureworks` is not there, the case says so and does nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use icehost_tests::{Bed, Dump, python_script};

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/adventureworks");
    std::env::var_os("ICEHOST_TEST_ADVENTUREWORKS")
        .map(PathBuf::from)
        .or_else(|| beside.exists().then_some(beside))
}

#[test]
fn every_table_agrees_everywhere() {
    let Some(data) = data() else {
        eprintln!("skipped: ICEHOST_TEST_ADVENTUREWORKS does not name the AdventureWorks data");
        return;
    };
    let bed = Bed::on_development_server();
    let arguments = [
        "127.0.0.1",
        &bed.server().addr().port().to_string(),
        "sa",
        bed.password(),
        "--database",
        bed.source_database(),
        "--data",
        &data.display().to_string(),
    ]
    .map(str::to_owned);
    python_script("clients/load_adventureworks.py", &arguments);

    let tables = std::fs::read_to_string(data.join("tables.json")).unwrap();
    let tables: serde_json::Value = serde_json::from_str(&tables).unwrap();
    let mut synced = 0;
    for (table, description) in tables.as_object().unwrap() {
        let lake_table = table.to_lowercase();
        let (schema, _) = table.split_once('.').unwrap();
        bed.target().execute(&format!(
            "IF SCHEMA_ID(N'{schema}') IS NULL EXEC(N'CREATE SCHEMA [{schema}]')"
        ));
        let sync = || {
            bed.sync_to_target(table, &lake_table)
                .args([
                    "--strategy-option",
                    "column=ModifiedDate",
                    "--create-target",
                ])
                .json()
        };
        let report = sync();
        assert_eq!(report["rows_extracted"], description["rows"], "{table}");
        assert_eq!(report["rows_inserted"], description["rows"], "{table}");
        assert_eq!(sync()["rows_extracted"], 0, "{table}: nothing changed");

        let source = bed.source_dump(table);
        source.assert_equals(&bed.target_dump(table), table, "target");
        source.assert_equals(&Dump::agreed(&bed.lake(&lake_table), None), table, "lake");
        synced += 1;
    }
    assert_eq!(synced, 10);
}

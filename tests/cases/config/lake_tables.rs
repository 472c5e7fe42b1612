//! Commands about what a pipeline has left: its lake table, its watermark, its target.

use icehost_tests::customers;

use crate::file::{with_config, write};

const PIPELINES: &str = r#"
[tenants.acme]
lake-namespace = "acme"

[tenants.zenith]
lake-namespace = "zenith"
watermark-dir = "watermarks"

[pipelines.customers]
tenants = "all"
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
strategy-options = { column = "ModifiedDate" }
merge = "upsert"
target = "target"

[pipelines.lake]
source = "source"
table = "dbo.Customers"
strategy = "full-refresh"
merge = "append-only"
lake-namespace = "alone"
"#;

#[test]
fn a_pipeline_names_its_lake_table_and_its_watermark() {
    let bed = customers::bed(4);
    write(&bed, PIPELINES);
    with_config(&bed, ["sync"]).run().success();
    let snapshots = with_config(&bed, ["snapshots", "customers@acme"]).json();
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 1);

    // That of one tenant is set back, and its copy with it; the other's stays.
    let copies = || {
        let entries = std::fs::read_dir(bed.path("watermarks")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".json")).count()
    };
    assert_eq!(copies(), 1);
    let show = |pipeline: &str| with_config(&bed, ["watermark", "show", pipeline]).json();
    assert_eq!(show("customers@zenith")["watermark"]["rows"], 4);
    with_config(&bed, ["watermark", "set", "customers@zenith"])
        .args(["--mark", "ModifiedDate=timestamp:2026-01-01T00:00:02"])
        .run()
        .success();
    let again = with_config(&bed, ["sync", "customers"]).json();
    let extracted = |i: usize| again["pipelines"][i]["report"]["rows_extracted"].clone();
    assert_eq!((extracted(0), extracted(1)), (0.into(), 0.into()));
    // From the mark on, and the lake has it.
    assert_eq!(again["pipelines"][1]["report"]["rows_read_again"], 3);
    with_config(&bed, ["watermark", "clear", "customers@zenith"])
        .run()
        .success();
    assert!(show("customers@zenith")["watermark"].is_null());
    assert_eq!(copies(), 0);
    assert!(!show("customers@acme")["watermark"].is_null());
}

#[test]
fn the_second_half_of_a_pipeline_can_be_loaded_again() {
    let bed = customers::bed(4);
    write(
        &bed,
        &PIPELINES.replace("tenants = \"all\"", "tenants = [\"acme\"]"),
    );
    with_config(&bed, ["sync"]).run().success();
    bed.target()
        .execute("DELETE FROM dbo.Customers WHERE CustomerID < 3");
    let load = |more: &[&str]| with_config(&bed, ["load", "customers"]).args(more.iter().copied());
    let by_hand = "rows were removed from the target by hand";
    assert_eq!(load(&[]).leaves_apart(by_hand).json()["rows_inserted"], 0);
    let preview = load(&["--full", "--dry-run"]).leaves_apart(by_hand).json();
    assert_eq!(preview["dry_run"], true);
    assert_eq!(load(&["--full"]).json()["rows_inserted"], 2);
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "4"
    );
}

#[test]
fn what_a_hint_advises_can_be_run_as_it_stands() {
    let bed = customers::bed(4);
    write(
        &bed,
        &PIPELINES
            .replace("tenants = \"all\"", "tenants = [\"acme\"]")
            .replace("merge = \"upsert\"", "merge = \"append-only\""),
    );
    with_config(&bed, ["sync"]).run().success();
    bed.target().execute("TRUNCATE TABLE dbo.Customers");
    customers::add(&bed, 5, 6, "2026-03-01");
    let advice = "`icehost load customers";
    for command in [["sync", "customers"], ["load", "customers"]] {
        let run = with_config(&bed, command).run();
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(
            said.contains(advice) && said.contains(" --config "),
            "{said}"
        );
        assert!(said.contains("--trust-position"), "{said}");
    }
    let trusted = with_config(&bed, ["load", "customers"])
        .arg("--trust-position")
        .leaves_apart("the target was emptied on purpose")
        .json();
    assert_eq!(trusted["rows_inserted"], 2);
}

#[test]
fn what_a_warning_advises_can_be_run_as_it_stands() {
    let bed = customers::bed(4);
    write(
        &bed,
        &PIPELINES.replace("tenants = \"all\"", "tenants = [\"acme\"]"),
    );
    bed.target()
        .execute("INSERT INTO dbo.Customers SELECT 99, N'stray', NULL, 0, '2020-01-01'");
    let run = with_config(&bed, ["sync", "--output", "json"])
        .leaves_apart("the target has a row of its own")
        .run()
        .success();
    let warnings = run.json()["pipelines"][0]["report"]["warnings"].to_string();
    let file = bed.path("icehost.toml").display().to_string();
    let said = format!("`icehost load customers@acme --config {file} --full`");
    for told in [&run.stderr, &warnings] {
        assert!(told.contains(&said), "{told}");
    }
    // As it is printed.
    let words: Vec<&str> = said.trim_matches('`').split(' ').skip(1).collect();
    let full = icehost_tests::Command::new(words).env(crate::file::PASSWORD, &bed.login().1);
    assert_eq!(full.json()["rows_deleted"], 1);
    bed.source_dump("dbo.Customers").assert_equals(
        &bed.target_dump("dbo.Customers"),
        "source",
        "target",
    );
    // A watermark's questions name the file, too.
    icehost_tests::maintenance::edit_metadata(&bed.lake("acme.customers"), |metadata| {
        metadata["properties"] = serde_json::json!({});
        metadata["snapshots"][0]["summary"] = serde_json::json!({"operation": "append"});
    });
    icehost_tests::maintenance::forget_older_versions(&bed.lake("acme.customers"));
    for command in [&["sync"][..], &["watermark", "show", "customers@acme"]] {
        with_config(&bed, command.iter().copied()).run().failure(&[
            &format!("`icehost watermark set customers@acme --config {file}`"),
            &format!("`icehost watermark clear customers@acme --config {file}`"),
        ]);
    }
}

#[test]
fn what_is_not_one_pipeline_or_has_no_target_is_told() {
    let bed = customers::bed(1);
    write(&bed, PIPELINES);
    with_config(&bed, ["snapshots", "customers"])
        .run()
        .failure(&[
            "'customers' stands for 2 pipelines",
            "hint: name one of customers@acme, customers@zenith",
        ]);
    with_config(&bed, ["load", "lake"])
        .run()
        .failure(&["pipeline lake has no target to load", "hint"]);
    with_config(&bed, ["watermark", "show", "custmers"])
        .run()
        .failure(&["there is no pipeline 'custmers'", "customers"]);
    with_config(&bed, ["snapshots", "lake"])
        .run()
        .failure(&["alone.customers", "hint"]);

    // The file says it: a flag beside it would be passed over.
    for (command, flag) in [
        (&["snapshots", "lake"][..], ["--warehouse", "x"]),
        (&["watermark", "show", "lake"], ["--lake-table", "a.b"]),
        (&["watermark", "clear", "lake"], ["--watermark-dir", "x"]),
        (&["load", "lake"], ["--merge", "upsert"]),
        (&["load", "lake"], ["--retries", "3"]),
    ] {
        let run = with_config(&bed, command.iter().copied()).args(flag).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(flag[0]), "{}", run.stderr);
    }
    // A file without a pipeline, and a pipeline without a file.
    for arguments in [&["snapshots", "lake"][..], &["load", "--config", "x.toml"]] {
        let run = icehost_tests::Command::new(arguments.iter().copied()).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
    }
}

//! One pipeline for many tenants.

use icehost_tests::{Dump, customers};

use crate::file::{with_config, write};

fn tenants(bed: &icehost_tests::Bed, listed: &str) -> String {
    format!(
        r#"
[tenants.acme]
database = "{source}"
lake-namespace = "acme"

[tenants.zenith]
source = "target"
lake-namespace = "zenith"
strategy-options = {{ nulls = "skip" }}
lake-merge = "append-only"

[pipelines.customers]
tenants = {listed}
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
strategy-options = {{ column = "ModifiedDate" }}
merge = "upsert"
"#,
        source = bed.source_database()
    )
}

#[test]
fn each_tenant_has_a_pipeline_of_its_own() {
    let bed = customers::bed(12);
    bed.target()
        .execute("INSERT INTO dbo.Customers VALUES (1, N'Only one', NULL, 1.5, '2026-01-01')");
    write(&bed, &tenants(&bed, "\"all\""));
    let run = with_config(&bed, ["sync", "customers", "--jobs", "2"]).json();
    let names: Vec<&str> = run["pipelines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["pipeline"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["customers@acme", "customers@zenith"]);
    let rows = |table: &str| Dump::pyiceberg(&bed.lake(table), None).rows.len();
    assert_eq!(rows("acme.customers"), 12);
    assert_eq!(rows("zenith.customers"), 1);

    let run = with_config(&bed, ["sync", "customers@zenith"]).json();
    assert_eq!(run["pipelines"].as_array().unwrap().len(), 1);
    assert_eq!(run["pipelines"][0]["report"]["rows_extracted"], 0);
}

#[test]
fn a_pipeline_is_for_the_tenants_that_it_lists() {
    let bed = customers::bed(1);
    write(&bed, &tenants(&bed, "[\"zenith\"]"));
    let run = with_config(&bed, ["check", "--offline"]).json();
    assert_eq!(run["pipelines"], serde_json::json!(["customers@zenith"]));
    write(&bed, &tenants(&bed, "[\"zenit\"]"));
    with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&["there is no tenant 'zenit'", "did you mean 'zenith'?"]);
}

#[test]
fn tenants_do_not_share_a_lake_table() {
    let bed = customers::bed(1);
    let text = tenants(&bed, "\"all\"").replace("lake-namespace = \"zenith\"", "");
    write(&bed, &text.replace("lake-namespace = \"acme\"", ""));
    with_config(&bed, ["sync"]).run().failure(&[
        "pipelines customers@acme and customers@zenith both write lake table dbo.customers",
        "lake-namespace",
    ]);
    assert!(!bed.warehouse().exists());
}

#[test]
fn a_tenant_that_nobody_lists_is_checked_too() {
    let bed = customers::bed(1);
    let text = tenants(&bed, "[\"acme\"]")
        .replace("strategy-options = { nulls", "strategy-option = { nulls");
    write(&bed, &text);
    with_config(&bed, ["check", "--offline"]).run().failure(&[
        "there is no key 'strategy-option' in [tenants.zenith]",
        "did you mean 'strategy-options'?",
    ]);
}

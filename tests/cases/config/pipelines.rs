//! Pipelines of a file: all or some, several at a time, and one that fails among others.

use icehost_tests::{Dump, customers};

use crate::file::{with_config, write};

const CUSTOMERS: &str = r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
lake-table = "demo.customers"
strategy = "timestamp"
strategy-options = { column = "ModifiedDate", lookback-seconds = 0 }
merge = "upsert"
target = "target"
"#;

#[test]
fn a_pipeline_does_what_the_flags_do() {
    let bed = customers::bed(50);
    write(&bed, CUSTOMERS);
    let first = with_config(&bed, ["sync"]).json();
    assert_eq!(first["succeeded"], 1);
    assert_eq!(first["failed"], 0);
    assert_eq!(first["pipelines"][0]["pipeline"], "customers");
    let report = &first["pipelines"][0]["report"];
    assert_eq!(report["rows_appended"], 50);
    assert_eq!(report["rows_inserted"], 50);

    // The flags go on where the file was, and the file where the flags were.
    customers::add(&bed, 51, 60, "2026-02-01");
    let flags = bed
        .sync_to_target("dbo.Customers", "demo.customers")
        .args(["--strategy-option", "column=ModifiedDate"])
        .json();
    assert_eq!(flags["rows_appended"], 10);
    customers::change(&bed, 5, "2026-03-01");
    let again = with_config(&bed, ["sync", "customers"]).json();
    let report = &again["pipelines"][0]["report"];
    assert_eq!(report["rows_appended"], 5);
    assert_eq!(report["rows_updated"], 5);
    let source = bed.source_dump("dbo.Customers");
    source.assert_equals(&bed.target_dump("dbo.Customers"), "source", "target");
    let lake = Dump::agreed(&bed.lake("demo.customers"), None);
    source.assert_equals(&lake, "source", "lake");
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let bed = customers::bed(10);
    bed.source()
        .execute("CREATE TABLE dbo.Orders (ID int NOT NULL PRIMARY KEY, What nvarchar(20) NULL)");
    bed.source()
        .execute("INSERT INTO dbo.Orders VALUES (1, N'one'), (2, N'two')");
    write(
        &bed,
        &format!(
            r#"{CUSTOMERS}
[pipelines.missing]
source = "source"
table = "dbo.Missing"
strategy = "id"
merge = "upsert"

[pipelines.orders]
source = "source"
table = "dbo.Orders"
strategy = "id"
merge = "append-only"
"#
        ),
    );
    for jobs in ["1", "3"] {
        let run = with_config(&bed, ["sync", "--jobs", jobs, "--output", "json"])
            .run()
            .failure(&[
                "error: missing: ",
                "dbo.Missing",
                "1 of 3 pipelines failed, 2 done: missing",
            ]);
        let summary = run.json();
        assert_eq!(summary["succeeded"], 2);
        assert_eq!(summary["failed"], 1);
        let pipelines = summary["pipelines"].as_array().unwrap();
        let ended: Vec<(&str, bool)> = pipelines
            .iter()
            .map(|each| (each["pipeline"].as_str().unwrap(), each["ok"] == true))
            .collect();
        assert_eq!(
            ended,
            [("customers", true), ("missing", false), ("orders", true)],
            "in the order of the file"
        );
        assert!(pipelines[1]["hint"].is_string(), "{summary}");
    }
    assert_eq!(Dump::pyiceberg(&bed.lake("dbo.orders"), None).rows.len(), 2);

    // Those that are named, as text.
    let run = with_config(&bed, ["sync", "orders", "customers"])
        .run()
        .success();
    for line in ["customers:", "orders:", "2 of 2 pipelines done"] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("missing"), "{}", run.stdout);
}

#[test]
fn a_dry_run_touches_nothing() {
    let bed = customers::bed(3);
    write(&bed, CUSTOMERS);
    let run = with_config(&bed, ["sync", "--dry-run"]).json();
    assert_eq!(run["pipelines"][0]["report"]["dry_run"], true);
    assert!(!bed.lake("demo.customers").exists());
}

#[test]
fn everything_that_flags_say_a_file_can_say() {
    let bed = customers::bed(40);
    bed.target().execute("DROP TABLE dbo.Customers");
    write(
        &bed,
        r#"
[defaults]
source = "source"
merge = "upsert"
watermark-dir = "watermarks"
retries = 0

[pipelines.customers]
table = "dbo.Customers"
exclude-columns = ["Email"]
source-name = "shop"
lake-namespace = "raw.shop"
strategy = "timestamp"
lake-merge = "append-only"
merge-options = { keys = ["CustomerID"] }
target = "target"
target-table = "dbo.People"
create-target = true
time-precision = "truncate"
parallel = 2
range-rows = 20
commit = "per-range"
memory-limit = "256MiB"
batch-size = 2
strategy-timeout = 2.5
strategy-memory = 32
"#,
    );
    let run = with_config(&bed, ["sync"]).json();
    let report = &run["pipelines"][0]["report"];
    assert_eq!(report["lake_table"], "raw.shop.customers");
    assert!(report["ranges"].as_u64() > Some(1), "{report}");
    assert_eq!(report["rows_inserted"], 40);
    assert_eq!(bed.target_dump("dbo.People").rows.len(), 40);
    let lake = Dump::agreed(&bed.lake("raw.shop.customers"), None);
    assert!(!lake.columns.contains("Email"), "{}", lake.columns);
    let watermark = std::fs::read_to_string(bed.path("watermarks/raw.shop.customers.json"));
    assert!(watermark.unwrap().contains("\"shop\""));
}

#[test]
fn a_bound_on_deletions_stands_in_the_file_and_is_lifted_beside_it() {
    let bed = customers::bed(0);
    bed.source().execute(
        "CREATE TABLE dbo.Rates (Id int NOT NULL PRIMARY KEY);
         INSERT INTO dbo.Rates SELECT value FROM GENERATE_SERIES(1, 1001)",
    );
    let rates = |limit: &str| {
        write(
            &bed,
            &format!(
                r#"
[pipelines.rates]
source = "source"
table = "dbo.Rates"
strategy = "full-refresh"
merge = "upsert"
merge-options = {{ delete-missing = true }}
delete-limit = {limit}
"#
            ),
        );
    };
    for wrong in ["50", "\"101%\"", "\"half\""] {
        rates(wrong);
        with_config(&bed, ["check", "--offline"])
            .run()
            .failure(&["'delete-limit' takes a share from \"0%\" to \"100%\""]);
    }
    rates("\"0%\"");
    with_config(&bed, ["sync"]).run().success();
    bed.source().execute("DELETE FROM dbo.Rates WHERE Id = 5");
    with_config(&bed, ["sync"]).run().failure(&[
        "1 of the 1001 rows of lake table dbo.rates would be deleted",
        "more than 0 %",
        "--allow-deletes",
    ]);
    // What the file says of every run no flag says otherwise.
    let run = with_config(&bed, ["sync", "--delete-limit", "100%"]).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    with_config(&bed, ["sync", "--allow-deletes"])
        .run()
        .success();
    assert_eq!(Dump::agreed(&bed.lake("dbo.rates"), None).rows.len(), 1_000);
}

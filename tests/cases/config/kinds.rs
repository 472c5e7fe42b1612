//! `kind` and `transient`: what a scheduler goes by, through every way in.

use icehost_tests::{Bed, Command, READER, WRITER, customers};
use serde_json::Value;

use crate::file::{with_config, without_password, write};

/// What stdout says of a run that fails.
fn told(command: Command) -> Value {
    command
        .args(["--output", "json"])
        .run()
        .failure(&["error: "])
        .json()
}

/// Asserts what a failed run is told as.
fn is(command: Command, kind: &str, transient: bool) {
    let told = told(command);
    assert_eq!(told["kind"], kind, "{told}");
    assert_eq!(told["transient"], transient, "{told}");
}

fn syncing(bed: &Bed) -> Command {
    bed.sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--strategy-option"])
        .args(["column=ModifiedDate", "--merge", "upsert"])
}

/// The same, from another source.
fn from(bed: &Bed, url: &str, table: &str) -> Command {
    Command::new(["sync", "--source", url, "--table", table])
        .args(["--warehouse", &bed.warehouse().display().to_string()])
        .args(["--lake-table", "demo.other", "--retries", "0"])
        .args(["--strategy", "full-refresh", "--merge", "upsert"])
}

#[test]
fn what_is_wrong_before_a_row_is_read() {
    let bed = customers::bed_on_development_server(3);
    let url = bed.source_url();
    is(
        syncing(&bed).args(["--memory-limit", "1MiB"]),
        "config",
        false,
    );
    is(
        syncing(&bed).args(["--column-rule", "Email=shred"]),
        "config",
        false,
    );
    is(
        from(&bed, "mssql://sa:x@127.0.0.1:1/Shop", "dbo.T"),
        "connection",
        false,
    );
    let wrong = without_password(&url).replacen('@', ":wrong@", 1);
    is(from(&bed, &wrong, "dbo.Customers"), "authentication", false);
    is(from(&bed, &url, "dbo.Missing"), "schema", false);
    let strategy = bed.path("no-strategy.wasm");
    std::fs::write(&strategy, "no strategy").unwrap();
    let strategy = ["--lake-merge", &strategy.display().to_string()];
    is(syncing(&bed).args(strategy), "strategy", false);
    is(bed.on_lake(["snapshots"], "demo.missing"), "lake", false);
    is(
        bed.on_lake(["watermark", "clear"], "demo.missing"),
        "lake",
        false,
    );
    assert!(!bed.warehouse().exists());
}

#[test]
fn what_a_login_may_not_is_a_permission_wherever_it_strikes() {
    let bed = customers::bed_on_development_server(3);
    let reader = |url: String| url.replacen("mssql://sa:", &format!("mssql://{READER}:"), 1);
    let into = |target: &str, more: &[&str]| {
        let to = ["--target", target];
        syncing(&bed).args(to).args(more.iter().copied())
    };
    let target = reader(bed.target_url());
    // Asked beforehand: rights to the table, and to make one.
    is(into(&target, &[]), "permission", false);
    let creating = ["--target-table", "dbo.New", "--create-target"];
    is(into(&target, &creating), "permission", false);
    // Refused by the server itself, where the lake is there already.
    syncing(&bed).run().success();
    let writer = bed.target_url();
    let writer = writer.replacen("mssql://sa:", &format!("mssql://{WRITER}:"), 1);
    is(into(&writer, &creating), "permission", false);
    // A mask instead of values.
    bed.source().execute(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email varchar(50) MASKED WITH (FUNCTION = 'email()') NULL);
         INSERT INTO dbo.People VALUES (1, 'ann@example.com')",
    );
    is(
        from(&bed, &reader(bed.source_url()), "dbo.People"),
        "permission",
        false,
    );
}

#[test]
fn what_does_not_go_on_from_an_earlier_run() {
    let bed = customers::bed_on_development_server(1_500);
    let delivering = || syncing(&bed).args(["--target", &bed.target_url()]);
    delivering().run().success();
    let by_id = bed.sync("dbo.Customers", "demo.customers");
    is(
        by_id.args(["--strategy", "id", "--merge", "upsert"]),
        "watermark",
        false,
    );

    // The target is not as it was left, which whoever adds rows cannot mend.
    bed.target()
        .execute("DELETE FROM dbo.Customers WHERE CustomerID < 10");
    let appending = bed
        .load("demo.customers", "dbo.Customers")
        .args(["--merge", "append-only"]);
    is(appending, "target_state", false);

    let compared = bed
        .verify("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--strategy-option"])
        .args(["column=ModifiedDate", "--merge", "upsert"])
        .args(["--target", &bed.target_url()]);
    is(compared, "differences", false);

    let all = || {
        bed.sync("dbo.Customers", "demo.all")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
    };
    all().run().success();
    bed.source()
        .execute("DELETE FROM dbo.Customers WHERE CustomerID > 1");
    is(all(), "deletions", false);
}

#[test]
fn what_passes_by_itself() {
    let bed = customers::bed_on_development_server(3);
    let delivering = || syncing(&bed).args(["--target", &bed.target_url()]);
    delivering().run().success();
    customers::change(&bed, 3, "2026-02-01");
    let mut other = bed.target();
    other.execute("BEGIN TRANSACTION; UPDATE dbo.Customers SET Balance = 1 WHERE CustomerID = 2");
    let waiting = ["--lock-timeout", "1", "--retries", "0"];
    is(delivering().args(waiting), "conflict", true);
    other.execute("ROLLBACK TRANSACTION");
    delivering().run().success();
}

#[test]
fn each_pipeline_of_a_file_has_its_own() {
    let bed = customers::bed_on_development_server(3);
    write(
        &bed,
        r#"
[connections.away]
url = "mssql://sa@127.0.0.1:1/Shop"
password-env = "ICEHOST_CASE_PASSWORD"

[defaults]
merge = "upsert"
strategy = "timestamp"

[pipelines.away]
source = "away"
table = "dbo.Customers"
lake-table = "demo.away"

[pipelines.broken]
source = "source"
table = "dbo.Customers"
lake-table = "demo.broken"

[pipelines.missing]
source = "source"
table = "dbo.Missing"
"#,
    );
    let kinds = |told: &Value, of: &str| -> Vec<String> {
        let each = told[of].as_array().unwrap().iter();
        each.map(|one| {
            assert_eq!(one["transient"], false, "{told}");
            one["kind"].as_str().unwrap().to_owned()
        })
        .collect()
    };
    // A defect in one is that one's failure.
    let sync = with_config(&bed, ["sync", "--jobs", "3"]);
    let told = told(sync.failpoint("sync::while-staging", "panic(what it said)"));
    let of = kinds(&told, "pipelines");
    assert_eq!(of, ["connection", "internal", "schema"], "{told}");
    let defect = &told["pipelines"][1];
    assert_eq!(defect["hint"], "please report this as a defect", "{told}");

    let told = self::told(with_config(&bed, ["verify"]));
    assert_eq!(kinds(&told, "pipelines")[2], "schema", "{told}");
    let told = self::told(with_config(&bed, ["check"]));
    let mut of = kinds(&told, "problems");
    of.sort();
    assert_eq!(of, ["connection", "schema"], "{told}");
    // Of several kinds, that of the file.
    assert_eq!(told["kind"], "config", "{told}");
}

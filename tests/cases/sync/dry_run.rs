//! `--dry-run` shows everything and touches nothing.

use icehost_tests::customers;

#[test]
fn shows_plan_sql_bounds_and_estimate_and_touches_nothing() {
    let bed = customers::bed(20);
    let dry = || {
        bed.sync_to_target("dbo.Customers", "demo.customers")
            .arg("--dry-run")
    };
    let first = dry().run().success();
    for text in [
        "SELECT",
        "[ModifiedDate]",
        "20 rows",
        "2026-01-01T00:00:20",
        "MERGE",
    ] {
        assert!(
            first.stdout.contains(text),
            "'{text}' is missing in:\n{}",
            first.stdout
        );
    }
    // Lines of a plan are lines.
    assert!(!first.stdout.contains(r"\n"), "{}", first.stdout);
    assert!(!bed.warehouse().exists(), "nothing is written to the lake");
    assert_eq!(
        bed.target()
            .value("SELECT COUNT(*) FROM sys.tables WHERE name LIKE 'icehost%'"),
        "0",
        "nothing is created at the target"
    );

    bed.sync_to_target("dbo.Customers", "demo.customers").json();
    customers::add(&bed, 21, 25, "2026-02-01");
    let second = dry().json();
    assert_eq!(second["dry_run"], true);
    assert_eq!(
        second["watermark"]["marks"][0][1]["timestamp"],
        "2026-01-01T00:00:20.0000000"
    );
    let sql = second["extraction"]["sql"].as_str().unwrap();
    assert!(sql.contains("WHERE"), "{sql}");
    let parameters = second["extraction"]["parameters"].to_string();
    assert!(
        parameters.contains("2025-12-31T23:59:20") && parameters.contains("2026-02-01"),
        "{parameters}"
    );
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "20"
    );
}

#[test]
fn rows_are_sorted_only_where_an_order_counts() {
    let bed = customers::bed(3);
    let sql = |arguments: &[&str]| {
        let preview = bed
            .sync("dbo.Customers", "demo.customers")
            .args(["--strategy", "timestamp", "--merge"])
            .args(arguments.iter().copied())
            .arg("--dry-run")
            .json();
        preview["extraction"]["sql"].as_str().unwrap().to_owned()
    };
    assert!(!sql(&["upsert"]).contains("ORDER BY"));
    assert!(!sql(&["append-only"]).contains("ORDER BY"));
    // Several rows may share a name; the one that was modified last is to win.
    let by_name = sql(&["upsert", "--merge-option", "keys=Name"]);
    assert!(by_name.contains("ORDER BY"), "{by_name}");
}

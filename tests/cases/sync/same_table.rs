//! A target that is the source is refused before anything is written.

use icehost_tests::{Bed, customers};

fn watched() -> Bed {
    let bed = customers::bed(3);
    bed.source()
        .execute("CREATE TABLE dbo.Log (Id int NOT NULL)");
    bed.source().execute(
        "CREATE TRIGGER dbo.Watch ON dbo.Customers AFTER INSERT, UPDATE AS BEGIN
            INSERT INTO dbo.Log SELECT CustomerID FROM inserted
         END",
    );
    bed
}

#[test]
fn a_target_that_is_the_source_is_refused_by_whatever_name() {
    let bed = watched();
    let by_another_name = bed.source_url().replace("127.0.0.1", "localhost");
    let from_another_database = format!("{}.dbo.CUSTOMERS", bed.source_database());
    for (url, table) in [
        (bed.source_url(), "dbo.Customers"),
        (by_another_name, "Customers"),
        (bed.target_url(), from_another_database.as_str()),
    ] {
        let sync = || {
            bed.sync("dbo.Customers", "demo.customers")
                .args(["--strategy", "timestamp", "--merge", "upsert"])
                .args(["--target", &url, "--target-table", table])
        };
        let said = ["is the source table", "itself", "hint"];
        sync().run().failure(&said);
        sync().arg("--dry-run").run().failure(&said);
        assert!(!bed.warehouse().exists(), "nothing is written");
        let touched = "SELECT COUNT(*) FROM dbo.Log";
        assert_eq!(bed.source().value(touched), "0");
    }
    // The same name in another database is another table.
    let report = bed.sync_to_target("dbo.Customers", "demo.customers").json();
    assert_eq!(report["rows_inserted"], 3);
}

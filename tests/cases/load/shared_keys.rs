//! Keys of which only the target's server knows whether another lake table has them: what goes at its source goes from
//! the target unless the server takes the two for one.

use icehost_tests::{Bed, Command};

/// The key's collation, one that goes from the first lake table, and one that the second has.
fn bed(collation: &str, one: &str, other: &str) -> Bed {
    let bed = Bed::new();
    let columns =
        format!("K nvarchar(9) COLLATE {collation} NOT NULL PRIMARY KEY, N nvarchar(9) NULL");
    bed.target()
        .execute(&format!("CREATE TABLE dbo.T ({columns})"));
    for (table, keys) in [("A1", [one, "b"].as_slice()), ("A2", &[other])] {
        bed.source()
            .execute(&format!("CREATE TABLE dbo.{table} ({columns})"));
        for key in keys {
            bed.source().execute(&format!(
                "INSERT INTO dbo.{table} VALUES (N'{key}', N'{table}')"
            ));
        }
    }
    bed
}

fn sync(bed: &Bed, table: &str) -> Command {
    bed.sync(
        &format!("dbo.{table}"),
        &format!("demo.{}", table.to_lowercase()),
    )
    .args(["--strategy", "full-refresh", "--lake-merge", "upsert"])
    .args(["--lake-merge-option", "delete-missing=true"])
    .args(["--merge", "upsert", "--target", &bed.target_url()])
    .args(["--target-table", "dbo.T"])
}

fn keys(bed: &Bed) -> Vec<Vec<String>> {
    bed.target().rows("SELECT K FROM dbo.T ORDER BY N, K")
}

#[test]
fn a_row_goes_where_another_lake_table_has_a_key_that_only_looks_alike() {
    for (collation, one, other) in [
        ("Latin1_General_CI_AS", "x", "é"),
        ("Latin1_General_CI_AS", "Zoe", "Zoë"),
        ("Turkish_CI_AS", "I", "i"),
    ] {
        let bed = bed(collation, one, other);
        sync(&bed, "A1").json();
        sync(&bed, "A2").json();
        bed.source().execute("DELETE FROM dbo.A1 WHERE K <> N'b'");
        let report = sync(&bed, "A1").json();
        assert_eq!(report["rows_deleted"], 1, "{collation} {one}: {report}");
        assert_eq!(report["warnings"], serde_json::json!([]), "{report}");
        assert_eq!(keys(&bed), [["b"], [other]], "{collation}");
    }
}

#[test]
fn a_row_stays_where_the_server_takes_the_key_of_another_lake_table_for_its_own() {
    for (collation, one, other) in [
        ("Latin1_General_CI_AS", "zoë", "ZOË"),
        ("Latin1_General_CI_AI", "Zoe", "Zoë"),
    ] {
        let bed = bed(collation, one, other);
        sync(&bed, "A1").json();
        // The same row now comes from the other source.
        sync(&bed, "A2").run().success();
        bed.source().execute("DELETE FROM dbo.A1 WHERE K <> N'b'");
        let report = sync(&bed, "A1").json();
        assert_eq!(report["rows_deleted"], 0, "{collation} {one}: {report}");
        let told = "has rows of the same keys";
        assert!(report["warnings"].to_string().contains(told), "{report}");
        assert_eq!(keys(&bed).len(), 2, "{collation}");
    }
}

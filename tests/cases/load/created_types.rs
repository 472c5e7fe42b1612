//! A target that is created has the types that the lake remembers of its source. Where the lake's rows do not fit into
//! them, what to do is said, and works.

use icehost_tests::Bed;
use icehost_tests::maintenance::maintain;

#[test]
fn values_that_a_created_target_could_not_hold_are_told_with_a_way_on() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, N varchar(5) NULL, M datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 'a', '2026-01-01'), (2, 'b', '2026-01-01')",
    );
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    // Another engine has written a text that no column of the source held.
    maintain(&bed.lake("demo.t"), &["alter=Id == 2:N:longer than five"]);
    let load = || {
        bed.load("demo.t", "dbo.T")
            .args(["--merge", "upsert", "--create-target"])
    };
    load().run().failure(&[
        "column 'N'",
        "the text has 16 characters and varchar(5) holds 5",
        "hint: the lake table has values that the source's column, as it was described last, does not hold: create the \
         target table by hand",
    ]);
    let tables = "SELECT COUNT(*) FROM sys.tables WHERE name = 'T'";
    assert_eq!(bed.target().value(tables), "0");
    bed.target().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, N varchar(20) NULL, M datetime2(3) NOT NULL)",
    );
    assert_eq!(load().json()["rows_inserted"], 2);
}

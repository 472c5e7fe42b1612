//! What a strategy does not see stays as it was, in lake and target alike: the guarantees say so.

use icehost_tests::{Bed, Command, Dump};

/// A table with every kind of cursor, and a row of each month of half a year: far from each other, so that
/// only the newest are read again by the next run.
fn bed() -> Bed {
    let bed = Bed::new();
    let columns =
        "Id int NOT NULL PRIMARY KEY, Note nvarchar(20) NOT NULL, Changed datetime2(3) NOT NULL";
    bed.source().execute(&format!(
        "CREATE TABLE dbo.T ({columns}, Version rowversion)"
    ));
    for month in 1..=6 {
        bed.source().execute(&format!(
            "INSERT INTO dbo.T (Id, Note, Changed) VALUES ({month}00000, N'as it was', '2026-0{month}-01')"
        ));
    }
    bed
}

fn sync(bed: &Bed, strategy: &str) -> Command {
    bed.sync("dbo.T", "demo.t")
        .args(["--strategy", strategy, "--merge", "upsert"])
        .args(["--target", &bed.target_url(), "--create-target"])
}

fn rows(bed: &Bed) -> usize {
    let lake = Dump::pyiceberg(&bed.lake("demo.t"), None).rows.len();
    let target = bed.target().value("SELECT COUNT(*) FROM dbo.T");
    assert_eq!(target, lake.to_string(), "target and lake");
    lake
}

#[test]
fn no_cursor_sees_deletions() {
    for strategy in ["timestamp", "id", "rowversion"] {
        let bed = bed();
        sync(&bed, strategy).run().success();
        bed.source().execute(
            "DELETE FROM dbo.T WHERE Id = 200000;
             INSERT INTO dbo.T (Id, Note, Changed) VALUES (700000, N'new', '2026-07-01')",
        );
        sync(&bed, strategy).run().success();
        assert_eq!(rows(&bed), 7, "{strategy}: the deleted row and the new one");
    }
}

#[test]
fn a_change_that_leaves_the_cursor_is_not_seen() {
    for strategy in ["timestamp", "id"] {
        let bed = bed();
        sync(&bed, strategy).run().success();
        bed.source().execute(
            "UPDATE dbo.T SET Note = N'otherwise' WHERE Id = 100000;
             INSERT INTO dbo.T (Id, Note, Changed) VALUES (700000, N'new', '2026-07-01')",
        );
        let run = match strategy {
            "id" => sync(&bed, strategy),
            _ => sync(&bed, strategy).leaves_apart("a row has changed and its cursor has not"),
        };
        run.run().success();
        assert_eq!(rows(&bed), 7, "{strategy}");
        let note = bed
            .target()
            .value("SELECT Note FROM dbo.T WHERE Id = 100000");
        assert_eq!(note, "as it was", "{strategy}");
    }
}

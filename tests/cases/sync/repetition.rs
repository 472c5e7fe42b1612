//! What would be delivered to the lake a second time, where the lake only takes rows.

use icehost_tests::{Bed, Command, Dump, customers};

const TABLE: &str = "demo.customers";

fn appending(bed: &Bed, strategy: &str) -> Command {
    bed.sync("dbo.Customers", TABLE)
        .args(["--strategy", strategy, "--merge", "append-only"])
}

#[track_caller]
fn assert_once(bed: &Bed) {
    bed.source_dump("dbo.Customers").assert_equals(
        &Dump::agreed(&bed.lake(TABLE), None),
        "source",
        "lake",
    );
}

#[test]
fn a_cleared_watermark_does_not_double_what_is_there() {
    for strategy in ["timestamp", "id"] {
        let bed = customers::bed(10);
        appending(&bed, strategy).json();
        bed.on_lake(["watermark", "clear"], TABLE).json();
        for command in [
            appending(&bed, strategy),
            appending(&bed, strategy).arg("--restart"),
            appending(&bed, strategy).args(["--parallel", "2", "--range-rows", "3"]),
            appending(&bed, strategy).arg("--dry-run"),
        ] {
            command.run().failure(&[
                "lake table demo.customers has rows, and there is no watermark",
                "would add them a second time",
                "hint: say how far its rows go with `icehost watermark set`",
            ]);
        }
        assert_once(&bed);
        // The way that the hint names first.
        let mark = match strategy {
            "id" => "CustomerID=integer:10".to_owned(),
            _ => {
                let newest =
                    "SELECT CONVERT(varchar(40), MAX(ModifiedDate), 126) FROM dbo.Customers";
                format!("ModifiedDate=timestamp:{}", bed.source().value(newest))
            }
        };
        bed.on_lake(["watermark", "set"], TABLE)
            .args(["--strategy", strategy, "--mark", &mark])
            .args([
                "--source-name",
                &format!("{}.dbo.Customers", bed.source_database()),
            ])
            .json();
        assert_eq!(appending(&bed, strategy).json()["rows_appended"], 0);
        assert_once(&bed);
        bed.on_lake(["watermark", "clear"], TABLE).json();
        // By a key it is no matter, and the lake has a watermark then.
        let upsert = bed
            .sync("dbo.Customers", TABLE)
            .args(["--strategy", strategy, "--merge", "upsert"])
            .json();
        assert_eq!(upsert["rows_removed"], 10);
        customers::add(&bed, 11, 12, "2026-02-01");
        assert_eq!(appending(&bed, strategy).json()["rows_appended"], 2);
        assert_once(&bed);
    }
}

#[test]
fn a_strategy_that_reads_everything_each_time_does_not_double_what_is_there() {
    let bed = customers::bed(10);
    appending(&bed, "full-refresh").json();
    appending(&bed, "full-refresh").run().failure(&[
        "lake table demo.customers has rows, and the strategy reads every row of the source in each run",
        "would add them a second time",
        "hint: merge by a key (--lake-merge upsert)",
        "`icehost watermark set --strategy … --mark …`",
    ]);
    assert_once(&bed);
    // The ways that the hint names: each ends in equality.
    bed.on_lake(["watermark", "set"], TABLE)
        .args(["--strategy", "id", "--mark", "CustomerID=integer:10"])
        .json();
    customers::add(&bed, 11, 12, "2026-02-01");
    assert_eq!(appending(&bed, "id").json()["rows_appended"], 2);
    assert_once(&bed);
    bed.on_lake(["watermark", "clear"], TABLE).json();
    let by_key = bed.sync("dbo.Customers", TABLE);
    by_key
        .args([
            "--strategy",
            "full-refresh",
            "--merge",
            "append-only",
            "--lake-merge",
            "upsert",
        ])
        .json();
    assert_once(&bed);
}

#[test]
fn a_table_that_holds_no_row_takes_them() {
    let bed = customers::bed(10);
    appending(&bed, "timestamp").json();
    // Another engine takes them all out.
    icehost_tests::maintenance::maintain(&bed.lake(TABLE), &["delete=CustomerID > 0"]);
    bed.on_lake(["watermark", "clear"], TABLE).json();
    assert_eq!(appending(&bed, "timestamp").json()["rows_appended"], 10);
    assert_once(&bed);
}

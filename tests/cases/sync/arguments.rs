//! Wrong input: an error that says what to do, an exit code, and no secret.

use icehost_tests::{Bed, Command, customers};

#[test]
fn usage_errors_exit_with_2() {
    for arguments in [
        vec!["sync"],
        vec!["sync", "--no-such-flag"],
        vec!["frobnicate"],
        vec![
            "watermark",
            "set",
            "--warehouse",
            "/tmp",
            "--lake-table",
            "a.b",
            "--mark",
            "x",
        ],
    ] {
        let run = Command::new(arguments.iter().copied()).run();
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn what_is_missing_is_named() {
    let bed = customers::bed(0);
    bed.sync_to_target("dbo.Custmers", "demo.c")
        .run()
        .failure(&["dbo.Custmers", "hint"]);
    bed.sync("dbo.Customers", "demo.c")
        .args(["--strategy", "timestmp", "--merge", "upsert"])
        .run()
        .failure(&["timestmp", "timestamp"]);
    bed.sync("dbo.Customers", "demo.c")
        .args(["--strategy", "upsert", "--merge", "upsert"])
        .run()
        .failure(&["merger", "hint"]);
    bed.on_lake(["snapshots"], "demo.c")
        .run()
        .failure(&["demo.c", "hint"]);
    bed.load("demo.c", "dbo.Customers")
        .args(["--merge", "upsert"])
        .run()
        .failure(&["demo.c", "hint"]);
}

#[test]
fn wrong_options_are_refused_with_the_right_ones() {
    let bed = customers::bed(1);
    let sync = |option: &str| {
        bed.sync_to_target("dbo.Customers", "demo.customers")
            .args(["--strategy-option", option])
            .run()
    };
    sync("colum=ModifiedDate").failure(&["colum", "column", "lookback-seconds"]);
    sync("lookback-seconds=soon").failure(&["lookback-seconds", "soon"]);
    sync("column=Nowhere").failure(&["Nowhere", "ModifiedDate"]);
    sync("column=Name").failure(&["Name", "ModifiedDate"]);
}

#[test]
fn a_missing_target_table_is_an_error_unless_it_may_be_created() {
    let bed = customers::bed(5);
    bed.target().execute("DROP TABLE dbo.Customers");
    bed.sync_to_target("dbo.Customers", "demo.customers")
        .run()
        .failure(&["dbo.Customers", "--create-target"]);
    let report = bed
        .sync_to_target("dbo.Customers", "demo.customers")
        .arg("--create-target")
        .json();
    assert_eq!(report["rows_inserted"], 5);
    assert_eq!(
        bed.target().rows(
            "SELECT c.name, t.name FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id
             WHERE c.object_id = OBJECT_ID('dbo.Customers') ORDER BY c.column_id"
        ),
        [
            ["CustomerID", "int"],
            ["Name", "nvarchar"],
            ["Email", "nvarchar"],
            ["Balance", "money"],
            ["ModifiedDate", "datetime2"]
        ]
    );
}

#[test]
fn the_password_is_never_shown() {
    let bed = Bed::on_development_server();
    let wrong = bed.source_url().replace("//sa:", "//nobody:");
    let unreachable = format!("mssql://sa:{}@127.0.0.1:1/db", "hunter2%21");
    for (url, secret) in [(wrong.as_str(), bed.password()), (&unreachable, "hunter2")] {
        let run = Command::new([
            "sync",
            "--source",
            url,
            "--table",
            "dbo.T",
            "--strategy",
            "id",
            "--merge",
            "upsert",
            "--retries",
            "0",
            "--output",
            "json",
            "--warehouse",
        ])
        .arg(bed.warehouse().display().to_string())
        .env("RUST_LOG", "trace")
        .run()
        .failure(&["hint"]);
        let encoded = "T3st%3Bpass%27word";
        for shown in [&run.stdout, &run.stderr] {
            assert!(
                !shown.contains(secret) && !shown.contains(encoded),
                "{shown}"
            );
        }
    }
}

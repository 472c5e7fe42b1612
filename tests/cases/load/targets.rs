//! Targets that are none: the source itself, and a database that only reads. And a login that may write rows alone.

use icehost_tests::{Bed, Command, WRITER};

use crate::belonging::{
    as_an_earlier_version_left_it, assert_equal, delivered, load, make_target, sync, warns,
};

#[test]
fn a_lake_table_is_not_loaded_into_the_table_that_it_was_read_from() {
    let bed = delivered("upsert");
    let by_another_name = bed.source_url().replace("127.0.0.1", "localhost");
    let from_another_database = format!("{}.dbo.t", bed.source_database());
    for (url, table) in [
        (bed.source_url(), "dbo.T"),
        (by_another_name, "T"),
        (bed.target_url(), from_another_database.as_str()),
    ] {
        let load = || {
            Command::new([
                "load",
                "--warehouse",
                &bed.warehouse().display().to_string(),
            ])
            .args(["--lake-table", "demo.t", "--merge", "upsert"])
            .args(["--target", &url, "--target-table", table])
        };
        let said = ["is the table that lake table demo.t was read from", "hint"];
        load().run().failure(&said);
        load().arg("--full").run().failure(&said);
        load().arg("--dry-run").run().failure(&said);
    }
    let positions = "SELECT COUNT(*) FROM sys.tables WHERE name = 'icehost_positions'";
    assert_eq!(bed.source().value(positions), "0", "nothing is written");
    // Also where the mark was set by hand since.
    bed.on_lake(["watermark", "set"], "demo.t")
        .args(["--mark", "rows=integer:1"])
        .run()
        .success();
    let url = bed.source_url();
    Command::new([
        "load",
        "--warehouse",
        &bed.warehouse().display().to_string(),
    ])
    .args([
        "--lake-table",
        "demo.t",
        "--merge",
        "upsert",
        "--target",
        &url,
    ])
    .args(["--target-table", "dbo.T"])
    .run()
    .failure(&["was read from"]);
}

#[test]
fn a_database_that_cannot_be_written_to_is_refused_by_name() {
    let bed = delivered("upsert");
    let target = bed.target().value("SELECT DB_NAME()");
    let replica = |secondary: u8| {
        bed.source().execute(&format!(
            "EXEC devserver.replica @database = N'{target}', @secondary = {secondary}"
        ));
    };
    replica(1);
    let said = [
        "the database",
        "is read-only, a readable secondary perhaps: nothing can be loaded into it",
        "hint: load into the primary",
    ];
    for more in [&[][..], &["--full"], &["--dry-run"], &["--create-target"]] {
        load(&bed, "upsert", more).run().failure(&said);
    }
    let elsewhere = format!("{target}.dbo.T");
    bed.load("demo.t", &elsewhere)
        .args(["--merge", "upsert"])
        .run()
        .failure(&said);
    // To be compared it need not be written to.
    bed.on_lake(["verify"], "demo.t")
        .args([
            "--target",
            &bed.target_url(),
            "--target-table",
            "dbo.T",
            "--merge",
            "upsert",
        ])
        .run()
        .success();
    replica(0);
    assert_equal(&bed, "upsert");
}

/// The target by the login that may write rows and change no table.
fn as_writer(bed: &Bed, merge: &str, more: &[&str]) -> Command {
    let url = bed.target_url();
    let writer = url.replacen("mssql://sa:", &format!("mssql://{WRITER}:"), 1);
    assert_ne!(writer, url);
    Command::new([
        "load",
        "--warehouse",
        &bed.warehouse().display().to_string(),
    ])
    .args(["--lake-table", "demo.t", "--target", &writer])
    .args(["--target-table", "dbo.T", "--merge", merge])
    .args(more.iter().copied())
}

#[test]
fn positions_of_an_earlier_version_are_gone_on_from_where_the_login_may_not_alter() {
    let bed = delivered("upsert");
    as_an_earlier_version_left_it(&bed);
    let columns =
        "SELECT COUNT(*) FROM sys.columns WHERE object_id = OBJECT_ID(N'dbo.icehost_positions')";
    assert_eq!(bed.target().value(columns), "9");
    // Nothing to do: nothing to say.
    let next = as_writer(&bed, "upsert", &[]).json();
    assert_eq!(next["warnings"], serde_json::json!([]), "{next}");
    for value in [70, 71] {
        bed.source()
            .execute(&format!("UPDATE dbo.T SET V = {value} WHERE Id = 7"));
        sync(&bed);
        let next = as_writer(&bed, "upsert", &[]).json();
        assert_eq!(
            (&next["rows_updated"], &next["rows_inserted"]),
            (&1.into(), &0.into())
        );
        warns(&next, "may not add columns to dbo.icehost_positions");
        bed.source_dump("dbo.T")
            .assert_equals(&bed.target_dump("dbo.T"), "source", "target");
    }
    assert_eq!(bed.target().value(columns), "9");
    // What needs no column is noticed all the same.
    bed.target().execute("DELETE FROM dbo.T");
    let next = as_writer(&bed, "upsert", &[]).json();
    warns(&next, "it is empty, though rows were delivered into it");
    assert_eq!(next["rows_inserted"], 20);
    // The way that the warning names: whoever may alter it, once.
    let once = load(&bed, "upsert", &[]).json();
    assert_eq!(once["warnings"], serde_json::json!([]), "{once}");
    assert_eq!(bed.target().value(columns), "15");
    bed.target().execute("DROP TABLE dbo.T");
    make_target(&bed);
    let next = as_writer(&bed, "upsert", &[]).json();
    warns(&next, "that was dropped");
    assert_equal(&bed, "upsert");
}

#[test]
fn a_position_that_does_not_say_by_which_merge_rows_came_is_gone_on_from() {
    let bed = delivered("upsert");
    bed.target()
        .execute("ALTER TABLE dbo.icehost_positions DROP COLUMN merge_digest");
    let columns =
        "SELECT COUNT(*) FROM sys.columns WHERE object_id = OBJECT_ID(N'dbo.icehost_positions')";
    let change = |value: u32| {
        bed.source()
            .execute(&format!("UPDATE dbo.T SET V = {value} WHERE Id = 7"));
        sync(&bed);
    };
    // The login may not alter the table, and what else it says counts.
    for value in [70, 71] {
        change(value);
        let next = as_writer(&bed, "upsert", &[]).json();
        assert_eq!(next["rows_updated"], 1, "{next}");
        assert_eq!(next["warnings"], serde_json::json!([]), "{next}");
        assert_eq!(bed.target().value(columns), "14");
    }
    // Whoever may, once.
    let next = load(&bed, "upsert", &[]).json();
    assert_eq!(next["rows_updated"], 0, "{next}");
    assert_eq!(bed.target().value(columns), "15");
    let digest = "SELECT merge_digest FROM dbo.icehost_positions";
    let known = bed.target().value(digest);
    change(72);
    let next = load(&bed, "upsert", &[]).json();
    assert_eq!(next["rows_updated"], 1, "{next}");
    assert_eq!(bed.target().value(digest), known);
    bed.target().execute("DROP TABLE dbo.T");
    make_target(&bed);
    let next = as_writer(&bed, "upsert", &[]).json();
    warns(&next, "that was dropped");
}

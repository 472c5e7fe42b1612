//! Tables that are more, or less, than a table: each kind is carried, or refused by what it is, as source and as
//! target.

use icehost_tests::{Bed, Command, Dump};

const PRICES: &str = "CREATE TABLE dbo.Prices (Id int NOT NULL PRIMARY KEY, Price int NOT NULL,
    Since datetime2(3) GENERATED ALWAYS AS ROW START NOT NULL,
    Until datetime2(3) GENERATED ALWAYS AS ROW END NOT NULL,
    PERIOD FOR SYSTEM_TIME (Since, Until))
    WITH (SYSTEM_VERSIONING = ON (HISTORY_TABLE = dbo.PricesHistory))";

fn full(bed: &Bed, table: &str, lake: &str, merge: &str) -> Command {
    bed.sync(table, lake)
        .args(["--strategy", "full-refresh", "--merge", merge])
}

#[track_caller]
fn lake_has_the_source(bed: &Bed, table: &str, lake: &str) {
    Dump::agreed(&bed.lake(lake), None).assert_equals(&bed.source_dump(table), "lake", "source");
}

#[test]
fn a_temporal_table_is_read_and_so_is_its_history() {
    let bed = Bed::on_development_server();
    let mut source = bed.source();
    source.execute(PRICES);
    source.execute("INSERT INTO dbo.Prices (Id, Price) VALUES (1, 10), (2, 20)");
    source.execute("UPDATE dbo.Prices SET Price = 11 WHERE Id = 1");
    full(&bed, "dbo.Prices", "demo.prices", "upsert").json();
    lake_has_the_source(&bed, "dbo.Prices", "demo.prices");
    full(&bed, "dbo.PricesHistory", "demo.history", "append-only").json();
    lake_has_the_source(&bed, "dbo.PricesHistory", "demo.history");
    // The start of a row's period is a cursor like any other.
    let cursor = bed
        .sync("dbo.Prices", "demo.by_period")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--strategy-option", "column=Since"]);
    assert_eq!(cursor.clone().json()["rows_appended"], 2);
    source.execute("UPDATE dbo.Prices SET Price = 21 WHERE Id = 2");
    assert_eq!(cursor.json()["rows_appended"], 1);
    lake_has_the_source(&bed, "dbo.Prices", "demo.by_period");
}

#[test]
fn a_temporal_target_writes_its_own_periods_and_its_history_is_refused() {
    let bed = Bed::on_development_server();
    for mut side in [bed.source(), bed.target()] {
        side.execute(PRICES);
    }
    bed.source()
        .execute("INSERT INTO dbo.Prices (Id, Price) VALUES (1, 10), (2, 20)");
    let to_target = |more: &[&str]| {
        full(&bed, "dbo.Prices", "demo.prices", "upsert")
            .args(["--target", &bed.target_url()])
            .args(more.iter().copied())
    };
    let report = to_target(&[]).json();
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains("makes the values of Since, Until itself"),
        "{warnings}"
    );
    bed.source()
        .execute("UPDATE dbo.Prices SET Price = 11 WHERE Id = 1");
    to_target(&[]).json();
    let rows = "SELECT Id, Price FROM dbo.Prices ORDER BY Id";
    assert_eq!(bed.target().rows(rows), bed.source().rows(rows));
    // What the rows were is in the target's own history.
    let history = "SELECT Id, Price FROM dbo.PricesHistory WHERE Price = 10";
    assert_eq!(bed.target().rows(history), [["1", "10"]]);
    to_target(&["--target-table", "dbo.PricesHistory"])
        .run()
        .failure(&[
            "target table dbo.PricesHistory is a history table, which only the server writes",
            "hint: load into the table whose history it is",
        ]);
}

#[test]
fn a_memory_optimised_table_is_read_and_refused_as_a_target() {
    let bed = Bed::on_development_server();
    let table = "CREATE TABLE dbo.M (Id int NOT NULL PRIMARY KEY NONCLUSTERED, V int NULL)
        WITH (MEMORY_OPTIMIZED = ON, DURABILITY = SCHEMA_AND_DATA)";
    for mut side in [bed.source(), bed.target()] {
        side.execute(table);
    }
    let database = bed.source_database().to_owned();
    for isolation in ["OFF", "ON"] {
        let mut source = bed.source();
        source.execute(&format!(
            "ALTER DATABASE {database} SET ALLOW_SNAPSHOT_ISOLATION {isolation}"
        ));
        source.execute("DELETE dbo.M; INSERT INTO dbo.M VALUES (1, 1), (2, NULL)");
        let lake = format!("demo.m_{}", isolation.to_lowercase());
        full(&bed, "dbo.M", &lake, "upsert").json();
        lake_has_the_source(&bed, "dbo.M", &lake);
    }
    full(&bed, "dbo.M", "demo.m_on", "upsert")
        .args(["--target", &bed.target_url()])
        .run()
        .failure(&[
            "target table dbo.M is memory-optimised, and MERGE does not write such tables",
            "hint: load into a disk-based table",
        ]);
}

#[test]
fn encrypted_columns_are_refused_by_name_and_can_be_left_out() {
    let bed = Bed::on_development_server();
    let key = "ENCRYPTED WITH (COLUMN_ENCRYPTION_KEY = k, ENCRYPTION_TYPE = RANDOMIZED, ALGORITHM = 'AEAD_AES_256_CBC_HMAC_SHA_256')";
    let people = format!(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Name nvarchar(20) NULL, Pin int {key} NULL)"
    );
    bed.source().execute(&people);
    bed.source()
        .execute("INSERT INTO dbo.People (Id, Name) VALUES (1, N'Ann')");
    full(&bed, "dbo.People", "demo.people", "upsert")
        .run()
        .failure(&[
            "table dbo.People, column 'Pin': it is encrypted with Always Encrypted",
            "hint: leave the column out with --exclude-columns 'Pin'",
        ]);
    assert!(!bed.lake("demo.people").exists());
    let without =
        full(&bed, "dbo.People", "demo.people", "upsert").args(["--exclude-columns", "Pin"]);
    assert_eq!(without.json()["rows_appended"], 1);

    // A target may have such a column, and is not given values for it.
    bed.target().execute(&people);
    let load = |more: &[&str]| {
        bed.load("demo.people", "dbo.People")
            .args(["--merge", "upsert"])
            .args(more.iter().copied())
    };
    assert_eq!(load(&[]).json()["rows_inserted"], 1);
    bed.target().execute("DROP TABLE dbo.People");
    bed.target().execute(&format!(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Name nvarchar(20) COLLATE Latin1_General_BIN2 {key} NULL)"
    ));
    load(&["--full"]).run().failure(&[
        "target table dbo.People, column 'Name': icehost does not write the type nvarchar, encrypted with Always Encrypted",
        "hint: leave the column out with --exclude-columns 'Name'",
    ]);
    assert_eq!(
        load(&["--full", "--exclude-columns", "Name"]).json()["rows_inserted"],
        1
    );
}

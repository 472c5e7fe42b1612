//! Whatever a sync is told, rows are compared as it moves them.

use icehost_tests::{Bed, Command};

use crate::{Case, MIRROR, counts, differs, insert, keys};

/// Two rows for each code, of which one gives way to the other.
fn ranked() -> Bed {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Code int NOT NULL, Rank int NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 7, 2, '2026-01-01'), (2, 7, 1, '2026-01-01'), (3, 8, NULL, '2026-01-01'),
            (4, 8, 5, '2026-01-01'), (5, 9, 0, '2026-01-02')",
    );
    bed
}

const CHOSEN: [&str; 6] = [
    "--merge",
    "upsert",
    "--merge-option",
    "keys=Code",
    "--merge-option",
    "deduplicate-by=Rank",
];

#[test]
fn of_rows_with_one_key_the_one_that_counts_is_expected() {
    for strategy in ["full-refresh", "timestamp"] {
        let bed = ranked();
        let sync = || {
            bed.sync("dbo.T", "demo.t")
                .args(["--strategy", strategy])
                .args(CHOSEN)
        };
        let verify = || {
            bed.verify("dbo.T", "demo.t")
                .args(["--strategy", strategy])
                .args(CHOSEN)
        };
        assert_eq!(sync().json()["rows_appended"], 3);
        // The row that counts is another one, and nobody has read it yet.
        bed.source()
            .execute("UPDATE dbo.T SET Modified = '2020-01-01', Code = 77 WHERE Id IN (1, 2)");
        let report = differs(verify());
        assert_eq!(
            keys(&report, "lake", "wrong")
                .iter()
                .filter(|key| key.starts_with("missing"))
                .collect::<Vec<_>>(),
            ["missing Code = 77"],
            "{strategy}"
        );
        assert_eq!(counts(&report, "lake", "not_seen"), "1 extra", "{strategy}");
    }
}

#[test]
fn a_row_that_should_have_given_way_is_found_where_every_row_is_read_together() {
    let bed = ranked();
    let full = |command: Command| command.args(["--strategy", "full-refresh"]).args(CHOSEN);
    full(bed.sync("dbo.T", "demo.t")).json();
    bed.source()
        .execute("UPDATE dbo.T SET Rank = 9 WHERE Id = 2");
    let report = differs(full(bed.verify("dbo.T", "demo.t")));
    assert_eq!(counts(&report, "lake", "wrong"), "1 changed");
    full(bed.sync("dbo.T", "demo.t")).json();

    // A cursor reads the new row alone, and it takes the place of one that goes before it in the order.
    let bed = ranked();
    let cursor = |command: Command| {
        let options = ["--strategy", "timestamp", "--strategy-option"];
        command.args(options).arg("lookback-seconds=0").args(CHOSEN)
    };
    cursor(bed.sync("dbo.T", "demo.t")).json();
    bed.source()
        .execute("INSERT INTO dbo.T VALUES (6, 7, 1, '2026-02-01')");
    cursor(bed.sync("dbo.T", "demo.t")).json();
    let report = cursor(bed.verify("dbo.T", "demo.t")).json();
    assert_eq!(counts(&report, "lake", "not_seen"), "1 changed");
    // What none of them is, is wrong.
    for (id, month) in [(7, 3), (8, 4)] {
        bed.source().execute(&format!(
            "INSERT INTO dbo.T VALUES ({id}, {id}0, 1, '2026-0{month}-01')"
        ));
        cursor(bed.sync("dbo.T", "demo.t")).json();
    }
    bed.source()
        .execute("UPDATE dbo.T SET Rank = 0 WHERE Id = 6");
    let report = differs(cursor(bed.verify("dbo.T", "demo.t")));
    assert_eq!(counts(&report, "lake", "wrong"), "1 changed");
}

#[test]
fn of_the_versions_in_the_lake_the_target_has_the_one_that_counts() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Rank int NOT NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 5, '2026-01-01'), (2, 1, '2026-01-02')",
    );
    let to = bed.target_url();
    let told = |command: Command| {
        command
            .args(["--strategy", "timestamp", "--lake-merge", "append-only"])
            .args(["--merge", "upsert", "--merge-option", "deduplicate-by=Rank"])
            .args(["--target", &to])
    };
    let lake = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "timestamp", "--merge", "append-only"])
            .json()
    };
    lake();
    bed.source()
        .execute("UPDATE dbo.T SET Rank = 3, Modified = '2026-02-01' WHERE Id = 1");
    lake();
    // Both versions come together: the older one counts.
    told(bed.sync("dbo.T", "demo.t"))
        .arg("--create-target")
        .json();
    assert_eq!(
        bed.target().value("SELECT Rank FROM dbo.T WHERE Id = 1"),
        "5"
    );
    // One that comes alone takes its place.
    bed.source()
        .execute("UPDATE dbo.T SET Rank = 2, Modified = '2026-03-01' WHERE Id = 1");
    told(bed.sync("dbo.T", "demo.t")).json();
    assert_eq!(
        bed.target().value("SELECT Rank FROM dbo.T WHERE Id = 1"),
        "2"
    );
    let report = told(bed.verify("dbo.T", "demo.t")).json();
    assert_eq!(counts(&report, "target", "not_seen"), "1 changed");
    bed.target()
        .execute("UPDATE dbo.T SET Rank = 1 WHERE Id = 1");
    let report = differs(told(bed.verify("dbo.T", "demo.t")));
    assert_eq!(counts(&report, "target", "wrong"), "1 changed");
}

#[test]
fn a_row_that_a_transformer_drops_is_pending_until_it_is_taken_out() {
    let sync = [
        "--strategy",
        "timestamp",
        "--merge",
        "upsert",
        "--transform",
        "tenant-filter",
        "--transform-option",
        "tenant-filter:column=Name",
        "--transform-option",
        "tenant-filter:tenants=ours",
        "--transform",
        "mask",
        "--transform-option",
        "mask:columns=Name",
    ];
    let case = Case::new(10, &sync);
    case.source("UPDATE dbo.T SET Name = N'ours'");
    case.run();
    let report = case.agrees();
    assert_eq!(report["lake"]["rows_found"], 10);
    case.source("UPDATE dbo.T SET Name = N'theirs', Modified = '2026-02-01' WHERE Id = 3");
    let report = case.agrees();
    assert_eq!(counts(&report, "lake", "pending"), "1 extra");
    case.source("UPDATE dbo.T SET Amount = 99 WHERE Id = 4");
    let report = case.differs();
    assert_eq!(keys(&report, "lake", "wrong"), ["changed Id = 4: Amount"]);
    case.source("UPDATE dbo.T SET Modified = '2026-02-01' WHERE Id = 4");
    case.run();
    let report = case.agrees();
    assert_eq!(
        (&report["pending"], &report["not_seen"]),
        (&0.into(), &0.into())
    );
    assert_eq!(report["target"]["rows_found"], 9);
}

#[test]
fn what_an_open_transaction_holds_back_is_pending() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.V (Id int NOT NULL PRIMARY KEY, Version rowversion);
         CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY, Version rowversion);
         INSERT INTO dbo.V (Id) VALUES (1), (2)",
    );
    let told = |command: Command| command.args(["--strategy", "rowversion", "--merge", "upsert"]);
    told(bed.sync("dbo.V", "demo.v")).json();
    let mut late = bed.source();
    late.execute("BEGIN TRANSACTION; INSERT INTO dbo.Other (Id) VALUES (1)");
    bed.source().execute("INSERT INTO dbo.V (Id) VALUES (3)");
    let report = told(bed.verify("dbo.V", "demo.v")).json();
    assert_eq!(counts(&report, "lake", "pending"), "1 missing");
    late.execute("COMMIT TRANSACTION");
    told(bed.sync("dbo.V", "demo.v")).json();
}

/// A value that changes and changes back within a day of a `date` is added each time.
#[test]
fn a_version_may_come_again_after_another_one_and_not_before() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V int NOT NULL, Changed date NOT NULL);
         INSERT INTO dbo.T VALUES (1, 1, '2026-05-02'), (2, 1, '2026-05-02')",
    );
    let told =
        |command: Command| command.args(["--strategy", "timestamp", "--merge", "append-only"]);
    told(bed.sync("dbo.T", "demo.t")).json();
    for value in [2, 1] {
        bed.source()
            .execute(&format!("UPDATE dbo.T SET V = {value} WHERE Id = 1"));
        told(bed.sync("dbo.T", "demo.t")).json();
    }
    icehost_tests::maintenance::maintain(&bed.lake("demo.t"), &["copy=Id = 2"]);
    let report = differs(told(bed.verify("dbo.T", "demo.t")));
    assert_eq!(keys(&report, "lake", "wrong"), ["repeated Id = 2"]);
}

#[test]
fn the_flags_of_a_sync_are_taken() {
    let case = Case::new(1200, &MIRROR);
    case.run();
    let flags = [
        "--create-target",
        "--time-precision=error",
        "--parallel=2",
        "--range-rows=100",
        "--commit=per-range",
        "--restart",
        "--delete-limit=50%",
    ];
    assert_eq!(case.verify().args(flags).json()["wrong"], 0);
    // What the next run is told counts.
    case.source("DELETE FROM dbo.T WHERE Id > 100");
    for (more, stops) in [
        ("--delete-limit=50%", 1),
        ("--delete-limit=100%", 0),
        ("--allow-deletes", 0),
    ] {
        let report = differs(case.verify().arg(more));
        let told = report["next_run_stops"].as_array().unwrap();
        assert_eq!(told.len(), stops, "{more}: {report}");
    }
}

#[test]
fn columns_that_are_left_out_are_not_compared() {
    let case = Case::new(
        10,
        &[
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
            "--columns",
            "Id,Name,Modified",
        ],
    );
    case.run();
    case.source("UPDATE dbo.T SET Amount = 7 WHERE Id = 3");
    assert_eq!(
        case.agrees()["lake"]["columns"].as_array().unwrap().len(),
        3
    );
    // The target can do without one that the lake has.
    case.target(
        "CREATE TABLE dbo.Less (Id int NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL)",
    );
    let told = |command: Command| command.args(["--merge", "upsert", "--exclude-columns", "Name"]);
    told(case.bed.load("demo.t", "dbo.Less")).json();
    let verify = || {
        let verify = case.bed.on_lake(["verify"], "demo.t");
        told(verify.args([
            "--target",
            &case.bed.target_url(),
            "--target-table",
            "dbo.Less",
        ]))
    };
    let left_out = verify().json()["target"]["left_out"].clone();
    assert_eq!(left_out[0]["column"], "Name");
    case.target("DELETE FROM dbo.Less WHERE Id = 4");
    assert_eq!(
        keys(&differs(verify()), "target", "wrong"),
        ["missing Id = 4"]
    );
}

/// Where rows are hidden or masked, they are so for both.
#[test]
fn a_source_that_is_read_with_leave_is_compared_with_leave() {
    let bed = Bed::on_development_server();
    bed.source().execute(
        "CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Region nvarchar(9) NOT NULL,
            Email varchar(50) MASKED WITH (FUNCTION = 'email()') NULL);
         INSERT INTO dbo.People VALUES (1, N'east', 'ann@example.com'), (2, N'west', 'bob@example.com')",
    );
    let url = bed.source_url();
    let reader = url.replacen(
        "mssql://sa:",
        &format!("mssql://{}:", icehost_tests::READER),
        1,
    );
    let told = |subcommand: &str, source: &str, lake: &str| {
        Command::new([subcommand, "--source", source, "--table", "dbo.People"])
            .args(["--warehouse", &bed.warehouse().display().to_string()])
            .args(["--lake-table", lake, "--strategy", "full-refresh"])
            .args(["--merge", "upsert", "--merge-option", "delete-missing=true"])
    };
    let masked =
        |subcommand| told(subcommand, &reader, "demo.masked").args(["--allow-masked", "Email"]);
    masked("sync").json();
    let report = masked("verify").json();
    let notes = report["lake"]["notes"].to_string();
    assert!(
        notes.contains("masks instead of the values of 'Email'"),
        "{notes}"
    );
    // What a server makes of masks says nothing of the rows.
    assert_eq!(report["lake"]["checksums_by_server"], false);

    bed.source().execute("CREATE SCHEMA rls");
    bed.source().execute(
        "CREATE FUNCTION rls.allowed (@region AS nvarchar(9)) RETURNS TABLE WITH SCHEMABINDING AS RETURN SELECT 1 AS ok WHERE @region = N'east'",
    );
    bed.source().execute(
        "CREATE SECURITY POLICY rls.regions ADD FILTER PREDICATE rls.allowed(Region) ON dbo.People WITH (STATE = ON)",
    );
    let hidden = |subcommand| told(subcommand, &url, "demo.hidden").arg("--allow-row-filter");
    hidden("sync").json();
    let notes = hidden("verify").json()["lake"]["notes"].to_string();
    assert!(notes.contains("security policy"), "{notes}");
}

#[test]
fn pipelines_of_a_file_may_have_a_target_that_takes_less() {
    let case = Case::new(10, &["--strategy", "timestamp", "--merge", "upsert"]);
    case.target("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NULL, Modified datetime2(3) NOT NULL)");
    insert(&case.bed, 50, 5, "2026-01-03");
    let config = case.bed.path("icehost.toml");
    let password = "ICEHOST_CASE_PASSWORD";
    let connection = |name: &str, url: &str| {
        let (login, rest) = url.rsplit_once('@').unwrap();
        let (user, _) = login.rsplit_once(':').unwrap();
        format!("[connections.{name}]\nurl = \"{user}@{rest}\"\npassword-env = \"{password}\"\n")
    };
    let text = [
        "warehouse = \"warehouse\"\n".to_owned(),
        connection("source", &case.bed.source_url()),
        connection("target", &case.bed.target_url()),
        "[pipelines.one]\nsource = \"source\"\ntable = \"dbo.T\"\nlake-table = \"demo.t\"\n\
         strategy = \"timestamp\"\nmerge = \"upsert\"\ntarget = \"target\"\n"
            .to_owned(),
    ]
    .join("\n");
    std::fs::write(&config, text).unwrap();
    case.bed
        .sync("dbo.T", "demo.t")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .json();
    let told = |subcommand: &str| {
        Command::new([subcommand, "one", "--config"])
            .arg(config.display().to_string())
            .args(["--exclude-columns", "Amount"])
            .env(password, &case.bed.login().1)
    };
    told("load").json();
    let report = told("verify").json();
    assert_eq!(report["pipelines"][0]["report"]["target"]["rows_found"], 15);
}

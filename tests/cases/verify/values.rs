//! A difference in any type of column, however small, is found.

use icehost_tests::Bed;

use crate::{counts, keys};

/// A column, a value that it has, and one that differs as little as the lake can tell.
const VALUES: &[(&str, &str, &str)] = &[
    ("bit", "0", "1"),
    ("bit", "0", "NULL"),
    ("tinyint", "255", "254"),
    ("smallint", "-32768", "-32767"),
    ("int", "2147483647", "2147483646"),
    ("int", "0", "NULL"),
    ("bigint", "9223372036854775807", "9223372036854775806"),
    ("bigint", "-9223372036854775808", "-9223372036854775807"),
    (
        "decimal(38,10)",
        "1234567890123456789012345678.0000000001",
        "1234567890123456789012345678.0000000002",
    ),
    ("decimal(9,2)", "0.10", "0.01"),
    ("decimal(9,2)", "1.00", "10.00"),
    ("decimal(9,2)", "-1.00", "1.00"),
    ("money", "922337203685477.5807", "922337203685477.5806"),
    ("smallmoney", "-214748.3648", "-214748.3647"),
    ("real", "CAST(1.1 AS real)", "CAST(1.1000001 AS real)"),
    ("float", "0.1", "0.10000000000000002"),
    ("char(5)", "'abc'", "'abd'"),
    ("varchar(20)", "'abc'", "'ABC'"),
    ("varchar(20)", "'abc'", "'abc '"),
    ("varchar(20)", "''", "NULL"),
    ("varchar(20)", "'caf' + CHAR(233)", "'cafe'"),
    ("nchar(5)", "N'a'", "N'b'"),
    ("nvarchar(20)", "N''", "N' '"),
    ("nvarchar(20)", "N'Stra' + NCHAR(223) + N'e'", "N'Strasse'"),
    ("nvarchar(20)", "NCHAR(233)", "N'e' + NCHAR(769)"),
    (
        "varchar(max)",
        "REPLICATE(CAST('x' AS varchar(max)), 9000)",
        "REPLICATE(CAST('x' AS varchar(max)), 8999) + 'y'",
    ),
    (
        "nvarchar(max)",
        "REPLICATE(CAST(N'x' AS nvarchar(max)), 9000)",
        "REPLICATE(CAST(N'x' AS nvarchar(max)), 9001)",
    ),
    ("binary(4)", "0x01", "0x0101"),
    ("varbinary(20)", "0x01", "0x0100"),
    ("varbinary(20)", "0x", "NULL"),
    ("varbinary(max)", "0xDEADBEEF", "0xDEADBEEE"),
    ("date", "'9999-12-31'", "'9999-12-30'"),
    ("time(6)", "'23:59:59.999999'", "'23:59:59.999998'"),
    (
        "datetime",
        "'2026-01-01T12:00:00.003'",
        "'2026-01-01T12:00:00.007'",
    ),
    (
        "smalldatetime",
        "'2026-01-01T12:34:00'",
        "'2026-01-01T12:35:00'",
    ),
    (
        "datetime2(6)",
        "'0001-01-01T00:00:00'",
        "'0001-01-01T00:00:00.000001'",
    ),
    (
        "datetimeoffset(6)",
        "'2026-01-01T12:00:00.000001+05:30'",
        "'2026-01-01T12:00:00.000001+05:00'",
    ),
    (
        "uniqueidentifier",
        "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
        "'FF19966F-868B-11D0-B42D-00C04FC964FF'",
    ),
];

/// All of them in one table: each row has the first values, and a row for each column has the second one there.
struct Types {
    bed: Bed,
}

const SYNC: &[&str] = &[
    "--strategy",
    "timestamp",
    "--strategy-option",
    "column=Modified",
    "--merge",
    "upsert",
];

impl Types {
    fn new() -> Types {
        let bed = Bed::new();
        let columns: Vec<String> = VALUES
            .iter()
            .enumerate()
            .map(|(i, (kind, _, _))| format!("C{i} {kind} NULL"))
            .collect();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, {}, Modified datetime2(3) NOT NULL)",
            columns.join(", ")
        ));
        let first: Vec<&str> = VALUES.iter().map(|(_, first, _)| *first).collect();
        // The last one moves the mark away from the others: what lies at it is read again by the next run.
        for id in 0..=VALUES.len() {
            let day = 1 + id / VALUES.len();
            bed.source().execute(&format!(
                "INSERT INTO dbo.T VALUES ({id}, {}, '2026-01-0{day}')",
                first.join(", ")
            ));
        }
        bed.sync("dbo.T", "demo.t")
            .args(SYNC.iter().copied())
            .args(["--target", &bed.target_url(), "--create-target"])
            .run()
            .success();
        Types { bed }
    }

    fn verify(&self) -> icehost_tests::Command {
        self.bed
            .verify("dbo.T", "demo.t")
            .args(SYNC.iter().copied())
            .args(["--target", &self.bed.target_url(), "--limit", "1000"])
    }
}

/// Puts the second value into the column that belongs to each row.
fn mutate(client: &mut icehost_tests::Client) {
    for (i, (_, _, second)) in VALUES.iter().enumerate() {
        client.execute(&format!("UPDATE dbo.T SET C{i} = {second} WHERE Id = {i}"));
    }
}

fn wanted() -> Vec<String> {
    let mut wanted: Vec<String> = (0..VALUES.len())
        .map(|i| format!("changed Id = {i}: C{i}"))
        .collect();
    wanted.sort();
    wanted
}

#[test]
fn every_type_agrees_and_every_mutation_of_the_target_is_found() {
    let types = Types::new();
    let report = types.verify().json();
    assert_eq!(
        (&report["wrong"], &report["pending"]),
        (&0.into(), &0.into()),
        "{report}"
    );
    // The servers' own sums say so: not one row had to be looked at twice.
    for side in ["lake", "target"] {
        assert_eq!(report[side]["checksums_by_server"], true, "{report}");
        assert_eq!(report[side]["rows_read_again"], 0, "{report}");
    }
    mutate(&mut types.bed.target());
    let report = crate::differs(types.verify());
    assert_eq!(
        counts(&report, "target", "wrong"),
        format!("{} changed", VALUES.len())
    );
    assert_eq!(keys(&report, "target", "wrong"), wanted());
    assert_eq!(counts(&report, "lake", "wrong"), "");
}

#[test]
fn every_mutation_of_the_source_is_found() {
    let types = Types::new();
    mutate(&mut types.bed.source());
    let report = crate::differs(types.verify());
    assert_eq!(keys(&report, "lake", "wrong"), wanted());
    assert_eq!(counts(&report, "target", "wrong"), "");
}

#[test]
fn digits_that_the_lake_cannot_carry_are_said_and_not_compared() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, A time(7) NULL, B datetimeoffset(7) NULL, Modified datetime2(7) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '12:00:00.1234567', '2026-01-01T00:00:00.1234567+01:00', '2026-01-01T00:00:00.7654321')",
    );
    bed.sync("dbo.T", "demo.t")
        .args(SYNC.iter().copied())
        .run()
        .success();
    let report = bed
        .verify("dbo.T", "demo.t")
        .args(SYNC.iter().copied())
        .json();
    assert_eq!(report["wrong"], 0, "{report}");
    let notes = report["lake"]["notes"].to_string();
    assert!(
        notes.contains("'A', 'B', 'Modified': compared to the microsecond"),
        "{notes}"
    );
    assert!(notes.contains("'B': compared as moments"), "{notes}");
}

#[test]
fn wider_types_and_padding_of_a_target_are_no_difference() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, A int NULL, B decimal(5,2) NULL, C real NULL, D varchar(5) NULL, E datetime2(3) NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, 100, 1.50, 1.5, 'abc', '2026-01-01T00:00:00.120', '2026-01-01')",
    );
    bed.target().execute(
        "CREATE TABLE dbo.T (Id bigint NOT NULL PRIMARY KEY, A bigint NULL, B decimal(20,6) NULL, C float NULL, D nchar(9) NULL, E datetime2(7) NULL, Modified datetime2(3) NOT NULL, Own int NULL)",
    );
    let to = ["--target", &bed.target_url()];
    bed.sync("dbo.T", "demo.t")
        .args(SYNC.iter().copied())
        .args(to)
        .run()
        .success();
    let verify = || {
        bed.verify("dbo.T", "demo.t")
            .args(SYNC.iter().copied())
            .args(to)
    };
    let report = verify().json();
    assert_eq!(report["wrong"], 0, "{report}");
    bed.target()
        .execute("UPDATE dbo.T SET B = 1.500001, D = N'ab', Own = 5");
    let report = crate::differs(verify());
    assert_eq!(keys(&report, "target", "wrong"), ["changed Id = 1: B, D"]);
}

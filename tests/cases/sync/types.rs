//! Every type, from source to lake to target, unchanged.

use icehost_tests::{Bed, Dump};

const TABLE: &str = "CREATE TABLE dbo.Types (
    Id int NOT NULL PRIMARY KEY,
    ABit bit NULL, ATinyInt tinyint NULL, ASmallInt smallint NULL, AnInt int NULL, ABigInt bigint NULL,
    ADecimal decimal(38,10) NULL, ANumeric numeric(5,0) NULL, AMoney money NULL, ASmallMoney smallmoney NULL,
    AReal real NULL, AFloat float NULL,
    AChar char(5) NULL, AVarChar varchar(20) NULL, ANChar nchar(5) NULL, ANVarChar nvarchar(20) NULL,
    AVarCharMax varchar(max) NULL, ANVarCharMax nvarchar(max) NULL,
    ABinary binary(4) NULL, AVarBinary varbinary(20) NULL, AVarBinaryMax varbinary(max) NULL,
    ADate date NULL, ATime time(6) NULL, ADateTime datetime NULL, ASmallDateTime smalldatetime NULL,
    ADateTime2 datetime2(6) NULL, ADateTimeOffset datetimeoffset(6) NULL,
    AGuid uniqueidentifier NULL,
    Modified datetime2(3) NOT NULL)";

const ROWS: &str = "INSERT INTO dbo.Types VALUES
    (1, 1, 255, 32767, 2147483647, 9223372036854775807,
     9999999999999999999999999999.9999999999, 99999, 922337203685477.5807, 214748.3647,
     3.40282347E+38, 1.7976931348623157E+308,
     'abc', 'caf' + CHAR(233), N'abc', N'Grüße 😀', REPLICATE(CAST('x' AS varchar(max)), 9000), REPLICATE(CAST(N'é😀' AS nvarchar(max)), 5000),
     0x01, 0x0102, CAST(REPLICATE(CAST('y' AS varchar(max)), 20000) AS varbinary(max)),
     '9999-12-31', '23:59:59.999999', '9999-12-31T23:59:59.997', '2079-06-06T23:59:00',
     '9999-12-31T23:59:59.999999', '9999-12-31T23:59:59.999999+00:00',
     'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF', '2026-01-01'),
    (2, 0, 0, -32768, -2147483648, -9223372036854775808,
     -9999999999999999999999999999.9999999999, -99999, -922337203685477.5808, -214748.3648,
     -1.17549435E-38, 5E-324,
     '', '', N'', N'', '', N'', 0x, 0x, 0x,
     '0001-01-01', '00:00:00', '1753-01-01T00:00:00', '1900-01-01T00:00:00',
     '0001-01-01T00:00:00', '0001-01-02T00:00:00+14:00',
     '00000000-0000-0000-0000-000000000000', '2026-01-01'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-01-01'),
    (4, 1, 7, -1, 42, 1234567890123, 0.0000000001, 12345, 0.0001, -0.0001, 1.1, 0.1,
     'tab' + CHAR(9), 'quote '' \" \\', N'中文', N'line' + NCHAR(10) + N'two', 'm', N'm', 0xDEADBEEF, 0x00, 0x00FF,
     '2026-02-28', '12:34:56.123456', '2026-01-01T12:00:00.003', '2026-01-01T12:34:00',
     '2026-01-01T12:34:56.123456', '2026-01-01T12:34:56.123456+05:30',
     '6F9619FF-8B86-D011-B42D-00C04FC964FF', '2026-01-01')";

#[test]
fn every_type_arrives_unchanged() {
    let bed = Bed::new();
    bed.source().execute(TABLE);
    bed.source().execute(ROWS);
    let report = bed
        .sync_to_target("dbo.Types", "demo.types")
        .args(["--strategy-option", "column=Modified", "--create-target"])
        .json();
    assert_eq!(report["rows_inserted"], 4);
    let source = bed.source_dump("dbo.Types");
    source.assert_equals(
        &Dump::agreed(&bed.lake("demo.types"), None),
        "source",
        "lake",
    );
    source.assert_equals(&bed.target_dump("dbo.Types"), "source", "target");
}

#[test]
fn the_created_target_has_the_sources_types_and_key() {
    let bed = Bed::new();
    bed.source().execute(TABLE);
    bed.source().execute(ROWS);
    bed.sync_to_target("dbo.Types", "demo.types")
        .args(["--strategy-option", "column=Modified", "--create-target"])
        .json();
    let columns = "SELECT c.name, t.name, c.max_length, c.precision, c.scale, c.is_nullable
        FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id
        WHERE c.object_id = OBJECT_ID('dbo.Types') ORDER BY c.column_id";
    let rename = |mut rows: Vec<Vec<String>>| {
        for row in &mut rows {
            // numeric is decimal by another name
            row[1] = row[1].replace("numeric", "decimal");
        }
        rows
    };
    assert_eq!(
        rename(bed.source().rows(columns)),
        rename(bed.target().rows(columns))
    );
    assert_eq!(
        bed.target().value(
            "SELECT COUNT(*) FROM sys.key_constraints WHERE parent_object_id = OBJECT_ID('dbo.Types') AND type = 'PK'"
        ),
        "1"
    );
}

#[test]
fn rowversion_is_carried_as_bytes() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Version rowversion, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T (Id, Modified) VALUES (1, '2026-01-01'), (2, '2026-01-01')",
    );
    bed.sync_to_target("dbo.T", "demo.t")
        .arg("--create-target")
        .json();
    let source = bed.source_dump("dbo.T");
    source.assert_equals(&Dump::agreed(&bed.lake("demo.t"), None), "source", "lake");
    source.assert_equals(&bed.target_dump("dbo.T"), "source", "target");
}

#[test]
fn the_seventh_digit_of_a_time_is_cut_with_a_warning_or_refused() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, A time(7) NULL, B datetimeoffset(7) NULL, C datetime2(3) NULL, Modified datetime2(7) NOT NULL);
         INSERT INTO dbo.T VALUES (1, '12:00:00.1234567', '2026-01-01T00:00:00.1234567+01:00', '2026-01-01', '2026-01-01T00:00:00.7654321')",
    );
    bed.sync("dbo.T", "demo.refused")
        .args([
            "--strategy",
            "timestamp",
            "--strategy-option",
            "column=Modified",
            "--merge",
            "upsert",
        ])
        .args(["--time-precision", "error"])
        .run()
        .failure(&["dbo.T", "hint"]);
    assert!(!bed.lake("demo.refused").exists());

    let report = bed
        .sync("dbo.T", "demo.t")
        .args([
            "--strategy",
            "timestamp",
            "--strategy-option",
            "column=Modified",
            "--merge",
            "upsert",
        ])
        .json();
    let warnings = report["warnings"].to_string();
    for column in ["A", "B", "Modified"] {
        assert!(warnings.contains(&format!("'{column}'")), "{warnings}");
    }
    assert!(!warnings.contains("'C'"), "{warnings}");
    assert_eq!(
        report["watermark"]["marks"][0][1]["timestamp"],
        "2026-01-01T00:00:00.7654321"
    );
    let lake = Dump::agreed(&bed.lake("demo.t"), None);
    assert!(lake.rows[0].contains("12:00:00.123456"), "{:?}", lake.rows);
}

#[test]
fn other_types_are_refused_by_name_and_can_be_left_out() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Odd sql_variant NULL, Modified datetime2 NOT NULL);
         INSERT INTO dbo.T (Id, Modified) VALUES (1, '2026-01-01')",
    );
    bed.sync_to_target("dbo.T", "demo.t")
        .arg("--create-target")
        .run()
        .failure(&["Odd", "sql_variant", "--exclude-columns"]);
    let report = bed
        .sync_to_target("dbo.T", "demo.t")
        .args(["--exclude-columns", "Odd", "--create-target"])
        .json();
    assert_eq!(report["rows_inserted"], 1);
}

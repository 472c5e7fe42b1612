//! Values as bytes: CONVERT to varbinary, HASHBYTES; what compares equal; identity values.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use kit::Kit;

#[test]
fn every_type_has_its_bytes() {
    let mut kit = Kit::new();
    for (value, expected) in [
        ("CAST(1 AS bit)", "0x01"),
        ("CAST(255 AS tinyint)", "0xFF"),
        ("CAST(-2 AS smallint)", "0xFFFE"),
        ("CAST(258 AS int)", "0x00000102"),
        ("CAST(-1 AS bigint)", "0xFFFFFFFFFFFFFFFF"),
        ("CAST(123.45 AS decimal(5,2))", "0x0502000139300000"),
        ("CAST(-1.5 AS decimal(5,2))", "0x0502000096000000"),
        (
            "CAST(1 AS decimal(38,0))",
            "0x2600000101000000000000000000000000000000",
        ),
        ("CAST(1.5 AS money)", "0x0000000000003A98"),
        ("CAST(-0.0001 AS smallmoney)", "0xFFFFFFFF"),
        ("CAST(1 AS float)", "0x3FF0000000000000"),
        ("CAST(-2 AS real)", "0xC0000000"),
        ("'aé'", "0x61E9"),
        ("N'aé'", "0x6100E900"),
        ("CAST('a' AS char(3))", "0x612020"),
        ("CAST('0001-01-02' AS date)", "0x010000"),
        ("CAST('2020-01-01' AS date)", "0x90400B"),
        ("CAST('12:00:00' AS time(7))", "0x0700E0349564"),
        ("CAST('00:00:01.5' AS time(1))", "0x010F0000"),
        ("CAST('00:00:00.1234' AS time(4))", "0x04D2040000"),
        (
            "CAST('2020-01-01T00:00:00.0000001' AS datetime2(7))",
            "0x07010000000090400B",
        ),
        (
            "CAST('2020-01-01T00:00:01' AS datetime2(0))",
            "0x0001000090400B",
        ),
        (
            "CAST('2020-01-01T01:00:00+01:00' AS datetimeoffset(0))",
            "0x0000000090400B3C00",
        ),
        (
            "CAST('2020-01-01T00:00:00-00:30' AS datetimeoffset(3))",
            "0x0340771B0090400BE2FF",
        ),
        (
            "CAST('1900-01-02T00:00:01' AS datetime)",
            "0x000000010000012C",
        ),
        ("CAST('1900-01-02T00:02:00' AS smalldatetime)", "0x00010002"),
        (
            "CAST('00112233-4455-6677-8899-AABBCCDDEEFF' AS uniqueidentifier)",
            "0x33221100554477668899AABBCCDDEEFF",
        ),
        ("0x0100", "0x0100"),
    ] {
        assert_eq!(
            kit.value(&format!("SELECT CONVERT(varbinary(max), {value})")),
            expected,
            "{value}"
        );
    }
    assert_eq!(
        kit.error("SELECT CONVERT(varbinary(4), CAST(1.5 AS decimal(5,2)))"),
        50103
    );
    assert_eq!(
        kit.error("SELECT CONVERT(binary(12), CAST('2020-01-01' AS datetime2))"),
        50103
    );
}

#[test]
fn hashes_are_those_of_everybody_else() {
    let mut kit = Kit::new();
    for (algorithm, input, expected) in [
        ("MD5", "''", "0xD41D8CD98F00B204E9800998ECF8427E"),
        (
            "MD5",
            "'The quick brown fox jumps over the lazy dog'",
            "0x9E107D9D372BB6826BD81D3542A419D6",
        ),
        (
            "MD5",
            "REPLICATE('a', 64)",
            "0x014842D480B571495A4A0363793F7367",
        ),
        (
            "SHA1",
            "'abc'",
            "0xA9993E364706816ABA3E25717850C26C9CD0D89D",
        ),
        (
            "sha",
            "'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'",
            "0x84983E441C3BD26EBAAE4AA1F95129E5E54670F1",
        ),
        (
            "SHA2_256",
            "'abc'",
            "0xBA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        ),
        (
            "SHA2_256",
            "0x616263",
            "0xBA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        ),
        (
            "SHA2_256",
            "N'abc'",
            "0x13E228567E8249FCE53337F25D7970DE3BD68AB2653424C7B8F9FD05E33CAEDF",
        ),
        (
            "SHA2_512",
            "'abc'",
            "0xDDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F",
        ),
    ] {
        assert_eq!(
            kit.value(&format!("SELECT HASHBYTES('{algorithm}', {input})")),
            expected,
            "{algorithm} {input}"
        );
    }
    assert_eq!(
        kit.value("SELECT DATALENGTH(HASHBYTES('SHA2_256', CAST(REPLICATE(CAST('x' AS varchar(max)), 20000) AS varbinary(max))))"),
        "32",
        "longer than 8000 bytes, since 2016"
    );
    assert_eq!(
        kit.value("SELECT HASHBYTES('SHA2_256', CAST(NULL AS varchar(5)))"),
        "NULL"
    );
    assert_eq!(kit.error("SELECT HASHBYTES('MD5', 1)"), 8116);
    assert_eq!(kit.error("SELECT HASHBYTES('MD4', 'a')"), 50102);
}

#[test]
fn values_are_equal_that_differ_in_what_does_not_count() {
    let mut kit = Kit::new();
    for (a, b) in [
        ("0x01", "0x0100"),
        ("0x", "0x0000"),
        ("CAST(0x01 AS varbinary(5))", "CAST(0x01 AS binary(5))"),
        ("CAST('-0' AS float)", "CAST(0 AS float)"),
        (
            "CAST('2020-01-01T01:00+01:00' AS datetimeoffset)",
            "CAST('2020-01-01T00:00Z' AS datetimeoffset)",
        ),
        ("CAST(1.50 AS decimal(5,2))", "CAST(1.5 AS decimal(5,1))"),
        ("'a'", "CAST('a' AS char(5))"),
    ] {
        assert_eq!(
            kit.value(&format!("SELECT IIF({a} = {b}, 1, 0)")),
            "1",
            "{a} and {b}"
        );
        assert_eq!(
            kit.value(&format!("SELECT COUNT(*) FROM (SELECT v FROM (SELECT {a} UNION ALL SELECT {b}) AS u(v) GROUP BY v) AS g")),
            "1",
            "{a} and {b}"
        );
    }
    kit.run("CREATE TABLE b (k varbinary(4) NOT NULL PRIMARY KEY); INSERT b VALUES (0x01); CREATE TABLE f (k float NOT NULL PRIMARY KEY); INSERT f VALUES (CAST('-0' AS float)); CREATE TABLE o (k datetimeoffset(0) NOT NULL PRIMARY KEY); INSERT o VALUES ('2020-01-01T01:00+01:00')");
    assert_eq!(kit.error("INSERT b VALUES (0x010000)"), 2627);
    assert_eq!(kit.error("INSERT f VALUES (0)"), 2627);
    assert_eq!(kit.error("INSERT o VALUES ('2020-01-01T00:00Z')"), 2627);
}

#[test]
fn identities_count_down_and_are_reseeded() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE t (id int IDENTITY(-1, -1) NOT NULL PRIMARY KEY, v int); INSERT t (v) VALUES (1), (2), (3)");
    assert_eq!(kit.rows("SELECT id FROM t ORDER BY v"), ["-1", "-2", "-3"]);
    assert_eq!(
        kit.rows("SELECT seed_value, increment_value, last_value FROM sys.identity_columns"),
        ["-1|-1|-3"]
    );
    kit.run("DELETE t; DBCC CHECKIDENT ('dbo.t', RESEED, 100); INSERT t (v) VALUES (4)");
    assert_eq!(
        kit.value("SELECT id FROM t"),
        "99",
        "rows were there: the next value"
    );
    kit.run("TRUNCATE TABLE t; INSERT t (v) VALUES (5)");
    assert_eq!(kit.value("SELECT id FROM t"), "-1", "the seed again");
    kit.run("TRUNCATE TABLE t; DBCC CHECKIDENT (t, RESEED, 7) WITH NO_INFOMSGS; INSERT t (v) VALUES (6)");
    assert_eq!(
        kit.value("SELECT id FROM t"),
        "7",
        "no rows were there: the value itself"
    );
    kit.run("CREATE TABLE u (id bigint IDENTITY(1, 1) NOT NULL, v int); SET IDENTITY_INSERT u ON; INSERT u (id, v) VALUES (50, 0); SET IDENTITY_INSERT u OFF; DBCC CHECKIDENT ('u', RESEED, 10)");
    let checked = kit.run("DBCC CHECKIDENT ('u', NORESEED)");
    assert_eq!(
        checked.messages[0].message,
        "Checking identity information: current identity value '10', current column value '50'."
    );
    kit.run("DBCC CHECKIDENT ('u'); INSERT u (v) VALUES (1)");
    assert_eq!(kit.value("SELECT MAX(id) FROM u"), "51");
    assert_eq!(kit.error("DBCC CHECKIDENT ('nowhere')"), 2501);
    kit.run("CREATE TABLE plain (a int)");
    assert_eq!(kit.error("DBCC CHECKIDENT ('plain')"), 7997);
    assert_eq!(kit.error("DBCC CHECKDB"), 50101);
}

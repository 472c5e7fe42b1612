//! Types, conversions, arithmetic, collation and date rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use icehost_devengine::types::{Datum, SqlType};
use kit::{Kit, text};

/// Each expression's text by CONVERT against what SQL Server gives.
fn check(cases: &[(&str, &str)]) {
    let mut kit = Kit::new();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(expr, expected)| {
            let collected = kit.try_run(&format!("SELECT CONVERT(nvarchar(max), {expr})"));
            let got = match collected.errors.first() {
                Some(error) => format!("Msg {}", error.number),
                None => kit::show(&collected.sets[0].rows[0][0]),
            };
            (got != *expected).then(|| format!("{expr}: expected {expected}, got {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn integers() {
    check(&[
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("2147483647 + 1", "Msg 8115"),
        ("CAST(2147483647 AS bigint) + 1", "2147483648"),
        ("CAST(256 AS tinyint)", "Msg 220"),
        ("CAST(-1 AS tinyint)", "Msg 220"),
        ("CAST(40000 AS smallint)", "Msg 220"),
        ("CAST('12x' AS int)", "Msg 245"),
        ("CAST(' 12 ' AS int)", "12"),
        ("CAST('' AS int)", "0"),
        ("CAST('99999999999' AS int)", "Msg 248"),
        ("CAST('300' AS tinyint)", "Msg 244"),
        ("CAST('x' AS bigint)", "Msg 8114"),
        ("1 / 0", "Msg 8134"),
        ("CAST(1.9 AS int)", "1"),
        ("CAST(CAST(1.5 AS money) AS int)", "2"),
        ("CAST(1.9e0 AS int)", "1"),
        ("-2147483648", "-2147483648"),
        ("5 & 3", "1"),
        ("5 | 3", "7"),
        ("5 ^ 3", "6"),
        ("~5", "-6"),
        ("CAST('true' AS bit)", "1"),
        ("CAST(17 AS bit)", "1"),
    ]);
}

#[test]
fn decimals() {
    check(&[
        ("1.0 / 3", "0.333333"),
        ("2.0 / 3", "0.666666"),
        ("1 / 3.0", "0.333333"),
        ("0.1 + 0.2", "0.3"),
        ("1.25 * 1.5", "1.875"),
        ("CAST(1.005 AS decimal(10,2))", "1.01"),
        ("CAST(-1.005 AS decimal(10,2))", "-1.01"),
        ("CAST(123.456 AS decimal(5,2))", "123.46"),
        ("CAST(1234.5 AS decimal(5,2))", "Msg 8115"),
        ("CAST('12.345' AS decimal(10,2))", "12.35"),
        ("CAST('1e3' AS decimal(10,2))", "Msg 8114"),
        (
            "CAST(99999999999999999999999999999999999999 AS decimal(38,0))",
            "99999999999999999999999999999999999999",
        ),
        (
            "CAST(99999999999999999999999999999999999999 AS decimal(38,0)) + 1",
            "Msg 8115",
        ),
        (
            "CAST(12345678901234567890.123456789012345678 AS decimal(38,18))",
            "12345678901234567890.123456789012345678",
        ),
        (
            "CAST(0.0000009000 AS decimal(30,20)) * CAST(1.0000000000 AS decimal(30,20))",
            "0.00000090000000000",
        ),
        (
            "CAST(10 AS decimal(38,10)) / CAST(3 AS decimal(38,10))",
            "3.333333",
        ),
        ("5.5 % 2", "1.5"),
        ("CAST(1 AS decimal(38,38))", "Msg 8115"),
        ("SQL_VARIANT_PROPERTY(1, 'x')", "Msg 50102"),
        ("CAST(0.1e0 AS decimal(10,5))", "0.10000"),
        ("ROUND(123.4567, 2)", "123.4600"),
        ("ROUND(-2.5, 0)", "-3.0"),
        ("ROUND(1234.5, -2)", "1200.0"),
        ("FLOOR(-1.5)", "-2"),
        ("CEILING(1.2)", "2"),
        ("ABS(-7.5)", "7.5"),
    ]);
    let mut kit = Kit::new();
    let set = kit.run("SELECT CAST(1 AS decimal(10,2)) * CAST(1 AS decimal(5,3)), CAST(1 AS decimal(38,20)) * CAST(1 AS decimal(38,20)), SUM(a) FROM (VALUES (CAST(1 AS decimal(9,2)))) v(a)").sets;
    let types: Vec<&SqlType> = set[0]
        .columns
        .iter()
        .map(|column| &column.sql_type)
        .collect();
    let decimal = |precision, scale| SqlType::Decimal {
        precision,
        scale,
        numeric: true,
    };
    assert_eq!(types, [&decimal(16, 5), &decimal(38, 6), &decimal(38, 2)]);
}

#[test]
fn money_and_floats() {
    check(&[
        ("CAST(1.23455 AS money)", "1.23"),
        ("CAST(CAST(1.23455 AS money) AS decimal(19,4))", "1.2346"),
        (
            "CONVERT(varchar(30), CAST(1234567.891 AS money), 1)",
            "1,234,567.89",
        ),
        (
            "CONVERT(varchar(30), CAST(1234567.891 AS money), 2)",
            "1234567.8910",
        ),
        ("CAST('$1,234.50' AS money)", "1234.50"),
        ("CAST(922337203685477.5807 AS money)", "922337203685477.58"),
        ("CAST(922337203685477.5808 AS money)", "Msg 8115"),
        ("CAST(214748.3648 AS smallmoney)", "Msg 8115"),
        ("$10 / 3", "3.33"),
        ("CAST(1e0 / 3 AS varchar(30))", "0.333333"),
        ("1e10", "1e+010"),
        ("CONVERT(varchar(40), 0.1e0, 3)", "0.1"),
        ("CAST('1.5e3' AS float)", "1500"),
        ("CAST('abc' AS float)", "Msg 8114"),
        ("CAST(1e300 AS real)", "Msg 232"),
        ("1e0 / 0", "Msg 8134"),
    ]);
}

#[test]
fn dates_and_times() {
    check(&[
        ("CAST('2024-02-30' AS date)", "Msg 241"),
        ("CAST('20240229' AS date)", "2024-02-29"),
        (
            "CAST('2024-01-01T10:20:30.1234567' AS datetime2)",
            "2024-01-01 10:20:30.1234567",
        ),
        (
            "CAST('2024-01-01 10:20:30.1234567' AS datetime2(3))",
            "2024-01-01 10:20:30.123",
        ),
        (
            "CAST('2024-12-31 23:59:59.9999999' AS datetime2(0))",
            "2025-01-01 00:00:00",
        ),
        (
            "CAST('9999-12-31 23:59:59.9999999' AS datetime2(0))",
            "9999-12-31 23:59:59",
        ),
        (
            "CONVERT(varchar(30), CAST('2024-01-01 10:20:30.002' AS datetime), 121)",
            "2024-01-01 10:20:30.003",
        ),
        (
            "CONVERT(varchar(30), CAST('2024-01-01 10:20:30.005' AS datetime), 121)",
            "2024-01-01 10:20:30.007",
        ),
        (
            "CONVERT(varchar(30), CAST('2024-01-01 10:20:30.999' AS datetime), 126)",
            "2024-01-01T10:20:31",
        ),
        (
            "CAST(CAST('2024-01-01 10:20:30.003' AS datetime) AS datetime2(7))",
            "2024-01-01 10:20:30.0033333",
        ),
        (
            "CAST(CAST('2024-01-01 10:20:30.007' AS datetime) AS datetime2(7))",
            "2024-01-01 10:20:30.0066667",
        ),
        (
            "CAST('2024-01-01 10:20:30' AS datetime)",
            "Jan  1 2024 10:20AM",
        ),
        ("CAST('1752-12-31' AS datetime)", "Msg 242"),
        (
            "CAST('2024-01-01 10:20:29.998' AS smalldatetime)",
            "Jan  1 2024 10:20AM",
        ),
        (
            "CAST('2024-01-01 10:20:29.999' AS smalldatetime)",
            "Jan  1 2024 10:21AM",
        ),
        (
            "CAST('2024-01-01 10:20:30.5 +02:00' AS datetimeoffset(1))",
            "2024-01-01 10:20:30.5 +02:00",
        ),
        (
            "CAST(CAST('2024-01-01 01:00 +02:00' AS datetimeoffset) AS datetime2(0))",
            "2024-01-01 01:00:00",
        ),
        (
            "SWITCHOFFSET(CAST('2024-01-01 01:00 +02:00' AS datetimeoffset(0)), '+00:00')",
            "2023-12-31 23:00:00 +00:00",
        ),
        ("CAST('23:59:59.99999995' AS time(7))", "Msg 241"),
        ("CAST('10:20 PM' AS time(0))", "22:20:00"),
        ("CAST(2 AS date)", "Msg 529"),
        ("CONVERT(date, CAST(1.5 AS datetime))", "1900-01-02"),
        (
            "DATEADD(month, 1, CAST('2024-01-31' AS date))",
            "2024-02-29",
        ),
        (
            "DATEADD(millisecond, 1, CAST('2024-01-01' AS datetime2(3)))",
            "2024-01-01 00:00:00.001",
        ),
        ("DATEDIFF(day, '2024-01-01', '2024-03-01')", "60"),
        ("DATEDIFF(year, '2023-12-31', '2024-01-01')", "1"),
        ("DATEDIFF(second, '2020-01-01', '2099-01-01')", "Msg 535"),
        (
            "DATEDIFF_BIG(microsecond, '2020-01-01', '2020-01-02')",
            "86400000000",
        ),
        ("DATEPART(week, '2024-01-07')", "2"),
        ("DATEPART(iso_week, '2024-12-30')", "1"),
        ("DATEPART(weekday, '2024-01-01')", "2"),
        ("DATENAME(month, '2024-03-01')", "March"),
        ("EOMONTH('2024-02-10')", "2024-02-29"),
        ("DATEFROMPARTS(2024, 2, 30)", "Msg 289"),
        (
            "DATETIME2FROMPARTS(2024, 1, 2, 3, 4, 5, 123, 3)",
            "2024-01-02 03:04:05.123",
        ),
        ("YEAR('2024-05-06')", "2024"),
        ("ISDATE('2024-13-01')", "0"),
        (
            "CAST('2024-01-01' AS datetime) + 1.5",
            "Jan  2 2024 12:00PM",
        ),
    ]);
}

#[test]
fn comparisons_follow_compatibility_level_160() {
    check(&[
        (
            "CASE WHEN CAST('2024-01-01 00:00:00.003' AS datetime) = CAST('2024-01-01 00:00:00.003' AS datetime2(3)) THEN 1 ELSE 0 END",
            "0",
        ),
        (
            "CASE WHEN CAST('2024-01-01 00:00:00.003' AS datetime) > CAST('2024-01-01 00:00:00.003' AS datetime2(7)) THEN 1 ELSE 0 END",
            "1",
        ),
        (
            "CASE WHEN CAST('2024-01-01 01:00 +01:00' AS datetimeoffset) = CAST('2024-01-01 00:00 +00:00' AS datetimeoffset) THEN 1 ELSE 0 END",
            "1",
        ),
        ("CASE WHEN 'a' = 'A ' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN N'é' = N'e' THEN 1 ELSE 0 END", "0"),
        (
            "CASE WHEN N'é' = N'E' COLLATE Latin1_General_CI_AI THEN 1 ELSE 0 END",
            "1",
        ),
        (
            "CASE WHEN 'a' = 'A' COLLATE Latin1_General_BIN2 THEN 1 ELSE 0 END",
            "0",
        ),
        ("CASE WHEN 'abc' LIKE 'A[a-c]_' THEN 1 ELSE 0 END", "1"),
        (
            "CASE WHEN '50%' LIKE '%!%' ESCAPE '!' THEN 1 ELSE 0 END",
            "1",
        ),
        ("CASE WHEN 'x' LIKE 'x ' THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN 'x ' LIKE 'x' THEN 1 ELSE 0 END", "1"),
        ("CASE WHEN '10' < 9 THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN NULL = NULL THEN 1 ELSE 0 END", "0"),
        ("CASE WHEN 1.10 = 1.1 THEN 1 ELSE 0 END", "1"),
        (
            "CASE WHEN 2 IN (1, NULL) THEN 'in' WHEN NOT (2 IN (1, NULL)) THEN 'out' ELSE 'unknown' END",
            "unknown",
        ),
        (
            "CASE WHEN CAST('00000001-0000-0000-0000-000000000000' AS uniqueidentifier) < CAST('00000000-0000-0000-0000-000000000001' AS uniqueidentifier) THEN 1 ELSE 0 END",
            "1",
        ),
        ("CASE WHEN 0x01 = 0x0100 THEN 1 ELSE 0 END", "1"),
        ("COALESCE(NULL, 1, 2.5)", "1.0"),
        ("ISNULL(CAST(NULL AS varchar(2)), 'abcdef')", "ab"),
        ("NULLIF(1, 1)", "NULL"),
        ("IIF(1 > 2, 'a', 'b')", "b"),
        ("CHOOSE(2, 'a', 'b')", "b"),
    ]);
}

#[test]
fn text_functions() {
    check(&[
        ("LEN('ab ')", "2"),
        ("DATALENGTH(N'ab ')", "6"),
        ("DATALENGTH(CAST('ab' AS char(5)))", "5"),
        ("SUBSTRING('hello', 2, 3)", "ell"),
        ("SUBSTRING('hello', 0, 3)", "he"),
        ("LEFT('hello', 2) + RIGHT('hello', 2)", "helo"),
        ("REPLACE('Hello', 'L', 'x')", "Hexxo"),
        ("STUFF('hello', 2, 3, 'EY')", "hEYo"),
        ("CHARINDEX('L', 'hello')", "3"),
        ("PATINDEX('%l_%', 'hello')", "3"),
        ("QUOTENAME('a]b')", "[a]]b]"),
        ("CONCAT('a', NULL, 1, N'b')", "a1b"),
        ("'a' + NULL", "NULL"),
        ("REPLICATE('ab', 3)", "ababab"),
        ("REVERSE('abc')", "cba"),
        ("UPPER(N'straße')", "STRAßE"),
        ("TRIM('  a ')", "a"),
        ("LTRIM(' a') + RTRIM('b ')", "ab"),
        ("STR(3.14159, 6, 2)", "  3.14"),
        ("CHAR(128)", "€"),
        ("ASCII('€')", "128"),
        ("UNICODE(N'€')", "8364"),
        ("CAST(N'日本' AS varchar(10))", "??"),
        ("CAST(123456 AS varchar(3))", "*"),
        ("CAST(123.5 AS varchar(3))", "Msg 8115"),
        ("CONVERT(varchar(10), 0x0A1B, 1)", "0x0A1B"),
        (
            "CONVERT(varchar(20), CONVERT(varbinary(4), '0A1B', 2), 1)",
            "0x0A1B",
        ),
        ("CONVERT(varchar(20), CAST(1 AS binary(4)), 2)", "00000001"),
        (
            "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier)",
            "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        ),
        (
            "CONVERT(varchar(40), CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS binary(16)), 2)",
            "FF19966F868B11D0B42D00C04FC964FF",
        ),
        ("CAST('nope' AS uniqueidentifier)", "Msg 8169"),
        ("ISNUMERIC('1.5e3')", "1"),
        ("TRY_CAST('x' AS int)", "NULL"),
        ("TRY_CONVERT(date, '2024-02-30')", "NULL"),
        ("FORMAT(1, 'N')", "Msg 50102"),
        ("NOSUCH(1)", "Msg 195"),
    ]);
}

#[test]
fn every_type_survives_a_table() {
    let mut kit = Kit::new();
    kit.run(
        "CREATE TABLE t (b bit, ti tinyint, si smallint, i int, bi bigint, d decimal(38,10), n numeric(9,0), m money, sm smallmoney, r real, f float,
            c char(3), vc varchar(10), nc nchar(3), nvc nvarchar(10), vmax varchar(max), nmax nvarchar(max), bn binary(4), vb varbinary(10), vbm varbinary(max),
            dt date, t0 time(0), t7 time, dtm datetime, sdt smalldatetime, d3 datetime2(3), d7 datetime2, dof datetimeoffset(2), g uniqueidentifier, rv rowversion, sv sql_variant);
         INSERT t (b, ti, si, i, bi, d, n, m, sm, r, f, c, vc, nc, nvc, vmax, nmax, bn, vb, vbm, dt, t0, t7, dtm, sdt, d3, d7, dof, g, sv) VALUES
            (1, 255, -32768, 2147483647, -9223372036854775808, 1234567890123456789012345678.0123456789, 123456789, 1.2345, -1.5, 1.5, 1e-300, 'a', 'b ', N'ü', N'日本', 'x', N'y',
             0x01, 0x0203, 0x, '0001-01-01', '23:59:59', '23:59:59.9999999', '1753-01-01', '2079-06-06 23:59', '9999-12-31 23:59:59.999', '0001-01-01 00:00:00.0000001',
             '2024-06-01 12:00:00.12 -08:00', '6F9619FF-8B86-D011-B42D-00C04FC964FF', N'v')",
    );
    let row = kit.run("SELECT * FROM t").sets[0].rows[0].clone();
    let described: Vec<String> = row.iter().map(|value| format!("{value:?}")).collect();
    insta::assert_debug_snapshot!(
        described
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != 29)
            .map(|(_, text)| text)
            .collect::<Vec<_>>()
    );
}

#[test]
fn parameters_are_typed() {
    let mut kit = Kit::new();
    kit.run("CREATE TABLE p (id int PRIMARY KEY, name nvarchar(20), at datetime2(7)); INSERT p VALUES (1, N'a', '2024-01-01 00:00:00.0000001'), (2, N'b', '2024-01-02')");
    let found = kit.with(
        "SELECT id FROM p WHERE name = @n AND at <= @t",
        vec![
            ("@n", SqlType::NVarChar { length: Some(20) }, text("A")),
            (
                "@t",
                SqlType::DateTime2 { scale: 7 },
                Datum::DateTime2 {
                    days: 738_885,
                    ticks: 1,
                    scale: 7,
                },
            ),
        ],
    );
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    assert_eq!(found.sets[0].rows.len(), 1);
    assert_eq!(kit.value("DECLARE @o int; EXEC sp_executesql N'SELECT @x = COUNT(*) FROM p WHERE id > @m', N'@m int, @x int OUTPUT', @m = 1, @x = @o OUTPUT; SELECT @o"), "1");
}

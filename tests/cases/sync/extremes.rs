//! The ends of every type and what is odd between them, from source to lake to target.
//!
//! Each value is a literal and what independent readers must see of it, on the source (python-tds), in the lake
//! (PyIceberg and DuckDB, which must agree) and on the target, in the form of `tests/readers/canonical.py`.

use icehost_tests::{Bed, Client, Dump};
use serde_json::Value;

/// A type, and its values.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const NUMBERS: &[Case] = &[
    ("bit", &[("0", "false"), ("1", "true")]),
    ("tinyint", &[("0", "\"0\""), ("255", "\"255\"")]),
    ("smallint", &[("-32768", "\"-32768\""), ("32767", "\"32767\""), ("0", "\"0\"")]),
    ("int", &[("-2147483648", "\"-2147483648\""), ("2147483647", "\"2147483647\"")]),
    ("bigint", &[("-9223372036854775808", "\"-9223372036854775808\""), ("9223372036854775807", "\"9223372036854775807\"")]),
    ("decimal(1,0)", &[("9", "\"9\""), ("-9", "\"-9\""), ("0", "\"0\"")]),
    ("decimal(1,1)", &[("0.9", "\"0.9\""), ("-0.1", "\"-0.1\"")]),
    ("decimal(9,9)", &[("0.999999999", "\"0.999999999\""), ("-0.000000001", "\"-0.000000001\"")]),
    ("decimal(10,0)", &[("9999999999", "\"9999999999\""), ("-9999999999", "\"-9999999999\"")]),
    ("decimal(18,9)", &[("999999999.999999999", "\"999999999.999999999\"")]),
    ("decimal(19,0)", &[("9999999999999999999", "\"9999999999999999999\""), ("-9999999999999999999", "\"-9999999999999999999\"")]),
    ("decimal(20,20)", &[("0.99999999999999999999", "\"0.99999999999999999999\"")]),
    ("decimal(28,0)", &[("-9999999999999999999999999999", "\"-9999999999999999999999999999\"")]),
    ("numeric(29,1)", &[("9999999999999999999999999999.9", "\"9999999999999999999999999999.9\"")]),
    ("decimal(38,0)", &[("99999999999999999999999999999999999999", "\"99999999999999999999999999999999999999\""), ("-99999999999999999999999999999999999999", "\"-99999999999999999999999999999999999999\"")]),
    ("decimal(38,38)", &[("0.99999999999999999999999999999999999999", "\"0.99999999999999999999999999999999999999\""), ("-0.00000000000000000000000000000000000001", "\"-0.00000000000000000000000000000000000001\"")]),
    ("money", &[("922337203685477.5807", "\"922337203685477.5807\""), ("-922337203685477.5808", "\"-922337203685477.5808\""), ("-0.0001", "\"-0.0001\""), ("0", "\"0.0000\"")]),
    ("smallmoney", &[("214748.3647", "\"214748.3647\""), ("-214748.3648", "\"-214748.3648\"")]),
    ("real", &[("3.4028234663852886E+38", "\"3.4028234663852886e+38\""), ("-3.4028234663852886E+38", "\"-3.4028234663852886e+38\""), ("1.1754943508222875E-38", "\"1.1754943508222875e-38\""), ("1.401298464324817E-45", "\"1.401298464324817e-45\""), ("-1.401298464324817E-45", "\"-1.401298464324817e-45\""), ("-0E0", "\"-0.0\""), ("0E0", "\"0.0\""), ("1.1E0", "\"1.100000023841858\"")]),
    ("float", &[("1.7976931348623157E+308", "\"1.7976931348623157e+308\""), ("-1.7976931348623157E+308", "\"-1.7976931348623157e+308\""), ("2.2250738585072014E-308", "\"2.2250738585072014e-308\""), ("4.9406564584124654E-324", "\"5e-324\""), ("-4.9406564584124654E-324", "\"-5e-324\""), ("-0E0", "\"-0.0\""), ("0E0", "\"0.0\""), ("0.1E0", "\"0.1\"")]),
    ("float(24)", &[("1.1E0", "\"1.100000023841858\"")]),
    ("float(25)", &[("1.1E0", "\"1.1\"")]),
];

#[rustfmt::skip]
const TIMES: &[Case] = &[
    ("date", &[("'0001-01-01'", "\"0001-01-01\""), ("'9999-12-31'", "\"9999-12-31\""), ("'1582-10-10'", "\"1582-10-10\""), ("'1969-12-31'", "\"1969-12-31\""), ("'2000-02-29'", "\"2000-02-29\"")]),
    ("time(0)", &[("'00:00:00'", "\"00:00:00.000000\""), ("'23:59:59'", "\"23:59:59.000000\"")]),
    ("time(1)", &[("'23:59:59.9'", "\"23:59:59.900000\"")]),
    ("time(2)", &[("'23:59:59.99'", "\"23:59:59.990000\"")]),
    ("time(3)", &[("'23:59:59.999'", "\"23:59:59.999000\"")]),
    ("time(4)", &[("'23:59:59.9999'", "\"23:59:59.999900\"")]),
    ("time(5)", &[("'23:59:59.99999'", "\"23:59:59.999990\"")]),
    ("time(6)", &[("'23:59:59.999999'", "\"23:59:59.999999\"")]),
    ("time(7)", &[("'23:59:59.9999999'", "\"23:59:59.999999\""), ("'00:00:00.0000001'", "\"00:00:00.000000\"")]),
    ("datetime", &[("'1753-01-01T00:00:00'", "\"1753-01-01T00:00:00.000000\""), ("'9999-12-31T23:59:59.997'", "\"9999-12-31T23:59:59.997000\""), ("'1899-12-31T23:59:59.997'", "\"1899-12-31T23:59:59.997000\""), ("'1900-01-01T00:00:00.003'", "\"1900-01-01T00:00:00.003000\""), ("'2026-01-01T00:00:00.007'", "\"2026-01-01T00:00:00.007000\""), ("'2026-01-01T00:00:00.010'", "\"2026-01-01T00:00:00.010000\"")]),
    ("smalldatetime", &[("'1900-01-01T00:00:00'", "\"1900-01-01T00:00:00.000000\""), ("'2079-06-06T23:59:00'", "\"2079-06-06T23:59:00.000000\"")]),
    ("datetime2(0)", &[("'0001-01-01T00:00:00'", "\"0001-01-01T00:00:00.000000\""), ("'9999-12-31T23:59:59'", "\"9999-12-31T23:59:59.000000\"")]),
    ("datetime2(1)", &[("'9999-12-31T23:59:59.9'", "\"9999-12-31T23:59:59.900000\"")]),
    ("datetime2(2)", &[("'9999-12-31T23:59:59.99'", "\"9999-12-31T23:59:59.990000\"")]),
    ("datetime2(3)", &[("'1969-12-31T23:59:59.999'", "\"1969-12-31T23:59:59.999000\"")]),
    ("datetime2(4)", &[("'9999-12-31T23:59:59.9999'", "\"9999-12-31T23:59:59.999900\"")]),
    ("datetime2(5)", &[("'9999-12-31T23:59:59.99999'", "\"9999-12-31T23:59:59.999990\"")]),
    ("datetime2(6)", &[("'0001-01-01T00:00:00.000001'", "\"0001-01-01T00:00:00.000001\""), ("'9999-12-31T23:59:59.999999'", "\"9999-12-31T23:59:59.999999\"")]),
    ("datetime2(7)", &[("'0001-01-01T00:00:00'", "\"0001-01-01T00:00:00.000000\""), ("'1969-12-31T23:59:59.9999999'", "\"1969-12-31T23:59:59.999999\""), ("'9999-12-31T23:59:59.9999999'", "\"9999-12-31T23:59:59.999999\"")]),
    ("datetimeoffset(0)", &[("'0001-01-01T00:00:00+00:00'", "\"0001-01-01T00:00:00.000000Z\""), ("'0001-01-01T14:00:00+14:00'", "\"0001-01-01T00:00:00.000000Z\""), ("'9999-12-31T09:59:59-14:00'", "\"9999-12-31T23:59:59.000000Z\"")]),
    ("datetimeoffset(3)", &[("'2026-03-01T00:30:00.125+05:45'", "\"2026-02-28T18:45:00.125000Z\"")]),
    ("datetimeoffset(6)", &[("'9999-12-31T23:59:59.999999+00:00'", "\"9999-12-31T23:59:59.999999Z\"")]),
    ("datetimeoffset(7)", &[("'9999-12-31T23:59:59.9999999+14:00'", "\"9999-12-31T09:59:59.999999Z\""), ("'1969-12-31T23:59:59.9999999-00:01'", "\"1970-01-01T00:00:59.999999Z\"")]),
];

#[rustfmt::skip]
const TEXTS_AND_BYTES: &[Case] = &[
    ("char(5)", &[("'abc'", "\"abc  \""), ("''", "\"     \""), ("CHAR(128) + CHAR(255)", "\"€ÿ   \""), ("'12345'", "\"12345\"")]),
    ("nchar(5)", &[("N'日本'", "\"日本   \""), ("N'😀'", "\"😀   \""), ("N''", "\"     \"")]),
    ("varchar(20)", &[("''", "\"\""), ("' '", "\" \""), ("'abc  '", "\"abc  \""), ("CHAR(128) + CHAR(140) + CHAR(159) + CHAR(160) + CHAR(255)", "\"€ŒŸ\u{a0}ÿ\""), ("CHAR(9) + CHAR(10) + CHAR(13) + CHAR(31) + CHAR(127)", "\"\\t\\n\\r\\u001f\u{7f}\""), ("'a' + CHAR(0) + 'b'", "\"a\\u0000b\"")]),
    ("nvarchar(20)", &[("N''", "\"\""), ("N'  '", "\"  \""), ("NCHAR(0) + N'a'", "\"\\u0000a\""), ("N'😀' + NCHAR(65535)", "\"😀\u{ffff}\""), ("N'e' + NCHAR(769)", "\"e\u{301}\""), ("NCHAR(65279) + N'b'", "\"\u{feff}b\""), ("NCHAR(8239) + NCHAR(8232) + N'ß'", "\"\u{202f}\u{2028}ß\"")]),
    ("sysname", &[("N'Ω'", "\"Ω\"")]),
    ("binary(4)", &[("0x", "\"00000000\""), ("0xFFFFFFFF", "\"ffffffff\""), ("0x01", "\"01000000\"")]),
    ("varbinary(10)", &[("0x", "\"\""), ("0x00", "\"00\""), ("0x0000", "\"0000\""), ("0xFF00", "\"ff00\"")]),
    ("varchar(max)", &[("''", "\"\""), ("CHAR(128)", "\"€\"")]),
    ("nvarchar(max)", &[("N''", "\"\""), ("N'😀'", "\"😀\"")]),
    ("varbinary(max)", &[("0x", "\"\""), ("0x00", "\"00\"")]),
    ("uniqueidentifier", &[("'00000000-0000-0000-0000-000000000000'", "\"00000000-0000-0000-0000-000000000000\""), ("'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'", "\"ffffffff-ffff-ffff-ffff-ffffffffffff\""), ("'00112233-4455-6677-8899-AABBCCDDEEFF'", "\"00112233-4455-6677-8899-aabbccddeeff\"")]),
];

/// Creates `dbo.T` with a column for each type and a row for each value, NULL where a type has no more; the last
/// row has nothing but NULL.
fn fill(source: &mut Client, cases: &[Case]) {
    let columns: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(at, (name, _))| format!("C{at} {name} NULL"))
        .collect();
    source.execute(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, {}, Modified datetime2(3) NOT NULL)",
        columns.join(", ")
    ));
    for row in 0..=most(cases) {
        let values: Vec<&str> = cases
            .iter()
            .map(|(_, values)| values.get(row).map_or("NULL", |(literal, _)| literal))
            .collect();
        source.execute(&format!(
            "INSERT INTO dbo.T VALUES ({row}, {}, '2026-01-01')",
            values.join(", ")
        ));
    }
}

fn most(cases: &[Case]) -> usize {
    let most = cases.iter().map(|(_, values)| values.len()).max();
    most.unwrap_or(0)
}

/// Every value that a reader does not see as it must be.
fn differences(seen: &Dump, whose: &str, cases: &[Case]) -> Vec<String> {
    let mut found = Vec::new();
    let rows: Vec<Value> = seen
        .rows
        .iter()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(rows.len(), most(cases) + 1, "{whose}");
    for row in &rows {
        let id: usize = row[0].as_str().unwrap().parse().unwrap();
        for (at, (name, values)) in cases.iter().enumerate() {
            let (literal, expected) = values.get(id).copied().unwrap_or(("NULL", "null"));
            let seen = serde_json::to_string(&row[at + 1]).unwrap();
            let expected: Value = serde_json::from_str(expected).unwrap();
            if row[at + 1] != expected {
                found.push(format!(
                    "{whose}: {name} {literal} is {seen}, not {expected}"
                ));
            }
        }
    }
    found
}

fn arrive_unchanged(cases: &[Case]) {
    let bed = Bed::new();
    let mut source = bed.source();
    fill(&mut source, cases);
    let sync = || {
        bed.sync_to_target("dbo.T", "demo.t").args([
            "--strategy-option",
            "column=Modified",
            "--create-target",
        ])
    };
    let mut found = Vec::new();
    let mut look = |when: &str| {
        let sides = [
            ("source", bed.source_dump("dbo.T")),
            ("lake", Dump::agreed(&bed.lake("demo.t"), None)),
            ("target", bed.target_dump("dbo.T")),
        ];
        for (whose, seen) in sides {
            found.extend(differences(&seen, &format!("{when} {whose}"), cases));
        }
    };
    sync().json();
    look("added");
    // The same rows again, as new images of rows that are there with nothing in them.
    let nothing: Vec<String> = (0..cases.len()).map(|at| format!("C{at} = NULL")).collect();
    bed.target()
        .execute(&format!("UPDATE dbo.T SET {}", nothing.join(", ")));
    source.execute("UPDATE dbo.T SET Modified = '2026-02-01'");
    sync().json();
    look("changed");
    let agreed = sync().comparison().unwrap().run();
    assert_eq!(agreed.code, Some(0), "{}{}", agreed.stdout, agreed.stderr);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_ends_of_numbers_arrive_unchanged() {
    arrive_unchanged(NUMBERS);
}

#[test]
fn the_ends_of_dates_and_times_arrive_unchanged() {
    arrive_unchanged(TIMES);
}

#[test]
fn odd_texts_and_bytes_arrive_unchanged() {
    arrive_unchanged(TEXTS_AND_BYTES);
}

/// Code pages other than 1252, whose text the server is asked for as Unicode; lengths count bytes.
#[rustfmt::skip]
const CODE_PAGES: &[Case] = &[
    ("varchar(10) COLLATE Cyrillic_General_CI_AS", &[("N'Жёлтый №'", "\"Жёлтый №\""), ("N''", "\"\""), ("N'я  '", "\"я  \"")]),
    ("varchar(10) COLLATE Japanese_CI_AS", &[("N'日本語ﾃﾄ'", "\"日本語ﾃﾄ\""), ("N'ソ能表\\'", "\"ソ能表\\\\\"")]),
    ("varchar(max) COLLATE Japanese_XJIS_140_CI_AS", &[("N'日本'", "\"日本\"")]),
    ("varchar(12) COLLATE Latin1_General_100_CI_AS_SC_UTF8", &[("N'é日😀'", "\"é日😀\""), ("N'日本語日'", "\"日本語日\"")]),
    ("varchar(max) COLLATE Latin1_General_100_BIN2_UTF8", &[("N'Ж'", "\"Ж\"")]),
    ("nvarchar(10) COLLATE Cyrillic_General_CI_AS", &[("N'Жé'", "\"Жé\"")]),
];

#[test]
fn texts_of_other_code_pages_arrive_unchanged() {
    arrive_unchanged(CODE_PAGES);
}

#[test]
fn a_text_that_the_targets_code_page_lacks_or_has_no_room_for_moves_nothing() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V nvarchar(10) NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.T VALUES (1, N'日本語日', '2026-01-01')",
    );
    // Four characters of three bytes each, and characters that Western European pages lack.
    for column in [
        "varchar(9) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
        "varchar(9)",
    ] {
        bed.target().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, V {column} NULL, Modified datetime2(3) NOT NULL)"
        ));
        bed.sync_to_target("dbo.T", "demo.t")
            .run()
            .failure(&["target table dbo.T", "hint"]);
        assert_eq!(bed.target().value("SELECT COUNT(*) FROM dbo.T"), "0");
        bed.target().execute("DROP TABLE dbo.T");
    }
}

//! Every type as tiberius reads it back, and as it sends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use std::borrow::Cow;

use common::{connect, number, server};
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};
use tiberius::{ColumnData, ColumnType, ToSql, Uuid};

fn text(value: &str) -> ColumnData<'static> {
    ColumnData::String(Some(Cow::Owned(value.to_owned())))
}

fn binary(value: &[u8]) -> ColumnData<'static> {
    ColumnData::Binary(Some(Cow::Owned(value.to_vec())))
}

/// A type, a literal, and what tiberius must make of it.
fn cases() -> Vec<(&'static str, &'static str, ColumnData<'static>)> {
    let day = Date::new(738_944);
    let noon = Time::new(452_961_234_567, 7);
    vec![
        ("bit", "1", ColumnData::Bit(Some(true))),
        ("tinyint", "255", ColumnData::U8(Some(255))),
        ("smallint", "-32768", ColumnData::I16(Some(i16::MIN))),
        ("int", "-2147483648", ColumnData::I32(Some(i32::MIN))),
        (
            "bigint",
            "9223372036854775807",
            ColumnData::I64(Some(i64::MAX)),
        ),
        ("real", "0.5", ColumnData::F32(Some(0.5))),
        ("float", "-1.5e300", ColumnData::F64(Some(-1.5e300))),
        (
            "decimal(38, 10)",
            "-9999999999999999999999999999.9999999999",
            ColumnData::Numeric(Some(Numeric::new_with_scale(-(10i128.pow(38) - 1), 10))),
        ),
        (
            "numeric(9, 2)",
            "1234567.89",
            ColumnData::Numeric(Some(Numeric::new_with_scale(123_456_789, 2))),
        ),
        ("money", "-12.3456", ColumnData::F64(Some(-12.3456))),
        (
            "smallmoney",
            "214748.3647",
            ColumnData::F64(Some(214_748.364_7)),
        ),
        ("char(5)", "'ab'", text("ab   ")),
        (
            "varchar(20)",
            "N'na\u{ef}ve \u{20ac}'",
            text("na\u{ef}ve \u{20ac}"),
        ),
        (
            "varchar(max)",
            "REPLICATE(CAST('0123456789' AS varchar(max)), 2000)",
            text(&"0123456789".repeat(2000)),
        ),
        ("nchar(4)", "N'\u{65e5}'", text("\u{65e5}   ")),
        ("nvarchar(20)", "N'\u{1f980} it''s'", text("\u{1f980} it's")),
        (
            "nvarchar(max)",
            "REPLICATE(CAST(N'\u{1f980}' AS nvarchar(max)), 5000)",
            text(&"\u{1f980}".repeat(5000)),
        ),
        ("nvarchar(max)", "N''", text("")),
        ("binary(4)", "0x01FF", binary(&[1, 0xFF, 0, 0])),
        ("varbinary(20)", "0x", binary(&[])),
        (
            "varbinary(max)",
            "CAST(REPLICATE(CAST('ab' AS varchar(max)), 10000) AS varbinary(max))",
            binary(&b"ab".repeat(10_000)),
        ),
        (
            "date",
            "'2024-02-29'",
            ColumnData::Date(Some(Date::new(738_944))),
        ),
        (
            "time(7)",
            "'12:34:56.1234567'",
            ColumnData::Time(Some(noon)),
        ),
        (
            "time(0)",
            "'23:59:59'",
            ColumnData::Time(Some(Time::new(86_399, 0))),
        ),
        (
            "datetime2(7)",
            "'2024-02-29T12:34:56.1234567'",
            ColumnData::DateTime2(Some(DateTime2::new(day, noon))),
        ),
        (
            "datetime2(3)",
            "'2024-02-29T12:34:56.123'",
            ColumnData::DateTime2(Some(DateTime2::new(day, Time::new(45_296_123, 3)))),
        ),
        (
            "datetimeoffset(7)",
            "'2024-02-29T18:04:56.1234567+05:30'",
            ColumnData::DateTimeOffset(Some(DateTimeOffset::new(DateTime2::new(day, noon), 330))),
        ),
        // 2024-02-29 is day 45349 since 1900; 12:34:56.123 is tick 13588837 of 1/300 s.
        (
            "datetime",
            "'2024-02-29T12:34:56.123'",
            ColumnData::DateTime(Some(DateTime::new(45_349, 13_588_837))),
        ),
        (
            "smalldatetime",
            "'2024-02-29T12:34:00'",
            ColumnData::SmallDateTime(Some(SmallDateTime::new(45_349, 754))),
        ),
        (
            "uniqueidentifier",
            "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
            ColumnData::Guid(Some(Uuid::from_u128(
                0x6F96_19FF_8B86_D011_B42D_00C0_4FC9_64FF,
            ))),
        ),
    ]
}

#[tokio::test]
async fn every_type_is_read_back() {
    let server = server().await;
    let mut client = connect(&server).await;
    for (sql_type, literal, expected) in cases() {
        let sql = format!("SELECT CAST({literal} AS {sql_type}) AS v");
        let row = client.simple_query(&sql).await.unwrap().into_row().await;
        let row = row
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
            .unwrap();
        assert_eq!(row.into_iter().next().unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn every_type_is_read_back_from_columns_with_and_without_null() {
    let server = server().await;
    let mut client = connect(&server).await;
    for (index, (sql_type, literal, expected)) in cases().into_iter().enumerate() {
        let create = format!(
            "CREATE TABLE dbo.t{index} (id int NOT NULL PRIMARY KEY, a {sql_type} NOT NULL, b {sql_type} NULL); \
             INSERT INTO dbo.t{index} VALUES (1, {literal}, {literal}), (2, {literal}, NULL)"
        );
        client
            .simple_query(&create)
            .await
            .unwrap()
            .into_results()
            .await
            .unwrap_or_else(|error| panic!("{create}: {error}"));
        let select = format!("SELECT a, b FROM dbo.t{index} ORDER BY id");
        let rows = client
            .simple_query(&select)
            .await
            .unwrap()
            .into_first_result()
            .await
            .unwrap();
        let cells: Vec<Vec<_>> = rows
            .into_iter()
            .map(|row| row.into_iter().collect())
            .collect();
        assert_eq!(cells[0], [expected.clone(), expected.clone()], "{sql_type}");
        assert_eq!(cells[1][0], expected, "{sql_type}");
        assert!(is_null(&cells[1][1]), "{sql_type}: {:?}", cells[1][1]);
    }
}

fn is_null(value: &ColumnData<'_>) -> bool {
    format!("{value:?}").contains("None")
}

#[tokio::test]
async fn values_go_as_parameters_and_come_back() {
    let server = server().await;
    let mut client = connect(&server).await;
    let guid = Uuid::from_u128(0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF);
    let long = "\u{1f980} ".repeat(9000);
    let bytes = vec![7u8; 20_000];
    let decimal = Numeric::new_with_scale(-12_345, 3);
    let row = client
        .query(
            "SELECT @P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10",
            &[
                &true,
                &i16::MIN,
                &i32::MAX,
                &i64::MIN,
                &1.5f64,
                &"it's \u{20ac}",
                &long,
                &bytes,
                &guid,
                &decimal,
            ],
        )
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    let cells: Vec<_> = row.into_iter().collect();
    assert_eq!(
        cells,
        [
            ColumnData::Bit(Some(true)),
            ColumnData::I16(Some(i16::MIN)),
            ColumnData::I32(Some(i32::MAX)),
            ColumnData::I64(Some(i64::MIN)),
            ColumnData::F64(Some(1.5)),
            text("it's \u{20ac}"),
            text(&long),
            binary(&bytes),
            ColumnData::Guid(Some(guid)),
            ColumnData::Numeric(Some(decimal)),
        ]
    );
}

#[tokio::test]
async fn a_null_of_any_type_goes_as_a_parameter() {
    let server = server().await;
    let mut client = connect(&server).await;
    let nulls: [&dyn ToSql; 6] = [
        &None::<bool>,
        &None::<i32>,
        &None::<f64>,
        &None::<&str>,
        &None::<&[u8]>,
        &None::<Uuid>,
    ];
    let row = client
        .query(
            "SELECT COUNT(*) FROM (VALUES (1)) AS v (n) WHERE @P1 IS NULL AND @P2 IS NULL AND @P3 IS NULL AND @P4 IS \
             NULL AND @P5 IS NULL AND @P6 IS NULL",
            &nulls,
        )
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(1));
}

#[tokio::test]
async fn rowversions_are_eight_bytes_that_rise() {
    let server = server().await;
    let mut client = connect(&server).await;
    client
        .simple_query("CREATE TABLE dbo.r (id int NOT NULL, v rowversion); INSERT INTO dbo.r (id) VALUES (1), (2)")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    let rows = client
        .simple_query("SELECT v FROM dbo.r ORDER BY id")
        .await
        .unwrap()
        .into_first_result()
        .await
        .unwrap();
    assert_eq!(rows[0].columns()[0].column_type(), ColumnType::BigBinary);
    let versions: Vec<&[u8]> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(versions[0].len(), 8);
    assert!(versions[0] < versions[1]);
}

#[tokio::test]
async fn columns_are_described_as_sql_server_does() {
    let server = server().await;
    let mut client = connect(&server).await;
    client
        .simple_query("CREATE TABLE dbo.d (id int NOT NULL IDENTITY(1, 1), name nvarchar(50) NULL, code char(3) NOT NULL)")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    let mut stream = client
        .simple_query("SELECT id, name, code FROM dbo.d")
        .await
        .unwrap();
    let columns = stream.columns().await.unwrap().unwrap().to_vec();
    let described: Vec<_> = columns
        .iter()
        .map(|column| (column.name(), column.column_type()))
        .collect();
    assert_eq!(
        described,
        [
            ("id", ColumnType::Int4),
            ("name", ColumnType::NVarchar),
            ("code", ColumnType::BigChar)
        ]
    );
}

#[tokio::test]
async fn what_is_not_supported_is_an_error_and_the_session_goes_on() {
    let server = server().await;
    let mut client = connect(&server).await;
    let error = match client.simple_query("SELECT 1 FOR XML AUTO").await {
        Err(error) => error,
        Ok(stream) => stream.into_results().await.unwrap_err(),
    };
    assert!(number(&error).unwrap() >= 50_000, "{error}");
    let row = client
        .simple_query("SELECT 1")
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(1));
}

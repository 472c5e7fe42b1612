//! Bulk loads: what is written arrives, whatever it is; and what is refused leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray,
};
use icehost_plan::{
    Action, Clause, Column, ColumnType, Contents, Delta, LakeType, Length, MergePlan, Occasion,
    SqlType, ValidMergePlan, Value, WriteMode,
};
use icehost_sqlserver::{
    ConnectOptions, Connection, Endpoint, ErrorKind, Loader, Position, Result, SqlTable, TableName,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::{Server, introspect};
use uuid::Uuid;

/// Every type, with lengths, precisions and scales on both sides of where the wire changes.
const TYPES: [&str; 47] = [
    "bit",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "decimal(1,0)",
    "decimal(9,2)",
    "decimal(10,2)",
    "decimal(19,19)",
    "decimal(20,0)",
    "decimal(28,5)",
    "decimal(29,5)",
    "decimal(38,38)",
    "money",
    "smallmoney",
    "real",
    "float",
    "char(7)",
    "char(5000)",
    "varchar(20)",
    "varchar(8000)",
    "varchar(max)",
    "nchar(7)",
    "nvarchar(20)",
    "nvarchar(2001)",
    "nvarchar(4000)",
    "nvarchar(max)",
    "binary(5)",
    "varbinary(20)",
    "varbinary(8000)",
    "varbinary(max)",
    "date",
    "time(0)",
    "time(2)",
    "time(4)",
    "time(7)",
    "datetime",
    "smalldatetime",
    "datetime2(0)",
    "datetime2(3)",
    "datetime2(5)",
    "datetime2(7)",
    "datetimeoffset(0)",
    "datetimeoffset(3)",
    "datetimeoffset(6)",
    "datetimeoffset(7)",
    "uniqueidentifier",
];

/// What a value is made of: a number and a text; `None` makes a NULL.
type Raw = Option<(u128, String)>;

/// Values of one column, and what the server says they are.
struct Drawn {
    array: ArrayRef,
    shown: Vec<String>,
}

/// One of `min..=max`, its ends and zero more often than others.
fn pick(raw: u128, min: i128, max: i128) -> i128 {
    match raw % 8 {
        0 => min,
        1 => max,
        2 => 0.clamp(min, max),
        _ => {
            // The span of 38 digits and a sign is wider than i128.
            let span = max.abs_diff(min);
            min.wrapping_add_unsigned((raw >> 3) % (span + 1))
        }
    }
}

/// The first UTF-16 units of a text.
fn units(text: &str, limit: usize) -> String {
    let mut taken = String::new();
    let mut count = 0;
    for character in text.chars() {
        count += character.len_utf16();
        if count > limit {
            break;
        }
        taken.push(character);
    }
    taken
}

/// Only characters that code page 1252 has.
fn western(text: &str) -> String {
    let fold = |character: char| match character {
        ' '..='~' => character,
        other => ['é', 'ü', 'ß', '€'][other as usize % 4],
    };
    text.chars().map(fold).collect()
}

fn padded(text: &str, length: usize) -> String {
    let units = text.encode_utf16().count();
    format!("{text}{}", " ".repeat(length - units))
}

const FIRST_DAY: i128 = -719_162;
const LAST_DAY: i128 = 2_932_896;
const MICROSECONDS_PER_DAY: i128 = 86_400_000_000;

fn draw(sql_type: SqlType, raws: &[Raw]) -> Drawn {
    let numbers = |min: i128, max: i128| -> Vec<Option<i128>> {
        let number = |raw: &Raw| raw.as_ref().map(|(raw, _)| pick(*raw, min, max));
        raws.iter().map(number).collect()
    };
    fn show<T>(values: &[Option<T>], show: impl Fn(&T) -> String) -> Vec<String> {
        let text = |value: &Option<T>| value.as_ref().map_or("NULL".to_owned(), &show);
        values.iter().map(text).collect()
    }
    let integers = |min: i64, max: i64| {
        let values = numbers(min.into(), max.into());
        let small = values.iter().map(|v| v.map(|v| v as i32));
        Drawn {
            array: Arc::new(Int32Array::from_iter(small)),
            shown: show(&values, i128::to_string),
        }
    };
    let decimals = |min: i128, max: i128, precision: u8, scale: u8| {
        let values = numbers(min, max);
        let array = Decimal128Array::from_iter(values.iter().copied());
        let text = |&unscaled: &i128| Value::Decimal { unscaled, scale }.text();
        Drawn {
            array: Arc::new(
                array
                    .with_precision_and_scale(precision, scale as i8)
                    .unwrap(),
            ),
            shown: show(&values, text),
        }
    };
    let texts = |value: &dyn Fn(&str) -> String, shown: &dyn Fn(&str) -> String| {
        let value = |raw: &Raw| raw.as_ref().map(|(_, text)| value(text));
        let values: Vec<Option<String>> = raws.iter().map(value).collect();
        Drawn {
            shown: show(&values, |text| shown(text)),
            array: Arc::new(StringArray::from_iter(values)),
        }
    };
    let binaries = |length: &dyn Fn(u128, usize) -> usize| {
        let value = |raw: &Raw| {
            let (raw, text) = raw.as_ref()?;
            let bytes = text.bytes().cycle().chain([0].into_iter().cycle());
            let bytes: Vec<u8> = bytes.take(length(*raw, text.len())).collect();
            Some(bytes)
        };
        let values: Vec<Option<Vec<u8>>> = raws.iter().map(value).collect();
        Drawn {
            shown: show(&values, |bytes| format!("{bytes:02X?}")),
            array: Arc::new(BinaryArray::from_iter(values)),
        }
    };
    // Moments in units of 10^-scale s, as far as microseconds are exact
    let moments = |scale: u8, first: i128, last: i128| {
        let unit = 10i128.pow(6u8.saturating_sub(scale).into());
        let values = numbers(first / unit, (last + 1) / unit - 1);
        let values: Vec<_> = values
            .iter()
            .map(|v| v.map(|v| (v * unit) as i64))
            .collect();
        let text = |&v: &i64| Value::Timestamp(v * 10).text();
        let shown = show(&values, text);
        let array = TimestampMicrosecondArray::from_iter(values);
        (array, shown)
    };
    let ever = (
        FIRST_DAY * MICROSECONDS_PER_DAY,
        (LAST_DAY + 1) * MICROSECONDS_PER_DAY - 1,
    );
    let same = |text: &str| text.to_owned();
    match sql_type {
        SqlType::Bit => {
            let values = numbers(0, 1);
            Drawn {
                array: Arc::new(BooleanArray::from_iter(
                    values.iter().map(|v| v.map(|v| v == 1)),
                )),
                shown: show(&values, i128::to_string),
            }
        }
        SqlType::TinyInt => integers(0, 255),
        SqlType::SmallInt => integers(i16::MIN.into(), i16::MAX.into()),
        SqlType::Int => integers(i32::MIN.into(), i32::MAX.into()),
        SqlType::BigInt => {
            let values = numbers(i64::MIN.into(), i64::MAX.into());
            let array = Int64Array::from_iter(values.iter().map(|v| v.map(|v| v as i64)));
            Drawn {
                array: Arc::new(array),
                shown: show(&values, i128::to_string),
            }
        }
        SqlType::Decimal { precision, scale } => {
            let limit = 10i128.pow(precision.into()) - 1;
            decimals(-limit, limit, precision, scale)
        }
        SqlType::Money => decimals(i64::MIN.into(), i64::MAX.into(), 19, 4),
        SqlType::SmallMoney => decimals(i32::MIN.into(), i32::MAX.into(), 10, 4),
        SqlType::Real => {
            let value = |raw: &Raw| {
                let (raw, _) = raw.as_ref()?;
                let drawn = f32::from_bits(*raw as u32);
                Some(match raw % 8 {
                    0 => f32::MAX,
                    1 => f32::MIN_POSITIVE,
                    _ if drawn.is_normal() => drawn,
                    _ => 0.1,
                })
            };
            let values: Vec<Option<f32>> = raws.iter().map(value).collect();
            Drawn {
                shown: show(&values, |v| format!("{:e}", f64::from(*v))),
                array: Arc::new(Float32Array::from_iter(values)),
            }
        }
        SqlType::Float => {
            let value = |raw: &Raw| {
                let (raw, _) = raw.as_ref()?;
                let drawn = f64::from_bits(*raw as u64);
                Some(match raw % 8 {
                    0 => f64::MAX,
                    1 => -f64::MIN_POSITIVE,
                    _ if drawn.is_normal() => drawn,
                    _ => 0.1,
                })
            };
            let values: Vec<Option<f64>> = raws.iter().map(value).collect();
            Drawn {
                shown: show(&values, |v| format!("{v:e}")),
                array: Arc::new(Float64Array::from_iter(values)),
            }
        }
        SqlType::Char(n) => texts(&|text| units(&western(text), n.into()), &|text| {
            padded(text, n.into())
        }),
        SqlType::NChar(n) => texts(&|text| units(text, n.into()), &|text| {
            padded(text, n.into())
        }),
        SqlType::VarChar(Length::Limited(n)) => {
            texts(&|text| units(&western(text), n.into()), &same)
        }
        SqlType::VarChar(Length::Max) => texts(&western, &same),
        SqlType::NVarChar(Length::Limited(n)) => texts(&|text| units(text, n.into()), &same),
        SqlType::NVarChar(Length::Max) => texts(&same, &same),
        SqlType::Binary(n) => binaries(&|_, _| n.into()),
        SqlType::RowVersion => binaries(&|_, _| 8),
        SqlType::VarBinary(Length::Limited(n)) => {
            binaries(&|raw, length| pick(raw, 0, (n as usize).min(length * 3) as i128) as usize)
        }
        SqlType::VarBinary(Length::Max) => binaries(&|raw, length| length * (raw % 5) as usize),
        SqlType::Date => {
            let values = numbers(FIRST_DAY, LAST_DAY);
            let days: Vec<_> = values.iter().map(|v| v.map(|v| v as i32)).collect();
            Drawn {
                shown: show(&days, |&days| Value::Date(days).text()),
                array: Arc::new(Date32Array::from_iter(days)),
            }
        }
        SqlType::Time(scale) => {
            let unit = 10i128.pow(6u8.saturating_sub(scale).into());
            let values = numbers(0, MICROSECONDS_PER_DAY / unit - 1);
            let values: Vec<_> = values
                .iter()
                .map(|v| v.map(|v| (v * unit) as i64))
                .collect();
            Drawn {
                shown: show(&values, |&v| Value::Time(v as u64 * 10).text()),
                array: Arc::new(Time64MicrosecondArray::from_iter(values)),
            }
        }
        SqlType::DateTime => {
            // Three hundredths of a second, as they are shown
            let fragments = numbers(-53_690 * 25_920_000, 2_958_464 * 25_920_000 - 1);
            let moment = |fragments: i128| {
                let milliseconds = (fragments.rem_euclid(25_920_000) * 10 + 1) / 3;
                let day = fragments.div_euclid(25_920_000) - 25_567;
                (day * MICROSECONDS_PER_DAY + milliseconds * 1000) as i64
            };
            let values: Vec<_> = fragments.iter().map(|v| v.map(moment)).collect();
            Drawn {
                shown: show(&values, |&v| Value::Timestamp(v * 10).text()),
                array: Arc::new(TimestampMicrosecondArray::from_iter(values)),
            }
        }
        SqlType::SmallDateTime => {
            let minutes = numbers(0, 65_536 * 1440 - 1);
            let moment =
                |minutes: i128| (minutes * 60_000_000 - 25_567 * MICROSECONDS_PER_DAY) as i64;
            let values: Vec<_> = minutes.iter().map(|v| v.map(moment)).collect();
            Drawn {
                shown: show(&values, |&v| Value::Timestamp(v * 10).text()),
                array: Arc::new(TimestampMicrosecondArray::from_iter(values)),
            }
        }
        SqlType::DateTime2(scale) => {
            let (array, shown) = moments(scale, ever.0, ever.1);
            let array = Arc::new(array);
            Drawn { array, shown }
        }
        SqlType::DateTimeOffset(scale) => {
            let (array, shown) = moments(scale, ever.0, ever.1);
            let array = Arc::new(array.with_timezone("+00:00"));
            Drawn { array, shown }
        }
        SqlType::UniqueIdentifier => {
            let value = |raw: &Raw| raw.as_ref().map(|(raw, _)| raw.to_be_bytes());
            let values: Vec<Option<[u8; 16]>> = raws.iter().map(value).collect();
            Drawn {
                shown: show(&values, |bytes| {
                    Uuid::from_bytes(*bytes).to_string().to_uppercase()
                }),
                array: Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), 16)
                        .unwrap(),
                ),
            }
        }
    }
}

/// How the server shows a column, in the form of [`Drawn::shown`].
fn shown(sql_type: SqlType, name: &str) -> String {
    match sql_type {
        SqlType::Bit => format!("CAST(CAST({name} AS int) AS nvarchar(40))"),
        SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => {
            format!("CAST(CAST({name} AS bigint) AS nvarchar(40))")
        }
        SqlType::Decimal { .. } => format!("CAST({name} AS nvarchar(60))"),
        SqlType::Money | SqlType::SmallMoney => {
            format!("CAST(CAST({name} AS decimal(19,4)) AS nvarchar(60))")
        }
        SqlType::Real | SqlType::Float => {
            format!("CONVERT(nvarchar(60), CAST({name} AS float), 3)")
        }
        SqlType::Date => format!("CONVERT(nvarchar(10), {name}, 23)"),
        SqlType::Time(_) => format!("CAST(CAST({name} AS time(7)) AS nvarchar(16))"),
        SqlType::DateTime => format!("CONVERT(nvarchar(40), {name}, 121)"),
        SqlType::SmallDateTime | SqlType::DateTime2(_) | SqlType::DateTimeOffset(_) => {
            format!("CONVERT(nvarchar(40), CAST({name} AS datetime2(7)), 126)")
        }
        SqlType::UniqueIdentifier => format!("UPPER(CAST({name} AS nvarchar(36)))"),
        _ => name.to_owned(),
    }
}

/// What the server shows, in the form of [`Drawn::shown`].
fn normal(sql_type: SqlType, text: String) -> String {
    match (sql_type, text.as_str()) {
        (_, "NULL") => text,
        (SqlType::Real | SqlType::Float, number) => {
            format!("{:e}", number.trim().parse::<f64>().unwrap())
        }
        // A `datetime` with its three digits
        (SqlType::DateTime, moment) => format!("{}0000", moment.replace(' ', "T")),
        (SqlType::SmallDateTime | SqlType::DateTime2(_) | SqlType::DateTimeOffset(_), moment)
            if !moment.contains('.') =>
        {
            format!("{moment}.0000000")
        }
        _ => text,
    }
}

fn column(name: String, sql_type: SqlType) -> Column {
    Column::new(name, ColumnType::Sql(sql_type), true)
}

fn append(target: &SqlTable, delta: &Delta) -> ValidMergePlan {
    let plan = MergePlan {
        keys: Vec::new(),
        among: None,
        deduplicate: Vec::new(),
        clauses: vec![Clause {
            occasion: Occasion::NotMatched,
            condition: None,
            action: Action::WriteAll,
        }],
        mode: WriteMode::Append,
    };
    plan.validate(&target.table, delta).unwrap()
}

fn position(lake_uuid: Uuid) -> Position {
    Position {
        lake_table: "demo.bulk".to_owned(),
        lake_uuid,
        lake_location: None,
        previous: None,
        snapshot_id: 1,
        sequence_number: 1,
        run_id: "run".to_owned(),
        merge: None,
    }
}

fn batch(columns: &[Column], arrays: Vec<ArrayRef>) -> RecordBatch {
    let names = columns.iter().map(|column| column.name.as_str());
    RecordBatch::try_from_iter_with_nullable(
        names.zip(arrays).map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn delta(columns: Vec<Column>) -> Delta {
    Delta {
        columns,
        contents: Contents::Upserts,
        operation: None,
        rows: 0,
        run_time: 0,
    }
}

/// Appends batches to a table.
async fn load(
    connection: &mut Connection,
    name: &TableName,
    columns: &[Column],
    batches: &[RecordBatch],
) -> Result<u64> {
    connection.ensure_positions().await?;
    let target = introspect(connection, name).await;
    let delta = delta(columns.to_vec());
    let plan = append(&target, &delta);
    let mut loader = Loader::begin(connection, &target, &delta.columns).await?;
    for batch in batches {
        loader.stage(batch).await?;
    }
    let counts = loader.merge(&plan, &delta, &position(Uuid::new_v4())).await;
    Ok(counts?.inserted)
}

/// The raw numbers are the keys, so that rows can be told apart.
fn keyed(columns: &mut Vec<Column>, arrays: &mut Vec<ArrayRef>, rows: usize) {
    columns.insert(0, column("k".to_owned(), SqlType::Int));
    arrays.insert(0, Arc::new(Int32Array::from_iter_values(0..rows as i32)));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_arrive_as_they_were_drawn() {
    const CASES: usize = 12;
    let mut server = Server::start().await;
    let name = server.table("drawn").await;
    let types: Vec<SqlType> = TYPES.iter().map(|text| text.parse().unwrap()).collect();
    let declared: Vec<String> = TYPES
        .iter()
        .enumerate()
        .map(|(at, sql_type)| format!("c{at} {sql_type} NULL"))
        .collect();
    server
        .execute(&format!(
            "CREATE TABLE {} (k int NOT NULL PRIMARY KEY, {})",
            name.sql(),
            declared.join(", ")
        ))
        .await;
    let mut connection = server.connect().await;
    let mut runner = TestRunner::default();
    // NULLs in every column, alone and in company
    let text = prop_oneof![any::<String>(), "[ -~]{0,40}", "[a-zäöü€😀日]{0,40}"];
    let raw = proptest::option::weighted(0.8, (any::<u128>(), text));
    let drawing = proptest::collection::vec(proptest::collection::vec(raw, TYPES.len()), 1..40);
    for _ in 0..CASES {
        let rows = drawing.new_tree(&mut runner).unwrap().current();
        let drawn: Vec<Drawn> = types
            .iter()
            .enumerate()
            .map(|(at, &sql_type)| {
                let raws: Vec<Raw> = rows.iter().map(|row| without_nul(&row[at])).collect();
                draw(sql_type, &raws)
            })
            .collect();
        let mut columns: Vec<Column> = types
            .iter()
            .enumerate()
            .map(|(at, &sql_type)| column(format!("c{at}"), sql_type))
            .collect();
        let mut arrays: Vec<ArrayRef> = drawn.iter().map(|drawn| drawn.array.clone()).collect();
        keyed(&mut columns, &mut arrays, rows.len());
        // Sliced arrays have their values and their NULLs at an offset.
        let whole = batch(&columns, arrays);
        let half = rows.len() / 2;
        let batches = [whole.slice(0, half), whole.slice(half, rows.len() - half)];
        let loaded = load(&mut connection, &name, &columns, &batches).await;
        assert_eq!(loaded.unwrap(), rows.len() as u64);

        for (at, (&sql_type, drawn)) in types.iter().zip(&drawn).enumerate() {
            let found = server
                .query(&format!(
                    "SELECT {} FROM {} ORDER BY k",
                    shown(sql_type, &format!("c{at}")),
                    name.sql()
                ))
                .await;
            let found: Vec<String> = found
                .into_iter()
                .map(|mut row| normal(sql_type, row.remove(0)))
                .collect();
            assert_eq!(found, drawn.shown, "{sql_type}");
        }
        server.execute(&format!("DELETE FROM {}", name.sql())).await;
    }
    server.execute(&format!("DROP TABLE {}", name.sql())).await;
}

/// PostgreSQL, and so Babelfish, has no text with U+0000 in it.
fn without_nul(raw: &Raw) -> Raw {
    raw.clone().map(|(raw, text)| (raw, text.replace('\0', "")))
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_and_wide_rows_go_through_small_packets_and_large_ones() {
    let mut server = Server::start().await;
    let columns = vec![
        column("k".to_owned(), SqlType::Int),
        column("n".to_owned(), SqlType::NVarChar(Length::Max)),
        column("v".to_owned(), SqlType::VarChar(Length::Max)),
        column("b".to_owned(), SqlType::VarBinary(Length::Max)),
        column("w".to_owned(), SqlType::NVarChar(Length::Limited(4000))),
        column("x".to_owned(), SqlType::NVarChar(Length::Limited(4000))),
    ];
    let texts = |make: &dyn Fn(usize) -> String| -> Vec<String> {
        // On both sides of 64 KiB in UTF-16, and above 1 MiB
        [0, 1, 32_767, 32_768, 65_536, 700_000]
            .map(make)
            .into_iter()
            .collect()
    };
    let n = texts(&|length| "日b".chars().cycle().take(length).collect());
    let v = texts(&|length| "plain ".chars().cycle().take(length).collect());
    let b: Vec<Vec<u8>> = [1_500_000usize, 65_535, 65_536, 8_001, 1, 0]
        .map(|length| (0..length).map(|at| (at % 251) as u8).collect())
        .into();
    let wide: Vec<String> = (0..6).map(|at| format!("{at}€").repeat(2000)).collect();
    let strings =
        |values: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(values)) };
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values(0..6)),
        strings(&n),
        strings(&v),
        Arc::new(BinaryArray::from_iter_values(&b)),
        strings(&wide),
        strings(&wide),
    ];
    let rows = batch(&columns, arrays);
    for packet_size in [512, 4096, 32_767] {
        let name = server.table("large").await;
        server
            .execute(&format!(
                "CREATE TABLE {} (k int NOT NULL PRIMARY KEY, n nvarchar(max) NULL, v varchar(max) NULL, \
                 b varbinary(max) NULL, w nvarchar(4000) NULL, x nvarchar(4000) NULL)",
                name.sql()
            ))
            .await;
        let mut endpoint: Endpoint = server.endpoint.clone();
        endpoint.packet_size = Some(packet_size);
        let mut connection = Connection::open(&endpoint, &ConnectOptions::default())
            .await
            .unwrap();
        let loaded = load(
            &mut connection,
            &name,
            &columns,
            std::slice::from_ref(&rows),
        )
        .await;
        assert_eq!(loaded.unwrap(), 6);
        let found = server
            .query(&format!(
                "SELECT n, v, b, w, x FROM {} ORDER BY k",
                name.sql()
            ))
            .await;
        for (at, row) in found.iter().enumerate() {
            assert!(row[0] == n[at], "n of row {at} in packets of {packet_size}");
            assert!(row[1] == v[at], "v of row {at} in packets of {packet_size}");
            assert!(
                row[2] == format!("{:02X?}", b[at]),
                "b of row {at} in packets of {packet_size}"
            );
            assert_eq!((&row[3], &row[4]), (&wide[at], &wide[at]));
        }
        server.execute(&format!("DROP TABLE {}", name.sql())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_the_middle_leaves_nothing_and_closes_the_connection() {
    let mut server = Server::start().await;
    let name = server.table("refusal").await;
    server
        .execute(&format!(
            "CREATE TABLE {} (k int NOT NULL PRIMARY KEY, v tinyint NULL)",
            name.sql()
        ))
        .await;
    let lake = |name: &str| Column::new(name, ColumnType::Lake(LakeType::Int), true);
    let delta = delta(vec![lake("k"), lake("v")]);
    let good = |first: i32| {
        let keys = Int32Array::from_iter_values(first..first + 50_000);
        let values = Int32Array::from_iter_values((0..50_000).map(|v| v % 256));
        batch(&delta.columns, vec![Arc::new(keys), Arc::new(values)])
    };
    let mut connection = server.connect().await;
    connection.ensure_positions().await.unwrap();
    let target = introspect(&mut connection, &name).await;
    let lake_uuid = Uuid::new_v4();

    let mut loader = Loader::begin(&mut connection, &target, &delta.columns)
        .await
        .unwrap();
    for first in [0, 50_000] {
        loader.stage(&good(first)).await.unwrap();
    }
    // The value that is too large comes after rows of the same batch that are not.
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(256), Some(2)]));
    let keys: ArrayRef = Arc::new(Int32Array::from_iter_values(100_000..100_004));
    let error = loader
        .stage(&batch(&delta.columns, vec![keys, values]))
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Data(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .ends_with("column 'v', row k = 100002: 256 does not fit tinyint"),
        "{error}"
    );
    assert_eq!(loader.rows(), 100_000);

    // Nothing can be done with what was staged before.
    let error = loader.stage(&good(0)).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{error}");
    let error = loader
        .merge(&append(&target, &delta), &delta, &position(lake_uuid))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{error}");
    let error = connection
        .read_position(lake_uuid, &target)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{error}");

    let mut another = server.connect().await;
    let reached = another
        .read_position(lake_uuid, &target)
        .await
        .unwrap()
        .map(|known| known.snapshot_id);
    assert_eq!(reached, None);
    assert_eq!(server.count(&name).await, 0);
    if let Some(dev) = &server.dev {
        assert_eq!(dev.statistics().bulk_loads(), []);
    }

    // So it is when a loader is simply dropped.
    let mut loader = Loader::begin(&mut another, &target, &delta.columns)
        .await
        .unwrap();
    loader.stage(&good(0)).await.unwrap();
    drop(loader);
    let error = another.read_position(lake_uuid, &target).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{error}");
    if let Some(dev) = &server.dev {
        while dev.statistics().open_connections() > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(dev.statistics().bulk_loads(), []);
    }
}

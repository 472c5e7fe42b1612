//! Every value of every type survives the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_devengine::session::ResultColumn;
use icehost_devengine::types::{Datum, SqlType};
use proptest::prelude::*;

use super::decode::read_value;
use super::encode::write_value;
use super::type_info::TypeInfo;
use crate::input::Input;
use crate::token::colmetadata;
use crate::token::row::{self, RowWriter};

const DAY: u64 = 864_000_000_000;

fn text(national: bool) -> impl Strategy<Value = Datum> {
    let pattern = if national {
        "\\PC{0,40}"
    } else {
        "[a-zA-Z0-9 \u{a0}-\u{ff}\u{20ac}]{0,40}"
    };
    pattern.prop_map(move |value| Datum::Text {
        value: value.into(),
        national,
    })
}

fn bytes() -> impl Strategy<Value = Datum> {
    prop::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| Datum::Binary(bytes.into()))
}

/// Ticks that a scale can express.
fn ticks(scale: u8) -> impl Strategy<Value = u64> {
    let unit = 10u64.pow(u32::from(7 - scale));
    (0..DAY / unit).prop_map(move |units| units * unit)
}

fn decimal() -> impl Strategy<Value = (SqlType, Datum)> {
    (1u8..=38)
        .prop_flat_map(|precision| (Just(precision), 0..=precision, any::<bool>(), any::<i128>()))
        .prop_map(|(precision, scale, numeric, unscaled)| {
            let unscaled = unscaled % 10i128.pow(precision.into());
            let sql_type = SqlType::Decimal {
                precision,
                scale,
                numeric,
            };
            (
                sql_type,
                Datum::Decimal {
                    unscaled,
                    precision,
                    scale,
                },
            )
        })
}

fn of(
    sql_type: SqlType,
    values: impl Strategy<Value = Datum> + 'static,
) -> BoxedStrategy<(SqlType, Datum)> {
    values
        .prop_map(move |value| (sql_type.clone(), value))
        .boxed()
}

/// A type and a value of it, which is not NULL.
fn value() -> impl Strategy<Value = (SqlType, Datum)> {
    let days = 0..=3_652_058i32;
    prop::strategy::Union::new([
        of(SqlType::Bit, any::<bool>().prop_map(Datum::Bit)),
        of(SqlType::TinyInt, any::<u8>().prop_map(Datum::TinyInt)),
        of(SqlType::SmallInt, any::<i16>().prop_map(Datum::SmallInt)),
        of(SqlType::Int, any::<i32>().prop_map(Datum::Int)),
        of(SqlType::BigInt, any::<i64>().prop_map(Datum::BigInt)),
        of(SqlType::Money, any::<i64>().prop_map(Datum::Money)),
        of(
            SqlType::SmallMoney,
            any::<i32>().prop_map(Datum::SmallMoney),
        ),
        of(SqlType::Real, prop::num::f32::NORMAL.prop_map(Datum::Real)),
        of(
            SqlType::Float,
            prop::num::f64::NORMAL.prop_map(Datum::Float),
        ),
        decimal().boxed(),
        of(SqlType::Char { length: 40 }, text(false)),
        of(SqlType::VarChar { length: Some(40) }, text(false)),
        of(SqlType::VarChar { length: None }, text(false)),
        of(SqlType::NChar { length: 80 }, text(true)),
        of(SqlType::NVarChar { length: Some(80) }, text(true)),
        of(SqlType::NVarChar { length: None }, text(true)),
        of(SqlType::Binary { length: 60 }, bytes()),
        of(SqlType::VarBinary { length: Some(60) }, bytes()),
        of(SqlType::VarBinary { length: None }, bytes()),
        of(SqlType::Date, days.clone().prop_map(Datum::Date)),
        of(
            SqlType::DateTime,
            (-53_690..=2_958_463i32, 0..25_920_000u32)
                .prop_map(|(days, ticks)| Datum::DateTime { days, ticks }),
        ),
        of(
            SqlType::SmallDateTime,
            (any::<u16>(), 0..1440u16)
                .prop_map(|(days, minutes)| Datum::SmallDateTime { days, minutes }),
        ),
        (0u8..=7)
            .prop_flat_map(|scale| {
                ticks(scale)
                    .prop_map(move |ticks| (SqlType::Time { scale }, Datum::Time { ticks, scale }))
            })
            .boxed(),
        (0u8..=7, days.clone())
            .prop_flat_map(|(scale, days)| {
                ticks(scale).prop_map(move |ticks| {
                    (
                        SqlType::DateTime2 { scale },
                        Datum::DateTime2 { days, ticks, scale },
                    )
                })
            })
            .boxed(),
        (0u8..=7, days, -840..=840i16)
            .prop_flat_map(|(scale, days, offset)| {
                ticks(scale).prop_map(move |ticks| {
                    (
                        SqlType::DateTimeOffset { scale },
                        Datum::DateTimeOffset {
                            days,
                            ticks,
                            offset,
                            scale,
                        },
                    )
                })
            })
            .boxed(),
        of(
            SqlType::UniqueIdentifier,
            any::<[u8; 16]>().prop_map(Datum::Guid),
        ),
    ])
}

/// Types that, described as nullable or not, are described differently when read back as a parameter's.
fn column(name: usize, sql_type: &SqlType, nullable: bool) -> ResultColumn {
    ResultColumn {
        name: format!("c{name}"),
        sql_type: sql_type.clone(),
        nullable,
        identity: false,
        read_only: false,
        collation: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_value_and_its_type_survive((sql_type, value) in value(), nullable in any::<bool>()) {
        let info = TypeInfo::of(&sql_type, nullable).unwrap();
        let mut out = Vec::new();
        info.write(&mut out);
        write_value(&info, &value, &mut out).unwrap();
        let mut input = Input::complete(out);
        let read_info = TypeInfo::read(&mut input).unwrap();
        prop_assert_eq!(&read_info, &info);
        prop_assert_eq!(read_info.sql_type(), sql_type);
        prop_assert_eq!(read_value(&read_info, &mut input).unwrap(), value);
        prop_assert!(input.is_at_end());
    }

    #[test]
    fn a_value_survives_in_a_variant((sql_type, value) in value()) {
        let info = TypeInfo::of(&SqlType::SqlVariant, true).unwrap();
        let mut out = Vec::new();
        write_value(&info, &value, &mut out).unwrap();
        let mut input = Input::complete(out);
        prop_assert_eq!(read_value(&info, &mut input).unwrap(), value, "{:?}", sql_type);
        prop_assert!(input.is_at_end());
    }

    #[test]
    fn rows_survive_with_and_without_null_bitmap(
        cells in prop::collection::vec((value(), any::<bool>()), 1..30),
        compression in any::<bool>(),
    ) {
        let columns: Vec<_> = cells.iter().enumerate().map(|(n, ((t, _), _))| column(n, t, true)).collect();
        let row: Vec<_> = cells
            .into_iter()
            .map(|((_, value), null)| if null { Datum::Null } else { value })
            .collect();
        let mut out = Vec::new();
        let infos = colmetadata::write(&columns, &mut out).unwrap();
        RowWriter::new(infos, compression).write(&row, &mut out).unwrap();
        let mut input = Input::complete(out);
        let described = colmetadata::read(&mut input).unwrap();
        let names: Vec<_> = described.iter().map(|column| column.name.clone()).collect();
        prop_assert_eq!(names, columns.into_iter().map(|column| column.name).collect::<Vec<_>>());
        prop_assert_eq!(row::read(&described, &mut input).unwrap(), Some(row));
        prop_assert_eq!(row::read(&described, &mut input).unwrap(), None);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut input = Input::complete(bytes.clone());
        if let Ok(info) = TypeInfo::read(&mut input) {
            let _any = read_value(&info, &mut input);
        }
        let _any = crate::rpc::read(&mut Input::complete(bytes.clone()));
        let _any = crate::transaction::read(&mut Input::complete(bytes.clone()));
        let _any = crate::request_headers::read(&mut Input::complete(bytes.clone()));
        let _any = crate::prelogin::read(&bytes);
        let _any = crate::login::Login::read(&bytes);
        let _any = colmetadata::read(&mut Input::complete(bytes));
    }

    #[test]
    fn a_truncated_value_is_an_error((sql_type, value) in value(), cut in 1usize..40) {
        let info = TypeInfo::of(&sql_type, true).unwrap();
        let mut out = Vec::new();
        write_value(&info, &value, &mut out).unwrap();
        out.truncate(out.len().saturating_sub(cut));
        prop_assert!(read_value(&info, &mut Input::complete(out)).is_err());
    }
}

#[test]
fn a_null_where_none_may_be_is_reported_and_leaves_no_bytes() {
    let infos = vec![TypeInfo::of(&SqlType::Int, false).unwrap()];
    for compression in [false, true] {
        let mut out = vec![1, 2, 3];
        let writer = RowWriter::new(infos.clone(), compression);
        assert!(writer.write(&[Datum::Null], &mut out).is_err());
        assert!(writer.write(&[Datum::BigInt(1)], &mut out).is_err());
        assert!(writer.write(&[], &mut out).is_err());
        assert_eq!(out, [1, 2, 3]);
    }
}

#[test]
fn a_claimed_length_takes_no_memory_before_its_bytes_arrive() {
    let info = TypeInfo::of(&SqlType::VarBinary { length: None }, true).unwrap();
    let mut claim = (u64::MAX - 1).to_le_bytes().to_vec();
    claim.extend_from_slice(&u32::MAX.to_le_bytes());
    let error = read_value(&info, &mut Input::complete(claim)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the most that the development server takes"),
        "{error}"
    );
}

#[test]
fn known_bytes() {
    let cases: [(SqlType, Datum, &[u8]); 7] = [
        (
            SqlType::Money,
            Datum::Money(10_000),
            &[8, 0, 0, 0, 0, 0x10, 0x27, 0, 0],
        ),
        (
            SqlType::UniqueIdentifier,
            Datum::Guid([
                0x6F, 0x96, 0x19, 0xFF, 0x8B, 0x86, 0xD0, 0x11, 0xB4, 0x2D, 0, 0xC0, 0x4F, 0xC9,
                0x64, 0xFF,
            ]),
            &[
                16, 0xFF, 0x19, 0x96, 0x6F, 0x86, 0x8B, 0x11, 0xD0, 0xB4, 0x2D, 0, 0xC0, 0x4F,
                0xC9, 0x64, 0xFF,
            ],
        ),
        (
            SqlType::Decimal {
                precision: 5,
                scale: 2,
                numeric: false,
            },
            Datum::Decimal {
                unscaled: -12_345,
                precision: 5,
                scale: 2,
            },
            &[5, 0, 0x39, 0x30, 0, 0],
        ),
        // 12:34:56.1234567
        (
            SqlType::Time { scale: 7 },
            Datum::Time {
                ticks: 452_961_234_567,
                scale: 7,
            },
            &[5, 0x87, 0xEE, 0x97, 0x76, 0x69],
        ),
        (
            SqlType::NVarChar { length: None },
            Datum::Text {
                value: "a".into(),
                national: true,
            },
            &[2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'a', 0, 0, 0, 0, 0],
        ),
        (SqlType::NVarChar { length: None }, Datum::Null, &[0xFF; 8]),
        // 2000-01-01
        (SqlType::Date, Datum::Date(730_119), &[3, 0x07, 0x24, 0x0B]),
    ];
    for (sql_type, value, expected) in cases {
        let mut out = Vec::new();
        write_value(&TypeInfo::of(&sql_type, true).unwrap(), &value, &mut out).unwrap();
        assert_eq!(out, expected, "{sql_type:?}");
    }
}

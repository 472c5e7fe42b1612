//! The type table, printed whole, and the text form of types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_plan::{LakeType, Length, SqlType};
use proptest::prelude::*;

fn every_type() -> Vec<SqlType> {
    vec![
        SqlType::Bit,
        SqlType::TinyInt,
        SqlType::SmallInt,
        SqlType::Int,
        SqlType::BigInt,
        SqlType::Decimal {
            precision: 38,
            scale: 10,
        },
        SqlType::Money,
        SqlType::SmallMoney,
        SqlType::Real,
        SqlType::Float,
        SqlType::Char(10),
        SqlType::VarChar(Length::Limited(8000)),
        SqlType::VarChar(Length::Max),
        SqlType::NChar(10),
        SqlType::NVarChar(Length::Limited(4000)),
        SqlType::NVarChar(Length::Max),
        SqlType::Binary(16),
        SqlType::VarBinary(Length::Limited(8000)),
        SqlType::VarBinary(Length::Max),
        SqlType::Date,
        SqlType::Time(7),
        SqlType::DateTime,
        SqlType::SmallDateTime,
        SqlType::DateTime2(7),
        SqlType::DateTimeOffset(7),
        SqlType::UniqueIdentifier,
        SqlType::RowVersion,
    ]
}

#[test]
fn the_mapping() {
    let table: String = every_type()
        .into_iter()
        .map(|sql| {
            let (lake, kind) = sql.mapping();
            format!("{sql} | {lake} | {:?} | {kind}\n", lake.arrow())
        })
        .collect();
    insta::assert_snapshot!(table);
}

#[test]
fn a_lake_type_without_history_becomes_a_type_that_holds_every_value() {
    for sql in every_type() {
        let lake = sql.lake();
        let back = lake.default_sql(false);
        assert_eq!(back.lake(), lake, "{sql} -> {lake} -> {back}");
    }
    assert_eq!(
        LakeType::String.default_sql(true),
        SqlType::NVarChar(Length::Limited(450))
    );
}

#[test]
fn types_read_back_from_their_text() {
    for sql in every_type() {
        assert_eq!(sql.to_string().parse::<SqlType>().unwrap(), sql);
    }
    for wrong in [
        "geography",
        "decimal(5)",
        "nvarchar(",
        "varchar(x)",
        "int(4)",
        "time(7)x",
    ] {
        assert!(wrong.parse::<SqlType>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_type_or_an_error(text in "[a-z]{0,12}(\\([a-z0-9, ]{0,8}\\)?)?") {
        if let Ok(parsed) = text.parse::<SqlType>() {
            prop_assert_eq!(parsed.to_string(), text);
        }
    }
}

//! Properties: decimal arithmetic against big integers, dates there and back, orders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod kit;
use icehost_devengine::types::{Datum, SqlType};
use kit::Kit;
use proptest::prelude::*;

/// Schoolbook arithmetic on decimal digits, most significant first: slow, plain, and not the engine's.
mod digits {
    pub(crate) fn multiply(a: &str, b: &str) -> String {
        let (a, b): (Vec<u32>, Vec<u32>) = (value(a), value(b));
        let mut sum = vec![0u32; a.len() + b.len()];
        for (i, x) in a.iter().rev().enumerate() {
            for (j, y) in b.iter().rev().enumerate() {
                let place = sum.len() - 1 - i - j;
                sum[place] += x * y;
                let carry = sum[place] / 10;
                sum[place] %= 10;
                sum[place - 1] += carry;
            }
        }
        text(&sum)
    }

    /// Whole quotient by long division with repeated subtraction.
    pub(crate) fn divide(a: &str, b: &str) -> String {
        let mut quotient = String::new();
        let mut rest = String::from("0");
        for digit in a.chars() {
            rest.push(digit);
            rest = trim(&rest);
            let mut count = 0;
            while at_least(&rest, b) {
                rest = subtract(&rest, b);
                count += 1;
            }
            quotient.push(char::from_digit(count, 10).unwrap());
        }
        trim(&quotient)
    }

    fn value(text: &str) -> Vec<u32> {
        text.chars().map(|c| c.to_digit(10).unwrap()).collect()
    }

    fn text(digits: &[u32]) -> String {
        trim(
            &digits
                .iter()
                .map(|digit| char::from_digit(*digit, 10).unwrap())
                .collect::<String>(),
        )
    }

    pub(crate) fn trim(text: &str) -> String {
        let trimmed = text.trim_start_matches('0');
        if trimmed.is_empty() {
            "0".to_owned()
        } else {
            trimmed.to_owned()
        }
    }

    fn at_least(a: &str, b: &str) -> bool {
        let (a, b) = (trim(a), trim(b));
        (a.len(), a.as_str()) >= (b.len(), b.as_str())
    }

    fn subtract(a: &str, b: &str) -> String {
        let (a, b) = (value(a), value(&format!("{b:0>width$}", width = a.len())));
        let mut result = vec![0; a.len()];
        let mut borrow = 0;
        for place in (0..a.len()).rev() {
            let mut digit = a[place] as i32 - b[place] as i32 - borrow;
            borrow = i32::from(digit < 0);
            if digit < 0 {
                digit += 10;
            }
            result[place] = digit as u32;
        }
        text(&result)
    }
}

fn decimal(unscaled: i128, precision: u8, scale: u8) -> (SqlType, Datum) {
    (
        SqlType::Decimal {
            precision,
            scale,
            numeric: false,
        },
        Datum::Decimal {
            unscaled,
            precision,
            scale,
        },
    )
}

fn compute(
    kit: &mut Kit,
    operator: &str,
    a: (SqlType, Datum),
    b: (SqlType, Datum),
) -> Result<(i128, u8), u32> {
    let collected = kit.with(
        &format!("SELECT @a {operator} @b"),
        vec![("@a", a.0, a.1), ("@b", b.0, b.1)],
    );
    match collected.errors.first() {
        Some(error) => Err(error.number),
        None => match collected.sets[0].rows[0][0] {
            Datum::Decimal {
                unscaled, scale, ..
            } => Ok((unscaled, scale)),
            ref other => panic!("{other:?}"),
        },
    }
}

fn magnitude(digits: &str, drop: usize, round: bool) -> String {
    let padded = format!("{digits:0>width$}", width = drop + 1);
    let (kept, cut) = padded.split_at(padded.len() - drop);
    let mut value: i128 = kept.parse().unwrap_or(i128::MAX);
    if round && cut.as_bytes().first().is_some_and(|digit| *digit >= b'5') {
        value += 1;
    }
    value.to_string()
}

const LIMIT: i128 = 10i128.pow(37);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn products_agree_with_schoolbook_digits(a in -LIMIT..LIMIT, b in -LIMIT..LIMIT, s in 0u8..20, t in 0u8..20, shift_a in 0u32..30, shift_b in 0u32..30) {
        let (a, b) = (a / 10i128.pow(shift_a), b / 10i128.pow(shift_b));
        let mut kit = Kit::new();
        let exact = digits::multiply(&a.unsigned_abs().to_string(), &b.unsigned_abs().to_string());
        match compute(&mut kit, "*", decimal(a, 38, s), decimal(b, 38, t)) {
            Ok((value, scale)) => {
                let expected = magnitude(&exact, usize::from(s + t - scale), true);
                prop_assert_eq!(value.unsigned_abs().to_string(), expected);
                prop_assert!(value == 0 || (value < 0) == ((a < 0) != (b < 0)));
            }
            Err(number) => {
                prop_assert_eq!(number, 8115);
                // Whole digits that do not fit 38 less the scale, which is at least min(6, s + t).
                let scale = usize::from((s + t).min(6));
                prop_assert!(digits::trim(&exact).len() > 37 - scale + usize::from(s + t) - scale, "{}", exact);
            }
        }
    }

    #[test]
    fn quotients_agree_with_long_division(a in -LIMIT..LIMIT, b in 1i128..1_000_000_000, s in 0u8..10, t in 0u8..6, shift in 0u32..35) {
        let a = a / 10i128.pow(shift);
        let mut kit = Kit::new();
        if let Ok((value, scale)) = compute(&mut kit, "/", decimal(a, 38, s), decimal(b, 12, t)) {
            let exponent = usize::from(scale) + usize::from(t) - usize::from(s).min(usize::from(scale) + usize::from(t));
            let dividend = format!("{}{}", a.unsigned_abs(), "0".repeat(exponent));
            prop_assert_eq!(value.unsigned_abs().to_string(), digits::divide(&dividend, &b.to_string()));
        }
    }

    #[test]
    fn sums_are_exact(a in -LIMIT..LIMIT, b in -LIMIT..LIMIT) {
        let mut kit = Kit::new();
        let (sum, scale) = compute(&mut kit, "+", decimal(a, 38, 4), decimal(b, 38, 4)).unwrap();
        prop_assert_eq!(scale, 4);
        prop_assert_eq!(sum, a + b);
    }

    #[test]
    fn datetime2_text_reads_back(days in 0i32..3_652_058, ticks in 0u64..864_000_000_000) {
        let mut kit = Kit::new();
        let value = Datum::DateTime2 { days, ticks, scale: 7 };
        let back = kit.with("SELECT CAST(CONVERT(varchar(30), @v, 126) AS datetime2(7)), CAST(CAST(@v AS datetimeoffset(7)) AS datetime2(7))", vec![("@v", SqlType::DateTime2 { scale: 7 }, value.clone())]);
        prop_assert_eq!(&back.sets[0].rows[0][0], &value);
        prop_assert_eq!(&back.sets[0].rows[0][1], &value);
    }

    #[test]
    fn datetime_survives_datetime2(days in -53_690i32..2_958_463, ticks in 0u32..25_920_000) {
        let mut kit = Kit::new();
        let value = Datum::DateTime { days, ticks };
        let back = kit.with("SELECT CAST(CAST(@v AS datetime2(7)) AS datetime), CAST(CONVERT(varchar(30), @v, 121) AS datetime)", vec![("@v", SqlType::DateTime, value.clone())]);
        prop_assert_eq!(&back.sets[0].rows[0][0], &value);
        prop_assert_eq!(&back.sets[0].rows[0][1], &value);
    }

    #[test]
    fn sorting_agrees_with_comparison(values in proptest::collection::vec("[a-cA-C ]{0,4}", 2..8)) {
        let mut kit = Kit::new();
        let list = values.iter().map(|value| format!("(N'{value}')")).collect::<Vec<_>>().join(", ");
        kit.run(&format!("CREATE TABLE v (n int IDENTITY, s nvarchar(10)); INSERT v (s) VALUES {list}"));
        let broken = kit.value(
            "WITH o AS (SELECT s, ROW_NUMBER() OVER (ORDER BY s, n) AS r FROM v) SELECT COUNT(*) FROM o a JOIN o b ON a.r < b.r WHERE a.s > b.s",
        );
        prop_assert_eq!(broken, "0");
        let distinct: std::collections::BTreeSet<String> = values.iter().map(|value| value.trim_end().to_lowercase()).collect();
        prop_assert_eq!(kit.value("SELECT COUNT(DISTINCT s) FROM v"), distinct.len().to_string());
        prop_assert_eq!(kit.value("SELECT COUNT(*) FROM (SELECT s FROM v GROUP BY s) g"), distinct.len().to_string());
    }

    #[test]
    fn any_text_parses_or_fails_but_never_panics(sql in "\\PC{0,60}") {
        let mut kit = Kit::new();
        kit.try_run(&sql);
        kit.try_run(&format!("SELECT {sql}"));
    }
}

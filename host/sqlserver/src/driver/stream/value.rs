//! Single values out of their bytes (MS-TDS 2.2.5.5).

use std::borrow::Cow;

use icehost_plan::value::TICKS_PER_DAY;

use super::block::Field;
use super::column::Kind;
use super::text::Encoding;
use crate::driver::Cell;

/// `datetime` counts three hundredths of a second.
const DATETIME_TICKS_PER_DAY: u32 = 300 * 86_400;
const MINUTES_PER_DAY: u16 = 24 * 60;

/// An integer of up to eight bytes, little-endian.
#[inline]
fn unsigned(bytes: &[u8]) -> Option<u64> {
    let mut value = [0; 8];
    value.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(value))
}

/// The unscaled value of a decimal: its sign in a byte, 1 for positive, then its magnitude.
#[inline]
pub(crate) fn decimal(bytes: &[u8]) -> Option<i128> {
    let (&sign, magnitude) = bytes.split_first()?;
    let unscaled = match magnitude {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]).into(),
        _ => {
            let mut value = [0; 16];
            value.get_mut(..magnitude.len())?.copy_from_slice(magnitude);
            i128::try_from(u128::from_le_bytes(value)).ok()?
        }
    };
    Some(if sign == 0 { -unscaled } else { unscaled })
}

/// 100 ns ticks of a time of day that came in units of 10^-`scale` s.
#[inline]
pub(crate) fn ticks(bytes: &[u8], scale: u8) -> Option<u64> {
    const TICKS: [u64; 8] = [10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    let unit = TICKS.get(usize::from(scale))?;
    let ticks = unsigned(bytes)?.checked_mul(*unit)?;
    (ticks < TICKS_PER_DAY as u64).then_some(ticks)
}

/// Days since 0001-01-01 and 100 ns ticks of a `datetime2`.
#[inline]
pub(crate) fn moment(bytes: &[u8], scale: u8) -> Option<(u32, u64)> {
    let (time, days) = bytes.split_at_checked(bytes.len().checked_sub(3)?)?;
    Some((unsigned(days)? as u32, ticks(time, scale)?))
}

/// A uniqueidentifier's bytes in the order of its text: the first three groups come little-endian.
#[inline]
pub(crate) fn uuid(bytes: &[u8]) -> Option<[u8; 16]> {
    let [a, b, c, d, e, f, g, h, rest @ ..] = <[u8; 16]>::try_from(bytes).ok()?;
    let [i, j, k, l, m, n, o, p] = rest;
    Some([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}

/// One value, whatever it is; `None` where its bytes are not of its kind.
pub(crate) fn cell(kind: Kind, field: Field<'_>) -> Option<Cell<'_>> {
    let bytes = match field {
        Field::Null => return Some(Cell::Null),
        Field::Whole(bytes) => Cow::Borrowed(bytes),
        Field::Chunks(chunks) => Cow::Owned(chunks.flatten().copied().collect()),
    };
    let text = |encoding: Encoding| {
        let mut text = Vec::new();
        encoding.append(&bytes, &mut text).ok()?;
        Some(Cell::Text(String::from_utf8(text).ok()?.into()))
    };
    Some(match kind {
        Kind::Bit => Cell::Bit(*bytes.first()? != 0),
        Kind::TinyInt => Cell::TinyInt(*bytes.first()?),
        Kind::SmallInt => Cell::SmallInt(i16::from_le_bytes(bytes.as_ref().try_into().ok()?)),
        Kind::Int => Cell::Int(i32::from_le_bytes(bytes.as_ref().try_into().ok()?)),
        Kind::BigInt => Cell::BigInt(i64::from_le_bytes(bytes.as_ref().try_into().ok()?)),
        Kind::Real => Cell::Real(f32::from_le_bytes(bytes.as_ref().try_into().ok()?)),
        Kind::Float => Cell::Float(f64::from_le_bytes(bytes.as_ref().try_into().ok()?)),
        Kind::Money => Cell::Decimal {
            unscaled: money(&bytes)?.into(),
            scale: 4,
        },
        Kind::SmallMoney => Cell::Decimal {
            unscaled: i32::from_le_bytes(bytes.as_ref().try_into().ok()?).into(),
            scale: 4,
        },
        Kind::Decimal { scale } => Cell::Decimal {
            unscaled: decimal(&bytes)?,
            scale,
        },
        Kind::Uuid => Cell::Uuid(uuid(&bytes)?),
        Kind::Date => Cell::Date(unsigned(&bytes)? as u32),
        Kind::Time { scale } => Cell::Time(ticks(&bytes, scale)?),
        Kind::DateTime => {
            let (days, ticks) = datetime(&bytes)?;
            Cell::DateTime { days, ticks }
        }
        Kind::SmallDateTime => {
            let (days, minutes) = smalldatetime(&bytes)?;
            Cell::SmallDateTime { days, minutes }
        }
        Kind::DateTime2 { scale } => {
            let (days, ticks) = moment(&bytes, scale)?;
            Cell::DateTime2 { days, ticks }
        }
        Kind::DateTimeOffset { scale } => {
            let (days, ticks, offset) = moment_with_offset(&bytes, scale)?;
            Cell::DateTimeOffset {
                days,
                ticks,
                offset,
            }
        }
        Kind::Binary => Cell::Binary(bytes),
        Kind::Utf16 => return text(Encoding::Utf16),
        Kind::CodePage { utf8 } => return text(Encoding::CodePage { utf8 }),
    })
}

/// Ten-thousandths; the upper half comes first (MS-TDS 2.2.5.5.1.4).
#[inline]
pub(crate) fn money(bytes: &[u8]) -> Option<i64> {
    let [a, b, c, d, e, f, g, h] = <[u8; 8]>::try_from(bytes).ok()?;
    Some(i64::from_le_bytes([e, f, g, h, a, b, c, d]))
}

/// Days since 1900-01-01 and 1/300 s since midnight.
#[inline]
pub(crate) fn datetime(bytes: &[u8]) -> Option<(i32, u32)> {
    let [a, b, c, d, e, f, g, h] = <[u8; 8]>::try_from(bytes).ok()?;
    let ticks = u32::from_le_bytes([e, f, g, h]);
    (ticks < DATETIME_TICKS_PER_DAY).then_some((i32::from_le_bytes([a, b, c, d]), ticks))
}

/// Days since 1900-01-01 and minutes since midnight.
#[inline]
pub(crate) fn smalldatetime(bytes: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = <[u8; 4]>::try_from(bytes).ok()?;
    let minutes = u16::from_le_bytes([c, d]);
    (minutes < MINUTES_PER_DAY).then_some((u16::from_le_bytes([a, b]), minutes))
}

/// A `datetimeoffset`: days and ticks in UTC, and minutes east of it.
#[inline]
pub(crate) fn moment_with_offset(bytes: &[u8], scale: u8) -> Option<(u32, u64, i16)> {
    let (rest, offset) = bytes.split_last_chunk::<2>()?;
    let (days, ticks) = moment(rest, scale)?;
    Some((days, ticks, i16::from_le_bytes(*offset)))
}

/// Days since 0001-01-01.
#[inline]
pub(crate) fn date(bytes: &[u8]) -> Option<u32> {
    Some(unsigned(bytes)? as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decimals_of_every_width_have_their_sign_and_what_is_too_large_is_none() {
        let of = |sign: u8, magnitude: &[u8]| decimal(&[&[sign], magnitude].concat());
        assert_eq!(of(1, &7u32.to_le_bytes()), Some(7));
        assert_eq!(of(0, &u64::MAX.to_le_bytes()), Some(-i128::from(u64::MAX)));
        assert_eq!(of(1, &[1; 12]), Some(0x0101_0101_0101_0101_0101_0101));
        let most = 10i128.pow(38) - 1;
        assert_eq!(of(0, &(most as u128).to_le_bytes()), Some(-most));
        assert_eq!(of(1, &u128::MAX.to_le_bytes()), None);
        assert_eq!(of(1, &[0; 17]), None);
        assert_eq!(decimal(&[]), None);
    }

    #[test]
    fn a_time_ends_before_midnight() {
        let last = |scale: u8| 86_400 * 10u64.pow(scale.into()) - 1;
        for scale in 0..=7 {
            let unit = 10u64.pow(7 - u32::from(scale));
            let read = |count: u64| ticks(&count.to_le_bytes(), scale);
            assert_eq!(read(last(scale)), Some(last(scale) * unit), "{scale}");
            assert_eq!(read(last(scale) + 1), None, "{scale}");
            assert_eq!(read(0), Some(0));
        }
        assert_eq!(ticks(&u64::MAX.to_le_bytes(), 0), None);
        assert_eq!(ticks(&[0; 5], 8), None);
        assert_eq!(ticks(&[0; 9], 7), None);
        assert_eq!(moment(&[0; 2], 7), None);
        assert_eq!(moment(&[0xff; 8], 7), None);
        assert_eq!(moment_with_offset(&[0], 7), None);
    }

    #[test]
    fn what_older_types_cannot_have_is_none() {
        let old =
            |days: i32, ticks: u32| datetime(&[days.to_le_bytes(), ticks.to_le_bytes()].concat());
        assert_eq!(old(-53_690, 0), Some((-53_690, 0)));
        let last = 300 * 86_400 - 1;
        assert_eq!(old(2_958_463, last), Some((2_958_463, last)));
        assert_eq!(old(0, last + 1), None);
        let small = |days: u16, minutes: u16| {
            smalldatetime(&[days.to_le_bytes(), minutes.to_le_bytes()].concat())
        };
        assert_eq!(small(u16::MAX, 1439), Some((u16::MAX, 1439)));
        assert_eq!(small(0, 1440), None);
        assert_eq!(money(&[0; 7]), None);
        assert_eq!(
            money(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff]),
            Some(i64::MAX)
        );
        assert_eq!(uuid(&[0; 15]), None);
    }

    #[test]
    fn bytes_that_are_not_of_the_kind_are_no_value() {
        let cell = |kind: Kind, bytes: &'static [u8]| cell(kind, Field::Whole(bytes)).is_some();
        for (kind, width) in [
            (Kind::Bit, 1),
            (Kind::TinyInt, 1),
            (Kind::SmallInt, 2),
            (Kind::Int, 4),
            (Kind::BigInt, 8),
            (Kind::Real, 4),
            (Kind::Float, 8),
            (Kind::Money, 8),
            (Kind::SmallMoney, 4),
            (Kind::Uuid, 16),
            (Kind::DateTime, 8),
            (Kind::SmallDateTime, 4),
            (Kind::DateTime2 { scale: 7 }, 8),
            (Kind::DateTimeOffset { scale: 7 }, 10),
        ] {
            let zeros: &'static [u8] = &[0; 32];
            let of = |length: usize| cell(kind, zeros.split_at(length).0);
            assert!(of(width), "{kind:?}");
            assert!(!of(0), "{kind:?} of no bytes");
        }
        assert!(!cell(Kind::Utf16, &[0x3D, 0xD8]));
        assert!(!cell(Kind::Utf16, &[0x41]));
        assert!(!cell(Kind::CodePage { utf8: true }, &[0xC3]));
        assert!(cell(Kind::CodePage { utf8: false }, &[0xC3]));
    }
}

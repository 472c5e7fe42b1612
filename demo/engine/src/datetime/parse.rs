//! Text into dates and times: ISO 8601 and the us_english forms that clients send.

use super::{EPOCH_1900, Moment, TICKS_PER_DAY, TICKS_PER_SECOND, days};

/// What a text held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Missing parts are 1900-01-01 and midnight.
    pub(crate) moment: Moment,
    pub(crate) has_date: bool,
    pub(crate) has_time: bool,
    /// How many fractional digits of a second were written.
    pub(crate) fraction_digits: usize,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self.peek() == b' ' {
            self.at += 1;
        }
    }

    fn done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Digits as a number, with their count.
    fn digits(&mut self) -> Option<(u32, usize)> {
        let start = self.at;
        let mut value: u32 = 0;
        while self.peek().is_ascii_digit() {
            value = value
                .checked_mul(10)?
                .checked_add(u32::from(self.peek() - b'0'))?;
            self.at += 1;
        }
        (self.at > start).then_some((value, self.at - start))
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_ascii_alphabetic() {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[start..self.at]).to_ascii_lowercase()
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn month_number(word: &str) -> Option<u32> {
    let found = MONTHS
        .iter()
        .position(|month| word.len() >= 3 && month.starts_with(word))?;
    Some(found as u32 + 1)
}

/// Reads a date, a time, or both with an offset; `None` where the text is none of them.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    let mut cursor = Cursor {
        bytes: text.trim().as_bytes(),
        at: 0,
    };
    let mut parsed = Parsed {
        moment: Moment::local(EPOCH_1900, 0),
        has_date: false,
        has_time: false,
        fraction_digits: 0,
    };
    if cursor.done() {
        return Some(parsed);
    }
    if !starts_with_time(cursor.bytes) {
        parsed.moment.days = date(&mut cursor)?;
        parsed.has_date = true;
        let t = cursor.peek() == b'T' || cursor.peek() == b't';
        if t {
            cursor.at += 1;
        } else {
            cursor.blanks();
        }
        if cursor.done() {
            return if t { None } else { Some(parsed) };
        }
    }
    if cursor.peek().is_ascii_digit() {
        time(&mut cursor, &mut parsed)?;
        parsed.has_time = true;
    }
    cursor.blanks();
    parsed.moment.offset = offset(&mut cursor)?;
    cursor.blanks();
    if !cursor.done() {
        return None;
    }
    Some(parsed)
}

fn starts_with_time(bytes: &[u8]) -> bool {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let after = bytes[digits..].iter().find(|byte| **byte != b' ');
    (1..=2).contains(&digits)
        && (bytes.get(digits) == Some(&b':')
            || matches!(after, Some(b'a' | b'A' | b'p' | b'P')) && !has_month(bytes))
}

fn has_month(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes)
        .to_ascii_lowercase()
        .split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| month_number(word).is_some())
}

fn date(cursor: &mut Cursor<'_>) -> Option<i32> {
    if cursor.peek().is_ascii_alphabetic() {
        // `Jan 31, 2024`
        let month = month_number(&cursor.word())?;
        cursor.blanks();
        let (day, _) = cursor.digits()?;
        let _ = cursor.eat(b',');
        cursor.blanks();
        let (year, count) = cursor.digits()?;
        return days(full_year(year, count)?, month, day);
    }
    let (first, count) = cursor.digits()?;
    if count == 8 {
        return days((first / 10_000) as i32, first / 100 % 100, first % 100);
    }
    if count == 6 {
        return days(
            full_year(first / 10_000, 2)?,
            first / 100 % 100,
            first % 100,
        );
    }
    let before = cursor.at;
    cursor.blanks();
    if cursor.peek().is_ascii_alphabetic() && count <= 2 {
        // `31 Jan 2024`
        let month = month_number(&cursor.word())?;
        let _ = cursor.eat(b',');
        cursor.blanks();
        let (year, year_count) = cursor.digits()?;
        return days(full_year(year, year_count)?, month, first);
    }
    cursor.at = before;
    let separator = cursor.peek();
    if !matches!(separator, b'-' | b'/' | b'.') {
        return if count == 4 {
            days(first as i32, 1, 1)
        } else {
            None
        };
    }
    cursor.at += 1;
    let (second, _) = cursor.digits()?;
    if !cursor.eat(separator) {
        return None;
    }
    let (third, third_count) = cursor.digits()?;
    if count == 4 {
        return days(first as i32, second, third);
    }
    days(full_year(third, third_count)?, first, second)
}

/// Two-digit years turn at 2049.
fn full_year(year: u32, digits: usize) -> Option<i32> {
    match digits {
        4 => Some(year as i32),
        1 | 2 => Some(if year <= 49 {
            2000 + year as i32
        } else {
            1900 + year as i32
        }),
        _ => None,
    }
}

fn time(cursor: &mut Cursor<'_>, parsed: &mut Parsed) -> Option<()> {
    let (mut hour, _) = cursor.digits()?;
    let (mut minute, mut second, mut fraction) = (0, 0, 0u64);
    let mut clock = false;
    if cursor.eat(b':') {
        clock = true;
        minute = cursor.digits()?.0;
        if cursor.eat(b':') {
            second = cursor.digits()?.0;
            if cursor.peek() == b'.' || cursor.peek() == b':' {
                let colon = cursor.peek() == b':';
                cursor.at += 1;
                let start = cursor.at;
                let (_, digits) = cursor.digits()?;
                if digits > 7 {
                    return None;
                }
                parsed.fraction_digits = digits;
                let text = std::str::from_utf8(&cursor.bytes[start..cursor.at]).ok()?;
                let nanoseconds: u64 = if colon {
                    text.parse::<u64>().ok()? * 1_000_000
                } else {
                    format!("{text:0<9}").parse().ok()?
                };
                fraction = (nanoseconds + 50) / 100;
            }
        }
    }
    cursor.blanks();
    let marker = cursor.peek().to_ascii_lowercase();
    if matches!(marker, b'a' | b'p') && matches!(cursor.bytes.get(cursor.at + 1), Some(b'm' | b'M'))
    {
        cursor.at += 2;
        if hour > 12 || hour == 0 {
            return None;
        }
        hour = hour % 12 + if marker == b'p' { 12 } else { 0 };
    } else if !clock {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = u64::from(hour * 3600 + minute * 60 + second);
    let ticks = seconds * TICKS_PER_SECOND + fraction;
    if ticks >= TICKS_PER_DAY {
        parsed.moment.days += 1;
        parsed.moment.ticks = 0;
    } else {
        parsed.moment.ticks = ticks;
    }
    Some(())
}

fn offset(cursor: &mut Cursor<'_>) -> Option<Option<i16>> {
    if cursor.peek().eq_ignore_ascii_case(&b'z') {
        cursor.at += 1;
        return Some(Some(0));
    }
    let sign = match cursor.peek() {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(None),
    };
    cursor.at += 1;
    let (hours, _) = cursor.digits()?;
    if !cursor.eat(b':') {
        return None;
    }
    let (minutes, _) = cursor.digits()?;
    let total = hours.checked_mul(60)?.checked_add(minutes)?;
    let total = i16::try_from(total).ok()?;
    (minutes < 60 && total <= 14 * 60).then_some(Some(sign * total))
}

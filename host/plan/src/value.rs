//! Typed scalars and their exact text form.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::{LogicalType, PlanError};

/// 100 ns ticks in a second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// 100 ns ticks in a day.
pub const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;

/// A scalar; `value` in the contract. Hosts bind it as a parameter and never splice it into SQL.
///
/// Its text form ([`Display`](fmt::Display), [`FromStr`]) is `kind:text`, for example `integer:42`,
/// `timestamp:2026-01-31T12:00:00.1234567` or just `null`, and loses nothing; JSON has the same two parts,
/// as `{"integer": "42"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "JsonValue", try_from = "JsonValue")]
pub enum Value {
    /// SQL NULL.
    Null,
    /// `bit`.
    Boolean(bool),
    /// Any integer type.
    Integer(i64),
    /// Never NaN or infinite where it comes from SQL Server.
    Double(f64),
    /// `unscaled ÷ 10^scale`.
    Decimal {
        /// |unscaled| < 10^38.
        unscaled: i128,
        /// 0 to 38.
        scale: u8,
    },
    /// Unicode text.
    Text(String),
    /// Bytes; also rowversion and log sequence numbers.
    Binary(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// 100 ns ticks since midnight.
    Time(u64),
    /// 100 ns ticks since 1970-01-01T00:00, without zone.
    Timestamp(i64),
    /// A moment and the offset that the source shows it with.
    TimestampTz {
        /// 100 ns ticks since 1970-01-01T00:00Z.
        ticks: i64,
        /// Minutes east of UTC, -840 to 840.
        offset_minutes: i16,
    },
    /// Sixteen bytes in the textual order.
    Uuid([u8; 16]),
}

impl Value {
    /// The kind of the value; `None` for NULL, which has none.
    pub fn kind(&self) -> Option<LogicalType> {
        Some(match self {
            Value::Null => return None,
            Value::Boolean(_) => LogicalType::Boolean,
            Value::Integer(_) => LogicalType::Integer,
            Value::Double(_) => LogicalType::Double,
            Value::Decimal { .. } => LogicalType::Decimal,
            Value::Text(_) => LogicalType::Text,
            Value::Binary(_) => LogicalType::Binary,
            Value::Date(_) => LogicalType::Date,
            Value::Time(_) => LogicalType::Time,
            Value::Timestamp(_) => LogicalType::Timestamp,
            Value::TimestampTz { .. } => LogicalType::TimestampTz,
            Value::Uuid(_) => LogicalType::Uuid,
        })
    }

    /// Bytes that the value takes beyond its fixed size.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Binary(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// Checks what the type alone does not: digits of a decimal, ranges of times, finite doubles.
    pub fn validate(&self) -> Result<(), PlanError> {
        let wrong = |what: String| Err(PlanError::new(what));
        match self {
            Value::Double(v) if !v.is_finite() => {
                wrong(format!("{v} is not a number that SQL Server can hold"))
            }
            Value::Decimal { unscaled, scale } => {
                if *scale > 38 {
                    wrong(format!(
                        "a decimal has at most 38 digits, not scale {scale}"
                    ))
                } else if unscaled.unsigned_abs() >= 10u128.pow(38) {
                    wrong("a decimal has at most 38 digits".to_owned())
                } else {
                    Ok(())
                }
            }
            Value::Time(ticks) if *ticks >= TICKS_PER_DAY as u64 => wrong(format!(
                "a time is below 24 hours, not {ticks} ticks of 100 ns"
            )),
            Value::Date(days) => match date_from_days(*days) {
                Some(_) => Ok(()),
                None => wrong(format!("day {days} is outside the years 1 to 9999")),
            },
            Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. }
                if datetime_from_ticks(*ticks).is_none() =>
            {
                wrong(format!("tick {ticks} is outside the years 1 to 9999"))
            }
            Value::TimestampTz { offset_minutes, .. } if offset_minutes.unsigned_abs() > 840 => {
                wrong(format!(
                    "an offset is at most 14 hours, not {offset_minutes} minutes"
                ))
            }
            _ => Ok(()),
        }
    }

    /// The text behind the colon of [`Display`](fmt::Display); what people should see in a message.
    pub fn text(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Boolean(v) => v.to_string(),
            Value::Integer(v) => v.to_string(),
            Value::Double(v) => format!("{v:?}"),
            Value::Decimal { unscaled, scale } => decimal_text(*unscaled, *scale),
            Value::Text(v) => v.clone(),
            Value::Binary(v) => hex(v),
            Value::Date(days) => match date_from_days(*days) {
                Some(date) => date.format("%Y-%m-%d").to_string(),
                None => days.to_string(),
            },
            Value::Time(ticks) => time_text(*ticks),
            Value::Timestamp(ticks) => timestamp_text(*ticks),
            Value::TimestampTz {
                ticks,
                offset_minutes,
            } => {
                let local = ticks + i64::from(*offset_minutes) * 60 * TICKS_PER_SECOND;
                let sign = if *offset_minutes < 0 { '-' } else { '+' };
                let minutes = offset_minutes.unsigned_abs();
                format!(
                    "{}{sign}{:02}:{:02}",
                    timestamp_text(local),
                    minutes / 60,
                    minutes % 60
                )
            }
            Value::Uuid(bytes) => uuid::Uuid::from_bytes(*bytes).to_string(),
        }
    }

    /// The value in a message: text in quotes, control characters escaped, and what is long cut.
    pub fn shown(&self) -> String {
        match self {
            Value::Text(text) => shown_text(text),
            Value::Binary(bytes) => shown_bytes(bytes),
            Value::Date(days) if date_from_days(*days).is_none() => {
                format!("day {days} from 1970-01-01")
            }
            Value::Timestamp(ticks) | Value::TimestampTz { ticks, .. }
                if datetime_from_ticks(*ticks).is_none() =>
            {
                format!(
                    "second {} from 1970-01-01",
                    ticks.div_euclid(TICKS_PER_SECOND)
                )
            }
            other => other.text(),
        }
    }

    /// Reads what [`Value::text`] writes, given the kind.
    pub fn parse(kind: LogicalType, text: &str) -> Result<Value, PlanError> {
        let wrong = || {
            let text = icehost_untrusted::given(text);
            PlanError::new(format!("{text} is not {}", expected(kind)))
        };
        let value = match kind {
            LogicalType::Boolean => Value::Boolean(text.parse().map_err(|_| wrong())?),
            LogicalType::Integer => Value::Integer(text.parse().map_err(|_| wrong())?),
            LogicalType::Double => Value::Double(text.parse().map_err(|_| wrong())?),
            LogicalType::Decimal => parse_decimal(text).ok_or_else(wrong)?,
            LogicalType::Text => Value::Text(text.to_owned()),
            LogicalType::Binary => Value::Binary(parse_hex(text).ok_or_else(wrong)?),
            LogicalType::Date => {
                let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| wrong())?;
                Value::Date((date - epoch().date()).num_days() as i32)
            }
            LogicalType::Time => {
                let time = NaiveTime::parse_from_str(text, "%H:%M:%S%.f").map_err(|_| wrong())?;
                let span = (time - NaiveTime::MIN)
                    .num_nanoseconds()
                    .ok_or_else(wrong)?;
                Value::Time(u64::try_from(span / 100).map_err(|_| wrong())?)
            }
            LogicalType::Timestamp => {
                let moment = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                    .map_err(|_| wrong())?;
                Value::Timestamp(ticks_from_datetime(moment))
            }
            LogicalType::TimestampTz => {
                let moment = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
                Value::TimestampTz {
                    ticks: ticks_from_datetime(moment.naive_utc()),
                    offset_minutes: (moment.offset().local_minus_utc() / 60) as i16,
                }
            }
            LogicalType::Uuid => {
                Value::Uuid(*uuid::Uuid::parse_str(text).map_err(|_| wrong())?.as_bytes())
            }
        };
        value.validate()?;
        Ok(value)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            None => f.write_str("null"),
            Some(kind) => write!(f, "{kind}:{}", self.text()),
        }
    }
}

impl FromStr for Value {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        if text == "null" {
            return Ok(Value::Null);
        }
        let malformed = || {
            PlanError::new(format!(
                "{} is not of the form kind:value, for example integer:42 or timestamp:2026-01-31T12:00:00",
                icehost_untrusted::given(text)
            ))
        };
        let (kind, rest) = text.split_once(':').ok_or_else(malformed)?;
        let kind = serde_json::from_value(serde_json::Value::String(kind.to_owned()))
            .map_err(|_| malformed())?;
        Value::parse(kind, rest)
    }
}

/// `"null"` or `{"kind": "text"}`: what JSON and the snapshot summary hold.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum JsonValue {
    Null(()),
    Typed(std::collections::BTreeMap<String, String>),
}

impl From<Value> for JsonValue {
    fn from(value: Value) -> Self {
        match value.kind() {
            None => JsonValue::Null(()),
            Some(kind) => JsonValue::Typed([(kind.to_string(), value.text())].into()),
        }
    }
}

impl TryFrom<JsonValue> for Value {
    type Error = PlanError;

    fn try_from(json: JsonValue) -> Result<Self, PlanError> {
        match json {
            JsonValue::Null(()) => Ok(Value::Null),
            JsonValue::Typed(map) => match map.iter().next() {
                Some((kind, text)) if map.len() == 1 => format!("{kind}:{text}").parse(),
                _ => Err(PlanError::new(
                    "a value is null or an object with one member, its kind",
                )),
            },
        }
    }
}

fn expected(kind: LogicalType) -> &'static str {
    match kind {
        LogicalType::Boolean => "true or false",
        LogicalType::Integer => "a 64-bit integer",
        LogicalType::Double => "a finite number",
        LogicalType::Decimal => "a decimal of at most 38 digits",
        LogicalType::Text => "text",
        LogicalType::Binary => "hexadecimal digits behind 0x",
        LogicalType::Date => "a date like 2026-01-31",
        LogicalType::Time => "a time like 12:00:00.1234567",
        LogicalType::Timestamp => "a timestamp like 2026-01-31T12:00:00.1234567",
        LogicalType::TimestampTz => "a timestamp like 2026-01-31T12:00:00.1234567+01:00",
        LogicalType::Uuid => "a UUID",
    }
}

fn epoch() -> NaiveDateTime {
    DateTime::UNIX_EPOCH.naive_utc()
}

fn date_from_days(days: i32) -> Option<NaiveDate> {
    let date = epoch()
        .date()
        .checked_add_signed(Duration::try_days(i64::from(days))?)?;
    within_sql_years(date).then_some(date)
}

fn datetime_from_ticks(ticks: i64) -> Option<NaiveDateTime> {
    let seconds = Duration::try_seconds(ticks.div_euclid(TICKS_PER_SECOND))?;
    let nanoseconds = Duration::nanoseconds(ticks.rem_euclid(TICKS_PER_SECOND) * 100);
    let moment = epoch()
        .checked_add_signed(seconds)?
        .checked_add_signed(nanoseconds)?;
    within_sql_years(moment.date()).then_some(moment)
}

/// `date` and `datetime2` run from year 1 to year 9999 (T-SQL reference).
fn within_sql_years(date: NaiveDate) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&date.year())
}

fn ticks_from_datetime(moment: NaiveDateTime) -> i64 {
    let utc = moment.and_utc();
    utc.timestamp() * TICKS_PER_SECOND + i64::from(utc.timestamp_subsec_nanos() / 100)
}

fn timestamp_text(ticks: i64) -> String {
    match datetime_from_ticks(ticks) {
        Some(moment) => format!(
            "{}.{:07}",
            moment.format("%Y-%m-%dT%H:%M:%S"),
            ticks.rem_euclid(TICKS_PER_SECOND)
        ),
        None => format!("tick {ticks}"),
    }
}

fn time_text(ticks: u64) -> String {
    let second = TICKS_PER_SECOND as u64;
    let seconds = ticks / second;
    format!(
        "{:02}:{:02}:{:02}.{:07}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        ticks % second
    )
}

fn decimal_text(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn parse_decimal(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let magnitude: i128 = format!("{whole}{fraction}").parse().ok()?;
    Some(Value::Decimal {
        unscaled: if negative { -magnitude } else { magnitude },
        scale: u8::try_from(fraction.len()).ok()?,
    })
}

/// Bytes of a text, or digits of bytes, that a message shows.
const SHOWN: usize = 64;

/// A text in a message: in quotes, with what misleads escaped, and not too long.
pub fn shown_text(text: &str) -> String {
    icehost_untrusted::quoted(text, SHOWN)
}

/// Bytes in a message, as hexadecimal digits, and not too many.
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN / 2) {
        Some(first) if first.len() < bytes.len() => format!("{}…", hex(first)),
        _ => hex(bytes),
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    if digits.len() % 2 != 0 || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok())
        .collect()
}

//! Values, as the schema wants them.

use std::time::Duration;

use serde_json::{Map, Value as Json};
use toml::de::DeValue;

use crate::schema::Kind;

/// A value that has been read.
#[derive(Clone)]
pub(crate) enum Setting {
    Text(String),
    Flag(bool),
    Count(u64),
    Seconds(Duration),
    Names(Vec<String>),
    All,
    Options(Map<String, Json>),
}

impl Setting {
    /// Reads a value, or says what is wanted instead.
    pub(crate) fn read(kind: Kind, value: &DeValue<'_>) -> Result<Setting, String> {
        let wanted = |what: &str| format!("takes {what}");
        match kind {
            Kind::Text => match value.as_str() {
                Some(text) if !text.is_empty() => Ok(Setting::Text(text.to_owned())),
                _ => Err(wanted("a text in quotes that is not empty")),
            },
            Kind::Word => match value {
                DeValue::Boolean(flag) => Ok(Setting::Text(flag.to_string())),
                DeValue::String(text) => Ok(Setting::Text(text.to_string())),
                _ => Err(wanted("true, false or a text in quotes")),
            },
            Kind::Choice(choices) => match value.as_str() {
                Some(text) if choices.contains(&text) => Ok(Setting::Text(text.to_owned())),
                _ => Err(wanted(&format!("\"{}\"", choices.join("\" or \"")))),
            },
            Kind::Flag => value
                .as_bool()
                .map(Setting::Flag)
                .ok_or_else(|| wanted("true or false")),
            Kind::Count(least, most) => integer(value)
                .and_then(|number| u64::try_from(number).ok())
                .filter(|number| (least..=most).contains(number))
                .map(Setting::Count)
                .ok_or_else(|| match most {
                    most if most > 1 << 32 => wanted(&format!("a whole number from {least}")),
                    _ => wanted(&format!("a whole number from {least} to {most}")),
                }),
            Kind::Seconds => number(value)
                .and_then(|number| parse_seconds(&number).ok())
                .map(Setting::Seconds)
                .ok_or_else(|| wanted("a number of seconds above 0 and up to 3600")),
            Kind::Wait => number(value)
                .and_then(|number| parse_wait(&number).ok())
                .map(Setting::Seconds)
                .ok_or_else(|| wanted("a number of seconds above 0 and up to 604800")),
            Kind::Percent => value
                .as_str()
                .and_then(|text| parse_percent(text).ok())
                .map(|percent| Setting::Count(u64::from(percent)))
                .ok_or_else(|| wanted("a share from \"0%\" to \"100%\"")),
            Kind::Size => match value {
                DeValue::String(text) => parse_size(text).ok(),
                other => number(other).and_then(|number| parse_size(&number).ok()),
            }
            .map(Setting::Count)
            .ok_or_else(|| wanted("a size like \"256MiB\" or \"1GiB\"")),
            Kind::Grants => listed(value).ok_or_else(|| wanted("a list of names in quotes")),
            Kind::Names => names(value).ok_or_else(|| wanted("a list of names in quotes")),
            Kind::NamesOrAll => match value.as_str() {
                Some("all") => Ok(Setting::All),
                _ => names(value).ok_or_else(|| wanted("a list of names in quotes, or \"all\"")),
            },
            Kind::Options => match json(value) {
                Json::Object(options) => Ok(Setting::Options(options)),
                _ => Err(wanted(
                    "a table of options, such as { column = \"Changed\" }",
                )),
            },
        }
    }
}

/// Names, of which there may be none.
fn listed(value: &DeValue<'_>) -> Option<Setting> {
    let names: Option<Vec<String>> = value
        .as_array()?
        .iter()
        .map(|item| item.get_ref().as_str().map(str::to_owned))
        .collect();
    names
        .filter(|names| names.iter().all(|name| !name.is_empty()))
        .map(Setting::Names)
}

fn names(value: &DeValue<'_>) -> Option<Setting> {
    listed(value).filter(|setting| !matches!(setting, Setting::Names(names) if names.is_empty()))
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A number as text.
fn number(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(_) => integer(value).map(|number| number.to_string()),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        _ => None,
    }
}

/// What a value is, for messages; not too long.
pub(crate) fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if icehost_untrusted::may_hold_secret(text) => "that".to_owned(),
        DeValue::String(text) if text.chars().count() <= 64 => {
            format!("\"{}\"", icehost_untrusted::line(text))
        }
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Integer(_) | DeValue::Float(_) => {
            number(value).unwrap_or_else(|| "a number out of range".to_owned())
        }
        DeValue::Array(items) if items.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::String(_) => "a longer text".to_owned(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
    }
}

/// A value as JSON, for a strategy's options. What JSON cannot hold becomes text, for the strategy's schema
/// to judge.
fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(flag) => Json::Bool(*flag),
        DeValue::Integer(text) => {
            integer(value).map_or_else(|| Json::String(text.as_str().to_owned()), Json::from)
        }
        DeValue::Float(text) => text
            .as_str()
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(|| Json::String(text.as_str().to_owned()), Json::Number),
        DeValue::Datetime(datetime) => Json::String(datetime.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => Json::Object(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
                .collect(),
        ),
    }
}

/// A number of seconds above 0 and up to an hour.
///
/// # Errors
/// What is wanted, where the text is no such number.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds above 0 and up to 3600 is wanted".to_owned()),
    }
}

/// A number of seconds above 0 and up to a week.
///
/// # Errors
/// What is wanted, where the text is no such number.
pub fn parse_wait(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 604_800.0 => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err("a number of seconds above 0 and up to 604800 is wanted".to_owned()),
    }
}

/// A share in whole percent: 0% to 100%.
///
/// # Errors
/// What is wanted, where the text is no such share.
pub fn parse_percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').map(str::trim_end);
    match number.and_then(|number| number.parse::<u8>().ok()) {
        Some(percent) if percent <= 100 => Ok(percent),
        _ => Err(format!("'{text}' is not a share from 0% to 100%")),
    }
}

/// A number of bytes with a unit: 268435456, 256MiB, 256M, 1GiB.
///
/// # Errors
/// What is wanted, where the text is no such size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text
        .get(digits.len()..)
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1u64 << 30),
        _ => None,
    };
    match (digits.parse::<u64>(), unit) {
        (Ok(number), Some(unit)) if number > 0 => number.checked_mul(unit),
        _ => None,
    }
    .ok_or_else(|| format!("'{text}' is not a size like 256MiB or 1GiB"))
}

#[cfg(test)]
mod tests {
    use super::{parse_percent, parse_seconds, parse_size, parse_wait};

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("1024"), Ok(1024));
        assert_eq!(parse_size("256MiB"), Ok(256 << 20));
        assert_eq!(parse_size("256 m"), Ok(256 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        for wrong in ["", "0", "MiB", "256MB", "-1MiB", "1.5GiB", "99999999999GiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_whole_percent() {
        assert_eq!(parse_percent("0%"), Ok(0));
        assert_eq!(parse_percent("50 %"), Ok(50));
        assert_eq!(parse_percent("100%"), Ok(100));
        for wrong in ["", "%", "50", "-1%", "101%", "1.5%", "half"] {
            assert!(parse_percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn waits_are_bounded() {
        assert_eq!(parse_wait("7200").map(|time| time.as_secs()), Ok(7200));
        for wrong in ["0", "-1", "604801", "nan", "inf", "soon"] {
            assert!(parse_wait(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_bounded() {
        assert_eq!(parse_seconds("0.5").map(|time| time.as_millis()), Ok(500));
        for wrong in ["0", "-1", "3601", "nan", "inf", "soon"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}

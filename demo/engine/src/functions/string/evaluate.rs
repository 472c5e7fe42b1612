//! What the string functions compute.

use crate::collation::{Collation, char_of, code_of};
use crate::context::Context;
use crate::error::{SqlResult, unsupported_type};
use crate::eval::find_pattern;
use crate::functions::{integer, national, text};
use crate::session::SqlError;
use crate::types::Datum;
use std::sync::Arc;

fn units(value: &str) -> Vec<u16> {
    value.encode_utf16().collect()
}

fn result(value: impl Into<Arc<str>>, like: &Datum) -> Datum {
    Datum::Text {
        value: value.into(),
        national: matches!(like, Datum::Text { national: true, .. }),
    }
}

fn slice(value: &Datum, start: i64, length: i64) -> SqlResult<Datum> {
    let Some(source) = text(value) else {
        return Ok(Datum::Null);
    };
    let units = units(source);
    // A start before the text eats into the length.
    let end = start
        .saturating_add(length)
        .clamp(1, units.len() as i64 + 1);
    let start = start.clamp(1, units.len() as i64 + 1);
    let taken = &units[(start - 1) as usize..(end.max(start) - 1) as usize];
    Ok(result(whole(taken)?, value))
}

/// Refuses half of a surrogate pair, which a server keeps and this one cannot.
fn whole(units: &[u16]) -> SqlResult<String> {
    String::from_utf16(units).map_err(|_| unsupported_type("half of a surrogate pair as text"))
}

pub(super) fn len(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let count = match &arguments[0] {
        Datum::Text { value, .. } => value.trim_end_matches(' ').encode_utf16().count(),
        Datum::Binary(bytes) => bytes.len(),
        _ => return Ok(Datum::Null),
    };
    Ok(Datum::Int(count as i32))
}

fn negative_length(function: &str) -> SqlError {
    SqlError::new(
        537,
        16,
        3,
        format!("Invalid length parameter passed to the {function} function."),
    )
}

pub(super) fn left(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    match integer(&arguments[1]) {
        Some(count) if count < 0 => Err(negative_length("LEFT")),
        Some(count) => slice(&arguments[0], 1, count),
        None => Ok(Datum::Null),
    }
}

pub(super) fn right(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(source), Some(count)) = (text(&arguments[0]), integer(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    if count < 0 {
        return Err(negative_length("RIGHT"));
    }
    let total = source.encode_utf16().count() as i64;
    slice(&arguments[0], (total - count).max(0) + 1, count)
}

pub(super) fn substring(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(start), Some(length)) = (integer(&arguments[1]), integer(&arguments[2])) else {
        return Ok(Datum::Null);
    };
    if length < 0 {
        return Err(negative_length("SUBSTRING"));
    }
    if let Datum::Binary(bytes) = &arguments[0] {
        let end = start
            .saturating_add(length)
            .clamp(1, bytes.len() as i64 + 1);
        let start = start.clamp(1, bytes.len() as i64 + 1);
        return Ok(Datum::Binary(Arc::from(
            &bytes[(start - 1) as usize..(end.max(start) - 1) as usize],
        )));
    }
    slice(&arguments[0], start, length)
}

fn mapped(value: &Datum, map: impl Fn(&str) -> String) -> SqlResult<Datum> {
    Ok(text(value).map_or(Datum::Null, |source| result(map(source), value)))
}

pub(super) fn upper(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    // One character for one: ß stays ß.
    mapped(&arguments[0], |source| {
        source
            .chars()
            .map(|c| single(c.to_uppercase(), c))
            .collect()
    })
}

pub(super) fn lower(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    mapped(&arguments[0], |source| {
        source
            .chars()
            .map(|c| single(c.to_lowercase(), c))
            .collect()
    })
}

fn single(mut folded: impl Iterator<Item = char>, original: char) -> char {
    match (folded.next(), folded.next()) {
        (Some(c), None) => c,
        _ => original,
    }
}

fn trim_set(arguments: &[Datum]) -> Vec<char> {
    arguments
        .get(1)
        .and_then(text)
        .map_or_else(|| vec![' '], |set| set.chars().collect())
}

pub(super) fn ltrim(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let set = trim_set(arguments);
    mapped(&arguments[0], |source| {
        source.trim_start_matches(set.as_slice()).to_owned()
    })
}

pub(super) fn rtrim(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let set = trim_set(arguments);
    mapped(&arguments[0], |source| {
        source.trim_end_matches(set.as_slice()).to_owned()
    })
}

pub(super) fn trim(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let set = trim_set(arguments);
    mapped(&arguments[0], |source| {
        source.trim_matches(set.as_slice()).to_owned()
    })
}

fn find(haystack: &[char], needle: &[char], from: usize, collation: &Collation) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    (from..haystack.len().saturating_sub(needle.len() - 1).max(from)).find(|start| {
        haystack.len() - start >= needle.len()
            && needle
                .iter()
                .zip(&haystack[*start..])
                .all(|(a, b)| collation.same(*a, *b))
    })
}

pub(super) fn replace(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(source), Some(old), Some(new)) = (
        text(&arguments[0]),
        text(&arguments[1]),
        text(&arguments[2]),
    ) else {
        return Ok(Datum::Null);
    };
    let collation = collation_argument(arguments.get(3));
    let (haystack, needle): (Vec<char>, Vec<char>) =
        (source.chars().collect(), old.chars().collect());
    let mut output = String::with_capacity(source.len());
    let mut at = 0;
    while let Some(found) = find(&haystack, &needle, at, &collation) {
        output.extend(&haystack[at..found]);
        output.push_str(new);
        at = found + needle.len();
    }
    output.extend(&haystack[at..]);
    Ok(result(output, &arguments[0]))
}

/// The collation that the binder hands on by name, in a last argument.
fn collation_argument(value: Option<&Datum>) -> Collation {
    value
        .and_then(text)
        .and_then(|name| Collation::named(name).ok())
        .unwrap_or_else(Collation::server_default)
}

pub(super) fn charindex(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(needle), Some(haystack)) = (text(&arguments[0]), text(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    let from = integer(&arguments[2]).unwrap_or(1).max(1) as usize - 1;
    let collation = collation_argument(arguments.get(3));
    let (haystack, needle): (Vec<char>, Vec<char>) =
        (haystack.chars().collect(), needle.chars().collect());
    let found = if from > haystack.len() {
        None
    } else {
        find(&haystack, &needle, from, &collation)
    };
    Ok(Datum::Int(found.map_or(0, |place| place as i32 + 1)))
}

pub(super) fn patindex(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(pattern), Some(source)) = (text(&arguments[0]), text(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    Ok(Datum::Int(
        find_pattern(source, pattern, &collation_argument(arguments.get(2))) as i32,
    ))
}

fn repeated(source: &str, count: i64, limit: usize) -> String {
    let count = usize::try_from(count).unwrap_or(0);
    let units = source.encode_utf16().count().max(1);
    source
        .repeat(count.min(limit / units + 1))
        .chars()
        .take(limit)
        .collect()
}

pub(super) fn replicate(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(source), Some(count)) = (text(&arguments[0]), integer(&arguments[1])) else {
        return Ok(Datum::Null);
    };
    if count < 0 {
        return Ok(Datum::Null);
    }
    let limit = integer(&arguments[2])
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(8000);
    Ok(result(repeated(source, count, limit), &arguments[0]))
}

pub(super) fn space(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(match integer(&arguments[0]) {
        Some(count) if count >= 0 => Datum::Text {
            value: Arc::from(repeated(" ", count, 8000)),
            national: false,
        },
        _ => Datum::Null,
    })
}

pub(super) fn stuff(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let (Some(source), Some(start), Some(length)) = (
        text(&arguments[0]),
        integer(&arguments[1]),
        integer(&arguments[2]),
    ) else {
        return Ok(Datum::Null);
    };
    let units = units(source);
    if start < 1 || length < 0 || start > units.len() as i64 {
        return Ok(Datum::Null);
    }
    let start = start as usize - 1;
    let end = (start + length as usize).min(units.len());
    let middle = text(&arguments[3]).unwrap_or("");
    let output = whole(&units[..start])? + middle + &whole(&units[end..])?;
    Ok(result(output, &arguments[0]))
}

pub(super) fn concat(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let parts: Vec<&str> = arguments.iter().filter_map(text).collect();
    Ok(result(
        parts.concat(),
        arguments
            .iter()
            .find(|argument| matches!(argument, Datum::Text { national: true, .. }))
            .unwrap_or(&Datum::Null),
    ))
}

pub(super) fn concat_ws(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let parts: Vec<&str> = arguments[1..].iter().filter_map(text).collect();
    let joined = parts.join(text(&arguments[0]).unwrap_or(""));
    Ok(result(
        joined,
        arguments
            .iter()
            .find(|argument| matches!(argument, Datum::Text { national: true, .. }))
            .unwrap_or(&Datum::Null),
    ))
}

pub(super) fn str_function(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Datum::Float(value) = arguments[0] else {
        return Ok(Datum::Null);
    };
    let (Some(length), Some(decimals)) = (integer(&arguments[1]), integer(&arguments[2])) else {
        return Ok(Datum::Null);
    };
    let (length, mut decimals) = (
        length.clamp(0, 8000) as usize,
        decimals.clamp(0, 16) as usize,
    );
    let whole = format!("{value:.0}").len();
    if whole > length {
        return Ok(Datum::Text {
            value: Arc::from("*".repeat(length)),
            national: false,
        });
    }
    decimals = decimals.min(length.saturating_sub(whole + 1));
    // Half away from zero, where formatting would round to even.
    let factor = 10f64.powi(decimals as i32);
    let rounded = (value * factor).round() / factor;
    Ok(Datum::Text {
        value: Arc::from(format!("{rounded:>length$.decimals$}")),
        national: false,
    })
}

pub(super) fn char_function(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    Ok(
        match integer(&arguments[0]).and_then(|code| u8::try_from(code).ok()) {
            Some(code) => Datum::Text {
                value: Arc::from(char_of(code).to_string()),
                national: false,
            },
            None => Datum::Null,
        },
    )
}

pub(super) fn nchar_function(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    // Beyond 65,535 only where the database's collation has supplementary characters, which the default has not.
    let unit = integer(&arguments[0]).and_then(|code| u16::try_from(code).ok());
    match unit {
        None => Ok(Datum::Null),
        Some(unit) => Ok(national(whole(&[unit])?)),
    }
}

pub(super) fn ascii(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let first = text(&arguments[0]).and_then(|source| source.chars().next());
    Ok(first.map_or(Datum::Null, |c| {
        Datum::Int(i32::from(code_of(c).unwrap_or(b'?')))
    }))
}

pub(super) fn unicode(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let first = text(&arguments[0]).and_then(|source| source.encode_utf16().next());
    Ok(first.map_or(Datum::Null, |unit| Datum::Int(i32::from(unit))))
}

pub(super) fn reverse(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    mapped(&arguments[0], |source| source.chars().rev().collect())
}

pub(super) fn quotename(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let Some(name) = text(&arguments[0]) else {
        return Ok(Datum::Null);
    };
    let quote = text(&arguments[1]).unwrap_or("[");
    if name.encode_utf16().count() > 128 {
        return Ok(Datum::Null);
    }
    Ok(national(match quote {
        "[" | "]" => format!("[{}]", name.replace(']', "]]")),
        "'" => format!("'{}'", name.replace('\'', "''")),
        "\"" => format!("\"{}\"", name.replace('"', "\"\"")),
        "(" | ")" => format!("({name})"),
        _ => return Ok(Datum::Null),
    }))
}

pub(super) fn datalength(_: &Context, arguments: &[Datum]) -> SqlResult<Datum> {
    let bytes = match &arguments[0] {
        Datum::Null => return Ok(Datum::Null),
        Datum::Text {
            value,
            national: true,
        } => value.encode_utf16().count() * 2,
        Datum::Text { value, .. } => value.chars().count(),
        Datum::Binary(bytes) => bytes.len(),
        Datum::Bit(_) | Datum::TinyInt(_) => 1,
        Datum::SmallInt(_) => 2,
        Datum::Int(_) | Datum::Real(_) | Datum::SmallMoney(_) | Datum::SmallDateTime { .. } => 4,
        Datum::BigInt(_) | Datum::Float(_) | Datum::Money(_) | Datum::DateTime { .. } => 8,
        Datum::Guid(_) => 16,
        Datum::Date(_) => 3,
        Datum::Decimal { precision, .. } => match precision {
            0..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        },
        Datum::Time { scale, .. } => time_bytes(*scale),
        Datum::DateTime2 { scale, .. } => time_bytes(*scale) + 3,
        Datum::DateTimeOffset { scale, .. } => time_bytes(*scale) + 5,
    };
    Ok(Datum::Int(bytes as i32))
}

fn time_bytes(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

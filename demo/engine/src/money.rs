//! `money` and `smallmoney`: ten-thousandths in an integer.

/// Reads a money text: an optional sign and currency sign, digits with commas, up to four decimals
/// (more are rounded half away from zero). `None` where it is no such text or does not fit.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut text = text.trim();
    let mut negative = false;
    for _ in 0..2 {
        if let Some(rest) = text.strip_prefix('-') {
            negative = true;
            text = rest.trim_start();
        } else if let Some(rest) = text.strip_prefix('+') {
            text = rest.trim_start();
        }
        if let Some(rest) = text.strip_prefix(['$', '€', '£', '¥']) {
            text = rest.trim_start();
        }
    }
    if text.is_empty() {
        return Some(0);
    }
    let plain: String = text.chars().filter(|c| *c != ',').collect();
    if plain.starts_with(['-', '+']) {
        return None;
    }
    let value = crate::decimal::parse(&plain, 38, 4)??;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// The text of CONVERT: style 0 two decimals, 1 with commas, 2 (and 126) four decimals.
pub(crate) fn format(value: i64, style: i32) -> String {
    if style == 2 || style == 126 {
        return crate::decimal::format(i128::from(value), 4);
    }
    let cents = crate::decimal::rescale(i128::from(value), 4, 2).unwrap_or(0);
    let text = crate::decimal::format(cents, 2);
    if style != 1 {
        return text;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{fraction}")
}

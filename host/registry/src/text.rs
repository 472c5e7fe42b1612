//! Text from outside, fit to be shown.

/// Most bytes of a foreign text in a message.
const MOST: usize = 256;

/// Text that somebody else wrote, on one line: without control characters and without what reverses text,
/// and cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut clean = String::new();
    for c in text.trim().chars() {
        if clean.len() + c.len_utf8() > MOST {
            clean.push('…');
            break;
        }
        if c.is_control() {
            clean.push(' ');
        } else if !reorders(c) {
            clean.push(c);
        }
    }
    clean
}

/// Unicode's explicit bidirectional formatting characters (UAX #9) and line separators.
fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// An error and what it came from, on one line.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors repeat their cause.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    shown(&text)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_moves_a_cursor_or_reverses_text_is_gone() {
        assert_eq!(shown("a\x1b[31mb\r\nc\u{202e}d"), "a [31mb  cd");
        assert_eq!(shown(&"é".repeat(200)).len(), 256 + '…'.len_utf8());
    }
}

//! Text that a component wrote, made fit to be shown.

/// Most bytes of a guest's text in a message to people.
pub(crate) const MAX_SHOWN: usize = 1024;

/// The text without what could garble a terminal or a log: control characters become spaces, characters
/// that reorder the text around them are dropped, and what is too long is cut.
pub(crate) fn shown(text: &str) -> String {
    shown_up_to(text, MAX_SHOWN)
}

/// The same with another bound, in bytes.
pub(crate) fn shown_up_to(text: &str, max: usize) -> String {
    let mut clean = String::new();
    for c in text.chars() {
        if clean.len() + c.len_utf8() > max {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_reverses_text_is_gone() {
        assert_eq!(shown("a\x1b[31mb\r\nc\u{202e}d"), "a [31mb  cd");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shown_up_to("ééé", 5), "éé…");
        assert_eq!(shown_up_to("ééé", 6), "ééé");
    }
}

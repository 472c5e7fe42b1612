//! Text, fit to be shown.

use std::borrow::Cow;
use std::fmt::Write;

/// Most bytes of foreign text in a message.
const MOST_SHOWN: usize = 1024;

/// Foreign text for a message of ours: on one line, with what misleads a reader escaped, and cut with `…` where it
/// is long.
pub fn shown(text: &str) -> String {
    shown_up_to(text, MOST_SHOWN)
}

/// The same with another bound, in bytes.
pub fn shown_up_to(text: &str, most: usize) -> String {
    let (mut kept, whole) = front(text, most);
    if !whole {
        kept.push('…');
    }
    kept
}

/// The same in quotes, behind which the mark of what is cut stands.
pub fn quoted(text: &str, most: usize) -> String {
    let (kept, whole) = front(text, most);
    format!("'{kept}'{}", if whole { "" } else { "…" })
}

/// As much of a text as has so many bytes when it is escaped, and whether that is all of it.
fn front(text: &str, most: usize) -> (String, bool) {
    let mut kept = String::new();
    for c in text.chars() {
        let before = kept.len();
        push(&mut kept, c);
        if kept.len() > most {
            kept.truncate(before);
            return (kept, false);
        }
    }
    (kept, true)
}

/// All of a text on one line, with what misleads a reader escaped as JSON escapes it: `\n`, `\u001b`. So a document
/// of JSON is still the same document, and what has been escaped once stays as it is.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(misleads) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    text.chars().for_each(|c| push(&mut escaped, c));
    Cow::Owned(escaped)
}

/// Whether a character does something to the text around it instead of showing itself: controls a terminal
/// (categories Cc, Zl and Zp), turns the direction of writing (UAX #9), or cannot be seen (Unicode's format
/// characters, its tags and the supplementary variation selectors, which can carry text that nobody sees).
///
/// The joiners U+200C and U+200D are among them, though some scripts and emoji are written with them: two names that
/// differ in them look alike. Those marks of category Cf that have a shape of their own are not.
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Adds a character, escaped where it misleads.
fn push(text: &mut String, c: char) {
    match c {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        c if misleads(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
        c => text.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_moves_a_cursor_reverses_text_or_hides_is_escaped() {
        assert_eq!(
            shown("a\x1b[31mb\r\nc\u{202e}d\u{9b}e\0"),
            r"a\u001b[31mb\r\nc\u202ed\u009be\u0000"
        );
        assert_eq!(shown("\u{e0041}"), r"\udb40\udc41");
        assert_eq!(shown("Zürich 東京 Ελλάδα"), "Zürich 東京 Ελλάδα");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_escapes() {
        assert_eq!(shown_up_to("ééé", 5), "éé…");
        assert_eq!(shown_up_to("ééé", 6), "ééé");
        assert_eq!(shown_up_to("a\x1bb", 6), "a…");
        assert_eq!(quoted("abc", 3), "'abc'");
        assert_eq!(quoted("abcd", 3), "'abc'…");
    }

    proptest! {
        #[test]
        fn nothing_that_misleads_is_left_and_once_is_enough(text in any::<String>()) {
            let once = line(&text).into_owned();
            prop_assert!(!once.contains(misleads));
            prop_assert_eq!(line(&once), once.as_str());
            let cut = shown_up_to(&text, 20);
            prop_assert!(!cut.contains(misleads) && cut.len() <= 20 + '…'.len_utf8());
        }
    }
}

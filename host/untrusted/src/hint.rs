//! What to do next, beside a message.

use std::fmt;
use std::ops::Deref;

use crate::text::shown_up_to;

/// Most bytes of a line. What others say is cut much sooner, where it enters.
const MOST: usize = 16 << 10;

/// What to do next, fit to be shown. A line of it ends where [`Hint::and`] begins another one and nowhere else: text
/// becomes one line whatever it quotes, since a name may hold line ends, and what follows them would read as a line
/// of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Hint(String);

impl Hint {
    /// One line.
    pub fn new(text: &str) -> Hint {
        Hint(shown_up_to(text, MOST))
    }

    /// The same hint with one line more.
    #[must_use]
    pub fn and(mut self, text: &str) -> Hint {
        self.0.push('\n');
        self.0.push_str(&shown_up_to(text, MOST));
        self
    }

    /// Its lines, without line ends.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.split('\n')
    }

    /// The hint with each line rewritten.
    #[must_use]
    pub fn map(&self, line: impl Fn(&str) -> String) -> Hint {
        let mut lines = self.lines().map(line);
        let first = Hint::new(&lines.next().unwrap_or_default());
        lines.fold(first, |hint, line| hint.and(&line))
    }
}

impl Deref for Hint {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<&str> for Hint {
    fn eq(&self, text: &&str) -> bool {
        self.0 == *text
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Hint {
        Hint::new(text)
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Hint {
        Hint::new(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_lines_are_lines() {
        let hint = Hint::from("leave out 'x\nerror: forged\u{1b}'").and("  or 'y\r\nhint: forged'");
        let lines: Vec<&str> = hint.lines().collect();
        let told = [
            r"leave out 'x\nerror: forged\u001b'",
            r"  or 'y\r\nhint: forged'",
        ];
        assert_eq!(lines, told);
        assert_eq!(hint.map(str::to_owned), hint);
        let forged = Hint::new("a")
            .and("b")
            .map(|line| format!("{line}\nerror: c"));
        assert_eq!(&*forged, "a\\nerror: c\nb\\nerror: c");
        assert!(Hint::from("x".repeat(MOST + 1)).ends_with("x…"));
    }
}

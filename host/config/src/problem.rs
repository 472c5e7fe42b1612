//! What is wrong with a file, and where.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use icehost_untrusted::Hint;

/// A place in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong. `Display` is one line, with the place in front.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// Where; `None` where it is not the fault of one place.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<Hint>,
}

impl Problem {
    /// A problem at a place.
    pub fn new(place: Option<Place>, message: impl Into<String>) -> Problem {
        Problem {
            place,
            message: message.into(),
            hint: None,
        }
    }

    /// The same problem with what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Hint>) -> Problem {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// Bytes between two places of a text whose characters are counted beforehand.
const STRIDE: usize = 1 << 10;

/// The lines of a file, and the problems found in it so far.
pub(crate) struct Findings<'t> {
    file: Arc<str>,
    text: &'t str,
    /// Where each line but the first begins.
    lines: Vec<usize>,
    /// Characters that begin before each multiple of [`STRIDE`].
    characters: Vec<usize>,
    problems: Vec<Problem>,
    known: HashSet<Problem>,
}

impl<'t> Findings<'t> {
    pub(crate) fn new(file: &str, text: &'t str) -> Self {
        Findings {
            file: file.into(),
            text,
            lines: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
            characters: characters(text),
            problems: Vec::new(),
            known: HashSet::new(),
        }
    }

    /// The place of a byte of the text.
    pub(crate) fn place(&self, at: usize) -> Place {
        let at = match self.text.is_char_boundary(at) {
            true => at,
            false => self.text.len(),
        };
        let line = self.lines.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| self.lines.get(line));
        let start = start.copied().unwrap_or(0);
        Place {
            file: Arc::clone(&self.file),
            line: line + 1,
            column: self.characters_before(at) - self.characters_before(start) + 1,
        }
    }

    /// Characters that begin before a byte. A file may be one line, of which many places are told.
    fn characters_before(&self, at: usize) -> usize {
        let stride = at / STRIDE;
        let counted = self.characters.get(stride).copied().unwrap_or(0);
        let rest = self.text.as_bytes().get(stride * STRIDE..at);
        counted
            + rest
                .unwrap_or_default()
                .iter()
                .filter(|&&byte| begins(byte))
                .count()
    }

    /// Notes a problem; one that is noted already (a layer is read for several pipelines) is not repeated.
    pub(crate) fn add(&mut self, at: usize, message: impl Into<String>, hint: Option<Hint>) {
        let problem = Problem {
            place: Some(self.place(at)),
            message: message.into(),
            hint,
        };
        if self.known.insert(problem.clone()) {
            self.problems.push(problem);
        }
    }

    pub(crate) fn hinted(&mut self, at: usize, message: impl Into<String>, hint: impl Into<Hint>) {
        self.add(at, message, Some(hint.into()));
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything that was found, in the order of the file.
    pub(crate) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        self.problems
    }
}

/// Whether a byte of UTF-8 is the first of a character.
fn begins(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

fn characters(text: &str) -> Vec<usize> {
    let mut counted = 0;
    let mut characters = vec![0];
    for piece in text.as_bytes().chunks(STRIDE) {
        counted += piece.iter().filter(|&&byte| begins(byte)).count();
        characters.push(counted);
    }
    characters
}

#[cfg(test)]
mod tests {
    use super::Findings;

    #[test]
    fn places_are_those_that_a_reader_counts() {
        let mut text = "first\nzwëite Zeile\n\n".to_owned();
        text.push_str(&"ä€😀 ".repeat(700));
        text.push_str("\nlast");
        let findings = Findings::new("file", &text);
        for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let before = &text[..at];
            let start = before.rfind('\n').map_or(0, |end| end + 1);
            let place = findings.place(at);
            assert_eq!(place.line, before.matches('\n').count() + 1, "{at}");
            assert_eq!(place.column, before[start..].chars().count() + 1, "{at}");
        }
    }
}

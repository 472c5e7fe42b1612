//! Keys and sections that stand twice, which TOML refuses.

use std::ops::Range;

use crate::problem::Findings;
use crate::section::printable;

/// What stands twice in a text.
pub(crate) struct Repeated<'t> {
    text: &'t str,
    /// Where the line of the last section that does ends.
    section: Option<usize>,
}

impl<'t> Repeated<'t> {
    /// What the parser says of each.
    pub(crate) const TOLD: &'static str = "duplicate key";

    pub(crate) fn of(text: &'t str) -> Repeated<'t> {
        Repeated {
            text,
            section: None,
        }
    }

    /// Names what stands at `span`, unless it is a key of a section that does: that has been told.
    pub(crate) fn tell(&mut self, findings: &mut Findings<'_>, span: Range<usize>) {
        let before = self.text.get(..span.start).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = self.text.get(start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        if line.trim_start().starts_with('[') {
            self.section = Some(start + line.len());
            let name = line.split('#').next().unwrap_or_default().trim();
            let told = format!(
                "this is not TOML: the section {} stands twice",
                printable(name)
            );
            findings.hinted(span.start, told, "make one section of both");
            return;
        }
        let since = self.section.and_then(|end| self.text.get(end..start));
        let is_section = |line: &str| line.trim_start().starts_with('[');
        if since.is_some_and(|since| !since.lines().any(is_section)) {
            return;
        }
        let name = self.text.get(span.clone()).unwrap_or_default();
        let name = printable(name.trim_matches(['"', '\'']));
        let told = format!("this is not TOML: the key '{name}' stands twice");
        findings.hinted(span.start, told, "leave one of them out");
    }
}

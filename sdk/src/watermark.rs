//! Watermarks: a strategy's whole state.

use crate::{Value, Watermark};

impl Watermark {
    /// A watermark without marks; `format` is the strategy's own layout version.
    pub fn new(format: u32) -> Self {
        Watermark {
            format,
            marks: Vec::new(),
        }
    }

    /// The same with one more mark. People see names and values, so name a mark after what it holds.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.marks.push((name.into(), value.into()));
        self
    }

    /// The mark of this name.
    pub fn mark(&self, name: &str) -> Option<&Value> {
        self.marks
            .iter()
            .find_map(|(mark, value)| (mark == name).then_some(value))
    }
}

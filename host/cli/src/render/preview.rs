//! What a run would do.

use icehost_sync::Preview;

use crate::args::Output;
use crate::render::{counted, line};
use crate::voice::{self, Level};

/// Prints a dry run as one JSON object, or as text.
pub(crate) fn print_preview(preview: &Preview, output: Output) {
    match output {
        Output::Json => match serde_json::to_string(preview) {
            Ok(json) => line(json),
            Err(error) => voice::say(
                Level::Error,
                &format!("cannot write the preview as JSON: {error}"),
                None,
            ),
        },
        Output::Text => print_preview_text(preview),
    }
}

/// Prints a dry run as text.
pub(crate) fn print_preview_text(preview: &Preview) {
    line("dry run: nothing is written");
    if let Some(extraction) = &preview.extraction {
        let estimate = extraction
            .row_estimate
            .map_or_else(|| "unknown size".to_owned(), |rows| counted(rows, "row"));
        line("");
        line(format!(
            "source {} ({estimate}), strategy {}",
            preview.table, extraction.strategy
        ));
        for (what, value) in &extraction.readings {
            line(format!("  {what} = {value}"));
        }
        indented(&extraction.text);
    }
    line("");
    let mut plan = preview.lake_plan.lines();
    let first = plan.next().unwrap_or_default();
    line(format!("lake {}: {first}", preview.lake_table));
    plan.for_each(indented);
    if let Some(merge) = &preview.merge {
        line("");
        line(format!("target {}: {}", merge.table, merge.from));
        for statement in &merge.statements {
            indented(statement);
        }
    }
}

/// Plans and SQL are text of ours over several lines; names in them may have line ends of their own.
fn indented(text: &str) {
    for text in text.lines() {
        line(format!("  {text}"));
    }
}

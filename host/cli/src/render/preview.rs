//! What a run would do.

use icehost_sync::Preview;

use crate::args::Output;
use crate::render::line;

/// Prints a dry run as one JSON object, or as text.
pub(crate) fn print_preview(preview: &Preview, output: Output) {
    match output {
        Output::Json => match serde_json::to_string(preview) {
            Ok(json) => line(json),
            Err(error) => eprintln!("error: cannot write the preview as JSON: {error}"),
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
            .map_or_else(|| "unknown size".to_owned(), |rows| format!("{rows} rows"));
        line(format!(
            "\nsource {} ({estimate}), strategy {}",
            preview.table, extraction.strategy
        ));
        for (what, value) in &extraction.readings {
            line(format!("  {what} = {value}"));
        }
        line(indented(&extraction.text));
    }
    line(format!(
        "\nlake {}: {}",
        preview.lake_table, preview.lake_plan
    ));
    if let Some(merge) = &preview.merge {
        line(format!("\ntarget {}: {}", merge.table, merge.from));
        for statement in &merge.statements {
            line(indented(statement));
        }
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|text| format!("  {text}")).collect();
    lines.join("\n")
}

//! What a run did.

use icehost_plan::Watermark;
use icehost_sync::Report;
use indicatif::HumanCount;

use crate::args::Output;
use crate::render::line;
use crate::voice::{self, Level, Voice};

/// Prints a report as one JSON object, or as a few lines.
pub(crate) fn print_report(report: &Report, output: Output) {
    match output {
        Output::Json => match serde_json::to_string(report) {
            Ok(json) => line(json),
            Err(error) => voice::say(
                Level::Error,
                &format!("cannot write the report as JSON: {error}"),
                None,
            ),
        },
        Output::Text if Voice::of_process().quiet => {}
        Output::Text => print_report_text(report),
    }
}

/// Prints a report as a few lines.
pub(crate) fn print_report_text(report: &Report) {
    let count = |rows: Option<u64>| HumanCount(rows.unwrap_or(0));
    if let Some(directory) = &report.warehouse_created {
        line(format!("created the warehouse {directory}"));
    }
    if let Some(extracted) = report.rows_extracted {
        let snapshot = match (report.snapshot_created, report.snapshot_id) {
            (Some(true), Some(id)) => format!("snapshot {id}"),
            _ => "no new snapshot".to_owned(),
        };
        let ranges = match (report.ranges, report.ranges_resumed) {
            (Some(ranges), Some(0) | None) => format!(" in {ranges} ranges"),
            (Some(ranges), Some(resumed)) => {
                format!(" in {ranges} ranges, {resumed} of them by an earlier run")
            }
            (None, _) => String::new(),
        };
        let again = match report.rows_read_again {
            Some(rows) if rows > 0 => format!(", {} read again", HumanCount(rows)),
            _ => String::new(),
        };
        line(format!(
            "{} -> {}: {} rows read{ranges}{again}, {} appended, {} removed, {snapshot} ({})",
            report.table,
            report.lake_table,
            HumanCount(extracted),
            count(report.rows_appended),
            count(report.rows_removed),
            seconds(report.lake_ms),
        ));
    }
    if let Some(target) = &report.target_table {
        line(format!(
            "{} -> {target}: {} inserted, {} updated, {} deleted ({})",
            report.lake_table,
            count(report.rows_inserted),
            count(report.rows_updated),
            count(report.rows_deleted),
            seconds(report.target_ms),
        ));
    }
    if let Some(watermark) = &report.watermark {
        line(format!("watermark: {}", marks(watermark)));
    }
}

/// `name = kind:value`, separated by commas.
pub(crate) fn marks(watermark: &Watermark) -> String {
    let marks: Vec<String> = watermark
        .marks
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    marks.join(", ")
}

fn seconds(milliseconds: Option<f64>) -> String {
    format!("{:.2} s", milliseconds.unwrap_or(0.0) / 1e3)
}

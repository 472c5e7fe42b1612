//! What a run did.

use icehost_plan::Watermark;
use icehost_sync::Report;
use indicatif::HumanCount;

use crate::args::Output;
use crate::render::{counted, line};
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
            (Some(ranges), Some(0) | None) => format!(" in {}", counted(ranges, "range")),
            (Some(ranges), Some(resumed)) => {
                format!(
                    " in {}, {resumed} of them by an earlier run",
                    counted(ranges, "range")
                )
            }
            (None, _) => String::new(),
        };
        let again = match report.rows_read_again {
            Some(rows) if rows > 0 => format!(", {} read again", HumanCount(rows)),
            _ => String::new(),
        };
        line(format!(
            "{} -> {}: {} read{ranges}{again}, {} appended, {} removed, {snapshot} ({})",
            report.table,
            report.lake_table,
            counted(extracted, "row"),
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

/// `name = kind:value`, separated by commas. Of marks that a strategy keeps beside one, by its name and a word more, the
/// number is enough for people.
pub(crate) fn marks(watermark: &Watermark) -> String {
    let is_beside = |name: &str| {
        let mut others = watermark.marks.iter();
        others.any(|(other, _)| {
            let rest = name.strip_prefix(other.as_str());
            rest.is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let marks = watermark.marks.iter();
    let marks: Vec<String> = marks
        .filter(|(name, _)| !is_beside(name))
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    match watermark.marks.len() - marks.len() {
        0 => marks.join(", "),
        more => format!("{} (--output json has {more} more)", marks.join(", ")),
    }
}

fn seconds(milliseconds: Option<f64>) -> String {
    format!("{:.2} s", milliseconds.unwrap_or(0.0) / 1e3)
}

#[cfg(test)]
mod tests {
    use icehost_plan::Value;

    use super::*;

    #[test]
    fn marks_beside_another_one_are_counted() {
        let watermark = |names: &[&str]| Watermark {
            format: 2,
            marks: (0..)
                .zip(names)
                .map(|(value, name)| ((*name).to_owned(), Value::Integer(value)))
                .collect(),
        };
        assert_eq!(
            marks(&watermark(&["Id", "Id read at", "Id before 1", "Identity"])),
            "Id = integer:0, Identity = integer:3 (--output json has 2 more)"
        );
        assert_eq!(
            marks(&watermark(&["a", "b"])),
            "a = integer:0, b = integer:1"
        );
    }
}

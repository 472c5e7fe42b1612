//! What a strategy makes of a table, for people.

use serde_json::Value as Json;

use crate::render::line;

/// Prints the object that the command gives as JSON.
pub(crate) fn print_explanation(object: &Json) {
    let columns = list(&object["columns"]).map(|column| {
        let flag = |set: bool, text: &'static str| if set { text } else { "" };
        format!(
            "{} {}{}{}",
            text(&column["name"]),
            text(&column["type"]),
            flag(column["nullable"] == true, " null"),
            flag(!column["key"].is_null(), " key")
        )
    });
    let columns: Vec<String> = columns.collect();
    line(format!(
        "{}, a {}, of {} ({})",
        text(&object["strategy"]),
        text(&object["kind"]),
        text(&object["table"]),
        columns.join(", ")
    ));
    for run in list(&object["runs"]) {
        heading(text(&run["run"]));
        for probe in list(&run["probes"]) {
            line(format!(
                "  {} = {}",
                text(&probe["probe"]),
                text(&probe["reading"])
            ));
        }
        part("probes", &run["probe_sql"]);
        part("plan", &run["plan"]);
        part("extraction", &run["sql"]);
        line("  watermark");
        list(&run["watermark"]).for_each(|mark| line(format!("    {}", text(mark))));
    }
    for delta in list(&object["deltas"]) {
        heading(&format!("a delta of {}", text(&delta["delta"])));
        part("plan", &delta["plan"]);
        part("lake", &delta["lake"]);
        part("lake refuses", &delta["lake_refuses"]);
        list(&delta["sql"]).for_each(|sql| part("target", sql));
        part("target refuses", &delta["target_refuses"]);
    }
    for (what, columns) in [("reads", &object["reads"]), ("writes", &object["writes"])] {
        if !columns.is_null() {
            heading(what);
            list(columns).for_each(|column| line(format!("  {}", text(column))));
        }
    }
    let checks: Vec<&Json> = list(&object["checks"]).collect();
    if !checks.is_empty() {
        heading("checked");
        for check in checks {
            let holds = if check["holds"] == true {
                "ok  "
            } else {
                "FAIL"
            };
            line(format!("  {holds} {}", text(&check["name"])));
            indented("       ", text(&check["failure"]));
        }
    }
}

fn heading(text: &str) {
    line("");
    line(text);
}

/// A part that is there, over as many lines as it has.
fn part(name: &str, of: &Json) {
    if !of.is_null() {
        line(format!("  {name}"));
        indented("    ", text(of));
    }
}

fn indented(before: &str, text: &str) {
    for text in text.lines() {
        line(format!("{before}{text}"));
    }
}

fn text(of: &Json) -> &str {
    of.as_str().unwrap_or_default()
}

fn list(of: &Json) -> impl Iterator<Item = &Json> {
    of.as_array().into_iter().flatten()
}

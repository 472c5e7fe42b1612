//! `icehost verify`: it finds what differs, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a broken case fails

mod classes;
mod finds;
mod history;
mod load;
mod memory;
mod merges;
mod next_run;
mod options;
mod pending;
mod places;
mod rehearsal;
mod repair;
mod repair_product;
mod shared;
mod spelled;
mod states;
mod stops;
mod values;

use icehost_tests::{Bed, Command};
use serde_json::Value;

/// A table with a key, a text and a cursor, synced to lake and target.
struct Case {
    bed: Bed,
    sync: Vec<String>,
}

const TABLE: &str = "CREATE TABLE dbo.T (
    Id int NOT NULL PRIMARY KEY, Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL)";

/// A lake and a target from which goes what the source no longer has.
const MIRROR: [&str; 6] = [
    "--strategy",
    "full-refresh",
    "--merge",
    "upsert",
    "--merge-option",
    "delete-missing=true",
];

/// A lake from which goes what the source no longer has, and a target that a merge keeps in its way.
fn mirror_in_lake<'a>(merge: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let lake = [
        "--lake-merge",
        "upsert",
        "--lake-merge-option",
        "delete-missing=true",
    ];
    let strategy = ["--strategy", "full-refresh", "--merge", merge];
    [&strategy[..], &lake, more].concat()
}

impl Case {
    /// `rows` rows, and what else the sync is told.
    fn new(rows: u32, arguments: &[&str]) -> Case {
        let bed = Bed::new();
        bed.source().execute(TABLE);
        // The last one moves the mark away from the others: what lies at it is read again by the next run.
        insert(&bed, 1, rows - 1, "2026-01-01");
        insert(&bed, rows, 1, "2026-01-02");
        Case {
            bed,
            sync: arguments.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    /// With `timestamp` and `upsert`, synced.
    fn synced(rows: u32) -> Case {
        let case = Case::new(rows, &["--strategy", "timestamp", "--merge", "upsert"]);
        case.run();
        case
    }

    fn with(&self, command: Command) -> Command {
        command
            .args(self.sync.iter().map(String::as_str))
            .args(["--target", &self.bed.target_url()])
    }

    fn run(&self) {
        self.with(self.bed.sync("dbo.T", "demo.t"))
            .arg("--create-target")
            .run()
            .success();
    }

    fn verify(&self) -> Command {
        self.with(self.bed.verify("dbo.T", "demo.t"))
    }

    fn source(&self, sql: &str) {
        self.bed.source().execute(sql);
    }

    fn target(&self, sql: &str) {
        self.bed.target().execute(sql);
    }

    /// The report of a comparison that finds nothing wrong.
    #[track_caller]
    fn agrees(&self) -> Value {
        let report = self
            .verify()
            .args(["--output", "json"])
            .run()
            .success()
            .json();
        assert_eq!(report["wrong"], 0, "{report}");
        report
    }

    /// The report of a comparison that finds something wrong.
    #[track_caller]
    fn differs(&self) -> Value {
        differs(self.verify())
    }
}

/// What a case leaves pending, its next run takes away, unless that was said to stop. (After the run the kit asks
/// whether anything is left.)
impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let run = self.verify().args(["--output", "json"]).run();
        if run.code != Some(0) {
            return;
        }
        let report = run.json();
        let goes_on = report["next_run_stops"].as_array().unwrap().is_empty();
        if goes_on && report["pending"] != 0 {
            self.run();
        }
    }
}

/// The report of a comparison that finds something wrong: exit code 1, and as many as it counts.
#[track_caller]
fn differs(command: Command) -> Value {
    let run = command.args(["--output", "json"]).run();
    let report = run.failure(&["they do not agree", "hint: "]).json();
    assert!(report["wrong"].as_u64().unwrap() > 0, "{report}");
    report
}

fn insert(bed: &Bed, from: u32, rows: u32, modified: &str) {
    let numbers: Vec<u32> = (from..from + rows).collect();
    for part in numbers.chunks(500) {
        let values: Vec<String> = part
            .iter()
            .map(|i| format!("({i}, N'name {i}', {i}.25, '{modified}')"))
            .collect();
        bed.source()
            .execute(&format!("INSERT INTO dbo.T VALUES {}", values.join(", ")));
    }
}

/// What is counted of one class on one side, without the keys.
#[track_caller]
fn counts(report: &Value, side: &str, class: &str) -> String {
    let of = &report[side][class];
    let kinds = ["missing", "extra", "changed", "repeated", "overlapping"];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|kind| of[kind] != 0)
        .map(|kind| format!("{} {kind}", of[kind]))
        .collect();
    let sum: u64 = kinds.iter().map(|kind| of[kind].as_u64().unwrap()).sum();
    assert_eq!(of["rows"], sum, "{report}");
    told.join(", ")
}

/// The keys that are told, each as `what key: columns`.
fn keys(report: &Value, side: &str, class: &str) -> Vec<String> {
    let keys = report[side][class]["keys"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = keys.iter().map(|of| {
        let columns: Vec<String> = of["columns"].as_array().unwrap().iter().map(text).collect();
        let columns = match columns.is_empty() {
            true => String::new(),
            false => format!(": {}", columns.join(", ")),
        };
        format!("{} {}{columns}", text(&of["what"]), text(&of["key"]))
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    told
}

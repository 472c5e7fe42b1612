//! Rows that a delivery refuses once it has staged them: the comparison says so, as the run does.

use icehost_tests::{Bed, Command};

use crate::differs;

const MERGE: [&str; 4] = ["--strategy", "timestamp", "--merge", "upsert"];

struct Refused {
    bed: Bed,
    more: Vec<String>,
}

impl Refused {
    fn new(source: &str, target: &str, more: &[&str]) -> Refused {
        let bed = Bed::new();
        bed.source()
            .execute(&format!("CREATE TABLE dbo.T ({source})"));
        bed.target()
            .execute(&format!("CREATE TABLE dbo.T ({target})"));
        Refused {
            bed,
            more: more.iter().map(|&text| text.to_owned()).collect(),
        }
    }

    fn insert(&self, rows: &str) {
        self.bed
            .source()
            .execute(&format!("INSERT INTO dbo.T VALUES {rows}"));
    }

    fn with(&self, command: Command) -> Command {
        let more = self.more.iter().map(String::as_str);
        let to = self.bed.target_url();
        command.args(MERGE).args(more).args(["--target", &to])
    }

    fn sync(&self) -> Command {
        self.with(self.bed.sync("dbo.T", "demo.t"))
    }

    /// The run ends with it, and so does every later one; the comparison names it, and calls nothing pending.
    #[track_caller]
    fn stops(&self, saying: &str) {
        self.sync().run().failure(&[saying, "hint: "]);
        let report = differs(self.with(self.bed.verify("dbo.T", "demo.t")));
        let stops = report["next_run_stops"].to_string();
        assert!(stops.contains(saying), "{saying}: {report}");
        assert_eq!(report["pending"], 0, "{saying}: {report}");
        self.sync().run().failure(&[saying]);
    }
}

#[test]
fn rows_that_a_delivery_refuses_stop_the_next_run() {
    for (source, target, first, second, saying) in [
        (
            "nvarchar(9) NULL",
            "varchar(9) NULL",
            Some("N'a'"),
            "N'日'",
            "code page",
        ),
        (
            "nvarchar(9) NULL",
            "nvarchar(9) NOT NULL",
            Some("N'a'"),
            "NULL",
            "NOT NULL",
        ),
        ("int NULL", "smallint NULL", None, "40000", "40000"),
        (
            "nvarchar(9) NULL",
            "nvarchar(3) NULL",
            None,
            "N'abcd'",
            "has 4 characters",
        ),
    ] {
        let table = |of: &str| {
            format!("Id int NOT NULL PRIMARY KEY, X {of}, Modified datetime2(3) NOT NULL")
        };
        let case = Refused::new(&table(source), &table(target), &[]);
        if let Some(first) = first {
            case.insert(&format!("(1, {first}, '2026-01-01')"));
            case.sync().run().success();
        }
        case.insert(&format!("(2, {second}, '2026-02-01')"));
        case.stops(saying);
    }
}

#[test]
fn keys_that_are_one_for_the_target_stop_the_next_run() {
    let table = |collation: &str| {
        format!(
            "K nvarchar(9) COLLATE {collation} NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL"
        )
    };
    let case = Refused::new(
        &table("Latin1_General_CS_AS"),
        &table("Latin1_General_CI_AS"),
        &[],
    );
    case.insert("('a', '2026-01-01')");
    case.sync().run().success();
    case.insert("('A', '2026-02-01')");
    case.stops("takes for one");
}

#[test]
fn a_key_of_the_target_that_tells_no_rows_apart_is_wrong() {
    let case = Refused::new(
        "Id int NOT NULL, N nvarchar(9) NOT NULL, Modified datetime2(3) NOT NULL",
        "Id int NOT NULL PRIMARY KEY, N nvarchar(9) NOT NULL, Modified datetime2(3) NOT NULL",
        &["--lake-merge", "append-only"],
    );
    case.insert("(1, 'a', '2026-01-01')");
    case.sync().run().success();
    case.insert("(1, 'b', '2026-02-01')");
    case.sync().run();
    let report = differs(case.with(case.bed.verify("dbo.T", "demo.t")));
    let stops = report["next_run_stops"].to_string();
    assert!(stops.contains("Id = 1"), "{report}");
}

//! Rows that a delivery refuses once it has staged them: the comparison says so, as the run does.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command, READER};

use crate::{Case, differs, insert};

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

    /// The comparison says it before any run is made, and calls nothing pending; the run ends with it, and so does every
    /// later one, before which the comparison says it too.
    #[track_caller]
    fn stops(&self, saying: &str) {
        for failed in [false, true] {
            let report = differs(self.with(self.bed.verify("dbo.T", "demo.t")));
            let stops = report["next_run_stops"].as_array().unwrap();
            let [stop] = stops.as_slice() else {
                panic!("{saying}, {failed}: {report}");
            };
            assert!(stop.to_string().contains(saying), "{failed}: {stop}");
            assert_eq!(report["pending"], 0, "{saying}, {failed}: {report}");
            self.sync().run().failure(&[saying, "hint: "]);
        }
    }

    /// The comparison has nothing to say, and the run goes on.
    #[track_caller]
    fn goes_on(&self) {
        let report = self.with(self.bed.verify("dbo.T", "demo.t")).json();
        assert_eq!(report["next_run_stops"], serde_json::json!([]), "{report}");
        assert!(report["pending"].as_u64().unwrap() > 0, "{report}");
        self.sync().run().success();
    }
}

#[test]
fn rows_that_a_delivery_refuses_stop_the_next_run() {
    for (source, target, first, second, saying) in [
        (
            "nvarchar(9) NULL",
            "varchar(9) NULL",
            "N'a'",
            "N'日'",
            "code page",
        ),
        (
            "nvarchar(9) NULL",
            "nvarchar(9) NOT NULL",
            "N'a'",
            "NULL",
            "NOT NULL",
        ),
        ("int NULL", "smallint NULL", "4", "40000", "40000"),
        (
            "nvarchar(9) NULL",
            "nvarchar(3) NULL",
            "N'abc'",
            "N'abcd'",
            "has 4 characters",
        ),
    ] {
        let table = |of: &str| {
            format!("Id int NOT NULL PRIMARY KEY, X {of}, Modified datetime2(3) NOT NULL")
        };
        let case = Refused::new(&table(source), &table(target), &[]);
        case.insert(&format!("(1, {first}, '2026-01-01')"));
        case.sync().run().success();
        case.insert(&format!("(3, {first}, '2026-01-15')"));
        case.goes_on();
        case.insert(&format!("(2, {second}, '2026-02-01')"));
        case.stops(saying);
    }
}

/// A key of text, with these collations of source and target.
fn keys(source: &str, target: &str) -> Refused {
    let table = |collation: &str| {
        format!(
            "K nvarchar(9) COLLATE {collation} NOT NULL PRIMARY KEY, Modified datetime2(3) NOT NULL"
        )
    };
    Refused::new(&table(source), &table(target), &[])
}

const CASE_COUNTS: &str = "Latin1_General_CS_AS";
const CASE_DOES_NOT: &str = "Latin1_General_CI_AS";

#[test]
fn keys_that_are_one_for_the_target_stop_the_next_run() {
    // With one that is there, and with another one that comes.
    for others in [
        "('A', '2026-02-01')",
        "('b', '2026-02-01'), ('B', '2026-02-02')",
    ] {
        let case = keys(CASE_COUNTS, CASE_DOES_NOT);
        case.insert("('a', '2026-01-01')");
        case.sync().run().success();
        case.insert("('c', '2026-01-15')");
        case.goes_on();
        case.insert(others);
        case.stops("takes for one");
    }
    // With letters of which only a server knows whether they are one.
    let case = keys("Latin1_General_100_CS_AS", "Latin1_General_100_CI_AS");
    case.insert("(N'éa', '2026-01-01'), (N'ß', '2026-01-01')");
    case.sync().run().success();
    case.insert("(N'é', '2026-01-15')");
    case.goes_on();
    case.insert("(N'Éa', '2026-02-01')");
    case.stops("takes for one");
}

#[test]
fn a_key_that_is_spelled_anew_stops_no_run() {
    for there in [CASE_COUNTS, CASE_DOES_NOT] {
        let case = keys(CASE_DOES_NOT, there);
        case.insert("('a', '2026-01-01')");
        case.sync().run().success();
        case.bed
            .source()
            .execute("UPDATE dbo.T SET K = 'A', Modified = '2026-02-01'");
        case.goes_on();
    }
}

#[test]
fn a_key_that_the_target_has_several_times_stops_the_next_run() {
    let table = "Id int NOT NULL, N nvarchar(9) NOT NULL, Modified datetime2(3) NOT NULL";
    let case = Refused::new(&format!("{table}, PRIMARY KEY (Id)"), table, &[]);
    case.insert("(1, 'a', '2026-01-01'), (2, 'b', '2026-01-01')");
    case.sync().run().success();
    case.insert("(3, 'c', '2026-02-01')");
    case.goes_on();
    // Of another key than those that come, it stops none.
    case.bed
        .target()
        .execute("INSERT INTO dbo.T VALUES (1, 'a', '2026-01-01')");
    let update = |id: u32, day: u32| {
        case.bed.source().execute(&format!(
            "UPDATE dbo.T SET N = 'new', Modified = '2026-03-{day:02}' WHERE Id = {id}"
        ));
    };
    update(2, 1);
    let report = differs(case.with(case.bed.verify("dbo.T", "demo.t")));
    assert_eq!(report["next_run_stops"], serde_json::json!([]), "{report}");
    case.sync()
        .leaves_apart("somebody else has added a row to the target")
        .run()
        .success();
    update(1, 2);
    case.stops("several rows with the key (1)");
}

#[test]
fn more_rows_absent_than_the_limit_stop_the_next_delivery() {
    let case = Case::new(1200, &MERGE);
    case.run();
    // The target's position goes with the snapshots.
    maintain(&case.bed.lake("demo.t"), &["delete=Id > 100", "expire"]);
    let saying = "1100 of the 1200 rows of target table";
    let load = || case.bed.load("demo.t", "dbo.T").args(["--merge", "upsert"]);
    let report = differs(load().comparison().unwrap());
    let told = report["next_run_stops"][0]["error"].to_string();
    assert!(told.contains(saying), "{report}");
    load().run().failure(&[saying, "--allow-deletes"]);
    let report = load().comparison().unwrap().arg("--allow-deletes").run();
    assert!(!report.stdout.contains("will stop"), "{}", report.stdout);
    load().arg("--allow-deletes").json();
    assert_eq!(case.bed.target().value("SELECT COUNT(*) FROM dbo.T"), "100");
}

#[test]
fn versions_whose_order_nobody_knows_stop_the_first_delivery_into_a_new_target() {
    let case = Refused::new(
        "Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL",
        "Id int NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL",
        &["--lake-merge", "append-only"],
    );
    case.insert("(1, 10, '2026-01-01'), (2, 20, '2026-01-01')");
    case.sync().run().success();
    case.bed
        .source()
        .execute("UPDATE dbo.T SET V = 11, Modified = '2026-02-01' WHERE Id = 1");
    case.sync().run().success();
    maintain(&case.bed.lake("demo.t"), &["unsort", "expire"]);
    case.bed.target().execute("DROP TABLE dbo.T");
    let load = || {
        let load = case.bed.load("demo.t", "dbo.T");
        load.args(["--merge", "upsert", "--create-target"])
    };
    let saying = "nothing tells which of them is the newest";
    let report = differs(load().comparison().unwrap());
    let stops = report["next_run_stops"].as_array().unwrap();
    assert_eq!(stops.len(), 1, "{report}");
    assert!(stops[0]["error"].to_string().contains(saying), "{report}");
    assert!(
        stops[0]["hint"].to_string().contains("deduplicate-by"),
        "{report}"
    );
    load().run().failure(&[saying]);
    let chosen = || load().args(["--merge-option", "deduplicate-by=Modified"]);
    let report = chosen().comparison().unwrap().run();
    assert!(!report.stdout.contains("will stop"), "{}", report.stdout);
    chosen().json();
}

/// A login that may only read is enough to compare: that it could not run is no fault of the rows.
#[test]
fn what_the_login_may_not_do_is_told_and_stops_nothing() {
    let case = Case::synced(3);
    insert(&case.bed, 20, 1, "2026-02-01");
    let to = case.bed.target_url();
    let reader = to.replacen("mssql://sa:", &format!("mssql://{READER}:"), 1);
    let verify = |target: &str| {
        let verify = case.bed.verify("dbo.T", "demo.t");
        verify.args(MERGE).args(["--target", target]).json()
    };
    let told = |report: &serde_json::Value| report["target"]["notes"].to_string();
    let report = verify(&reader);
    assert!(
        told(&report).contains(
            "the login has no permission for INSERT, UPDATE, DELETE on dbo.T: that is enough to compare"
        ),
        "{report}"
    );
    assert_eq!(
        (&report["wrong"], &report["pending"]),
        (&0.into(), &1.into())
    );
    assert!(!told(&verify(&to)).contains("permission"));
    case.run();
    assert!(
        !told(&verify(&reader)).contains("permission"),
        "nothing is to come"
    );
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

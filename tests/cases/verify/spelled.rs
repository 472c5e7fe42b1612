//! Keys that may be one and are spelled in several ways: the server that compares them says which are.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

use crate::{counts, differs, keys};

/// A lake that follows the source in full.
const IN_FULL: [&str; 8] = [
    "--strategy",
    "full-refresh",
    "--merge",
    "upsert",
    "--lake-merge",
    "upsert",
    "--lake-merge-option",
    "delete-missing=true",
];

const TIMESTAMP: [&str; 4] = ["--strategy", "timestamp", "--merge", "upsert"];

struct Spelled {
    bed: Bed,
    sync: Vec<String>,
}

impl Spelled {
    /// Rows 1, 2, … with these keys, synced. `collations` are the source's and, where it is created beforehand, the
    /// target's.
    fn new(collations: &[&str], of_type: &str, codes: &[&str], sync: &[&str]) -> Spelled {
        let bed = Bed::new();
        let table = |collation: &str| {
            format!(
                "CREATE TABLE dbo.T (K {of_type} COLLATE {collation} NOT NULL PRIMARY KEY, V int NOT NULL, \
                 Modified datetime2(3) NOT NULL)"
            )
        };
        bed.source().execute(&table(collations[0]));
        if let Some(target) = collations.get(1) {
            bed.target().execute(&table(target));
        }
        let case = Spelled {
            bed,
            sync: sync.iter().map(|&text| text.to_owned()).collect(),
        };
        case.insert(1, codes, "2026-01-01");
        case.insert(1000, &["zzzz"], "2026-01-02");
        case.run();
        case
    }

    fn insert(&self, from: usize, codes: &[&str], modified: &str) {
        for (v, code) in (from..).zip(codes) {
            self.bed.source().execute(&format!(
                "INSERT INTO dbo.T VALUES (N'{code}', {v}, '{modified}')"
            ));
        }
    }

    fn with(&self, command: Command) -> Command {
        command
            .args(self.sync.iter().map(String::as_str))
            .args(["--target", &self.bed.target_url()])
    }

    fn run(&self) {
        let sync = self.with(self.bed.sync("dbo.T", "demo.t"));
        sync.arg("--create-target").run().success();
    }

    fn verify(&self) -> Command {
        self.with(self.bed.verify("dbo.T", "demo.t"))
    }

    #[track_caller]
    fn agrees(&self) -> Value {
        let verify = self.verify().args(["--output", "json"]);
        let report = verify.run().success().json();
        assert_eq!(report["wrong"], 0, "{report}");
        report
    }

    #[track_caller]
    fn repaired(&self) -> Value {
        let verify = self.verify().args(["--repair", "--output", "json"]);
        let report = verify.run().success().json();
        assert_eq!(report["wrong"], 0, "{report}");
        let source = self.bed.source_dump("dbo.T");
        let lake = Dump::agreed(&self.bed.lake("demo.t"), None);
        source.assert_equals(&lake, "source", "lake");
        source.assert_equals(&self.bed.target_dump("dbo.T"), "source", "target");
        report
    }
}

#[test]
fn keys_that_look_alike_and_are_two_for_the_server_are_both_needed() {
    for (collation, codes) in [
        ("Latin1_General_CI_AS", &["i", "ı"][..]),
        ("Latin1_General_CI_AS", &["...", "…"]),
        ("Latin1_General_CI_AS", &["½", "1⁄2"]),
        ("Turkish_CI_AS", &["i", "I"]),
        ("Azeri_Latin_100_CI_AS", &["i", "I"]),
    ] {
        let case = Spelled::new(&[collation], "nvarchar(20)", codes, &TIMESTAMP);
        case.agrees();
        // Every second one, first from the target and then from the lake.
        case.bed
            .target()
            .execute("DELETE FROM dbo.T WHERE V % 2 = 1");
        let half = codes.len() / 2;
        let report = differs(case.verify());
        assert_eq!(
            counts(&report, "target", "wrong"),
            format!("{half} missing"),
            "{collation}: {report}"
        );
        let report = case.repaired();
        assert_ne!(report["repaired"]["target_rows"], 0, "{collation}");
    }
}

#[test]
fn a_key_in_another_spelling_of_its_language_is_repaired_and_stays() {
    let case = Spelled::new(&["Turkish_CI_AS"], "nvarchar(20)", &["i", "ı"], &TIMESTAMP);
    case.bed
        .target()
        .execute("UPDATE dbo.T SET K = N'İ' WHERE V = 1");
    let report = differs(case.verify());
    let told = counts(&report, "target", "wrong");
    assert_eq!(told, "1 changed", "{report}");
    case.repaired();
}

#[test]
fn a_row_whose_key_has_letters_beyond_ascii_is_repaired_in_the_lake() {
    let codes = ["Zoë", "zack", "zoo"];
    let case = Spelled::new(
        &["Latin1_General_CI_AS"],
        "nvarchar(20)",
        &codes,
        &TIMESTAMP,
    );
    maintain(&case.bed.lake("demo.t"), &["delete=V = 1"]);
    let report = differs(case.verify());
    assert_eq!(keys(&report, "lake", "wrong"), ["missing K = Zoë"]);
    let verify = case.verify().args(["--repair", "--output", "json"]);
    let report = verify.run().success().json();
    assert_eq!(report["repaired"]["lake_rows"], 1, "{report}");
    case.run();
    case.repaired();
}

/// What the lake remembers of its source's collations may be older than they are: what one key is, the source says.
#[test]
fn rows_whose_keys_the_source_tells_apart_are_all_needed() {
    let (ci, cs) = ("Latin1_General_CI_AS", "Latin1_General_CS_AS");
    let case = Spelled::new(&[ci, cs], "varchar(10)", &["a", "b"], &IN_FULL);
    let mut source = case.bed.source();
    source.execute(&format!(
        "DROP TABLE dbo.T;
         CREATE TABLE dbo.T (K varchar(10) COLLATE {cs} NOT NULL PRIMARY KEY, V int NOT NULL, Modified datetime2(3) NOT NULL)"
    ));
    case.insert(1, &["a", "b", "A", "B", "zzzz"], "2026-01-01");
    case.run();
    assert_eq!(case.bed.target().value("SELECT COUNT(*) FROM dbo.T"), "5");
    case.agrees();
    case.bed.target().execute("DELETE FROM dbo.T WHERE V = 3");
    let report = differs(case.verify());
    assert_eq!(keys(&report, "target", "wrong"), ["missing K = A"]);
    case.repaired();
}

#[test]
fn a_repair_does_not_put_one_row_in_the_place_of_another() {
    // A key of the lake that tells the source's rows apart no more.
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL, P int NOT NULL, N nvarchar(9) NULL, CONSTRAINT pk PRIMARY KEY (Id));
         INSERT INTO dbo.T VALUES (1, 1, N'a'), (2, 1, N'b')",
    );
    let to = bed.target_url();
    let with = |command: Command| command.args(IN_FULL).args(["--target", &to]);
    let sync = with(bed.sync("dbo.T", "demo.t"));
    sync.arg("--create-target").run().success();
    bed.source().execute(
        "ALTER TABLE dbo.T DROP CONSTRAINT pk; ALTER TABLE dbo.T ADD CONSTRAINT pk2 PRIMARY KEY (Id, P);
         INSERT INTO dbo.T VALUES (1, 2, N'new')",
    );
    let verify = || with(bed.verify("dbo.T", "demo.t"));
    let report = differs(verify());
    let stops = report["next_run_stops"].to_string();
    assert!(stops.contains("does not tell the rows"), "{stops}");
    let before = Dump::agreed(&bed.lake("demo.t"), None);
    let repair = verify().arg("--repair").run();
    repair.failure(&["cannot be repaired", "Id = 1", "hint: "]);
    let after = Dump::agreed(&bed.lake("demo.t"), None);
    before.assert_equals(&after, "before", "after");
}

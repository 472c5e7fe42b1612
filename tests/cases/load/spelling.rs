//! Keys that are two in the lake and one for the target: none of the rows may take the other's place in silence.

use icehost_tests::maintenance::edit_metadata;
use icehost_tests::{Bed, Command};

const COLUMNS: &str = "V int NOT NULL, Modified datetime2(3) NOT NULL";

/// A source whose text key has a collation, and a target whose key has another.
struct Tables {
    bed: Bed,
    merge: &'static str,
    lake_merge: &'static str,
}

impl Tables {
    fn new(key: &str, source: &str, target: &str) -> Tables {
        let bed = Bed::new();
        bed.source().execute(&format!(
            "CREATE TABLE dbo.K (K {key} {source} NOT NULL PRIMARY KEY, {COLUMNS})"
        ));
        let tables = Tables {
            bed,
            merge: "upsert",
            lake_merge: "upsert",
        };
        tables.make_target(&format!("K {key} {target} NOT NULL PRIMARY KEY, {COLUMNS}"));
        tables
    }

    /// The target with other columns.
    fn make_target(&self, columns: &str) {
        self.bed.target().execute(&format!(
            "IF OBJECT_ID(N'dbo.K') IS NOT NULL DROP TABLE dbo.K; CREATE TABLE dbo.K ({columns})"
        ));
    }

    fn insert(&self, key: &str, day: u32) {
        self.bed.source().execute(&format!(
            "INSERT INTO dbo.K VALUES ({key}, {day}, '2026-01-{day:02}')"
        ));
    }

    fn sync(&self) {
        self.bed
            .sync("dbo.K", "demo.k")
            .args(["--strategy", "timestamp", "--merge", self.lake_merge])
            .run()
            .success();
    }

    /// The whole source, what is missing there included.
    fn refresh(&self) -> Command {
        self.bed
            .sync("dbo.K", "demo.k")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
    }

    fn load(&self) -> Command {
        self.bed
            .load("demo.k", "dbo.K")
            .args(["--merge", self.merge])
    }

    /// The run is refused by both keys, and nothing has changed.
    #[track_caller]
    fn refused(&self, one: &str, other: &str) {
        let before = self.target();
        let both =
            format!("have the keys ({one}) and ({other}), which target table dbo.K takes for one");
        self.load().run().failure(&[both.as_str(), "hint"]);
        assert_eq!(self.target(), before, "nothing is merged");
    }

    /// As many rows as the source has, under its spelling.
    #[track_caller]
    fn assert_equal(&self) {
        let keys =
            "SELECT CONVERT(varchar(100), CONVERT(varbinary(50), K), 1), V FROM dbo.K ORDER BY V";
        assert_eq!(self.bed.target().rows(keys), self.bed.source().rows(keys));
    }

    fn target(&self) -> Vec<Vec<String>> {
        let rows = "SELECT CONVERT(varchar(100), CONVERT(varbinary(50), K), 1), V FROM dbo.K ORDER BY 1, V";
        self.bed.target().rows(rows)
    }

    /// The lake table as another engine has it, which knows of no source.
    fn forget_source(&self) {
        edit_metadata(&self.bed.lake("demo.k"), |metadata| {
            let properties = metadata["properties"].as_object_mut().unwrap();
            assert!(properties.remove("icehost.source-columns").is_some());
        });
    }
}

const CS: &str = "COLLATE Latin1_General_CS_AS";
const CI: &str = "COLLATE Latin1_General_CI_AS";

#[test]
fn keys_that_the_target_takes_for_one_are_refused_in_one_delivery() {
    for (source, target, one, other) in [
        (CS, CI, "ABC", "abc"),
        ("COLLATE Latin1_General_BIN2", CI, "ABC", "abc"),
        (CI, "COLLATE Latin1_General_CI_AI", "cafe", "café"),
        ("COLLATE Latin1_General_CI_AS_WS", CI, "a3", "a３"),
    ] {
        for merge in ["upsert", "soft-delete"] {
            let mut tables = Tables::new("nvarchar(20)", source, target);
            tables.merge = merge;
            if merge == "soft-delete" {
                tables.make_target(&format!(
                    "K nvarchar(20) {target} NOT NULL PRIMARY KEY, {COLUMNS}, IsDeleted bit NULL"
                ));
            }
            tables.insert(&format!("N'{one}'"), 1);
            tables.insert(&format!("N'{other}'"), 2);
            tables.sync();
            let (one, other) = (format!("'{one}'"), format!("'{other}'"));
            tables.refused(&one, &other);
            // The way that the hint names.
            let marked = if merge == "upsert" {
                ""
            } else {
                ", IsDeleted bit NULL"
            };
            tables.make_target(&format!(
                "K nvarchar(20) {source} NOT NULL PRIMARY KEY, {COLUMNS}{marked}"
            ));
            assert_eq!(tables.load().json()["rows_inserted"], 2);
            tables.assert_equal();
        }
    }
}

#[test]
fn a_history_has_no_version_of_another_key() {
    for option in [&["keys=K"][..], &["keys=K", "from=Modified"]] {
        let mut tables = Tables::new("nvarchar(20)", CS, CI);
        tables.merge = "scd2";
        let history = |collation: &str| {
            tables.make_target(&format!(
                "RowId bigint IDENTITY NOT NULL PRIMARY KEY, K nvarchar(20) {collation} NOT NULL, {COLUMNS},
                 ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL"
            ));
        };
        history(CI);
        tables.insert("N'abc'", 1);
        tables.insert("N'ABC'", 2);
        tables.sync();
        let load = || {
            let options = option.iter().flat_map(|option| ["--merge-option", *option]);
            tables.load().args(options)
        };
        let said = "have the keys ('ABC') and ('abc')";
        load().run().failure(&[said, "hint"]);
        assert_eq!(tables.target(), Vec::<Vec<String>>::new());
        history(CS);
        assert_eq!(load().json()["rows_inserted"], 2);
    }
}

#[test]
fn a_key_that_comes_later_does_not_take_the_row_of_another() {
    let tables = Tables::new("nvarchar(20)", CS, CI);
    tables.insert("N'abc'", 1);
    tables.insert("N'x'", 2);
    tables.sync();
    assert_eq!(tables.load().json()["rows_inserted"], 2);
    tables.insert("N'ABC'", 3);
    tables.sync();
    tables.refused("'ABC'", "'abc'");
    // One of the two keys is changed, as the hint says.
    tables
        .bed
        .source()
        .execute("UPDATE dbo.K SET K = N'abd', V = 9, Modified = '2026-01-09' WHERE V = 3");
    tables
        .refresh()
        .run()
        .failure(&["the stored watermark was written by strategy 'timestamp'"]);
    tables
        .bed
        .on_lake(["watermark", "clear"], "demo.k")
        .run()
        .success();
    tables.refresh().run().success();
    tables.load().json();
    tables.assert_equal();
}

#[test]
fn a_key_that_is_spelled_anew_is_one_row() {
    // The lake's own notion is finer than the target's; what was there under the old spelling is gone.
    let tables = Tables::new("nvarchar(20)", CS, CI);
    let refresh = || tables.refresh().run().success();
    tables.insert("N'abc'", 1);
    tables.insert("N'x'", 2);
    refresh();
    tables.load().json();
    tables
        .bed
        .source()
        .execute("UPDATE dbo.K SET K = N'ABC', V = 3 WHERE K = N'abc'");
    refresh();
    let report = tables.load().json();
    assert_eq!(report["rows_updated"], 1, "{report}");
    tables.assert_equal();
}

#[test]
fn versions_of_one_key_are_no_two_keys() {
    for collation in [CI, "COLLATE SQL_Latin1_General_CP1_CI_AS"] {
        // The target tells as many apart, fewer, and by another collation of the same kind.
        for target in [collation, "COLLATE Latin1_General_CI_AI"] {
            let mut tables = Tables::new("nvarchar(20)", collation, target);
            tables.lake_merge = "append-only";
            tables.insert("N'été'", 1);
            tables.sync();
            for (spelled, day) in [("ÉTÉ", 2), ("Été", 3)] {
                tables.bed.source().execute(&format!(
                    "UPDATE dbo.K SET K = N'{spelled}', V = {day}, Modified = '2026-01-{day:02}'"
                ));
                tables.sync();
            }
            let report = tables.load().json();
            assert_eq!(report["rows_inserted"], 1, "{report}");
            assert_eq!(report["duplicates_removed"], 2, "{report}");
            tables.assert_equal();
        }
    }
}

#[test]
fn without_a_source_every_spelling_is_a_key_of_its_own() {
    // SQL Server takes none of these apart, whatever the collation.
    for (key, one, other, shown) in [
        ("nvarchar(20)", "N'a'", "N'a '", ["'a '", "'a'"]),
        ("nvarchar(20)", "N'abc'", "N'ABC'", ["'ABC'", "'abc'"]),
        ("varbinary(8)", "0x01", "0x0100", ["'0x01'", "'0x0100'"]),
    ] {
        let collation = if key == "varbinary(8)" {
            ""
        } else {
            "COLLATE Latin1_General_CI_AS"
        };
        let mut tables = Tables::new(key, collation, collation);
        tables.lake_merge = "append-only";
        tables.insert(one, 1);
        tables.sync();
        tables.bed.source().execute(&format!(
            "UPDATE dbo.K SET K = {other}, V = 2, Modified = '2026-01-02'"
        ));
        tables.sync();
        tables.forget_source();
        tables.refused(shown[0], shown[1]);
    }
}

#[test]
fn a_chosen_key_that_comes_later_does_not_take_the_row_of_another() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Team int NOT NULL, V int NULL);
         INSERT INTO dbo.T VALUES (1, 10, 1), (2, 20, 2)",
    );
    bed.target()
        .execute("CREATE TABLE dbo.T (Id int NOT NULL, Team int NOT NULL PRIMARY KEY, V int NULL)");
    let sync = || {
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
            .json();
    };
    let load = |more: &[&str]| {
        let load = bed.load("demo.t", "dbo.T").args(["--merge", "upsert"]);
        load.args(["--merge-option", "keys=Team"])
            .args(more.iter().copied())
    };
    let there = "SELECT Id, Team, V FROM dbo.T ORDER BY Team";
    sync();
    load(&[]).json();
    bed.source().execute("INSERT INTO dbo.T VALUES (3, 10, 3)");
    sync();
    let said = ["several rows have the key (10)", "deduplicate-by"];
    load(&[]).run().failure(&said);
    load(&["--full"]).run().failure(&said);
    assert_eq!(
        bed.target().rows(there),
        [["1", "10", "1"], ["2", "20", "2"]]
    );
    // The row that had the key goes: the other takes its place.
    bed.source().execute("DELETE FROM dbo.T WHERE Id = 1");
    sync();
    load(&[]).json();
    assert_eq!(bed.target().rows(there), bed.source().rows(there));
    // A target without the identifying column says less, and is looked after all the same.
    bed.target().execute(
        "DROP TABLE dbo.T; CREATE TABLE dbo.T (Team int NOT NULL PRIMARY KEY, V int NULL)",
    );
    load(&["--exclude-columns", "Id"]).json();
    bed.source().execute("INSERT INTO dbo.T VALUES (4, 20, 4)");
    sync();
    let said = ["several rows have the key (20)", "deduplicate-by"];
    load(&["--exclude-columns", "Id"]).run().failure(&said);
}

//! After a repair the sides agree, whatever the strategy and the merges; and where a repair is refused, nothing is
//! changed.

use icehost_tests::maintenance::maintain;
use icehost_tests::{Bed, Command, Dump};
use serde_json::Value;

/// How rows land, and what the target needs for it beside the source's columns.
type Merge = (&'static str, &'static [&'static str], &'static str);

const LAKE: [Merge; 5] = [
    ("upsert", &[], ""),
    ("upsert", &["delete-missing=true"], ""),
    ("upsert", &["when-matched=skip"], ""),
    ("upsert", &["keys=Id", "deduplicate-by=Amount"], ""),
    (
        "upsert",
        &[
            "keys=Id",
            r#"deduplicate-by=[{"column": "Amount", "direction": "ascending"}]"#,
        ],
        "",
    ),
];

const TARGET: [Merge; 5] = [
    ("upsert", &[], ""),
    ("upsert", &["deletes=ignore"], ""),
    ("upsert", &["when-matched=skip"], ""),
    ("soft-delete", &[], ", IsDeleted bit NOT NULL"),
    (
        "soft-delete",
        &["mark-missing=true"],
        ", IsDeleted bit NOT NULL, DeletedAt datetime2(3) NULL",
    ),
];

const ONLY_ADDING: [Merge; 2] = [
    ("append-only", &[], ""),
    (
        "scd2",
        &["keys=Id"],
        ", ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL, IsCurrent bit NOT NULL",
    ),
];

/// Source and target of one strategy and its merges, synced.
struct Pair {
    bed: Bed,
    flags: Vec<String>,
}

impl Pair {
    fn new(strategy: &str, lake: Merge, target: Merge) -> Pair {
        let bed = Bed::new();
        let columns =
            "Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL";
        let (version, carried) = match strategy {
            "rowversion" => (", Version rowversion", ", Version binary(8) NOT NULL"),
            _ => ("", ""),
        };
        bed.source().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, {columns}{version})"
        ));
        // The last one is far from the others, which no cursor reads again.
        let rows: Vec<String> = (1..=20)
            .map(|id| format!("({id}, N'name {id}', {id}.25, '2026-01-01')"))
            .chain(["(5000000, N'last', 1, '2026-01-02')".to_owned()])
            .collect();
        bed.source().execute(&format!(
            "INSERT INTO dbo.T (Id, Name, Amount, Modified) VALUES {}",
            rows.join(", ")
        ));
        let key = match ONLY_ADDING.contains(&target) {
            true => "",
            false => " PRIMARY KEY",
        };
        bed.target().execute(&format!(
            "CREATE TABLE dbo.T (Id int NOT NULL{key}, {columns}{carried}{})",
            target.2
        ));
        let options = |flag: &str, merge: Merge| {
            let pairs = merge.1.iter();
            let pairs = pairs.flat_map(|option| [flag.to_owned(), (*option).to_owned()]);
            pairs.collect::<Vec<String>>()
        };
        let mut flags: Vec<String> = ["--strategy", strategy, "--lake-merge", lake.0]
            .map(str::to_owned)
            .to_vec();
        flags.extend(options("--lake-merge-option", lake));
        flags.extend(["--merge", target.0, "--target", &bed.target_url()].map(str::to_owned));
        flags.extend(options("--merge-option", target));
        let pair = Pair { bed, flags };
        pair.sync();
        pair
    }

    fn told(&self, command: Command) -> Command {
        command.args(self.flags.iter().map(String::as_str))
    }

    /// After it, as after each run, all three agree.
    fn sync(&self) {
        self.told(self.bed.sync("dbo.T", "demo.t")).json();
    }

    fn verify(&self) -> Command {
        self.told(self.bed.verify("dbo.T", "demo.t"))
    }

    fn break_target(&self) {
        self.bed.target().execute(
            "UPDATE dbo.T SET Name = N'by hand' WHERE Id = 5; DELETE FROM dbo.T WHERE Id IN (6, 7)",
        );
    }

    /// Rows that are gone, rows that are there twice, and where no run would notice it, rows that changed.
    fn break_lake(&self, strategy: &str) {
        maintain(&self.bed.lake("demo.t"), &["delete=Id < 4", "copy=Id = 8"]);
        if strategy != "rowversion" {
            self.bed.source().execute(
                "UPDATE dbo.T SET Name = N'behind', Amount = 0 WHERE Id = 9;
                 INSERT INTO dbo.T (Id, Name, Amount, Modified) VALUES (2500000, N'late', 1, '2020-01-01')",
            );
        }
    }

    #[track_caller]
    fn repairs(&self, what: &str) -> Value {
        let found = crate::differs(self.verify());
        let report = self.verify().arg("--repair").json();
        assert_eq!(report["wrong"], 0, "{what}: {report}");
        let again = self.verify().json();
        assert_eq!(again["wrong"], 0, "{what}: {again}");
        self.sync();
        found
    }

    #[track_caller]
    fn assert_same(&self, what: &str) {
        let source = self.bed.source_dump("dbo.T");
        let lake = Dump::pyiceberg(&self.bed.lake("demo.t"), None);
        source.assert_equals(&lake, &format!("{what}: source"), "lake");
    }
}

fn lakes(strategy: &str) {
    for lake in LAKE {
        let what = format!("{strategy}, lake {lake:?}");
        let pair = Pair::new(strategy, lake, TARGET[0]);
        pair.break_lake(strategy);
        pair.repairs(&what);
        // What nobody sees is not repaired.
        let sees_changes = strategy != "id" && !lake.1.contains(&"when-matched=skip");
        if sees_changes {
            pair.assert_same(&what);
        }
    }
    for only_adds in &ONLY_ADDING[..1] {
        let pair = Pair::new(strategy, *only_adds, TARGET[0]);
        maintain(&pair.bed.lake("demo.t"), &["delete=Id < 4"]);
        let before = pair.bed.on_lake(["snapshots"], "demo.t").json();
        pair.verify().arg("--repair").run().failure(&[
            "lake table demo.t cannot be repaired: its merge adds every row that is delivered",
            "hint: ",
        ]);
        assert_eq!(pair.bed.on_lake(["snapshots"], "demo.t").json(), before);
    }
}

fn targets(strategy: &str) {
    for target in TARGET {
        let what = format!("{strategy}, target {target:?}");
        let pair = Pair::new(strategy, LAKE[0], target);
        pair.break_target();
        let found = pair.repairs(&what);
        let changed = match target.1.contains(&"when-matched=skip") {
            true => "by hand",
            false => "name 5",
        };
        assert_eq!(found["target"]["wrong"]["missing"], 2, "{what}: {found}");
        let mut server = pair.bed.target();
        assert_eq!(
            server.value("SELECT Name FROM dbo.T WHERE Id = 5"),
            changed,
            "{what}"
        );
        assert_eq!(server.value("SELECT COUNT(*) FROM dbo.T"), "21", "{what}");
    }
    for only_adds in ONLY_ADDING {
        let pair = Pair::new(strategy, LAKE[0], only_adds);
        pair.break_target();
        let rows = || {
            pair.bed
                .target()
                .rows("SELECT Id, Name FROM dbo.T ORDER BY Id")
        };
        let before = rows();
        pair.verify()
            .arg("--repair")
            .run()
            .failure(&["target table dbo.T cannot be repaired: its merge "]);
        assert_eq!(rows(), before, "{strategy} {only_adds:?}");
    }
}

#[test]
fn after_a_repair_of_the_lake_all_agree_under_timestamp() {
    lakes("timestamp");
}

#[test]
fn after_a_repair_of_the_lake_all_agree_under_id() {
    lakes("id");
}

#[test]
fn after_a_repair_of_the_lake_all_agree_under_rowversion() {
    lakes("rowversion");
}

#[test]
fn after_a_repair_of_the_lake_all_agree_under_full_refresh() {
    lakes("full-refresh");
}

#[test]
fn after_a_repair_of_the_target_all_agree_under_timestamp() {
    targets("timestamp");
}

#[test]
fn after_a_repair_of_the_target_all_agree_under_id() {
    targets("id");
}

#[test]
fn after_a_repair_of_the_target_all_agree_under_rowversion() {
    targets("rowversion");
}

#[test]
fn after_a_repair_of_the_target_all_agree_under_full_refresh() {
    targets("full-refresh");
}

/// Both at once: the lake first, and what it got the target gets with the next run.
#[test]
fn lake_and_target_are_repaired_in_one_go() {
    let pair = Pair::new("timestamp", LAKE[0], TARGET[0]);
    pair.break_lake("timestamp");
    pair.break_target();
    pair.repairs("both");
    pair.assert_same("both");
    let source = pair.bed.source_dump("dbo.T");
    source.assert_equals(&pair.bed.target_dump("dbo.T"), "source", "target");
}

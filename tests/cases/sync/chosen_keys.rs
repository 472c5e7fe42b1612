//! Keys that are chosen, of a source that has none: two rows with one of them are told, whoever merges what.

use icehost_tests::{Bed, Command};

const COLUMNS: &str =
    "Code int NOT NULL, Name nvarchar(20) NOT NULL, Modified datetime2(3) NOT NULL";
const HISTORY: &str = "ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL";
const KEYS: &str = "keys=Code";

/// How rows are read, land in the lake and land in the target.
struct Way {
    strategy: &'static str,
    lake: &'static [&'static str],
    merge: &'static str,
    more: &'static [&'static str],
}

impl Way {
    fn bed(&self) -> Bed {
        let bed = Bed::new();
        let version = match self.strategy {
            "rowversion" => ", Version rowversion",
            _ => "",
        };
        bed.source()
            .execute(&format!("CREATE TABLE dbo.T ({COLUMNS}{version})"));
        let history = match self.merge {
            "scd2" => format!(", {HISTORY}"),
            "soft-delete" => ", IsDeleted bit NULL".to_owned(),
            _ => String::new(),
        };
        let version = match self.strategy {
            "rowversion" => ", Version binary(8) NULL",
            _ => "",
        };
        bed.target()
            .execute(&format!("CREATE TABLE dbo.T ({COLUMNS}{version}{history})"));
        bed
    }

    fn sync(&self, bed: &Bed) -> Command {
        let cursor: &[&str] = match self.strategy {
            "id" => &["--strategy-option", "column=Code"],
            _ => &[],
        };
        let keys: &[&str] = match self.merge {
            "append-only" => &[],
            _ => &["--merge-option", KEYS],
        };
        bed.sync("dbo.T", "demo.t")
            .args(["--strategy", self.strategy])
            .args(cursor.iter().copied())
            .args(["--lake-merge", self.lake[0]])
            .args(self.lake[1..].iter().copied())
            .args(["--merge", self.merge])
            .args(keys.iter().copied())
            .args(self.more.iter().copied())
            .args(["--target", &bed.target_url()])
    }
}

fn insert(bed: &Bed, rows: &[(u32, &str, u32)]) {
    for (code, name, day) in rows {
        bed.source().execute(&format!(
            "INSERT INTO dbo.T (Code, Name, Modified) VALUES ({code}, N'{name}', '2026-01-{day:02}')"
        ));
    }
}

const KEYED: &[&str] = &["upsert", "--lake-merge-option", KEYS];
const ALL: &[&str] = &["append-only"];

#[test]
fn two_rows_with_one_chosen_key_are_never_made_one_in_silence() {
    let mut ways = Vec::new();
    for (strategy, lake) in [
        ("timestamp", KEYED),
        ("timestamp", ALL),
        ("id", ALL),
        ("rowversion", KEYED),
        ("rowversion", ALL),
        ("full-refresh", KEYED),
    ] {
        let merges: [(&str, &[&str]); 4] = [
            ("upsert", &[]),
            ("soft-delete", &[]),
            ("scd2", &[]),
            ("scd2", &["--merge-option", "from=Modified"]),
        ];
        for (merge, more) in merges {
            ways.push(Way {
                strategy,
                lake,
                merge,
                more,
            });
        }
    }
    for way in ways {
        let called = format!(
            "{} {:?} {} {:?}",
            way.strategy, way.lake, way.merge, way.more
        );
        let told = |bed: &Bed| {
            let run = way.sync(bed).run();
            assert_ne!(run.code, Some(0), "{called}: both rows are taken for one");
            let said = &run.stderr;
            let by_name = said.contains("stands in several rows")
                || said.contains("and only one of them would stay");
            assert!(by_name && said.contains("hint: "), "{called}: {said}");
        };
        // Together, and one after the other.
        let bed = way.bed();
        insert(&bed, &[(1, "one", 1), (7, "first", 2), (7, "second", 3)]);
        told(&bed);
        let bed = way.bed();
        insert(&bed, &[(1, "one", 1), (7, "first", 2)]);
        way.sync(&bed).run().success();
        insert(&bed, &[(7, "second", 3)]);
        told(&bed);
        let there = bed
            .target()
            .rows("SELECT Code, Name FROM dbo.T ORDER BY Code");
        assert_eq!(there, [["1", "one"], ["7", "first"]], "{called}");
    }
}

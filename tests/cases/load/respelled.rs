//! A key that is spelled anew is the same key for the source, and another one for the target: the row of the earlier
//! spelling goes.

use icehost_tests::{Bed, Command};

/// Collations of source and target, and two spellings that are one key for the first alone.
const SPELLINGS: [[&str; 4]; 5] = [
    ["Latin1_General_CI_AS", "Latin1_General_CS_AS", "abc", "ABC"],
    ["Latin1_General_CI_AS", "Latin1_General_BIN2", "abc", "ABC"],
    ["Latin1_General_CI_AI", "Latin1_General_CI_AS", "été", "ete"],
    [
        "Latin1_General_CI_AS",
        "Latin1_General_CI_AS_WS",
        "a3",
        "a３",
    ],
    [
        "Latin1_General_CI_AS",
        "Latin1_General_CI_AS_KS",
        "カ",
        "か",
    ],
];

/// A source whose key is a number and a text, and a target that tells more texts apart.
struct Respelled {
    bed: Bed,
    lake_merge: &'static str,
    merge: &'static str,
}

impl Respelled {
    fn new(
        [source, target, ..]: [&str; 4],
        lake_merge: &'static str,
        merge: &'static str,
    ) -> Respelled {
        let bed = Bed::new();
        let columns = |collation: &str| {
            format!(
                "N int NOT NULL, K nvarchar(20) COLLATE {collation} NOT NULL, V int NOT NULL, Modified datetime2(3) NOT NULL"
            )
        };
        bed.source().execute(&format!(
            "CREATE TABLE dbo.K ({}, PRIMARY KEY (N, K))",
            columns(source)
        ));
        let own = match merge {
            "scd2" => {
                "RowId bigint IDENTITY NOT NULL PRIMARY KEY, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL"
            }
            "soft-delete" => "IsDeleted bit NOT NULL DEFAULT 0, PRIMARY KEY (N, K)",
            _ => "PRIMARY KEY (N, K)",
        };
        bed.target()
            .execute(&format!("CREATE TABLE dbo.K ({}, {own})", columns(target)));
        Respelled {
            bed,
            lake_merge,
            merge,
        }
    }

    fn insert(&self, number: u32, key: &str, day: u32) {
        self.bed.source().execute(&format!(
            "INSERT INTO dbo.K VALUES ({number}, N'{key}', {day}, '2026-01-{day:02}')"
        ));
    }

    /// Row 1 gets its key in another spelling.
    fn spell(&self, key: &str, day: u32) {
        self.bed.source().execute(&format!(
            "UPDATE dbo.K SET K = N'{key}', V = {day}, Modified = '2026-01-{day:02}' WHERE N = 1"
        ));
    }

    fn sync(&self) {
        self.bed
            .sync("dbo.K", "demo.k")
            .args(["--strategy", "timestamp", "--merge", self.lake_merge])
            .run()
            .success();
    }

    fn load(&self, more: &[&str]) {
        let load: Command = self.bed.load("demo.k", "dbo.K");
        load.args(["--merge", self.merge])
            .args(more.iter().copied())
            .run()
            .success();
    }

    /// The rows that count in the target are the source's, in its spelling.
    #[track_caller]
    fn assert_equal(&self, what: &str) {
        let rows = |filter: &str| {
            format!(
                "SELECT N, CONVERT(varchar(100), CONVERT(varbinary(50), K), 1), V FROM dbo.K{filter} ORDER BY 1, 2, 3"
            )
        };
        let counts = match self.merge {
            "scd2" => " WHERE ValidTo IS NULL",
            "soft-delete" => " WHERE IsDeleted = 0",
            _ => "",
        };
        let Respelled {
            lake_merge, merge, ..
        } = self;
        assert_eq!(
            self.bed.target().rows(&rows(counts)),
            self.bed.source().rows(&rows("")),
            "{what}: {lake_merge}, {merge}"
        );
    }
}

fn each(check: impl Fn(&Respelled, [&'static str; 2])) {
    for spellings in SPELLINGS {
        let [.., one, other] = spellings;
        for lake_merge in ["append-only", "upsert"] {
            for merge in ["upsert", "soft-delete", "scd2"] {
                check(&Respelled::new(spellings, lake_merge, merge), [one, other]);
            }
        }
    }
}

#[test]
fn a_key_that_is_spelled_anew_leaves_no_row_under_the_earlier_spelling() {
    each(|table, [one, other]| {
        table.insert(1, one, 1);
        table.insert(2, one, 1);
        table.insert(3, "z", 1);
        table.sync();
        table.load(&[]);
        table.assert_equal("at first");
        for (spelled, day) in [(other, 3), (one, 5), (other, 7)] {
            table.spell(spelled, day);
            table.sync();
            table.load(&[]);
            table.assert_equal(spelled);
        }
    });
}

#[test]
fn several_spellings_in_one_delivery_are_one_row() {
    each(|table, [one, other]| {
        table.insert(1, one, 1);
        table.insert(2, "z", 1);
        table.sync();
        for (spelled, day) in [(other, 3), (one, 5), (other, 7)] {
            table.spell(spelled, day);
            table.sync();
        }
        table.load(&[]);
        table.assert_equal("all in the first delivery");
        for (spelled, day) in [(one, 9), (other, 11), (one, 13)] {
            table.spell(spelled, day);
            table.sync();
        }
        table.load(&[]);
        table.assert_equal("several snapshots later");
    });
}

#[test]
fn a_full_delivery_takes_out_what_stands_under_an_earlier_spelling() {
    for merge in ["upsert", "soft-delete"] {
        for lake_merge in ["append-only", "upsert"] {
            let table = Respelled::new(SPELLINGS[0], lake_merge, merge);
            table.insert(1, "abc", 1);
            table.insert(2, "z", 1);
            table.sync();
            table.load(&[]);
            table.spell("ABC", 3);
            table.sync();
            table.load(&[]);
            // As a delivery of an earlier version left it.
            table
                .bed
                .target()
                .execute("INSERT INTO dbo.K (N, K, V, Modified) SELECT 1, N'Abc', 1, '2026-01-01'");
            table.load(&["--full"]);
            table.assert_equal("full");
            // And so does one that is about the row.
            table
                .bed
                .target()
                .execute("INSERT INTO dbo.K (N, K, V, Modified) SELECT 1, N'aBc', 1, '2026-01-01'");
            table.spell("ABC", 5);
            table.sync();
            table.load(&[]);
            table.assert_equal("the next delivery of the row");
        }
    }
}

#[test]
fn a_key_that_is_deleted_goes_under_each_of_its_spellings() {
    let table = Respelled::new(SPELLINGS[0], "upsert", "upsert");
    let refresh = || {
        table
            .bed
            .sync("dbo.K", "demo.k")
            .args(["--strategy", "full-refresh", "--merge", "upsert"])
            .args(["--merge-option", "delete-missing=true"])
            .run()
            .success();
        table.load(&[]);
    };
    table.insert(1, "abc", 1);
    table.insert(2, "z", 1);
    refresh();
    table.spell("ABC", 3);
    refresh();
    table.assert_equal("spelled anew");
    table.bed.source().execute("DELETE FROM dbo.K WHERE N = 1");
    refresh();
    table.assert_equal("deleted");
}

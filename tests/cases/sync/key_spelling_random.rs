//! Random keys over an alphabet of troublemakers, inserted, spelled anew and deleted: whatever the collation takes for
//! one key, source, lake and target agree.

use icehost_tests::{Bed, Command, Dump};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// Letters that are one with others under some collation, or stand for two, or for nothing.
const ALPHABET: [&str; 34] = [
    "i", "I", "ı", "İ", "s", "S", "ſ", "ß", "ss", "SS", "f", "ﬁ", "fi", "FI", "a", "A", "Ａ", "aa",
    "å", "Å", "e", "é", "É", "e\u{301}", "3", "３", "³", "か", "カ", "ｶ", "が", "w", " ", "-",
];

/// What the development server compares, those with an alphabet of its own among them.
const COLLATIONS: [&str; 12] = [
    "Latin1_General_CI_AS",
    "Latin1_General_CI_AI",
    "Latin1_General_CS_AS",
    "Latin1_General_CS_AI_KS",
    "Latin1_General_100_CI_AS_KS_WS",
    "Latin1_General_BIN2",
    "Turkish_CI_AS",
    "Turkish_CS_AI",
    "Azeri_Latin_100_CI_AS",
    "Japanese_CI_AS",
    "Japanese_XJIS_140_CI_AI_KS_WS",
    "SQL_Latin1_General_CP1_CI_AS",
];

#[derive(Debug, Clone)]
enum Step {
    /// A row with this key comes, or the one that has it is spelled so.
    Write(String),
    /// The row with this key goes, where the strategy sees that.
    Delete(String),
    Sync,
}

/// How the source is read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reading {
    /// What came: the lake's rows are matched by their keys.
    Timestamp,
    /// Everything: what is gone goes.
    Complete,
}

fn key() -> impl Strategy<Value = String> {
    let letters = prop::collection::vec(prop::sample::select(ALPHABET.to_vec()), 1..3);
    letters.prop_map(|letters| letters.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few keys, so that they meet.
    prop::collection::vec(key(), 6..12).prop_flat_map(|keys| {
        let some = prop::sample::select(keys);
        let step = prop_oneof![
            7 => some.clone().prop_map(Step::Write),
            2 => some.prop_map(Step::Delete),
            2 => Just(Step::Sync),
        ];
        prop::collection::vec(step, 8..24)
    })
}

/// What cannot be compared on the development server is refused there, as somebody's statement.
const UNKNOWN: &str = "does not know how SQL Server compares";

struct Case {
    bed: Bed,
    reading: Reading,
    /// Syncs that ended in equality.
    equal: u32,
}

impl Case {
    fn new(collation: &str, reading: Reading) -> Case {
        let bed = Bed::on_development_server();
        let table = format!(
            "CREATE TABLE dbo.K (K nvarchar(20) COLLATE {collation} NOT NULL PRIMARY KEY, V int NOT NULL,
                Modified datetime2(3) NOT NULL)"
        );
        bed.source().execute(&table);
        bed.target().execute(&table);
        Case {
            bed,
            reading,
            equal: 0,
        }
    }

    fn command(&self) -> Command {
        let bed = &self.bed;
        let sync = bed
            .sync("dbo.K", "demo.k")
            .args(["--target", &bed.target_url()]);
        match self.reading {
            Reading::Timestamp => sync.args(["--strategy", "timestamp", "--merge", "upsert"]),
            Reading::Complete => sync
                .args(["--strategy", "full-refresh", "--merge", "upsert"])
                .args(["--merge-option", "delete-missing=true"]),
        }
    }

    /// Whether the case goes on: it does not where the server could not be asked.
    fn happen(&mut self, number: usize, step: &Step) -> Result<bool, String> {
        let mut source = self.bed.source();
        match step {
            Step::Write(key) => {
                let refused = source.attempt(&format!(
                    "IF EXISTS (SELECT 1 FROM dbo.K WHERE K = N'{key}')
                        UPDATE dbo.K SET K = N'{key}', V = {number}, Modified = DATEADD(minute, {number}, '2026-01-01')
                        WHERE K = N'{key}'
                     ELSE INSERT INTO dbo.K VALUES (N'{key}', {number}, DATEADD(minute, {number}, '2026-01-01'))"
                ));
                expect_unknown(refused)?;
            }
            Step::Delete(key) if self.reading == Reading::Complete => {
                expect_unknown(source.attempt(&format!("DELETE FROM dbo.K WHERE K = N'{key}'")))?;
            }
            Step::Delete(_) => {}
            Step::Sync => return self.sync(),
        }
        Ok(true)
    }

    fn sync(&mut self) -> Result<bool, String> {
        let run = self.command().run();
        if run.code != Some(0) {
            let asked = run.stderr.contains(UNKNOWN);
            return if asked { Ok(false) } else { Err(run.stderr) };
        }
        // To the last blank.
        let rows = "SELECT CONVERT(varchar(100), CONVERT(varbinary(50), K), 1), V FROM dbo.K ORDER BY V, 1";
        let (source, target) = (self.bed.source().rows(rows), self.bed.target().rows(rows));
        if source != target {
            return Err(format!(
                "source {source:?}\ntarget {target:?}\n{}",
                run.stdout
            ));
        }
        self.equal += 1;
        Ok(true)
    }

    /// The lake, by another's reader.
    fn compare_lake(&self) -> Result<(), String> {
        let source = self.bed.source_dump("dbo.K");
        let lake = Dump::pyiceberg(&self.bed.lake("demo.k"), None);
        match source == lake {
            true => Ok(()),
            false => Err(format!("source {source:?}\nlake {lake:?}")),
        }
    }
}

fn expect_unknown(result: Result<(), String>) -> Result<(), String> {
    match result {
        Err(said) if !said.contains(UNKNOWN) => Err(said),
        _ => Ok(()),
    }
}

fn run(collation: &str, reading: Reading, steps: &[Step]) -> Result<u32, String> {
    let mut case = Case::new(collation, reading);
    for (number, step) in steps.iter().enumerate() {
        let went_on = case.happen(number, step);
        if !went_on.map_err(|what| format!("step {number}, {step:?}: {what}"))? {
            return Ok(case.equal);
        }
    }
    if case.sync()? {
        case.compare_lake()?;
    }
    Ok(case.equal)
}

#[track_caller]
fn explore(reading: Reading) {
    let cases = std::env::var("ICEHOST_KEY_CASES").ok();
    let config = Config {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(16),
        failure_persistence: None,
        max_shrink_iters: 100,
        ..Config::default()
    };
    let wanted = 2 * config.cases;
    let mut seed = [0; 32];
    seed[0] = reading as u8;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let equal = std::cell::Cell::new(0);
    let collations = prop::sample::select(COLLATIONS.to_vec());
    let result =
        TestRunner::new_with_rng(config, rng).run(&(collations, steps()), |(collation, steps)| {
            let syncs = run(collation, reading, &steps)
                .map_err(|what| TestCaseError::fail(format!("{collation}: {what}")))?;
            equal.set(equal.get() + syncs);
            Ok(())
        });
    if let Err(error) = result {
        panic!("{error}");
    }
    let equal = equal.get();
    assert!(
        equal >= wanted,
        "only {equal} syncs could be judged, of {wanted} and more"
    );
}

#[test]
fn keys_of_any_letters_agree_where_they_are_matched() {
    explore(Reading::Timestamp);
}

#[test]
fn keys_of_any_letters_agree_where_everything_is_read() {
    explore(Reading::Complete);
}

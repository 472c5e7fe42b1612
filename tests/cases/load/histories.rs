//! Histories (`scd2`) whose settings change between deliveries: each row has one current version all the same.

use icehost_tests::{Bed, Command};
use serde_json::Value;

use crate::belonging::{delivered, sync};

const END: &str = "end-of-time=9999-12-31";

/// Rows 1 to 20 and their history, written with these options.
fn history(options: &[&str]) -> Bed {
    let bed = delivered("upsert");
    bed.target().execute(
        "CREATE TABLE dbo.H (HId bigint IDENTITY NOT NULL PRIMARY KEY, Id int NOT NULL, V int NOT NULL,
            Modified datetime2(3) NOT NULL, ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL,
            IsCurrent bit NOT NULL)",
    );
    assert_eq!(run(&bed, options).json()["rows_inserted"], 20);
    bed
}

fn run(bed: &Bed, options: &[&str]) -> Command {
    let options = options.iter().flat_map(|option| ["--merge-option", option]);
    let run = bed.load("demo.t", "dbo.H").args(["--merge", "scd2"]);
    run.args(options)
}

fn load(bed: &Bed, options: &[&str], more: &[&str]) -> Value {
    run(bed, options).args(more.iter().copied()).json()
}

/// Each row has one version that is told as current, and none has an end that is neither NULL nor a moment of a run.
#[track_caller]
fn assert_one_current(bed: &Bed, rows: &str) {
    let count = |filter: &str| {
        let sql = format!("SELECT COUNT(*), COUNT(DISTINCT Id) FROM dbo.H WHERE {filter}");
        bed.target().rows(&sql)
    };
    assert_eq!(count("IsCurrent = 1"), [[rows, rows]]);
    let open = "(ValidTo IS NULL OR ValidTo >= '2900-01-01')";
    assert_eq!(count(open), [[rows, rows]]);
    assert_eq!(count(&format!("IsCurrent = 1 AND {open}")), [[rows, rows]]);
}

#[test]
fn an_end_of_time_that_is_added_taken_away_or_changed_leaves_one_current_version() {
    let other = "end-of-time=9999-12-31T23:59:59";
    for (before, now, end) in [
        (&[][..], &[END][..], "ValidTo = '9999-12-31'"),
        (&[END], &[], "ValidTo IS NULL"),
        (&[END], &[other], "ValidTo = '9999-12-31T23:59:59'"),
    ] {
        let bed = history(before);
        bed.source().execute(
            "UPDATE dbo.T SET V = 100, Modified = '2026-02-01' WHERE Id = 1; DELETE FROM dbo.T WHERE Id = 2",
        );
        sync(&bed);
        // Under other options every row is delivered again.
        let changed = load(&bed, now, &[]);
        crate::belonging::warns(&changed, "this one with other options");
        assert_eq!(changed["rows_inserted"], 1, "{now:?}");
        assert_one_current(&bed, "19");
        let ends = format!("SELECT COUNT(*) FROM dbo.H WHERE IsCurrent = 1 AND {end}");
        assert_eq!(bed.target().value(&ends), "19", "{now:?}");
        assert_eq!(load(&bed, now, &["--full"])["rows_updated"], 0, "{now:?}");
    }
}

#[test]
fn a_current_version_whose_end_was_changed_by_hand_is_still_the_current_one() {
    let bed = history(&[END]);
    bed.target()
        .execute("UPDATE dbo.H SET ValidTo = NULL WHERE Id IN (3, 4)");
    bed.source()
        .execute("UPDATE dbo.T SET V = 100, Modified = '2026-02-01' WHERE Id = 3");
    sync(&bed);
    let one = run(&bed, &[END]).leaves_apart("the end of row 4 is as it was");
    assert_eq!(one.json()["rows_inserted"], 1);
    assert_one_current(&bed, "20");
    assert_eq!(load(&bed, &[END], &["--full"])["rows_updated"], 1);
    assert_one_current(&bed, "20");
}

#[test]
fn a_version_whose_end_or_flag_was_changed_by_hand_is_put_right() {
    for changed in ["ValidTo = '2026-01-15'", "IsCurrent = 0"] {
        let bed = history(&[]);
        bed.target()
            .execute(&format!("UPDATE dbo.H SET {changed} WHERE Id IN (3, 4)"));
        bed.source()
            .execute("UPDATE dbo.T SET V = 100, Modified = '2026-02-01' WHERE Id = 3");
        sync(&bed);
        // One comes again, and the other with a complete delivery.
        let one = run(&bed, &[]).leaves_apart("row 4 is not delivered").json();
        assert_eq!(one["rows_inserted"], 1, "{changed}: {one}");
        let all = load(&bed, &[], &["--full"]);
        assert_eq!(all["rows_updated"], 1, "{changed}: {all}");
        assert_eq!(all["rows_inserted"], 0, "{changed}: {all}");
        assert_one_current(&bed, "20");
    }
}

#[test]
fn two_versions_that_count_at_one_time_are_refused_by_name() {
    // As a flag that was set by hand on a version that has ended, and as a second one without an end.
    for (flag, end) in [("1", "'2026-01-15'"), ("0", "NULL")] {
        let bed = history(&[]);
        bed.target().execute(&format!(
            "INSERT INTO dbo.H (Id, V, Modified, ValidFrom, ValidTo, IsCurrent)
             SELECT Id, 0, Modified, '2026-01-01', {end}, {flag} FROM dbo.H WHERE Id = 5"
        ));
        let said = [
            "it has several rows with the key (5) that count, of which the delta has one",
            "hint",
        ];
        run(&bed, &[]).arg("--full").run().failure(&said);
        bed.target().execute(
            "UPDATE dbo.H SET IsCurrent = 0, ValidTo = '2026-01-15' WHERE Id = 5 AND V = 0",
        );
        load(&bed, &[], &["--full"]);
        assert_one_current(&bed, "20");
    }
}

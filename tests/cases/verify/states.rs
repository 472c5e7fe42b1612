//! What a merge writes beside the lake's columns, a mark or the times of a version, is one of the states that it
//! makes, or wrong.

use serde_json::Value;

use crate::{Case, keys, mirror_in_lake};

const COLUMNS: &str =
    "Name nvarchar(40) NULL, Amount decimal(9,2) NULL, Modified datetime2(3) NOT NULL";

/// Rows 1 to 5 are gone from the source and marked in the target.
fn marked(more: &[&str]) -> Case {
    let case = Case::new(20, &mirror_in_lake("soft-delete", more));
    case.target(&format!(
        "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, {COLUMNS}, IsDeleted tinyint NULL, DeletedAt datetime2(3) NULL)"
    ));
    case.run();
    case.source("DELETE FROM dbo.T WHERE Id <= 5");
    case.run();
    case
}

/// Row 4 has two versions, row 5 is gone from the source and closed in the target.
fn history(columns: &str, merge: &[&str]) -> Case {
    let case = Case::new(20, &mirror_in_lake("scd2", merge));
    case.target(&format!(
        "CREATE TABLE dbo.T (HistoryId bigint IDENTITY NOT NULL PRIMARY KEY, Id int NOT NULL, {COLUMNS}, {columns})"
    ));
    case.run();
    case.source(
        "UPDATE dbo.T SET Name = N'second', Modified = '2026-02-01' WHERE Id = 4; DELETE FROM dbo.T WHERE Id = 5",
    );
    case.run();
    assert_eq!(case.bed.target().value("SELECT COUNT(*) FROM dbo.T"), "21");
    case
}

const TIMES: &str =
    "ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL, IsCurrent bit NULL";

fn load_all(case: &Case, merge: &str) {
    case.bed
        .load("demo.t", "dbo.T")
        .args(["--merge", merge, "--full"])
        .run()
        .success();
}

fn wrong(report: &Value) -> Vec<String> {
    keys(report, "target", "wrong")
}

#[test]
fn a_row_that_is_neither_there_nor_marked_is_wrong_and_is_mended() {
    let states = "UPDATE dbo.T SET IsDeleted = 0 WHERE Id = 1;
         UPDATE dbo.T SET IsDeleted = NULL WHERE Id = 2;
         UPDATE dbo.T SET IsDeleted = 7 WHERE Id = 3;
         UPDATE dbo.T SET IsDeleted = NULL, DeletedAt = NULL WHERE Id = 4;
         UPDATE dbo.T SET IsDeleted = 0, DeletedAt = NULL WHERE Id = 5;
         UPDATE dbo.T SET IsDeleted = NULL WHERE Id = 10;
         UPDATE dbo.T SET DeletedAt = '2026-01-01' WHERE Id = 11;
         UPDATE dbo.T SET IsDeleted = 1 WHERE Id = 12;
         UPDATE dbo.T SET IsDeleted = 1, DeletedAt = '2026-01-01' WHERE Id = 13";
    let told = [
        "changed Id = 10: IsDeleted",
        "changed Id = 11: DeletedAt",
        "extra Id = 1",
        "extra Id = 2",
        "extra Id = 3",
        "extra Id = 4",
        "extra Id = 5",
        "missing Id = 12",
        "missing Id = 13",
    ];
    let mends: [&dyn Fn(&Case); 2] = [
        &|case| {
            let report = case.verify().arg("--repair").json();
            assert_eq!(report["wrong"], 0, "{report}");
        },
        &|case| load_all(case, "soft-delete"),
    ];
    for mend in mends {
        let case = marked(&[]);
        case.target(states);
        assert_eq!(wrong(&case.differs()), told);
        mend(&case);
        case.agrees();
        let marked = "SELECT Id FROM dbo.T WHERE IsDeleted = 1 AND DeletedAt IS NOT NULL";
        assert_eq!(
            case.bed.target().rows(&format!("{marked} ORDER BY Id")),
            [["1"], ["2"], ["3"], ["4"], ["5"]]
        );
        assert_eq!(
            case.bed
                .target()
                .value("SELECT COUNT(*) FROM dbo.T WHERE IsDeleted = 0 AND DeletedAt IS NULL"),
            "15"
        );
    }
}

#[test]
fn a_version_that_is_neither_current_nor_closed_is_wrong() {
    for (change, told, mended) in [
        (
            "UPDATE dbo.T SET IsCurrent = 0 WHERE Id = 7",
            vec!["changed Id = 7: IsCurrent"],
            true,
        ),
        (
            "UPDATE dbo.T SET IsCurrent = NULL WHERE Id = 7",
            vec!["changed Id = 7: IsCurrent"],
            true,
        ),
        (
            "UPDATE dbo.T SET IsCurrent = 1 WHERE Id = 5",
            vec!["extra Id = 5"],
            false,
        ),
        (
            "UPDATE dbo.T SET ValidTo = NULL WHERE Id = 5",
            vec!["extra Id = 5"],
            true,
        ),
        (
            "UPDATE dbo.T SET ValidTo = NULL, IsCurrent = 1 WHERE Id = 5",
            vec!["extra Id = 5"],
            true,
        ),
        (
            "UPDATE dbo.T SET IsCurrent = 1 WHERE Id = 4",
            vec!["repeated Id = 4"],
            false,
        ),
        (
            "UPDATE dbo.T SET ValidTo = ValidFrom WHERE Id = 7",
            vec!["changed Id = 7: ValidTo"],
            false,
        ),
        (
            "UPDATE dbo.T SET ValidTo = ValidFrom, IsCurrent = 0 WHERE Id = 7",
            vec!["missing Id = 7"],
            true,
        ),
        (
            "DELETE FROM dbo.T WHERE Id = 7",
            vec!["missing Id = 7"],
            true,
        ),
    ] {
        let case = history(TIMES, &[]);
        case.target(change);
        assert_eq!(wrong(&case.differs()), told, "{change}");
        if mended {
            load_all(&case, "scd2");
            case.agrees();
        }
    }
}

#[test]
fn two_current_versions_and_versions_that_overlap_are_wrong() {
    for (change, told) in [
        (
            "INSERT INTO dbo.T SELECT Id, Name, Amount, Modified, ValidFrom, ValidTo, IsCurrent FROM dbo.T WHERE Id = 7",
            vec!["overlapping Id = 7", "repeated Id = 7"],
        ),
        (
            "INSERT INTO dbo.T SELECT Id, Name, Amount, Modified, '2001-01-01', '2001-02-01', 0 FROM dbo.T WHERE Id = 7 AND IsCurrent = 1;
             INSERT INTO dbo.T SELECT Id, Name, Amount, Modified, '2001-02-01', '2001-02-01', 0 FROM dbo.T WHERE Id = 7 AND IsCurrent = 1;
             INSERT INTO dbo.T SELECT Id, Name, Amount, Modified, '2001-01-31', '2001-02-03', 0 FROM dbo.T WHERE Id = 7 AND IsCurrent = 1;
             INSERT INTO dbo.T SELECT Id, Name, Amount, Modified, '2001-01-01', '2001-02-01', 0 FROM dbo.T WHERE Id = 8 AND IsCurrent = 1;
             INSERT INTO dbo.T SELECT Id, Name, Amount, Modified, '2001-02-01', '2001-02-02', 0 FROM dbo.T WHERE Id = 8 AND IsCurrent = 1",
            vec!["overlapping Id = 7"],
        ),
        (
            "UPDATE dbo.T SET ValidTo = '2090-01-01' WHERE Id = 4 AND IsCurrent = 0",
            vec!["overlapping Id = 4"],
        ),
        (
            "UPDATE dbo.T SET ValidTo = '2001-01-01' WHERE Id = 5",
            vec!["overlapping Id = 5"],
        ),
    ] {
        let case = history(TIMES, &[]);
        case.target(change);
        assert_eq!(wrong(&case.differs()), told, "{change}");
    }
}

/// Without a column that says which version is the current one, and with a moment that stands for no end.
#[test]
fn histories_of_every_shape_agree_and_their_halves_are_wrong() {
    let end = "end-of-time=9999-12-31";
    let with_end = "ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL, IsCurrent int NULL";
    let case = history(with_end, &["--merge-option", end]);
    case.agrees();
    case.target(
        "UPDATE dbo.T SET IsCurrent = 0 WHERE Id = 7; UPDATE dbo.T SET ValidTo = NULL WHERE Id = 8;
         UPDATE dbo.T SET ValidTo = NULL WHERE Id = 5; UPDATE dbo.T SET IsCurrent = 2 WHERE Id = 9",
    );
    let told = [
        "changed Id = 7: IsCurrent",
        "changed Id = 8: ValidTo",
        "changed Id = 9: IsCurrent",
        "extra Id = 5",
    ];
    assert_eq!(wrong(&case.differs()), told);

    let case = history(
        "ValidFrom datetime2(3) NOT NULL, ValidTo datetime2(3) NULL",
        &[],
    );
    case.agrees();
    case.target("UPDATE dbo.T SET ValidTo = NULL WHERE Id IN (4, 5)");
    let told = ["extra Id = 5", "overlapping Id = 4", "repeated Id = 4"];
    assert_eq!(wrong(&case.differs()), told);
}

//! Keys that are spelled anew: one row where the server takes both spellings for one key, and two where it does not.

use icehost_tests::{Bed, Dump};
use serde_json::Value;

/// A table whose text key compares by this collation, with rows of these keys.
fn keyed(bed: &Bed, collation: &str, keys: &[&str]) {
    bed.source().execute(&format!(
        "CREATE TABLE dbo.K (K nvarchar(20) COLLATE {collation} NOT NULL PRIMARY KEY, V int NULL, Modified datetime2(3) NOT NULL)"
    ));
    for key in keys {
        write(bed, key, "2026-01-01");
    }
}

/// Spells the row with this key anew, or adds one.
fn write(bed: &Bed, key: &str, day: &str) {
    bed.source().execute(&format!(
        "IF EXISTS (SELECT 1 FROM dbo.K WHERE K = N'{key}')
            UPDATE dbo.K SET K = N'{key}', V = ISNULL(V, 0) + 1, Modified = '{day}' WHERE K = N'{key}'
         ELSE INSERT INTO dbo.K VALUES (N'{key}', 0, '{day}')"
    ));
}

fn sync(bed: &Bed) -> Value {
    bed.sync_to_target("dbo.K", "demo.k")
        .arg("--create-target")
        .json()
}

#[track_caller]
fn assert_equal(bed: &Bed) {
    let source = bed.source_dump("dbo.K");
    let lake = Dump::agreed(&bed.lake("demo.k"), None);
    source.assert_equals(&lake, "source", "lake");
    source.assert_equals(&bed.target_dump("dbo.K"), "source", "target");
}

/// Syncs keys, spells some anew, and syncs again: so many rows are replaced, and so many come.
#[track_caller]
fn respelled(collation: &str, keys: &[&str], again: &[&str], (replaced, new): (u64, u64)) {
    let bed = Bed::new();
    keyed(&bed, collation, keys);
    sync(&bed);
    assert_equal(&bed);
    for key in again {
        write(&bed, key, "2026-01-02");
    }
    let report = sync(&bed);
    assert_eq!(report["rows_removed"], replaced, "{collation}: {report}");
    assert_eq!(
        report["rows_appended"],
        replaced + new,
        "{collation}: {report}"
    );
    assert_equal(&bed);
}

#[test]
fn letters_beyond_ascii_that_change_their_case_stay_one_row() {
    respelled(
        "Latin1_General_CI_AS",
        &["été", "ÜBER", "plain"],
        &["ÉTÉ", "über", "Plain", "ete"],
        (3, 1),
    );
}

#[test]
fn a_dotless_i_is_another_letter_unless_the_language_is_turkish() {
    let keys = ["ı", "I", "kir", "s"];
    respelled("Latin1_General_CI_AS", &keys, &["i", "KIR", "S"], (3, 0));
    respelled(
        "SQL_Latin1_General_CP1_CI_AS",
        &keys,
        &["i", "ı", "KIR"],
        (3, 0),
    );
    // `ı` and `I` are one here, and `kir` and `KIR` two.
    respelled(
        "Turkish_CI_AS",
        &["kir", "KIR", "x"],
        &["kır", "KİR", "X", "y"],
        (3, 1),
    );
}

#[test]
fn wide_and_raised_digits_are_the_digits_where_width_does_not_count() {
    let keys = ["a3", "b３", "C"];
    respelled(
        "Latin1_General_CI_AS",
        &keys,
        &["a３", "B3", "Ｃ", "d3"],
        (3, 1),
    );
    respelled(
        "Latin1_General_CI_AS_WS",
        &keys,
        &["a３", "b3", "Ｃ"],
        (0, 3),
    );
}

#[test]
fn accents_that_do_not_count_make_no_other_key() {
    respelled(
        "Latin1_General_CI_AI",
        &["cafe", "naïf", "x"],
        &["Café", "NAIF", "y"],
        (2, 1),
    );
    respelled("Latin1_General_CS_AI", &["cafe"], &["café", "Cafe"], (1, 1));
}

#[test]
fn a_key_of_several_columns_is_spelled_anew_within_its_other_columns() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.K (Shop int NOT NULL, K nvarchar(20) COLLATE Latin1_General_CI_AS NOT NULL, V int NULL,
            Modified datetime2(3) NOT NULL, PRIMARY KEY (Shop, K));
         INSERT INTO dbo.K VALUES (1, N'é', 1, '2026-01-01'), (2, N'é', 2, '2026-01-01'), (3, N'z', 3, '2026-01-01')",
    );
    sync(&bed);
    bed.source().execute(
        "UPDATE dbo.K SET K = N'É', Modified = '2026-01-02' WHERE Shop = 1;
         INSERT INTO dbo.K VALUES (3, N'É', 4, '2026-01-02')",
    );
    let report = sync(&bed);
    assert_eq!(report["rows_removed"], 1, "{report}");
    assert_equal(&bed);
}

#[test]
fn zeros_at_the_end_of_a_binary_key_do_not_count() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.K (K varbinary(8) NOT NULL PRIMARY KEY, V int NULL, Modified datetime2(3) NOT NULL);
         INSERT INTO dbo.K VALUES (0x01, 1, '2026-01-01'), (0x0001, 2, '2026-01-01')",
    );
    sync(&bed);
    bed.source()
        .execute("UPDATE dbo.K SET K = 0x0100, Modified = '2026-01-02' WHERE K = 0x01");
    let report = sync(&bed);
    assert_eq!(report["rows_removed"], 1, "{report}");
    assert_equal(&bed);
}

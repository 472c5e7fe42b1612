use icehost_lake::Turn;

use super::*;
use crate::verify::compare::entry::fold;

/// `e1` is an expected row with image 1, `f2` one that is found with image 2, `n3` an expected one without a cursor;
/// letters behind are spellings of the key, and a number behind a colon is the row's place in the merge's order. In
/// the order in which they were read.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (1..)
        .zip(text.split_whitespace())
        .filter_map(|(sequence, word)| {
            let (word, rank) = word.split_once(':').unwrap_or((word, ""));
            let (side, rest) = word.split_at_checked(1)?;
            let (image, spelling) = rest.split_at_checked(1)?;
            Some(Entry {
                group: 1,
                row: image.parse().ok()?,
                spelling: spelling.bytes().map(u128::from).sum(),
                side: match side {
                    "f" => Side::Found,
                    _ => Side::Expected,
                },
                passed_over: side == "n",
                times: 1,
                sequence,
                rank: rank.as_bytes().into(),
                turn: Turn::UNKNOWN,
                directly: 0,
            })
        })
        .collect();
    entries.sort_by_key(|entry| entry.row);
    entries
}

fn rules(landing: Landing) -> Rules {
    Rules {
        landing,
        missing: Class::Wrong,
        changed: Class::Wrong,
        extra: Some(Class::NotSeen),
        repeated: Class::Wrong,
        unique: false,
        again: Again::Between,
        came: None,
        last_counts: false,
        overwrites: true,
    }
}

fn judged(rules: &Rules, text: &str) -> String {
    let mut entries = entries(text);
    let findings = rules.judge(&entries);
    fold(&mut entries);
    assert_eq!(rules.judge(&entries), findings, "folded: {text}");
    let told: Vec<String> = findings
        .iter()
        .map(|of| format!("{:?} {} {}", of.class, of.rows, of.what.word()))
        .collect();
    told.join(", ")
}

#[test]
fn the_same_rows_have_to_be_found_as_often_as_expected() {
    for (rows, wanted) in [
        ("e1 f1", ""),
        ("e1 e1 f1 f1", ""),
        ("e1 f2", "Wrong 1 changed"),
        ("e1", "Wrong 1 missing"),
        ("f1 f2", "NotSeen 2 extra"),
        ("e1 f1 f1", "Wrong 1 repeated"),
        ("e1 e1 f1", "Wrong 1 missing"),
        ("e1 f1 f2", "Wrong 1 repeated"),
        ("e1 e2 f3", "Wrong 1 changed, Wrong 1 missing"),
        ("n1", "NotSeen 1 missing"),
        ("n1 f2", "NotSeen 1 changed"),
    ] {
        assert_eq!(judged(&rules(Landing::Same), rows), wanted, "{rows}");
    }
}

#[test]
fn of_several_rows_of_a_key_the_newest_has_to_be_found() {
    for (rows, wanted) in [
        ("e1 f1", ""),
        ("e1 e2 f2", ""),
        ("e1 e2 e1 f1", ""),
        ("e1 e2 f1", "Wrong 1 changed"),
        ("e1 e2 f3", "Wrong 1 changed"),
        ("e1 e2", "Wrong 1 missing"),
        ("e1 f1 f1", "Wrong 1 repeated"),
        ("e1 f2 f2", "Wrong 1 changed, Wrong 1 repeated"),
        ("f1", "NotSeen 1 extra"),
    ] {
        assert_eq!(
            judged(&rules(Landing::One(Choice::InTurn)), rows),
            wanted,
            "{rows}"
        );
    }
}

#[test]
fn among_versions_every_expected_row_has_to_be_found() {
    for (rows, wanted) in [
        ("e1 f1", ""),
        ("e2 f1 f2", ""),
        ("e3 f1 f2", "Wrong 1 missing"),
        ("e1 f1 f1", "Wrong 1 repeated"),
        ("e2 f1 f1 f2", "Wrong 1 repeated"),
        // It changed and changed back.
        ("e1 f1 f1 f2", ""),
        ("e1 f1 f1 f1 f2 f3", ""),
        ("e1 f1 f1 f1 f2", "Wrong 1 repeated"),
        ("e2 f1 f1 f2 f2", ""),
        ("e2 f1 f1 f2 f2 f2 f2", "Wrong 1 repeated"),
        // What is expected is yet to come.
        ("e3 f1 f1 f2", "Wrong 1 missing"),
        ("e3 f1 f1 f1 f2", "Wrong 1 missing, Wrong 1 repeated"),
        ("e1 e1 f1 f1", ""),
        ("f1 f2", "NotSeen 2 extra"),
        ("n1 f2", "NotSeen 1 missing"),
    ] {
        assert_eq!(judged(&rules(Landing::Among), rows), wanted, "{rows}");
    }
    let never = Rules {
        again: Again::Never,
        ..rules(Landing::Among)
    };
    assert_eq!(judged(&never, "e2 f1 f1 f2 f2"), "Wrong 2 repeated");
    let unknown = Rules {
        extra: None,
        ..rules(Landing::Among)
    };
    assert_eq!(judged(&unknown, "f1 f1"), "");
    assert_eq!(judged(&unknown, "e1 f1 f1"), "Wrong 1 repeated");
    let history = Rules {
        extra: None,
        again: Again::Always,
        ..rules(Landing::Among)
    };
    assert_eq!(judged(&history, "f1 f1 f2"), "");
    assert_eq!(judged(&history, "e1 f1 f1"), "");
}

#[test]
fn what_others_may_have_brought_is_not_seen_and_what_is_not_there_is_wrong() {
    for (landing, rows, wanted) in [
        (Landing::One(Choice::InTurn), "f1", "NotSeen 1 extra"),
        (
            Landing::One(Choice::InTurn),
            "e1 f1 f2",
            "NotSeen 1 repeated",
        ),
        (Landing::One(Choice::InTurn), "e1 f2", "Wrong 1 changed"),
        (Landing::One(Choice::InTurn), "e1", "Wrong 1 missing"),
        (Landing::Among, "e1 f1 f1", "NotSeen 1 repeated"),
        (Landing::Among, "e1 f2", "Wrong 1 missing"),
    ] {
        let shared = Rules {
            repeated: Class::NotSeen,
            ..rules(landing)
        };
        assert_eq!(judged(&shared, rows), wanted, "{landing:?}: {rows}");
    }
}

#[test]
fn a_row_that_gives_way_to_another_is_not_missing() {
    for (choice, rows, wanted) in [
        // The first in the order, wherever it was read.
        (Choice::Together, "e1:1 e2:2 f1", ""),
        (Choice::Together, "e2:2 e1:1 f1", ""),
        (Choice::Together, "e1:1 e2:2 f2", "Wrong 1 changed"),
        (Choice::Together, "e1:1 e2:1 f2", ""),
        (Choice::Together, "e1:1 e2:2 f3", "Wrong 1 changed"),
        (Choice::Together, "e1:1 e2:2", "Wrong 1 missing"),
        (Choice::Together, "n1:1 n2:2", "NotSeen 1 missing"),
        (Choice::Together, "e1:1 e2:2 f1 f2", "Wrong 1 repeated"),
        // One that came later stands there although one that came before it goes before it.
        (Choice::InTurn, "e1:1 e2:2 f1", ""),
        (Choice::InTurn, "e1:1 e2:2 f2", "NotSeen 1 changed"),
        (Choice::InTurn, "e1:1 e2:3 e3:2 f3", "NotSeen 1 changed"),
        (Choice::InTurn, "e1:1 e2:3 e3:2 f2", "Wrong 1 changed"),
        (Choice::InTurn, "e2:2 e1:1 f2", "Wrong 1 changed"),
        (Choice::Any, "e2:2 e1:1 f2", "NotSeen 1 changed"),
        (Choice::Any, "e2:2 e1:1 f1", ""),
        (Choice::Any, "e2:2 e1:1 f3", "Wrong 1 changed"),
    ] {
        let landing = Landing::One(choice);
        assert_eq!(judged(&rules(landing), rows), wanted, "{choice:?}: {rows}");
    }
}

#[test]
fn what_later_runs_take_away_is_pending_and_nothing_else() {
    let none: Box<[u8]> = Box::default();
    let later = Later { rank: none, row: 1 };
    for (landing, rows, wanted) in [
        (Landing::Same, "e1", "Pending 1 missing"),
        (Landing::Same, "e1 f2", "Pending 1 changed"),
        // It is left out, and what stands beside it stays.
        (Landing::Same, "e1 f1 f1", "Wrong 1 repeated"),
        (Landing::Same, "e1 f1 f2", "Wrong 1 repeated"),
        (
            Landing::Same,
            "e1 f2 f3",
            "Pending 1 changed, Pending 1 repeated",
        ),
        // A transformer drops it.
        (Landing::Same, "f2", "Pending 1 extra"),
        (Landing::Among, "e1 f2", "Pending 1 missing"),
        (Landing::Among, "e1 f1 f1", "Wrong 1 repeated"),
        (Landing::Among, "f2", "NotSeen 1 extra"),
        // What stands there is what is read again.
        (
            Landing::One(Choice::Any),
            "e2:1 e1:2 f1",
            "NotSeen 1 changed",
        ),
        (
            Landing::One(Choice::Any),
            "e1:1 e2:2 f2",
            "Pending 1 changed",
        ),
    ] {
        let (rules, entries) = (rules(landing), entries(rows));
        let findings = rules.in_time(rules.judge(&entries), &entries, Some(&later));
        let told: Vec<String> = findings
            .iter()
            .map(|of| format!("{:?} {} {}", of.class, of.rows, of.what.word()))
            .collect();
        assert_eq!(told.join(", "), wanted, "{landing:?}: {rows}");
    }
}

#[test]
fn what_a_merge_leaves_as_it_is_stays_though_it_is_read_again() {
    let none: Box<[u8]> = Box::default();
    let later = Later { rank: none, row: 1 };
    let rules = Rules {
        changed: Class::NotSeen,
        overwrites: false,
        ..rules(Landing::Same)
    };
    for (rows, wanted) in [
        ("e1", Class::Pending),
        ("e1 f2", Class::NotSeen),
        ("f2", Class::Pending),
    ] {
        let entries = entries(rows);
        let findings = rules.in_time(rules.judge(&entries), &entries, Some(&later));
        let classes: Vec<Class> = findings.iter().map(|of| of.class).collect();
        assert_eq!(classes, [wanted], "{rows}");
    }
}

#[test]
fn a_row_may_be_there_as_often_as_it_came() {
    let came = |times: &[(Hash, u64)]| Rules {
        again: Again::Never,
        came: Some(Arc::new(times.iter().copied().collect())),
        ..rules(Landing::Among)
    };
    assert_eq!(judged(&came(&[(1, 2), (2, 1)]), "e1 f1 f2 f1"), "");
    for (rows, wanted) in [
        ("e1 f1 f2 f1 f1", "Wrong 1 repeated"),
        ("e1 f1 f2 f1 f2", "Wrong 1 repeated"),
    ] {
        assert_eq!(judged(&came(&[(1, 2), (2, 1)]), rows), wanted, "{rows}");
    }
    // Of others nothing is known but that they are there.
    assert_eq!(judged(&came(&[]), "e1 f1 f2 f2"), "Wrong 1 repeated");
}

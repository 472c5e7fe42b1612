use super::*;

/// `e1` is an expected row with image 1, `f2` one that is found with image 2, `n3` an expected one without a cursor;
/// letters behind are spellings of the key. In the order in which they were read.
fn entries(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (1..)
        .zip(text.split_whitespace())
        .filter_map(|(sequence, word)| {
            let (side, rest) = word.split_at_checked(1)?;
            let (image, spelling) = rest.split_at_checked(1)?;
            Some(Entry {
                group: 1,
                row: image.parse().ok()?,
                spelling: spelling.bytes().map(u32::from).sum(),
                side: match side {
                    "f" => Side::Found,
                    _ => Side::Expected,
                },
                passed_over: side == "n",
                sequence,
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
        repeated: Some(Class::Wrong),
    }
}

fn judged(rules: Rules, text: &str) -> String {
    let told: Vec<String> = rules
        .judge(&entries(text))
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
        assert_eq!(judged(rules(Landing::Same), rows), wanted, "{rows}");
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
        // Spelled in two ways: one key or two, which the server knows.
        ("e1a e2b f2b", ""),
        ("e1a e2b f1a f2b", ""),
        ("e1a e2b f1a", "Wrong 1 changed"),
        ("e1a e2b f2b f3a", "Wrong 1 changed"),
        ("e1a e2b f1a f2b f2b", "Wrong 1 repeated"),
    ] {
        assert_eq!(judged(rules(Landing::Newest), rows), wanted, "{rows}");
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
        ("e1 e1 f1 f1", ""),
        ("f1 f2", "NotSeen 2 extra"),
        ("n1 f2", "NotSeen 1 missing"),
    ] {
        assert_eq!(judged(rules(Landing::Among), rows), wanted, "{rows}");
    }
    let history = Rules {
        extra: None,
        repeated: None,
        ..rules(Landing::Among)
    };
    assert_eq!(judged(history, "f1 f1 f2"), "");
    assert_eq!(judged(history, "e1 f1 f1"), "");
}

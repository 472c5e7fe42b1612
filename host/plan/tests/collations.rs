//! Which keys SQL Server takes for one, so far as that is certain.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_plan::Collation;
use proptest::prelude::*;

#[test]
fn case_and_trailing_blanks() {
    let insensitive = Collation::from_name("SQL_Latin1_General_CP1_CI_AS");
    assert_eq!(insensitive.fold("Foo  "), insensitive.fold("fOO"));
    assert_ne!(insensitive.fold(" foo"), insensitive.fold("foo"));
    assert!(insensitive.may_equal("Foo  ", "fOO"));
    assert!(!insensitive.may_equal(" foo", "foo"));

    let sensitive = Collation::from_name("Latin1_General_100_CS_AS");
    assert_ne!(sensitive.fold("foo"), sensitive.fold("FOO"));
    assert!(!sensitive.may_equal("foo", "FOO"));
    assert_eq!(sensitive.fold("foo "), "foo");

    let binary = Collation::from_name("Latin1_General_BIN2");
    assert_ne!(binary.fold("foo"), binary.fold("FOO"));
    assert_eq!(binary.fold("foo "), "foo");
    assert!(binary.is_certain("ﬁ\u{ad}é"));
    assert!(!binary.may_equal("ﬁ", "fi"));
}

#[test]
fn what_is_not_plain_ascii_is_the_server_s_to_say() {
    let collation = Collation::from_name("Latin1_General_CI_AS");
    for uncertain in [
        "café", "ı", "ſ", "３", "³", "straße", "ﬁ", "a\u{ad}", "\t", "\0",
    ] {
        assert!(!collation.is_certain(uncertain), "{uncertain:?}");
        assert_eq!(collation.fold(uncertain), uncertain);
    }
    assert!(collation.is_certain("A-1 (b)'s ~"));
    // Accents make no difference to letters that have none.
    assert!(Collation::from_name("Latin1_General_CI_AI").is_certain("Cafe"));
    for (one, other) in [
        ("３", "3"),
        ("³", "3"),
        ("straße", "STRASSE"),
        ("a\u{30a}", "\u{e5}"),
        ("ﬁn", "FIN"),
        ("in\u{ad}to", "into"),
        ("into \u{ad}", "into"),
        ("ſ", "S"),
        ("é", "É"),
    ] {
        assert!(collation.may_equal(one, other), "{one:?} {other:?}");
        assert!(collation.may_equal(other, one), "{other:?} {one:?}");
    }
    for (one, other) in [
        ("Müller", "Miller-Beck"),
        ("Müller", "Huber"),
        ("Müller", "Möllar"),
        ("x-３-y", "x-3-z"),
        ("straße", "gasse"),
        ("aéb", "aébc"),
    ] {
        assert!(!collation.may_equal(one, other), "{one:?} {other:?}");
        assert!(!collation.may_equal(other, one), "{other:?} {one:?}");
    }
}

#[test]
fn letters_stand_for_themselves_where_that_is_known() {
    let certain = |name: &str, text: &str| Collation::from_name(name).is_certain(text);
    for name in [
        "SQL_Latin1_General_CP1_CI_AS",
        "latin1_general_100_ci_as_ks_ws_sc_utf8",
        "Japanese_XJIS_140_CI_AS",
        "Chinese_PRC_CI_AS",
        "Cyrillic_General_CI_AS",
        "Turkish_CI_AS",
    ] {
        assert!(certain(name, "KR-07 b"), "{name}");
    }
    for name in [
        "Danish_Norwegian_CI_AS",
        "Hungarian_CI_AS",
        "Hungarian_Technical_CI_AS",
        "Traditional_Spanish_CI_AS",
        "Czech_CI_AS",
        "Slovak_CS_AS",
        "Croatian_CI_AS",
        "Vietnamese_CI_AS",
        "SQL_Latin1_General_CP1254_CI_AS",
        "A_collation_of_tomorrow_CI_AS",
    ] {
        assert!(!certain(name, "aa"), "{name}");
        assert!(certain(name, "07-1"), "{name}");
        assert!(Collation::from_name(name).may_equal("aa", "å"), "{name}");
    }
    assert!(!certain("Turkish_CI_AS", "kir"));
    assert!(!certain("Turkish_100_CS_AS", "KIR"));
    assert!(Collation::from_name("Turkish_CI_AS").may_equal("KIR", "kır"));
    assert!(!certain("Finnish_Swedish_CI_AS", "Wa"));
    // A binary collation knows no language.
    assert!(certain("Danish_Norwegian_BIN2", "aa"));
}

fn texts() -> impl Strategy<Value = String> {
    let letters = prop::sample::select(vec![
        'a', 'A', 'b', 's', 'S', 'ß', 'i', 'I', 'ı', '3', '³', '３', ' ', '-', 'é', '\u{301}',
        '\u{ad}', 'ﬁ',
    ]);
    prop::collection::vec(letters, 0..6).prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    #[test]
    fn folding_agrees_with_what_may_be_equal(one in texts(), other in texts()) {
        for name in ["Latin1_General_CI_AS", "Latin1_General_CS_AS", "Turkish_CI_AS", "Danish_Norwegian_CI_AS", "Latin1_General_BIN"] {
            let collation = Collation::from_name(name);
            let same = collation.fold(&one) == collation.fold(&other);
            let may = collation.may_equal(&one, &other);
            prop_assert_eq!(may, collation.may_equal(&other, &one));
            prop_assert!(collation.may_equal(&one, &one));
            prop_assert!(may || !same);
            if collation.is_certain(&one) && collation.is_certain(&other) {
                prop_assert_eq!(same, may);
            }
            // Whatever is put in beside something uncertain can be taken out again.
            let longer = format!("{one}\u{ad}");
            prop_assert!(collation.may_equal(&one, &longer) || name == "Latin1_General_BIN");
        }
    }
}

#[test]
fn what_two_collations_take_for_one_is_known_where_it_is_for_both() {
    let of = Collation::from_name;
    let both = |one: &str, other: &str| of(one).or(&of(other));
    for (one, other) in [
        ("Latin1_General_CI_AS", "Latin1_General_CS_AS"),
        ("Latin1_General_BIN2", "Latin1_General_CI_AS"),
    ] {
        assert_eq!(both(one, other).fold("aBc "), "abc");
        assert!(!both(one, other).is_certain("café"));
    }
    let binary = both("Latin1_General_BIN", "Latin1_General_BIN2");
    assert!(binary.is_certain("café") && binary.fold("aBc") == "aBc");
    let turkish = both("Latin1_General_CI_AS", "Turkish_CI_AS");
    assert!(turkish.is_certain("abc") && !turkish.is_certain("abi"));
    assert!(turkish.may_equal("abi", "abI"));
    let hungarian = both("Latin1_General_CS_AS", "Hungarian_CI_AS");
    assert!(!hungarian.is_certain("abc"));
    assert!(!both("Turkish_CI_AS", "Finnish_Swedish_CI_AS").is_certain("abc"));
}

#[test]
fn a_collation_may_pass_over_more_than_another() {
    let more = |one: &str, other: &str| {
        Collation::from_name(one).ignores_more_than(&Collation::from_name(other))
    };
    assert!(more("Latin1_General_CI_AS", "Latin1_General_CS_AS"));
    assert!(more("Latin1_General_CS_AS", "Latin1_General_BIN2"));
    assert!(more("Latin1_General_CI_AI", "Latin1_General_CI_AS"));
    assert!(more("Latin1_General_CI_AS", "Latin1_General_CI_AS_WS"));
    assert!(more("Latin1_General_CI_AS", "Latin1_General_CI_AS_KS"));
    assert!(more("Latin1_General_CS_AI", "Latin1_General_CI_AS"));
    assert!(!more(
        "SQL_Latin1_General_CP1_CI_AS",
        "Latin1_General_CI_AS"
    ));
    assert!(!more("Latin1_General_BIN2", "Latin1_General_CS_AS"));
}

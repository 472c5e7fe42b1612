//! Keys that SQL Server takes for one fold to one string.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use icehost_plan::Collation;

#[test]
fn case_and_trailing_blanks() {
    let insensitive = Collation::from_name("SQL_Latin1_General_CP1_CI_AS");
    assert_eq!(insensitive.fold("Foo  "), insensitive.fold("fOO"));
    assert_ne!(insensitive.fold(" foo"), insensitive.fold("foo"));
    assert_ne!(insensitive.fold("cafe"), insensitive.fold("café"));
    assert_ne!(insensitive.fold("straße"), insensitive.fold("strasse"));

    let sensitive = Collation::from_name("Latin1_General_100_CS_AS");
    assert_ne!(sensitive.fold("foo"), sensitive.fold("FOO"));
    assert_eq!(sensitive.fold("foo "), "foo");

    let binary = Collation::from_name("Latin1_General_BIN2");
    assert_ne!(binary.fold("foo"), binary.fold("FOO"));
    assert_eq!(binary.fold("foo "), "foo");
}

#[test]
fn accent_insensitive_collations_say_that_they_are_not_modelled() {
    assert!(!Collation::from_name("Latin1_General_CI_AI").folds_exactly());
    assert!(Collation::from_name("Latin1_General_CI_AS").folds_exactly());
    assert!(Collation::from_name("Latin1_General_BIN").folds_exactly());
}

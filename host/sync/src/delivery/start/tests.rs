use super::*;
use icehost_sqlserver::PositionsLayout;

fn identity(object_id: i32, created: &str) -> TableIdentity {
    TableIdentity {
        object_id,
        created: Some(created.to_owned()),
    }
}

fn position(lake: u128, snapshot_id: i64) -> KnownPosition {
    KnownPosition {
        lake_uuid: Uuid::from_u128(lake),
        lake_table: "a.b".to_owned(),
        lake_location: Some("here:/lake/a/b".to_owned()),
        snapshot_id,
        sequence_number: Some(snapshot_id),
        run_id: "run".to_owned(),
        target: Some(identity(7, "monday")),
        target_rows: Some(10),
        loss: None,
        merge: Some("1:a".to_owned()),
    }
}

fn state(own: Option<KnownPosition>) -> TargetState {
    TargetState {
        identity: identity(7, "monday"),
        empty: false,
        rows: Some(10),
        own,
        others: Vec::new(),
        last: None,
        layout: PositionsLayout::Current,
    }
}

/// Snapshot 4 is of another branch, 1 has expired.
fn line() -> Line {
    Line {
        location: Some("here:/lake/a/b".to_owned()),
        current: 3,
        ancestors: vec![(3, 3), (2, 2)],
        known: vec![2, 3, 4],
    }
}

fn start_with(state: &TargetState, change: impl FnOnce(&mut Situation<'_>)) -> Start {
    let line = line();
    let mut situation = Situation {
        state,
        created: false,
        line: &line,
        full: false,
        trust: false,
        merge: Some("1:a"),
    };
    change(&mut situation);
    situation.start()
}

fn start(state: &TargetState) -> Start {
    start_with(state, |_| {})
}

#[test]
fn a_position_that_fits_is_gone_on_from() {
    assert_eq!(start(&state(None)), Start::Everything(Why::First));
    assert_eq!(start(&state(Some(position(1, 3)))), Start::UpToDate);
    assert_eq!(start(&state(Some(position(1, 2)))), Start::Changes(2));
    let full = start_with(&state(Some(position(1, 3))), |s| s.full = true);
    assert_eq!(full, Start::Everything(Why::Asked));
}

#[test]
fn rows_of_another_merge_are_delivered_again() {
    let of = |id, merge: Option<&str>| {
        state(Some(KnownPosition {
            merge: merge.map(str::to_owned),
            ..position(1, id)
        }))
    };
    for id in [2, 3] {
        let another = of(id, Some("1:b"));
        assert_eq!(start(&another), Start::Everything(Why::AnotherMerge));
        let trusted = start_with(&another, |s| s.trust = true);
        assert_ne!(trusted, Start::Everything(Why::AnotherMerge));
    }
    assert_eq!(start(&of(3, None)), Start::UpToDate);
    let unknown = start_with(&of(3, Some("1:b")), |s| s.merge = None);
    assert_eq!(unknown, Start::UpToDate);
    assert_eq!(
        start(&of(1, Some("1:b"))),
        Start::Everything(Why::Expired(1))
    );
}

#[test]
fn a_position_of_another_table_is_void() {
    for identity in [identity(8, "monday"), identity(7, "tuesday")] {
        let other = TargetState {
            identity,
            ..state(Some(position(1, 3)))
        };
        assert_eq!(start(&other), Start::Everything(Why::AnotherTable));
        let trusted = start_with(&other, |s| s.trust = true);
        assert_eq!(trusted, Start::UpToDate);
    }
    let created = start_with(&state(Some(position(1, 3))), |s| s.created = true);
    assert_eq!(created, Start::Everything(Why::AnotherTable));
}

#[test]
fn a_position_of_an_earlier_version_is_taken_over() {
    let earlier = KnownPosition {
        lake_location: None,
        sequence_number: None,
        target: None,
        target_rows: None,
        ..position(1, 2)
    };
    assert_eq!(start(&state(Some(earlier.clone()))), Start::Changes(2));
    let emptied = TargetState {
        empty: true,
        ..state(Some(earlier))
    };
    assert_eq!(start(&emptied), Start::Everything(Why::Emptied(None)));
}

#[test]
fn an_empty_table_that_had_rows_was_emptied() {
    let mut emptied = TargetState {
        empty: true,
        rows: Some(0),
        ..state(Some(position(1, 3)))
    };
    assert_eq!(start(&emptied), Start::Everything(Why::Emptied(Some(10))));
    if let Some(own) = &mut emptied.own {
        own.target_rows = Some(0);
    }
    assert_eq!(start(&emptied), Start::UpToDate);
}

#[test]
fn a_position_outside_of_the_line_is_lost() {
    let lost = |id| start(&state(Some(position(1, id))));
    assert_eq!(lost(1), Start::Everything(Why::Expired(1)));
    assert_eq!(lost(4), Start::Everything(Why::NotAnAncestor(4)));
    let edited = KnownPosition {
        sequence_number: Some(1),
        ..position(1, 2)
    };
    let edited = start(&state(Some(edited)));
    assert_eq!(edited, Start::Everything(Why::Edited(2)));
}

#[test]
fn a_lake_table_in_the_place_of_another_replaces_it_and_one_elsewhere_does_not() {
    let mut elsewhere = position(3, 1);
    elsewhere.lake_location = Some("there:/lake/a/b".to_owned());
    let state = TargetState {
        others: vec![position(2, 9), elsewhere],
        ..state(None)
    };
    let line = line();
    let situation = Situation {
        state: &state,
        created: false,
        line: &line,
        full: false,
        trust: false,
        merge: Some("1:a"),
    };
    assert_eq!(situation.start(), Start::Everything(Why::AnotherLakeTable));
    assert_eq!(situation.replaced(), [Uuid::from_u128(2)]);
    let shared: Vec<Uuid> = situation
        .shared_with()
        .iter()
        .map(|p| p.lake_uuid)
        .collect();
    assert_eq!(shared, [Uuid::from_u128(3)]);
    assert!(situation.has_only_rows_of_others());
}

#[test]
fn a_table_that_another_run_found_empty_gets_every_row() {
    let told = |loss| {
        let own = KnownPosition {
            loss,
            ..position(1, 3)
        };
        state(Some(own))
    };
    let all = told(Some(Loss::All));
    let why = Why::EmptiedBefore(Some(10));
    assert_eq!(start(&all), Start::Everything(why));
    assert_eq!(start_with(&all, |s| s.trust = true), Start::UpToDate);
    assert_eq!(start(&told(Some(Loss::Some))), Start::UpToDate);
    let still = TargetState { empty: true, ..all };
    assert_eq!(start(&still), Start::Everything(Why::Emptied(Some(10))));
}

//! On which terms a merge is made: what must hold when it commits, and who is asked then.

use std::sync::Arc;

use icehost_lake::LakeTable;
use icehost_plan::Table;
use icehost_sqlserver::Terms;

use crate::bounds::stop::OfAttempt;
use crate::delivery::landing::{Landing, keys_must_be_unique};
use crate::delivery::start::Situation;
use crate::delivery::task::Delivery;

/// The terms of a delivery, as far as they are known before its rows are.
pub(crate) fn terms(
    delivery: &Delivery<'_>,
    situation: &Situation<'_>,
    (lake, description): (&LakeTable, &Table),
    landing: &Landing,
) -> Terms {
    let guard = delivery.deletions;
    let attempt = OfAttempt::new();
    let state = situation.state;
    Terms {
        target: Some(state.identity.clone()),
        keys_are_unique: keys_must_be_unique(lake, description, &landing.plan, &landing.delta),
        delete_absent: landing.delete_absent,
        found_empty: state.empty,
        into_empty: landing.into_empty,
        replace_repeated: false,
        spellings_of_others: !delivery.target.keys_never_move
            && !situation.shared_with().is_empty(),
        still_gone: None,
        there_already: landing.plan.keys.is_empty()
            && !situation.trust
            && situation.has_unexplained_rows(),
        may_delete: Some(Arc::new(move |absent| {
            guard.lets_through(as_of_lake(absent))
        })),
        committing: Some(Arc::new(move || Box::new(attempt.hold()))),
        replaces: situation.replaced(),
        marks: situation.marks(),
    }
}

/// The server counts what the guard knows as the lake's.
pub(crate) fn as_of_lake(absent: icehost_sqlserver::Absent) -> icehost_lake::Absent {
    icehost_lake::Absent {
        rows: absent.rows,
        of: absent.of,
    }
}

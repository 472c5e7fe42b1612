//! Between the versions of the contract before the present one and it, where they differ: probes of 0.2.0 and 0.1.0,
//! deltas and merge plans of 0.1.0.

use icehost_plan::Delta;

use crate::bindings::previous::first::merge as previous;
use crate::bindings::previous::second;
use crate::bindings::{detection, merge as present};

/// A probe of 0.2.0 or 0.1.0, whose aggregates are over all rows.
pub(crate) fn probe(probe: second::detection::Probe) -> detection::Probe {
    use detection::Probe as P;
    use second::detection::Probe as Previous;
    match probe {
        Previous::Aggregate(over) => P::Aggregate(detection::FilteredAggregate {
            function: over.function,
            column: over.column,
            filter: None,
        }),
        Previous::MinActiveRowversion => P::MinActiveRowversion,
        Previous::ChangeTrackingCurrent => P::ChangeTrackingCurrent,
        Previous::ChangeTrackingMinValid => P::ChangeTrackingMinValid,
        Previous::CaptureMinLsn => P::CaptureMinLsn,
        Previous::CaptureMaxLsn => P::CaptureMaxLsn,
        Previous::SourceTime => P::SourceTime,
        Previous::CurrentSnapshot => P::CurrentSnapshot,
    }
}

pub(crate) fn delta_to_guest(delta: &Delta) -> previous::Delta {
    let present::Delta {
        columns,
        contents,
        operation,
        rows,
        // Unknown to it
        run_time: _,
    } = super::delta_to_guest(delta);
    previous::Delta {
        columns,
        contents: match contents {
            present::Contents::Upserts => previous::Contents::Upserts,
            present::Contents::Changes => previous::Contents::Changes,
            present::Contents::Snapshot => previous::Contents::Snapshot,
        },
        operation,
        rows,
    }
}

pub(crate) fn merge_plan(plan: previous::MergePlan) -> present::MergePlan {
    present::MergePlan {
        keys: plan
            .keys
            .into_iter()
            .map(|key| present::KeyPair {
                source: key.source,
                target: key.target,
            })
            .collect(),
        among: None,
        deduplicate: plan.deduplicate,
        clauses: plan.clauses.into_iter().map(clause).collect(),
        mode: match plan.mode {
            previous::WriteMode::Append => present::WriteMode::Append,
            previous::WriteMode::CopyOnWrite => present::WriteMode::CopyOnWrite,
            previous::WriteMode::MergeOnRead => present::WriteMode::MergeOnRead,
        },
    }
}

fn clause(clause: previous::Clause) -> present::Clause {
    present::Clause {
        occasion: match clause.occasion {
            previous::Occasion::Matched => present::Occasion::Matched,
            previous::Occasion::NotMatched => present::Occasion::NotMatched,
            previous::Occasion::NotMatchedBySource => present::Occasion::NotMatchedBySource,
        },
        condition: clause.condition,
        action: match clause.action {
            previous::Action::WriteAll => present::Action::WriteAll,
            previous::Action::Write(assignments) => present::Action::Write(
                assignments
                    .into_iter()
                    .map(|assignment| present::Assignment {
                        target: assignment.target,
                        value: assignment.value,
                    })
                    .collect(),
            ),
            previous::Action::Delete => present::Action::Delete,
            previous::Action::Skip => present::Action::Skip,
        },
    }
}

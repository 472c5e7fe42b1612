//! What happens to source, lake and target, and in which order.

use proptest::prelude::*;

/// One thing that happens. Keys and slots are small, so that they meet again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    // Users of the source
    /// A row is written: added, or changed where its key is there. The clock moves on before.
    Write {
        key: u8,
    },
    /// The same at the very time of the write before: ties, and rows with the mark's value.
    Tie {
        key: u8,
    },
    /// A row's key is spelled otherwise, which the collation takes for the same.
    Respell {
        key: u8,
    },
    /// A row goes.
    Delete {
        key: u8,
    },
    /// A row goes and another comes under its key.
    Reuse {
        key: u8,
    },
    /// All rows go.
    Empty,
    /// A transaction writes a row and stays open.
    Open {
        slot: u8,
        key: u8,
    },
    /// It commits.
    Commit {
        slot: u8,
    },
    /// Nothing for so many seconds.
    Pause {
        seconds: u8,
    },

    // Runs
    Sync,
    /// A run that fails at a place.
    SyncFails {
        place: u8,
    },
    /// A run that ends after so many steps, wherever it is.
    SyncEnds {
        steps: u16,
    },
    /// Two runs at the same time.
    TwoSyncs,
    Load,
    LoadFull,

    // Another engine at work on the lake
    /// All live rows into one new file.
    Compact,
    /// The same, but of each key only the newest row.
    Deduplicate,
    /// One file is written without those of its rows that newer ones in other files have replaced.
    DropOldVersions {
        file: u8,
    },
    /// All snapshots but the current one are forgotten.
    Expire,
    /// The snapshot before the current one becomes current.
    Rollback,
    /// The lake table's directory is removed.
    DropLake,
    /// `icehost watermark clear`.
    ClearWatermark,

    // Others at work on the target
    Truncate,
    /// The target is dropped and created again, empty.
    Recreate,
}

/// Places at which a run can fail before, in and behind its commits.
pub use icehost_files::failpoint::PLACES;

impl Event {
    /// What always happens to lake or target beside icehost, so that a run may stop and ask; expiry and rollback
    /// may find nothing to do.
    pub fn is_interference(self) -> bool {
        matches!(
            self,
            Event::DropLake | Event::ClearWatermark | Event::Truncate | Event::Recreate
        )
    }
}

/// A kind of what others do, and how often it happens beside the other kinds.
type Other = (u32, fn() -> BoxedStrategy<Event>);

/// What other engines and other users do.
const OTHERS: [Other; 9] = [
    (3, || Just(Event::Compact).boxed()),
    (2, || Just(Event::Deduplicate).boxed()),
    (3, || {
        let file = 0..4u8;
        file.prop_map(|file| Event::DropOldVersions { file })
            .boxed()
    }),
    (2, || Just(Event::Expire).boxed()),
    (2, || Just(Event::Rollback).boxed()),
    (1, || Just(Event::DropLake).boxed()),
    (1, || Just(Event::ClearWatermark).boxed()),
    (1, || Just(Event::Truncate).boxed()),
    (1, || Just(Event::Recreate).boxed()),
];

/// A sequence of events. All of them may happen to every pipeline, but in one sequence only a few kinds of what
/// others do: so that what they do together is found, and what one of them does is not undone by another.
pub fn events() -> impl Strategy<Value = Vec<Event>> {
    prop::sample::subsequence(OTHERS.to_vec(), 0..=3).prop_flat_map(|others| {
        let mut kinds = vec![(10, users().boxed()), (8, runs().boxed())];
        if !others.is_empty() {
            let others = others.into_iter().map(|(weight, other)| (weight, other()));
            kinds.push((
                4,
                prop::strategy::Union::new_weighted(others.collect()).boxed(),
            ));
        }
        let one = prop::strategy::Union::new_weighted(kinds);
        prop::collection::vec(one, 1..20)
    })
}

fn users() -> impl Strategy<Value = Event> {
    let key = || 0..6u8;
    let slot = || 0..2u8;
    prop_oneof![
        8 => key().prop_map(|key| Event::Write { key }),
        3 => key().prop_map(|key| Event::Tie { key }),
        1 => key().prop_map(|key| Event::Respell { key }),
        3 => key().prop_map(|key| Event::Delete { key }),
        2 => key().prop_map(|key| Event::Reuse { key }),
        1 => Just(Event::Empty),
        3 => (slot(), key()).prop_map(|(slot, key)| Event::Open { slot, key }),
        3 => slot().prop_map(|slot| Event::Commit { slot }),
        1 => (1..100u8).prop_map(|seconds| Event::Pause { seconds }),
    ]
}

fn runs() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Sync),
        3 => (0..PLACES.len() as u8).prop_map(|place| Event::SyncFails { place }),
        3 => (0..1500u16).prop_map(|steps| Event::SyncEnds { steps }),
        3 => Just(Event::TwoSyncs),
        1 => Just(Event::Load),
        1 => Just(Event::LoadFull),
    ]
}

//! Where a delivery starts: whether the target's position belongs to the table and to the line of snapshots that
//! are there now, and what follows where it does not.

use std::fmt;

use icehost_lake::LakeTable;
use icehost_sqlserver::{KnownPosition, Loss, TableIdentity, TargetState};
use uuid::Uuid;

use crate::delivery::landing_digest;
use crate::failpoint::{self, stands};

/// What a target gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nothing: it stands where the lake does.
    UpToDate,
    /// What changed since this snapshot.
    Changes(i64),
    /// Every row of the lake table.
    Everything(Why),
}

/// Why every row is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nothing has been delivered yet.
    First,
    /// It was asked for.
    Asked,
    /// The target is another table than the position was written for.
    AnotherTable,
    /// The target has no row, and had so many.
    Emptied(Option<u64>),
    /// It had none, after so many, when a run of another lake table found it.
    EmptiedBefore(Option<u64>),
    /// The lake table is another one, at the place of the one that was delivered.
    AnotherLakeTable,
    /// The snapshot that the target stands at is not known to the lake.
    Expired(i64),
    /// It is, but the current one does not descend from it.
    NotAnAncestor(i64),
    /// The row of the table of positions contradicts itself.
    Edited(i64),
    /// The rows that are there came by another merge.
    AnotherMerge,
}

/// What stands for the state of a lake table without a snapshot, as Iceberg has it ("current-snapshot-id").
pub(crate) const NO_SNAPSHOT: i64 = -1;

/// What is known before a delivery.
pub(crate) struct Situation<'a> {
    pub(crate) state: &'a TargetState,
    /// This run has just created the target.
    pub(crate) created: bool,
    pub(crate) line: &'a Line,
    /// Every row is asked for.
    pub(crate) full: bool,
    /// The position counts though the target does not look as it was left.
    pub(crate) trust: bool,
    /// A digest of how changes land, where it is known.
    pub(crate) merge: Option<&'a str>,
}

/// The lake table's own line of snapshots.
pub(crate) struct Line {
    pub(crate) location: Option<String>,
    /// [`NO_SNAPSHOT`] where there is none.
    pub(crate) current: i64,
    /// The current snapshot and its ancestors: id and sequence number.
    pub(crate) ancestors: Vec<(i64, i64)>,
    /// All snapshots that have not expired.
    pub(crate) known: Vec<i64>,
}

impl Line {
    /// `current` is the snapshot that is to be delivered.
    pub(crate) fn of(lake: &LakeTable, current: Option<i64>) -> Line {
        let ancestors = current.map_or_else(Vec::new, |current| lake.ancestors(current));
        let ancestors = ancestors.into_iter();
        Line {
            location: lake.place(),
            current: current.unwrap_or(NO_SNAPSHOT),
            ancestors: ancestors.map(|s| (s.id, s.sequence_number)).collect(),
            known: lake.snapshots().into_iter().map(|s| s.id).collect(),
        }
    }

    /// The current snapshot's sequence number.
    pub(crate) fn sequence_number(&self) -> i64 {
        self.ancestors.first().map_or(0, |(_, sequence)| *sequence)
    }

    /// Why the changes since a position cannot be told, where they cannot.
    fn lost(&self, position: &KnownPosition) -> Option<Why> {
        let id = position.snapshot_id;
        if id == NO_SNAPSHOT {
            // Nothing was delivered then, and what is there now is all new.
            return (id != self.current).then_some(Why::First);
        }
        match self.ancestors.iter().find(|(known, _)| *known == id) {
            Some((_, sequence)) => position
                .sequence_number
                .is_some_and(|noted| noted != *sequence)
                .then_some(Why::Edited(id)),
            None if self.known.contains(&id) => Some(Why::NotAnAncestor(id)),
            None => Some(Why::Expired(id)),
        }
    }

    /// Whether there is nothing to deliver, and never was.
    pub(crate) fn is_blank(&self, situation: &Situation<'_>) -> bool {
        self.current == NO_SNAPSHOT && situation.start() == Start::Everything(Why::First)
    }
}

impl Situation<'_> {
    /// Where the delivery starts.
    pub(crate) fn start(&self) -> Start {
        let why = match &self.state.own {
            None if self.replaced().is_empty() => Some(Why::First),
            None => Some(Why::AnotherLakeTable),
            Some(position) => match self.target_differs(position) {
                Some(why) => Some(why),
                None => self
                    .line
                    .lost(position)
                    .or_else(|| self.merge_differs(position)),
            },
        };
        match (why, &self.state.own) {
            (Some(why), _) if !self.full || why == Why::AnotherLakeTable => Start::Everything(why),
            _ if self.full => Start::Everything(Why::Asked),
            (None, Some(position)) if position.snapshot_id != self.line.current => {
                Start::Changes(position.snapshot_id)
            }
            _ => Start::UpToDate,
        }
    }

    fn target_differs(&self, position: &KnownPosition) -> Option<Why> {
        if self.created {
            return Some(Why::AnotherTable);
        }
        if self.trust || !stands(failpoint::GUARD_TARGET_TABLE) {
            return None;
        }
        if !self.is_of_this_table(position) {
            return Some(Why::AnotherTable);
        }
        if self.state.empty {
            let had_rows = position.target_rows != Some(0);
            return had_rows.then_some(Why::Emptied(position.target_rows));
        }
        (position.loss == Some(Loss::All)).then_some(Why::EmptiedBefore(position.target_rows))
    }

    /// Rows that another merge left, or this one under other settings, are not as this one would have them.
    fn merge_differs(&self, position: &KnownPosition) -> Option<Why> {
        let differs = landing_digest::differs(position.merge.as_deref(), self.merge);
        let delivered = position.snapshot_id != NO_SNAPSHOT;
        (differs && delivered && !self.trust).then_some(Why::AnotherMerge)
    }

    /// A run of another lake table has found the table empty since the last one of this.
    pub(crate) fn was_emptied_before(&self) -> bool {
        let mut own = self.state.own.iter();
        own.any(|own| own.loss == Some(Loss::All) && self.is_of_this_table(own))
    }

    /// A position of an earlier version does not say.
    pub(crate) fn is_of_this_table(&self, position: &KnownPosition) -> bool {
        let same = |noted: &TableIdentity| {
            let now = &self.state.identity;
            let dates = (&noted.created, &now.created);
            let same_date = !matches!(dates, (Some(noted), Some(now)) if noted != now);
            noted.object_id == now.object_id && same_date
        };
        position.target.as_ref().is_none_or(same)
    }

    /// The lake tables that lay where this one lies: they are gone.
    pub(crate) fn replaced(&self) -> Vec<Uuid> {
        if self.state.own.is_some() {
            return Vec::new();
        }
        let gone = |other: &&KnownPosition| {
            self.line.location.is_some() && other.lake_location == self.line.location
        };
        let others = self.state.others.iter().filter(gone);
        others.map(|other| other.lake_uuid).collect()
    }

    /// The other lake tables that deliver into this very table. Which of its rows are whose cannot be told.
    pub(crate) fn shared_with(&self) -> Vec<&KnownPosition> {
        let replaced = self.replaced();
        let others = self.state.others.iter();
        others
            .filter(|other| {
                !self.created
                    && !replaced.contains(&other.lake_uuid)
                    && self.is_of_this_table(other)
            })
            .collect()
    }

    /// All rows that are there are those that other lake tables have brought.
    pub(crate) fn has_only_rows_of_others(&self) -> bool {
        let others = self.shared_with();
        let known = others.iter().all(|other| other.lake_location.is_some());
        // The last of them to be written; they come in this order.
        let last = others.first().filter(|other| other.loss.is_none());
        let last = last.and_then(|other| other.target_rows);
        known && last.is_some() && last == self.state.rows
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::First => f.write_str("nothing has been delivered into it yet"),
            Why::Asked => f.write_str("every row is asked for"),
            Why::AnotherMerge => f.write_str(
                "another merge delivered into it before, or this one with other options or for other columns: one that was \
                 dropped and added again is another",
            ),
            Why::AnotherTable => f.write_str(
                "it is not the table that the last run filled: that was dropped, and this one created after it",
            ),
            Why::Emptied(Some(rows)) => write!(
                f,
                "it is empty, and had {rows} row{} after the last run",
                if *rows == 1 { "" } else { "s" }
            ),
            Why::Emptied(None) => f.write_str("it is empty, though rows were delivered into it"),
            Why::EmptiedBefore(rows) => {
                f.write_str("it was emptied after the last run")?;
                if let Some(rows) = rows {
                    let ending = if *rows == 1 { "" } else { "s" };
                    write!(f, ", which left {rows} row{ending}")?;
                }
                f.write_str(", and another lake table has been delivered into it since")
            }
            Why::AnotherLakeTable => f.write_str(
                "the lake table that it was filled from is gone, and this one was created in its place",
            ),
            Why::Expired(id) => write!(
                f,
                "snapshot {id}, at which it stands, is not in the lake table any more"
            ),
            Why::NotAnAncestor(id) => write!(
                f,
                "snapshot {id}, at which it stands, is no ancestor of the current one: the lake table was rolled back"
            ),
            Why::Edited(id) => write!(
                f,
                "its position, snapshot {id}, was changed by hand: it has another sequence number in the lake table"
            ),
        }
    }
}

#[cfg(test)]
mod tests;

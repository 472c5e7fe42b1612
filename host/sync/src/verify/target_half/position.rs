//! What a target has followed, and where the next delivery starts.

use icehost_lake::LakeTable;
use icehost_sqlserver::{KnownPosition, PositionsLayout, TableIdentity, TargetState};

use crate::SyncError;
use crate::delivery::start::{Line, NO_SNAPSHOT, Situation, Start, Why};
use crate::delivery::table::OpenTarget;
use crate::delivery::task::Delivery;
use crate::error::Doing;

/// What the target's database says, read in the same state as its rows where that is possible.
pub(crate) enum Found {
    /// The table is not there, perhaps one was: as it is once a run has created it.
    NoTable(Box<TargetState>),
    /// It is.
    Table(Box<TargetState>),
}

impl Found {
    /// Starts to read the target.
    pub(crate) async fn read(
        delivery: &Delivery<'_>,
        open: &mut OpenTarget,
        lake: &LakeTable,
    ) -> Result<Found, SyncError> {
        let name = open.table.name.to_string();
        if open.creation.is_some() {
            let known = open.connection.read_position(lake.uuid(), &open.table);
            let own = known
                .await
                .doing(|| format!("reading the position of target table {name}"))?;
            return Ok(Found::NoTable(Box::new(TargetState {
                identity: TableIdentity {
                    object_id: open.table.object_id,
                    created: None,
                },
                empty: true,
                rows: Some(0),
                last: own.as_ref().map(|own| own.lake_uuid),
                own,
                others: Vec::new(),
                layout: PositionsLayout::default(),
            })));
        }
        open.connection
            .begin_read(&open.table)
            .await
            .doing(|| format!("starting to read target table {name}"))?;
        let state = delivery.state(open, lake).await?;
        Ok(Found::Table(Box::new(state)))
    }
}

/// What is known before the next delivery.
pub(crate) struct Followed<'a> {
    pub(crate) start: Start,
    /// How far the target has followed the lake table; `None` where nothing has been delivered.
    pub(crate) known: Option<KnownPosition>,
    /// Other lake tables that deliver into the same table.
    pub(crate) shared_with: Vec<String>,
    /// `None` where there is nothing to deliver and never was.
    pub(crate) situation: Option<Situation<'a>>,
}

impl<'a> Followed<'a> {
    /// `line` is the lake's, `merge` a digest of how changes land.
    pub(crate) fn of(
        delivery: &Delivery<'_>,
        found: &'a Found,
        line: &'a Line,
        merge: Option<&'a str>,
    ) -> Followed<'a> {
        // Out of a table that had no snapshot nothing has been delivered.
        let delivered = |known: &&KnownPosition| known.snapshot_id != NO_SNAPSHOT;
        let (state, created) = match found {
            Found::NoTable(state) => (state, true),
            Found::Table(state) => (state, false),
        };
        let situation = delivery.situation(state, created, line, merge);
        let others = situation.shared_with().into_iter();
        Followed {
            start: situation.start(),
            known: state.own.as_ref().filter(delivered).cloned(),
            shared_with: others.map(|other| other.lake_table.clone()).collect(),
            situation: (!line.is_blank(&situation)).then_some(situation),
        }
    }

    /// Nothing is known of the rows that are there, and the next run delivers every row.
    pub(crate) fn all_to_come(&self) -> bool {
        self.known.is_none()
    }

    /// Changes are what the next run delivers, or every row as changes.
    pub(crate) fn as_changes(&self) -> bool {
        self.known.is_some() || self.start == Start::Everything(Why::AnotherLakeTable)
    }

    /// What one should know of the position. `is_there`: the lake has the snapshot.
    pub(crate) fn notes(&self, is_there: bool, target: &str) -> Vec<String> {
        let mut notes = Vec::new();
        match (&self.known, &self.start) {
            (Some(known), _) if !is_there => notes.push(format!(
                "the target's position is snapshot {}, which the lake no longer has: compared with the current one",
                known.snapshot_id
            )),
            (_, Start::Everything(why)) if !matches!(why, Why::First | Why::Asked) => notes.push(
                format!("the target's position does not fit, and every row is to be delivered again: {why}"),
            ),
            (None, _) => notes.push(
                "the target has no position yet: compared with the lake's current snapshot".to_owned(),
            ),
            _ => {}
        }
        if !self.shared_with.is_empty() {
            notes.push(told_of_others(target, &self.shared_with));
        }
        notes
    }
}

fn told_of_others(target: &str, others: &[String]) -> String {
    let others = others.join(", ");
    format!(
        "{target} has rows of other lake tables ({others}): rows that this lake table does not have are not seen, since \
         which of them those delivered cannot be told; where one is gone, delete its row from dbo.icehost_positions"
    )
}

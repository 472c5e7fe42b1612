//! The next delivery, without its merge.
//!
//! What a delivery says of its rows it says once they are staged. So they are staged as it stages them, in a temporary
//! table, asked about as it asks, and given up.

use icehost_lake::LakeTable;
use icehost_plan::Table;
use icehost_sqlserver::SqlTable;
use tokio_util::sync::CancellationToken;

use crate::delivery::key_doubts::KeyDoubts;
use crate::delivery::landing::Landing;
use crate::delivery::newest;
use crate::delivery::staging::Staging;
use crate::delivery::start::Situation;
use crate::delivery::table::{self, Taken};
use crate::delivery::task::Delivery;
use crate::delivery::terms::terms;
use crate::delivery::wanted::Wanted;
use crate::run::Run;
use crate::{Silent, SyncError};

/// What is to be delivered.
pub(crate) struct Rehearsal<'a> {
    pub(crate) delivery: &'a Delivery<'a>,
    pub(crate) lake: &'a LakeTable,
    /// The snapshot whose rows are there; `None` where all are to come.
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    pub(crate) description: &'a Table,
    pub(crate) takes: &'a [Taken],
    pub(crate) target: &'a SqlTable,
    pub(crate) situation: &'a Situation<'a>,
    pub(crate) landing: &'a Landing,
}

impl Rehearsal<'_> {
    /// Stages and asks, by a session of its own. How many changes there are.
    ///
    /// # Errors
    /// What the delivery ends with.
    pub(crate) async fn run(&self, cancel: &CancellationToken) -> Result<u64, SyncError> {
        let (delivery, lake, target, landing) =
            (self.delivery, self.lake, self.target, self.landing);
        let run = Run::new(delivery, &Silent, cancel);
        let wanted = Wanted {
            lake,
            from: self.from,
            to: self.to,
            description: self.description,
            takes: self.takes,
            most_bytes: delivery.most_bytes,
        };
        let changes = wanted.changes().await?;
        let changes = wanted.by_key(changes, &landing.plan, target)?;
        let by = (&landing.plan, &landing.delta);
        let doubts = KeyDoubts::of(lake, self.description, self.takes, by, target);
        let mut staging = Staging {
            run: &run,
            wanted: &wanted,
            target,
            landing,
            doubts: &doubts,
            elsewhere: delivery.elsewhere(self.situation, lake, target, landing),
            withheld: None,
            terms: terms(delivery, self.situation, (lake, self.description), landing),
        };
        let (mut connection, _) = table::find(delivery.target).await?;
        let state = self.situation.state;
        let rehearsed = staging.rehearse(&mut connection, changes, state).await;
        let (plan, columns) = (&landing.plan, &landing.delta.columns);
        rehearsed.map_err(|error| {
            let error = newest::with_way_on(error, delivery.merging, lake, plan, columns);
            match self.situation.created {
                true => table::by_hand(error),
                false => error,
            }
        })
    }
}

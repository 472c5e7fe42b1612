//! Lake and target, ready to be compared.

use icehost_lake::LakeTable;
use icehost_plan::ValidExtractionPlan;
use icehost_sqlserver::ExtractOptions;
use tokio_util::sync::CancellationToken;

use crate::delivery::table::OpenTarget;
use crate::verify::compare::judge::{Again, Came, Landing, Rules};
use crate::verify::compare::order::Order;
use crate::verify::compare::rows::{LakeRows, Rows, TargetRows};
use crate::verify::compare::shape::Shape;
use crate::verify::compare::states::States;
use crate::verify::compare::sums::ServerSums;
use crate::verify::compare::two_sides::Comparing;
use crate::verify::compare::wrong_keys::WrongKeys;
use crate::verify::options::VerifyOptions;
use crate::verify::report::Comparison;
use crate::verify::target_half::came::Arrivals;
use crate::verify::target_half::identity::Identity;
use crate::verify::target_half::written::Written;
use crate::{Memory, SyncError, Target};

/// Lake and target, ready to be compared.
pub(crate) struct Both<'a> {
    /// Whether every version of a row stays in the lake; `None` where that is not known.
    pub(crate) lake_keeps_all: Option<bool>,
    pub(crate) target: &'a Target,
    pub(crate) lake: &'a LakeTable,
    /// The lake's snapshot.
    pub(crate) at: Option<i64>,
    pub(crate) written: &'a Written,
    pub(crate) states: &'a States,
    pub(crate) shape: &'a Shape,
    /// How the target is read.
    pub(crate) read: &'a ValidExtractionPlan,
    pub(crate) extract: &'a ExtractOptions,
    pub(crate) order: &'a Order,
    pub(crate) share: Memory,
    pub(crate) options: &'a VerifyOptions,
    pub(crate) identity: &'a Identity,
}

impl Both<'_> {
    fn lake_columns(&self) -> Vec<u32> {
        self.written.pairs.iter().map(|(lake, _)| *lake).collect()
    }

    /// Rows that are there more often than they can be, unless the lake had them several times.
    fn may_have_come_again(rules: &Rules) -> bool {
        rules.landing == Landing::Among && rules.again == Again::Never && rules.came.is_none()
    }

    pub(crate) async fn compare(
        &self,
        rules: &Rules,
        open: &mut OpenTarget,
        server: Option<ServerSums>,
        comparison: &mut Comparison,
        cancel: &CancellationToken,
    ) -> Result<WrongKeys, SyncError> {
        let remember = match Both::may_have_come_again(rules) {
            true => VerifyOptions::wrong_keys(self.share),
            false => self.options.remembered(self.share),
        };
        let comparing = Comparing {
            expected: Rows::Lake(LakeRows {
                table: self.lake,
                snapshot: self.at,
                columns: self.lake_columns(),
                states: Some(self.states),
                turns: false,
            }),
            rules: rules.clone(),
            order: self.order.clone(),
            found: match open.creation {
                Some(_) => Rows::None,
                None => Rows::Target(Box::new(TargetRows {
                    connection: &mut open.connection,
                    table: &open.table,
                    plan: self.read.clone(),
                    options: self.extract.clone(),
                    states: self.states,
                })),
            },
            shape: self.shape.clone(),
            memory: self.share.row_group_bytes,
            limit: self.options.limit,
            remember,
            server,
            asked: Some(self.identity.asked(self.target, self.shape, |at| {
                Some(self.written.pairs.get(at)?.0)
            })),
        };
        comparing.run(comparison, cancel).await
    }

    /// How often the rows came that are there too often for ones that come once, where there are any; `Some(None)` where
    /// nobody knows.
    pub(crate) async fn came(
        &self,
        rules: &Rules,
        found: &Comparison,
        wrong: &WrongKeys,
        cancel: &CancellationToken,
    ) -> Result<Option<Option<Came>>, SyncError> {
        let keeps_all = self.lake_keeps_all == Some(true);
        let Some(to) = self.at.filter(|_| !keeps_all) else {
            return Ok(None);
        };
        if !Both::may_have_come_again(rules) || found.wrong.repeated == 0 {
            return Ok(None);
        }
        let arrivals = Arrivals {
            lake: self.lake,
            to,
            columns: self.lake_columns(),
            states: self.states,
            shape: self.shape,
        };
        arrivals.of(wrong, cancel).await.map(Some)
    }
}

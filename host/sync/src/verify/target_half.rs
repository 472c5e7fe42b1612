//! Lake and target.

use icehost_lake::LakeTable;
use icehost_plan::{Delta, Table, ValidMergePlan};
use icehost_sqlserver::{ExtractOptions, KnownPosition, TimePrecision};
use tokio_util::sync::CancellationToken;

use super::compare::Comparing;
use super::judge::{Again, Class, Side};
use super::report::Comparison;
use super::rows::{LakeRows, Rows, TargetRows};
use super::shape::{Fold, Padding, Shape, ShapeColumn};
use super::source_half::{key_names, server_sums};
use super::states::{AtTwoTimes, States};
use super::target_repair::TargetRepair;
use super::target_rules::{RulesOf, order, rules};
use super::undelivered::undelivered;
use super::versions::{History, Versions};
use super::written::Written;
use super::{VerifyOptions, memory, reading};
use crate::delivery_start::{Line, NO_SNAPSHOT};
use crate::delta::{as_changes, expected_delta};
use crate::error::Doing;
use crate::lake_to_target::Delivery;
use crate::target_table::{OpenTarget, Taken, taken};
use crate::{Settings, SyncError};

/// A day: two runs that are so far apart show what a merger dates.
const A_DAY: i64 = icehost_plan::value::TICKS_PER_DAY;

/// What is compared.
pub(super) struct TargetHalf<'a> {
    pub(super) delivery: Delivery<'a>,
    /// Whether every version of a row stays in the lake; `None` where that is not known.
    pub(super) lake_keeps_all: Option<bool>,
    /// Whether the same row may come again as it was.
    pub(super) again: Again,
    pub(super) settings: &'a Settings,
}

impl TargetHalf<'_> {
    pub(super) async fn compare(
        &self,
        options: &VerifyOptions,
        cancel: &CancellationToken,
    ) -> Result<(Comparison, u64), SyncError> {
        let delivery = &self.delivery;
        let mut lake = delivery.open_lake().await?;
        let mut open = OpenTarget::open(delivery.target, &lake).await?;
        let name = open.table.name.to_string();
        let mut notes = Vec::new();
        let Followed { known, shared_with } = self.followed(&mut open, &lake).await?;
        // Nothing has been delivered out of a table that had no snapshot.
        let known = known.filter(|known| known.snapshot_id != NO_SNAPSHOT);
        let position = known.as_ref().map(|known| known.snapshot_id);
        // The position may be of a snapshot that was made meanwhile.
        lake.refresh()
            .await
            .doing(|| format!("reading lake table {}", lake.name()))?;
        let current = lake.current_snapshot().map(|snapshot| snapshot.id);
        let reached = position.filter(|id| lake.snapshot(*id).is_ok());
        match (position, reached) {
            (Some(lost), None) => notes.push(format!(
                "the target's position is snapshot {lost}, which the lake no longer has: compared with the current one"
            )),
            (None, _) => notes.push(
                "the target has no position yet: compared with the lake's current snapshot".to_owned(),
            ),
            _ => {}
        }
        if !shared_with.is_empty() {
            notes.push(told_of_others(&name, &shared_with));
        }
        let at = reached.or(current);

        let description = delivery.describe(&lake)?;
        let takes = taken(&description, &open.table, delivery.exclude)?.columns;
        let rows = description.row_estimate.unwrap_or(0);
        let delta = expected_delta(&takes, position, rows, &open.table);
        let Planned {
            plan,
            written,
            states,
            puts_aside,
        } = self.plan(&open, &delta, &takes).await?;

        let shape = shape(&plan, &written, &states, &description, &takes, &open);
        let mut comparison = Comparison {
            expected: format!("lake table {}", lake.name()),
            found: format!("target table {name}"),
            key: key_names(&shape),
            columns: shape.columns.iter().map(|c| c.name.clone()).collect(),
            left_out: written.left_out(&description, &takes),
            ..Comparison::default()
        };
        if open.creation.is_some() {
            notes.push("the target table is not there yet".to_owned());
        } else if !open.table.snapshot_isolation {
            notes.push(format!(
                "{name} is read under READ COMMITTED: rows that move while it is read can look wrong"
            ));
        }
        if let (Some(from), Some(to)) = (reached, current)
            && from != to
        {
            match undelivered(&lake, from, to, (&takes, &plan, &open.table), cancel).await {
                Ok(rows) => comparison.undelivered = rows,
                Err(SyncError::Cancelled) => return Err(SyncError::Cancelled),
                Err(error) => notes.push(format!(
                    "how many rows are yet to be delivered cannot be told: {error}"
                )),
            }
        }
        comparison.notes = notes;
        let share = memory(self.settings, open.table.columns.len())?;
        let columns = written.pairs.iter().map(|(_, target)| *target);
        let types = columns.clone().filter_map(|target| {
            let column = open.table.columns.get(target as usize)?;
            Some(column.sql_type)
        });
        let as_they_are = open.creation.is_none() && states.is_trivial();
        let server = server_sums(Side::Found, types.collect(), &shape).filter(|_| as_they_are);
        let read = reading(
            &open.table.table,
            columns.chain(states.ordinals()).collect(),
            None,
        )?;
        let order = order(&plan, &written, &takes);
        let rules = rules(&RulesOf {
            plan: &plan,
            target: &open.table,
            first: position.is_none(),
            order: order.as_ref(),
            puts_aside,
            lake_keeps_all: self.lake_keeps_all,
            again: self.again,
            shared: !shared_with.is_empty(),
        });
        let extract = ExtractOptions {
            batch_bytes: share.batch_bytes,
            largest_row: self.settings.memory.row_bytes(),
            time_precision: TimePrecision::Truncate,
            ..ExtractOptions::default()
        };
        let comparing = Comparing {
            expected: Rows::Lake(LakeRows {
                table: &lake,
                snapshot: at,
                columns: written.pairs.iter().map(|(lake, _)| *lake).collect(),
                states: Some(&states),
            }),
            rules,
            order: order.unwrap_or_default(),
            found: match open.creation {
                Some(_) => Rows::None,
                None => Rows::Target(Box::new(TargetRows {
                    connection: &mut open.connection,
                    table: &open.table,
                    plan: read.clone(),
                    options: extract.clone(),
                    states: &states,
                })),
            },
            shape: shape.clone(),
            memory: share.row_group_bytes,
            limit: options.limit,
            remember: options.remembered(share),
            server,
        };
        let wrong = comparing.run(&mut comparison, cancel).await?;
        let versions = Versions::of(&plan, &written.pairs, &open.table.table)
            .filter(|_| open.creation.is_none() && !states.tell_whose() && !shape.key.is_empty());
        if let Some(versions) = versions {
            let pairs = |&at: &usize| Some(written.pairs.get(at)?.1);
            let keys: Vec<u32> = shape.key.iter().filter_map(pairs).collect();
            let history = History {
                connection: &mut open.connection,
                table: &open.table,
                keys: &keys,
                shape: shape.of_key(),
                options: extract,
            };
            let class = match versions.by_runs {
                true => rules.repeated,
                false => Class::NotSeen,
            };
            versions
                .check(history, class, options.limit, &mut comparison, cancel)
                .await?;
        }
        open.connection
            .end_read()
            .await
            .doing(|| format!("ending the read of target table {name}"))?;
        let mut repaired = 0;
        if let (false, Some(position), Some(at)) = (wrong.is_empty(), &known, at) {
            let repair = TargetRepair {
                target: delivery.target,
                lake: &lake,
                at,
                position,
                plan: &plan,
                delta: &delta,
                pairs: &written.pairs,
                takes: takes.iter().map(|taken| taken.ordinal).collect(),
                shape: &shape,
                wrong: &wrong,
                read: &read,
                states: &states,
                batch_bytes: share.batch_bytes,
                row_bytes: self.settings.memory.row_bytes(),
            };
            repaired = repair.run(&mut open, cancel).await?;
        }
        Ok((comparison, repaired))
    }

    /// Asks the merger how rows land, and what it makes of the target's.
    async fn plan(
        &self,
        open: &OpenTarget,
        delta: &Delta,
        takes: &[Taken],
    ) -> Result<Planned, SyncError> {
        let (delivery, target) = (&self.delivery, &open.table);
        let at_two_times = async |delta: &Delta| {
            let later = Delta {
                run_time: delta.run_time.saturating_add(A_DAY),
                ..delta.clone()
            };
            let plan = delivery.plan(target, delta).await?;
            let dated = delivery.plan(target, &later).await?;
            Ok::<_, SyncError>((plan, dated))
        };
        let (plan, dated) = at_two_times(delta).await?;
        // How rows are put aside, it says of changes.
        let of_changes = match delta.operation {
            Some(_) => None,
            None => {
                let changes = as_changes(delta, takes, target);
                let planned = at_two_times(&changes).await.ok();
                planned.map(|(plan, dated)| (plan, dated, changes.columns))
            }
        };
        let mut plans = vec![AtTwoTimes {
            plan: &plan,
            dated: &dated,
            delta: &delta.columns,
        }];
        if let Some((plan, dated, delta)) = &of_changes {
            plans.push(AtTwoTimes { plan, dated, delta });
        }
        let written = Written::of(&plan, &dated, &target.table, takes);
        let states = |plans| States::of(&written.literals, plans, &target.table);
        // What the next delivery puts aside, its own plan says.
        let puts_aside = states(&plans[..1]).puts_aside();
        let states = states(&plans);
        Ok(Planned {
            plan,
            written,
            states,
            puts_aside,
        })
    }

    /// What the target has followed, read in the same state as its rows where the database allows that.
    async fn followed(
        &self,
        open: &mut OpenTarget,
        lake: &LakeTable,
    ) -> Result<Followed, SyncError> {
        let name = open.table.name.to_string();
        if open.creation.is_some() {
            // No row is there, and so none of others.
            let known = open
                .connection
                .read_position(lake.uuid(), &open.table)
                .await;
            return Ok(Followed {
                known: known.doing(|| format!("reading the position of target table {name}"))?,
                shared_with: Vec::new(),
            });
        }
        open.connection
            .begin_read(&open.table)
            .await
            .doing(|| format!("starting to read target table {name}"))?;
        let state = self.delivery.state(open, lake).await?;
        let line = Line::of(lake, lake.current_snapshot().map(|snapshot| snapshot.id));
        let situation = self.delivery.situation(&state, false, &line);
        let others = situation.shared_with().into_iter();
        let shared_with = others.map(|other| other.lake_table.clone()).collect();
        Ok(Followed {
            known: state.own,
            shared_with,
        })
    }
}

/// How rows land.
struct Planned {
    plan: ValidMergePlan,
    written: Written,
    states: States,
    /// Rows that the lake does not have are put aside.
    puts_aside: bool,
}

/// What a target has followed.
struct Followed {
    /// How far it has followed the lake table.
    known: Option<KnownPosition>,
    /// Other lake tables that deliver into the same table.
    shared_with: Vec<String>,
}

fn told_of_others(target: &str, others: &[String]) -> String {
    let others = others.join(", ");
    format!(
        "{target} has rows of other lake tables ({others}): rows that this lake table does not have are not seen, since \
         which of them those delivered cannot be told; where one is gone, delete its row from dbo.icehost_positions"
    )
}

/// What is compared: the columns that the merge copies, and those that tell rows that count, by the merge's key.
fn shape(
    plan: &ValidMergePlan,
    written: &Written,
    states: &States,
    lake: &Table,
    takes: &[Taken],
    open: &OpenTarget,
) -> Shape {
    let named = |name: &str, target: u32| {
        let found = open.table.columns.get(target as usize)?;
        let described = open.table.table.columns.get(target as usize)?;
        Some(ShapeColumn {
            name: name.to_owned(),
            padding: Padding::of(found.sql_type),
            fold: Fold::of(described.collation.as_ref()),
        })
    };
    let copies = written.pairs.iter().filter_map(|&(ordinal, target)| {
        let column = lake.columns.get(ordinal as usize)?;
        named(&column.name, target)
    });
    let marks = states.ordinals().filter_map(|target| {
        let column = open.table.columns.get(target as usize)?;
        named(&column.name, target)
    });
    let columns = copies.chain(marks).collect();
    let place = |ordinal: u32| written.pairs.iter().position(|(lake, _)| *lake == ordinal);
    let keys: Vec<u32> = match plan.keys.is_empty() {
        true => lake.key(),
        false => plan
            .keys
            .iter()
            .filter_map(|key| Some(takes.get(key.source as usize)?.ordinal))
            .collect(),
    };
    let key: Vec<usize> = keys.iter().filter_map(|&ordinal| place(ordinal)).collect();
    Shape {
        columns,
        key: match key.len() == keys.len() {
            true => key,
            false => Vec::new(),
        },
    }
}

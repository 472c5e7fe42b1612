//! Lake and target.

use std::sync::Arc;

use icehost_plan::Column;
use icehost_sqlserver::{ExtractOptions, TimePrecision};
use tokio_util::sync::CancellationToken;

use crate::delivery::delta::expected_delta;
use crate::delivery::key_doubts::KeyDoubts;
use crate::delivery::landing::keys_must_be_unique;
use crate::delivery::origin;
use crate::delivery::start::{Line, NO_SNAPSHOT, Start};
use crate::delivery::table::{OpenTarget, taken};
use crate::delivery::task::Delivery;
use crate::error::Doing;
use crate::rows::source_columns::SourceColumns;
use crate::verify::compare::class::Class;
use crate::verify::compare::entry::Side;
use crate::verify::compare::fold::Fold;
use crate::verify::compare::judge::Again;
use crate::verify::compare::shape::key_names;
use crate::verify::compare::sums::server_sums;
use crate::verify::compare::wrong_keys::{WrongKeys, check_repairable};
use crate::verify::options::{VerifyOptions, memory};
use crate::verify::plans::reading;
use crate::verify::report::Comparison;
use crate::verify::stops::{Stop, Stops};
use crate::verify::target_half::both::Both;
use crate::verify::target_half::identity::Identity;
use crate::verify::target_half::permitted;
use crate::verify::target_half::planned::{Planned, is_finer, planned, shape};
use crate::verify::target_half::position::{Followed, Found};
use crate::verify::target_half::rehearsal::Rehearsal;
use crate::verify::target_half::repair::TargetRepair;
use crate::verify::target_half::rules::{RulesOf, order, rules};
use crate::verify::target_half::undelivered::Between;
use crate::verify::target_half::versions::{History, Versions};
use crate::{Settings, SyncError};

/// Said where earlier snapshots are needed.
const EXPIRED: &str = "rows are there several times, with others of their keys: whether they came so often cannot be told, since \
     snapshots of the lake table have expired";

/// What is compared.
pub(crate) struct TargetHalf<'a> {
    pub(crate) delivery: Delivery<'a>,
    /// Whether every version of a row stays in the lake; `None` where that is not known.
    pub(crate) lake_keeps_all: Option<bool>,
    /// Whether the same row may come again as it was.
    pub(crate) again: Again,
    /// The lake is to get rows, which the next run delivers.
    pub(crate) to_come: bool,
    /// The source's columns, as far as they are known.
    pub(crate) source_columns: &'a [Column],
    pub(crate) settings: &'a Settings,
}

/// What was found.
pub(crate) struct Compared {
    pub(crate) comparison: Comparison,
    /// Rows of the target that a repair has changed.
    pub(crate) repaired: u64,
    /// The columns of the lake by which the merge knows a row, unless it is told which of several counts.
    pub(crate) knows_by: Vec<String>,
    /// Why the next run will stop.
    pub(crate) stops: Vec<Stop>,
}

impl TargetHalf<'_> {
    pub(crate) async fn compare(
        &self,
        options: &VerifyOptions,
        cancel: &CancellationToken,
    ) -> Result<Compared, SyncError> {
        let delivery = &self.delivery;
        let mut stops = Stops::default();
        let mut lake = delivery.open_lake().await?;
        let mut open = OpenTarget::open(delivery.target, &lake).await?;
        let name = open.table.name.to_string();
        stops.note(origin::refuse(&lake, &mut open).await)?;
        stops.note(open.check_updatable().await)?;
        delivery.settle_key(&mut open, &lake).await?;
        let found = Found::read(delivery, &mut open, &lake).await?;
        // The position may be of a snapshot that was made meanwhile.
        lake.refresh()
            .await
            .doing(|| format!("reading lake table {}", lake.name()))?;
        let current = lake.current_snapshot().map(|snapshot| snapshot.id);
        let line = Line::of(&lake, current);
        let merge = delivery.merge_digest(&lake, &open.table).await;
        let followed = Followed::of(delivery, &found, &line, merge.as_deref());
        let position = followed.known.as_ref().map(|known| known.snapshot_id);
        let reached = position.filter(|id| lake.snapshot(*id).is_ok());
        let mut notes = followed.notes(reached.is_some(), &name);
        let at = reached.or(current);

        let description = delivery.describe(&lake)?;
        let takes = taken(&description, &open.table, delivery.exclude)?.columns;
        let rows = description.row_estimate.unwrap_or(0);
        let expected = |as_changes: bool| {
            let from = as_changes.then_some(NO_SNAPSHOT);
            expected_delta(&takes, from, rows, &open.table)
        };
        let delta = expected(followed.as_changes());
        let Planned {
            plan,
            written,
            states,
            puts_aside,
        } = planned(delivery, &open, &delta, &takes).await?;
        let mut refused = false;
        let mut to_deliver = None;
        if let Some(situation) = &followed.situation
            && (followed.start != Start::UpToDate || self.to_come)
        {
            let read = expected(!matches!(followed.start, Start::Everything(_)));
            let landing = delivery.land(&open.table, read, &takes, situation).await;
            let landing = stops.note(landing)?;
            refused = landing.is_none();
            if let Some(landing) = landing {
                let has_merge = open.connection.server().has_merge();
                stops.note(landing.statements(&open.table, has_merge))?;
                let rehearsal = Rehearsal {
                    delivery,
                    lake: &lake,
                    from: match followed.start {
                        Start::Changes(from) => Some(from),
                        _ => None,
                    },
                    to: current,
                    description: &description,
                    takes: &takes,
                    target: &open.table,
                    situation,
                    landing: &landing,
                };
                if followed.start != Start::UpToDate && stops.0.is_empty() {
                    to_deliver = stops.note(rehearsal.run(cancel).await)?;
                }
                if to_deliver != Some(0) {
                    notes.extend(permitted::told(&mut open, &landing.plan).await?);
                }
            }
        }

        let source = SourceColumns::remembered(&lake).with_current(self.source_columns);
        let by = (&plan, &delta);
        let identity = Identity::of((&lake, &source), &description, &takes, by, &open.table);
        let now = (&description, &identity);
        let shape = shape(&plan, &written, &states, now, &takes, &open);
        let mut comparison = Comparison {
            expected: format!("lake table {}", lake.name()),
            found: format!("target table {name}"),
            key: key_names(&shape),
            columns: shape.columns.iter().map(|c| c.name.clone()).collect(),
            left_out: written.left_out(&description, &takes),
            ..Comparison::default()
        };
        if open.creation.is_some() {
            notes.push(format!(
                "there is no target table {name}: `icehost sync`, or `icehost load --full`, creates it where it is told \
                 to, with --create-target"
            ));
        } else if !open.table.snapshot_isolation {
            notes.push(format!(
                "{name} is read under READ COMMITTED: rows that move while it is read can look wrong"
            ));
        }
        let share = memory(self.settings, open.table.columns.len())?;
        if let (Some(from), Some(to)) = (reached, current)
            && from != to
        {
            let between = Between {
                lake: &lake,
                from,
                to,
                most_bytes: self.settings.memory.held_bytes(),
            };
            let asked = match followed.start {
                Start::Changes(_) => {
                    if to_deliver.is_none() {
                        let delivered = ((&description, takes.as_slice()), &plan, &open.table);
                        // Why the next run ends, it is known by now.
                        let counted = between.changes(delivered, cancel).await;
                        to_deliver = Stops::default().note(counted)?;
                    }
                    if to_deliver.is_none() {
                        notes.push(
                            "how many rows are yet to be delivered cannot be told".to_owned(),
                        );
                    }
                    to_deliver
                }
                _ => {
                    let columns = written.pairs.iter().map(|(lake, _)| *lake).collect();
                    let memory = share.row_group_bytes;
                    Some(between.differing(columns, &shape, memory, cancel).await?)
                }
            };
            comparison.undelivered = asked.unwrap_or_default();
        }
        comparison.notes = notes;
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
            all_to_come: followed.all_to_come() && !refused,
            order: order.as_ref(),
            puts_aside,
            finer: is_finer(&plan, &identity, &takes, &open),
            lake_keeps_all: self.lake_keeps_all,
            again: self.again,
            shared: !followed.shared_with.is_empty(),
        });
        let extract = ExtractOptions {
            batch_bytes: share.batch_bytes,
            largest_row: share.row_bytes,
            time_precision: TimePrecision::Truncate,
            ..ExtractOptions::default()
        };
        let both = Both {
            lake_keeps_all: self.lake_keeps_all,
            target: delivery.target,
            lake: &lake,
            at,
            written: &written,
            states: &states,
            shape: &shape,
            read: &read,
            extract: &extract,
            order: &order.unwrap_or_default(),
            share,
            options,
            identity: &identity,
        };
        let mut rules = rules;
        let once = comparison.clone();
        let mut wrong = both
            .compare(&rules, &mut open, server.clone(), &mut comparison, cancel)
            .await?;
        if let Some(told) = both.came(&rules, &comparison, &wrong, cancel).await? {
            comparison = once;
            match told {
                Some(came) => rules.came = Some(Arc::new(came)),
                None => {
                    rules.again = Again::Between;
                    comparison.notes.push(EXPIRED.to_owned());
                }
            }
            wrong = both
                .compare(&rules, &mut open, server, &mut comparison, cancel)
                .await?;
        }
        let versions = Versions::of(&plan, &written.pairs, &open.table.table)
            .filter(|_| open.creation.is_none() && !states.tell_whose() && !shape.key.is_empty());
        if let Some(versions) = versions {
            let pairs = |&at: &usize| Some(written.pairs.get(at)?.1);
            let keys: Vec<u32> = shape.key.iter().filter_map(pairs).collect();
            // The target has them in the order of its own keys: each spelling that it tells apart is a row's own.
            let there = |&at: &u32| open.table.table.columns.get(at as usize);
            let fold = |at| Fold::of(there(at).and_then(|column| column.collation.as_ref()));
            let folds: Vec<Fold> = keys.iter().map(fold).collect();
            let history = History {
                connection: &mut open.connection,
                table: &open.table,
                keys: &keys,
                shape: shape.of_key().folded(&folds),
                options: extract.clone(),
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
        comparison.repairable = open.creation.is_none()
            && followed.known.is_some()
            && check_repairable(&plan, &comparison.found).is_ok();
        let mut repaired = 0;
        if !options.repair {
            wrong = WrongKeys::default();
        }
        if open.creation.is_some() && !wrong.is_empty() {
            return Err(SyncError::schema(
                format!("there is no target table {name}: nothing of it can be repaired"),
                "run `icehost sync`, or `icehost load --full`, with --create-target, which creates it and delivers every row",
            ));
        }
        if let (false, Some(position), Some(at)) = (wrong.is_empty(), &followed.known, at) {
            let doubts = KeyDoubts::by((&lake, &source), &description, &takes, by, &open.table);
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
                doubts: &doubts,
                keys_are_unique: keys_must_be_unique(&lake, &description, &plan, &delta),
                read: &read,
                states: &states,
                batch_bytes: share.batch_bytes,
                row_bytes: share.row_bytes,
            };
            repaired = repair.run(&mut open, cancel).await?;
        }
        if !stops.0.is_empty() {
            comparison.hold(options.limit);
        }
        let keys = plan.keys.iter().filter(|_| plan.deduplicate.is_empty());
        let name = |ordinal: u32| Some(description.columns.get(ordinal as usize)?.name.clone());
        let names = keys.filter_map(|key| name(takes.get(key.source as usize)?.ordinal));
        Ok(Compared {
            comparison,
            repaired,
            knows_by: names.collect(),
            stops: stops.0,
        })
    }
}

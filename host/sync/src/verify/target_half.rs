//! Lake and target.

use std::sync::Arc;

use icehost_lake::LakeTable;
use icehost_plan::{Column, Delta, Table, ValidExtractionPlan, ValidMergePlan};
use icehost_sqlserver::{ExtractOptions, TimePrecision};
use tokio_util::sync::CancellationToken;

use super::came::{Arrivals, Came};
use super::compare::Comparing;
use super::fits::Fits;
use super::fold::Fold;
use super::identity::Identity;
use super::judge::{Again, Class, Landing, Rules, Side};
use super::order::Order;
use super::rehearsal::Rehearsal;
use super::repair::{WrongKeys, check_repairable};
use super::report::Comparison;
use super::rows::{LakeRows, Rows, TargetRows};
use super::shape::{Padding, Shape, ShapeColumn};
use super::source_half::{key_names, server_sums};
use super::states::{AtTwoTimes, States};
use super::stops::{Stop, Stops};
use super::sums::ServerSums;
use super::target_position::{Followed, Found};
use super::target_repair::TargetRepair;
use super::target_rules::{RulesOf, order, rules};
use super::undelivered::Between;
use super::versions::{History, Versions};
use super::written::Written;
use super::{VerifyOptions, memory, reading};
use crate::error::Doing;
use crate::rows::layout;
use crate::target::delivery::Delivery;
use crate::target::delta::{as_changes, expected_delta};
use crate::target::key_doubts::KeyDoubts;
use crate::target::landing::keys_must_be_unique;
use crate::target::origin;
use crate::target::start::{Line, NO_SNAPSHOT, Start};
use crate::target::table::{OpenTarget, Taken, taken};
use crate::{Memory, Settings, SyncError};

/// A day: two runs that are so far apart show what a merger dates.
const A_DAY: i64 = icehost_plan::value::TICKS_PER_DAY;

/// Said where earlier snapshots are needed.
const EXPIRED: &str = "rows are there several times, with others of their keys: whether they came so often cannot be told, since \
     snapshots of the lake table have expired";

/// What is compared.
pub(super) struct TargetHalf<'a> {
    pub(super) delivery: Delivery<'a>,
    /// Whether every version of a row stays in the lake; `None` where that is not known.
    pub(super) lake_keeps_all: Option<bool>,
    /// Whether the same row may come again as it was.
    pub(super) again: Again,
    /// The lake is to get rows, which the next run delivers.
    pub(super) to_come: bool,
    /// The source's columns, as far as they are known.
    pub(super) source_columns: &'a [Column],
    pub(super) settings: &'a Settings,
}

/// What was found.
pub(super) struct Compared {
    pub(super) comparison: Comparison,
    /// Rows of the target that a repair has changed.
    pub(super) repaired: u64,
    /// The columns of the lake by which the merge knows a row, unless it is told which of several counts.
    pub(super) knows_by: Vec<String>,
    /// Why the next run will stop.
    pub(super) stops: Vec<Stop>,
}

impl TargetHalf<'_> {
    pub(super) async fn compare(
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
        } = self.plan(&open, &delta, &takes).await?;
        let mut refused = false;
        if let Some(situation) = &followed.situation
            && (followed.start != Start::UpToDate || self.to_come)
        {
            let read = expected(!matches!(followed.start, Start::Everything(_)));
            let landing = delivery.land(&open.table, read, &takes, situation).await;
            let landing = stops.note(landing)?;
            refused = landing.is_none();
            if let Some(landing) = landing {
                let has_merge = open.connection.server().has_merge;
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
                    stops.note(rehearsal.run(cancel).await)?;
                }
            }
        }

        let source = layout::source_columns_now(&lake, self.source_columns);
        let by = (&plan, &delta);
        let identity = Identity::of(&description, &takes, by, &open.table, &source);
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
                    let delivered = ((&description, takes.as_slice()), &plan, &open.table);
                    let fits = Fits::new(&open.table, &takes, (0..takes.len()).collect());
                    let changes = between.changes(delivered, fits.as_ref(), cancel).await;
                    let told = stops.note(changes)?;
                    stops.note(fits.map_or(Ok(()), |fits| fits.told()))?;
                    if told.is_none() {
                        notes.push(
                            "how many rows are yet to be delivered cannot be told".to_owned(),
                        );
                    }
                    told
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
            largest_row: self.settings.memory.row_bytes(),
            time_precision: TimePrecision::Truncate,
            ..ExtractOptions::default()
        };
        let both = Both {
            half: self,
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
            let doubts = KeyDoubts::by(&source, &description, &takes, by, &open.table);
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
                keys_are_unique: keys_must_be_unique(&description, &plan, &delta),
                read: &read,
                states: &states,
                batch_bytes: share.batch_bytes,
                row_bytes: self.settings.memory.row_bytes(),
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
}

/// Lake and target, ready to be compared.
struct Both<'a> {
    half: &'a TargetHalf<'a>,
    lake: &'a LakeTable,
    /// The lake's snapshot.
    at: Option<i64>,
    written: &'a Written,
    states: &'a States,
    shape: &'a Shape,
    /// How the target is read.
    read: &'a ValidExtractionPlan,
    extract: &'a ExtractOptions,
    order: &'a Order,
    share: Memory,
    options: &'a VerifyOptions,
    identity: &'a Identity,
}

impl Both<'_> {
    fn lake_columns(&self) -> Vec<u32> {
        self.written.pairs.iter().map(|(lake, _)| *lake).collect()
    }

    /// Rows that are there more often than they can be, unless the lake had them several times.
    fn may_have_come_again(rules: &Rules) -> bool {
        rules.landing == Landing::Among && rules.again == Again::Never && rules.came.is_none()
    }

    async fn compare(
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
            asked: Some(
                self.identity
                    .asked(self.half.delivery.target, self.shape, |at| {
                        Some(self.written.pairs.get(at)?.0)
                    }),
            ),
        };
        comparing.run(comparison, cancel).await
    }

    /// How often the rows came that are there too often for ones that come once, where there are any; `Some(None)` where
    /// nobody knows.
    async fn came(
        &self,
        rules: &Rules,
        found: &Comparison,
        wrong: &WrongKeys,
        cancel: &CancellationToken,
    ) -> Result<Option<Option<Came>>, SyncError> {
        let keeps_all = self.half.lake_keeps_all == Some(true);
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

/// Whether the target tells keys apart that are one for the lake.
fn is_finer(
    plan: &ValidMergePlan,
    identity: &Identity,
    takes: &[Taken],
    open: &OpenTarget,
) -> bool {
    let mut keys = plan.keys.iter();
    keys.any(|key| {
        let taken = takes.get(key.source as usize);
        let own = taken.and_then(|taken| identity.collation(taken.ordinal));
        let there = open.table.table.columns.get(key.target as usize);
        let there = there.and_then(|there| there.collation.as_ref());
        // The collations of another language pass over the same kinds of difference by other tables.
        matches!((own, there), (Some(own), Some(there)) if !own.name().eq_ignore_ascii_case(there.name()))
    })
}

/// How rows land.
struct Planned {
    plan: ValidMergePlan,
    written: Written,
    states: States,
    /// Rows that the lake does not have are put aside.
    puts_aside: bool,
}

/// What is compared: the columns that the merge copies, and those that tell rows that count, by the merge's key.
fn shape(
    plan: &ValidMergePlan,
    written: &Written,
    states: &States,
    (lake, identity): (&Table, &Identity),
    takes: &[Taken],
    open: &OpenTarget,
) -> Shape {
    let named = |name: &str, target: u32, origin: Option<u32>| {
        let found = open.table.columns.get(target as usize)?;
        let described = open.table.table.columns.get(target as usize)?;
        let own = origin.and_then(|ordinal| identity.collation(ordinal));
        Some(ShapeColumn {
            name: name.to_owned(),
            padding: Padding::of(found.sql_type),
            // Keys that are one for the lake or for the target.
            fold: Fold::of(own).or(Fold::of(described.collation.as_ref())),
            certain: origin.and_then(|ordinal| identity.certain(ordinal)),
        })
    };
    let copies = written.pairs.iter().filter_map(|&(ordinal, target)| {
        let column = lake.columns.get(ordinal as usize)?;
        named(&column.name, target, Some(ordinal))
    });
    let marks = states.ordinals().filter_map(|target| {
        let column = open.table.columns.get(target as usize)?;
        named(&column.name, target, None)
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

//! Lake and target.

use futures::TryStreamExt;
use icehost_lake::LakeTable;
use icehost_plan::{
    Action, Clause, Delta, Expression, LakeType, Node, Occasion, Side, Table, ValidMergePlan, Value,
};
use icehost_sqlserver::{ExtractOptions, KnownPosition, SqlTable, TimePrecision};
use tokio_util::sync::CancellationToken;

use super::compare::Comparing;
use super::judge::{Again, Choice, Class, Landing, Rules};
use super::order::Order;
use super::report::{Comparison, LeftOut};
use super::rows::{LakeRows, Rows, TargetRows};
use super::shape::{Fold, Padding, Shape, ShapeColumn, bytes_of};
use super::source_half::{key_names, server_sums};
use super::source_rules::overwrites;
use super::target_repair::TargetRepair;
use super::{VerifyOptions, judge, memory, reading};
use crate::delivery_start::{Line, NO_SNAPSHOT};
use crate::delta::{expected_delta, keyed, request};
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
        let plan = delivery.plan(&open.table, &delta).await?;
        let later = Delta {
            run_time: delta.run_time.saturating_add(A_DAY),
            ..delta.clone()
        };
        let dated = delivery.plan(&open.table, &later).await?;
        let written = Written::of(&plan, &dated, &open.table.table, &takes);

        let shape = self.shape(&plan, &written, &description, &takes, &open);
        let mut comparison = Comparison {
            expected: format!("lake table {}", lake.name()),
            found: format!("target table {name}"),
            key: key_names(&shape),
            columns: shape.columns.iter().map(|c| c.name.clone()).collect(),
            left_out: left_out(&description, &takes, &written),
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
        let live = written.literals.iter().map(|(target, _)| *target);
        let types = written.pairs.iter().filter_map(|&(_, target)| {
            let column = open.table.columns.get(target as usize)?;
            Some(column.sql_type)
        });
        let as_they_are = open.creation.is_none() && written.literals.is_empty();
        let server =
            server_sums(judge::Side::Found, types.collect(), &shape).filter(|_| as_they_are);
        let lake_takes: Vec<u32> = takes.iter().map(|taken| taken.ordinal).collect();
        let read = reading(&open.table.table, columns.chain(live).collect(), None)?;
        let lake_columns: Vec<u32> = written.pairs.iter().map(|(lake, _)| *lake).collect();
        let order = order(&plan, &written, &takes);
        let rules = Rules {
            unique: is_unique(&plan, &open.table),
            ..self.rules(&plan, position.is_none(), order.is_none())
        };
        let rules = match shared_with.is_empty() {
            true => rules,
            false => among_others(rules),
        };
        let comparing = Comparing {
            expected: Rows::Lake(LakeRows {
                table: &lake,
                snapshot: at,
                columns: lake_columns,
            }),
            rules,
            order: order.unwrap_or_default(),
            found: match open.creation {
                Some(_) => Rows::None,
                None => Rows::Target(Box::new(TargetRows {
                    connection: &mut open.connection,
                    table: &open.table,
                    plan: read.clone(),
                    options: ExtractOptions {
                        batch_bytes: share.batch_bytes,
                        largest_row: self.settings.memory.row_bytes(),
                        time_precision: TimePrecision::Truncate,
                        ..ExtractOptions::default()
                    },
                    compared: written.pairs.len(),
                    live: written.literals.iter().map(|(_, v)| bytes_of(v)).collect(),
                })),
            },
            shape: shape.clone(),
            memory: share.row_group_bytes,
            limit: options.limit,
            remember: options.remembered(share),
            server,
        };
        let wrong = comparing.run(&mut comparison, cancel).await?;
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
                takes: lake_takes,
                shape: &shape,
                wrong: &wrong,
                read: &read,
                live: written.literals.iter().map(|(_, v)| bytes_of(v)).collect(),
                batch_bytes: share.batch_bytes,
                row_bytes: self.settings.memory.row_bytes(),
            };
            repaired = repair.run(&mut open, cancel).await?;
        }
        Ok((comparison, repaired))
    }

    fn shape(
        &self,
        plan: &ValidMergePlan,
        written: &Written,
        lake: &Table,
        takes: &[Taken],
        open: &OpenTarget,
    ) -> Shape {
        let columns = written.pairs.iter().filter_map(|&(ordinal, target)| {
            let found = open.table.columns.get(target as usize)?;
            let described = open.table.table.columns.get(target as usize)?;
            Some(ShapeColumn {
                name: lake.columns.get(ordinal as usize)?.name.clone(),
                padding: Padding::of(found.sql_type),
                fold: Fold::of(described.collation.as_ref()),
            })
        });
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
            columns: columns.collect(),
            key: match key.len() == keys.len() {
                true => key,
                false => Vec::new(),
            },
        }
    }

    /// `first`: nothing has been delivered. `by_server`: which of several rows of a key counts is decided by an order
    /// that only the server knows.
    fn rules(&self, plan: &ValidMergePlan, first: bool, by_server: bool) -> Rules {
        let class = match first {
            true => Class::Pending,
            false => Class::Wrong,
        };
        let has_key = !plan.keys.is_empty();
        Rules {
            landing: match (has_key, by_server) {
                (true, false) => Landing::One(Choice::InTurn),
                (true, true) => Landing::One(Choice::Any),
                (false, _) => Landing::Among,
            },
            missing: class,
            changed: match overwrites(plan) {
                true => class,
                false => Class::NotSeen,
            },
            extra: match (has_key, takes_out(plan)) {
                (true, true) => Some(class),
                (true, false) => Some(Class::NotSeen),
                // The lake still has whatever it ever delivered.
                (false, _) if self.lake_keeps_all == Some(true) => Some(Class::Wrong),
                (false, _) => None,
            },
            repeated: Class::Wrong,
            unique: false,
            again: self.again,
        }
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

/// What a target has followed.
struct Followed {
    /// How far it has followed the lake table.
    known: Option<KnownPosition>,
    /// Other lake tables that deliver into the same table.
    shared_with: Vec<String>,
}

/// The rules where other lake tables deliver into the same table: a row that the lake table does not have, or has
/// less often, may be one of theirs.
fn among_others(rules: Rules) -> Rules {
    Rules {
        extra: rules.extra.map(|_| Class::NotSeen),
        repeated: Class::NotSeen,
        ..rules
    }
}

fn told_of_others(target: &str, others: &[String]) -> String {
    let others = others.join(", ");
    format!(
        "{target} has rows of other lake tables ({others}): rows that this lake table does not have are not seen, since \
         which of them those delivered cannot be told; where one is gone, delete its row from dbo.icehost_positions"
    )
}

/// Whether an index of the target keeps two rows from having a key of the merge in common.
fn is_unique(plan: &ValidMergePlan, target: &SqlTable) -> bool {
    let keys = plan.keys.iter();
    let names = keys.filter_map(|key| Some(&target.columns.get(key.target as usize)?.name));
    let names: Vec<&String> = names.collect();
    let mut unique = target.unique_keys.iter();
    unique.any(|key| !key.is_empty() && key.iter().all(|column| names.contains(&column)))
}

/// The order by which the merge chooses among lake rows with one key; `None` where only the server knows it: that of
/// texts is their collation's, that of UUIDs its own.
fn order(plan: &ValidMergePlan, written: &Written, takes: &[Taken]) -> Option<Order> {
    Order::of(&plan.deduplicate, |column| {
        let taken = takes.get(column as usize)?;
        let ours = !matches!(
            taken.column.column_type.lake(),
            LakeType::String | LakeType::Uuid
        );
        let mut pairs = written.pairs.iter();
        pairs.position(|(lake, _)| ours && *lake == taken.ordinal)
    })
}

/// Whether rows that the lake no longer has leave the target, or are marked there.
fn takes_out(plan: &ValidMergePlan) -> bool {
    let takes_out = |clause: &Clause| match &clause.action {
        Action::Delete => true,
        Action::Write(assignments) => assignments.iter().all(|assignment| {
            let nodes = &assignment.value.nodes;
            !nodes
                .iter()
                .any(|node| matches!(node, Node::Column { side, .. } if *side == Side::Source))
        }),
        Action::WriteAll | Action::Skip | Action::Supersede(_) => false,
    };
    plan.clauses
        .iter()
        .any(|clause| clause.occasion != Occasion::NotMatched && takes_out(clause))
}

/// What a merge writes of a row that is new to the target.
struct Written {
    /// Ordinals of columns in lake and target that then hold the same.
    pairs: Vec<(u32, u32)>,
    /// Columns of the target that hold the same value in every row that counts.
    literals: Vec<(u32, Value)>,
}

impl Written {
    /// By the clause that adds rows. `dated` is the same merge at another time: what it gives other values says when a
    /// run was, and nothing of a row.
    fn of(
        plan: &ValidMergePlan,
        dated: &ValidMergePlan,
        target: &Table,
        takes: &[Taken],
    ) -> Written {
        let mut written = Written {
            pairs: Vec::new(),
            literals: Vec::new(),
        };
        let Some(action) = adding(plan) else {
            return written;
        };
        let Action::Write(assignments) = action else {
            let pair = |taken: &Taken| {
                let there = target.ordinal(&taken.column.name)?;
                Some((taken.ordinal, there))
            };
            written.pairs = takes.iter().filter_map(pair).collect();
            return written;
        };
        let other: &[_] = match adding(dated) {
            Some(Action::Write(other)) => other,
            _ => &[],
        };
        for assignment in assignments {
            if !other.contains(assignment) {
                continue;
            }
            match root(&assignment.value) {
                Some(Node::Column { column, .. }) => {
                    if let Some(taken) = takes.get(*column as usize) {
                        written.pair(taken, assignment.target, target);
                    }
                }
                Some(Node::Literal(value)) => {
                    written.literals.push((assignment.target, value.clone()));
                }
                _ => {}
            }
        }
        written
    }
}

impl Written {
    /// A lake column that goes to two columns is a copy in the one of its name. In the other it says something of the
    /// version, since when it counts for example, and need not follow.
    fn pair(&mut self, taken: &Taken, there: u32, target: &Table) {
        let known = self.pairs.iter_mut().find(|pair| pair.0 == taken.ordinal);
        match known {
            None => self.pairs.push((taken.ordinal, there)),
            Some(known) if target.ordinal(&taken.column.name) == Some(there) => known.1 = there,
            Some(_) => {}
        }
    }
}

fn root(expression: &Expression) -> Option<&Node> {
    expression.node(expression.root)
}

/// What a plan does with a row that is new.
fn adding(plan: &ValidMergePlan) -> Option<&Action> {
    let mut adding = plan.clauses.iter().filter(|clause| {
        clause.occasion == Occasion::NotMatched
            && matches!(clause.action, Action::WriteAll | Action::Write(_))
    });
    // The last one: those before it have conditions, or it would never be reached.
    adding.next_back().map(|clause| &clause.action)
}

/// Lake columns that are not compared.
fn left_out(lake: &Table, takes: &[Taken], written: &Written) -> Vec<LeftOut> {
    let why = |ordinal: u32| {
        if written.pairs.iter().any(|(pair, _)| *pair == ordinal) {
            None
        } else if takes.iter().any(|taken| taken.ordinal == ordinal) {
            Some("the merge does not write it as it is")
        } else {
            Some("the target does not take it")
        }
    };
    let columns = (0u32..).zip(&lake.columns).filter_map(|(ordinal, column)| {
        Some(LeftOut {
            column: column.name.clone(),
            why: why(ordinal)?.to_owned(),
        })
    });
    columns.collect()
}

/// Rows that changed in the lake since the snapshot that the target has reached.
async fn undelivered(
    lake: &LakeTable,
    from: i64,
    to: i64,
    (takes, plan, target): (&[Taken], &ValidMergePlan, &SqlTable),
    cancel: &CancellationToken,
) -> Result<u64, SyncError> {
    let doing = || format!("reading the changes of lake table {}", lake.name());
    let changes = lake
        .changes(request(Some(from), Some(to), takes))
        .await
        .and_then(|changes| keyed(changes, plan, target))
        .doing(doing)?;
    let mut batches = changes.stream();
    let mut rows = 0;
    while let Some(batch) = tokio::select! {
        batch = batches.try_next() => batch.doing(doing)?,
        () = cancel.cancelled() => return Err(SyncError::cancelled()),
    } {
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}

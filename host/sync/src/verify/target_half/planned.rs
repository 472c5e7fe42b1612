//! How rows land at the target, and what of them is compared.

use icehost_plan::{Delta, Table, ValidMergePlan};

use crate::SyncError;
use crate::delivery::delta::as_changes;
use crate::delivery::table::{OpenTarget, Taken};
use crate::delivery::task::Delivery;
use crate::verify::compare::fold::Fold;
use crate::verify::compare::shape::{Padding, Shape, ShapeColumn};
use crate::verify::compare::states::{AtTwoTimes, States};
use crate::verify::target_half::identity::Identity;
use crate::verify::target_half::written::Written;

/// A day: two runs that are so far apart show what a merger dates.
const A_DAY: i64 = icehost_plan::value::TICKS_PER_DAY;

/// How rows land.
pub(crate) struct Planned {
    pub(crate) plan: ValidMergePlan,
    pub(crate) written: Written,
    pub(crate) states: States,
    /// Rows that the lake does not have are put aside.
    pub(crate) puts_aside: bool,
}

/// Asks the merger how rows land, and what it makes of the target's.
pub(crate) async fn planned(
    delivery: &Delivery<'_>,
    open: &OpenTarget,
    delta: &Delta,
    takes: &[Taken],
) -> Result<Planned, SyncError> {
    let target = &open.table;
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

/// What is compared: the columns that the merge copies, and those that tell rows that count, by the merge's key.
pub(crate) fn shape(
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

/// Whether the target tells keys apart that are one for the lake.
pub(crate) fn is_finer(
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

//! What it means that lake and target differ, which follows from how rows land.

use icehost_plan::{Action, LakeType, ValidMergePlan};
use icehost_sqlserver::SqlTable;

use crate::delivery::table::Taken;
use crate::verify::compare::class::Class;
use crate::verify::compare::judge::{Again, Choice, Landing, Rules};
use crate::verify::compare::order::Order;
use crate::verify::compare::overwrites::overwrites;
use crate::verify::target_half::written::Written;

/// What the rules of a lake and its target follow from.
pub(crate) struct RulesOf<'a> {
    /// How changes land.
    pub(crate) plan: &'a ValidMergePlan,
    pub(crate) target: &'a SqlTable,
    /// The next run delivers every row, and nothing is known of those that are there.
    pub(crate) all_to_come: bool,
    /// The order by which one of several rows of a key is chosen; `None` where only the server knows it.
    pub(crate) order: Option<&'a Order>,
    /// Rows that the lake no longer has are put aside in the target.
    pub(crate) puts_aside: bool,
    /// The target tells keys apart that are one for the lake.
    pub(crate) finer: bool,
    /// Whether every version of a row stays in the lake; `None` where that is not known.
    pub(crate) lake_keeps_all: Option<bool>,
    /// Whether the same row may come again as it was.
    pub(crate) again: Again,
    /// Other lake tables deliver into the same table.
    pub(crate) shared: bool,
}

/// What differences mean.
pub(crate) fn rules(of: &RulesOf<'_>) -> Rules {
    let class = match of.all_to_come {
        true => Class::Pending,
        false => Class::Wrong,
    };
    let has_key = !of.plan.keys.is_empty();
    let rules = Rules {
        landing: match (has_key, of.order.is_some()) {
            (true, true) => Landing::One(Choice::InTurn),
            (true, false) => Landing::One(Choice::Any),
            (false, _) => Landing::Among,
        },
        missing: class,
        changed: match overwrites(of.plan) {
            true => class,
            false => Class::NotSeen,
        },
        extra: match (has_key, of.puts_aside || deletes(of.plan)) {
            (true, true) => Some(class),
            (true, false) => Some(Class::NotSeen),
            // The lake still has whatever it ever delivered.
            (false, _) if of.lake_keeps_all == Some(true) => Some(Class::Wrong),
            (false, _) => None,
        },
        repeated: Class::Wrong,
        unique: is_unique(of.plan, of.target) && !of.finer,
        again: of.again,
        came: None,
        last_counts: false,
        overwrites: overwrites(of.plan),
    };
    match of.shared {
        true => among_others(rules),
        false => rules,
    }
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
pub(crate) fn order(plan: &ValidMergePlan, written: &Written, takes: &[Taken]) -> Option<Order> {
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

/// Whether rows that the lake no longer has leave the target.
pub(crate) fn deletes(plan: &ValidMergePlan) -> bool {
    let mut clauses = plan.clauses.iter();
    clauses.any(|clause| clause.action == Action::Delete)
}

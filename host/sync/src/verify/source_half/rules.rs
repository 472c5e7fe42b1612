//! What it means that source and lake differ, which follows from the strategy and from how rows land.

use std::collections::BTreeSet;

use icehost_plan::{
    Action, Coverage, Node, Occasion, SqlType, ValidExtractionPlan, ValidMergePlan,
};
use icehost_sqlserver::SqlTable;

use crate::SyncJob;
use crate::source::open::OpenSource;
use crate::verify::compare::class::Class;
use crate::verify::compare::judge::{Again, Choice, Landing, Rules};
use crate::verify::compare::overwrites::overwrites;

/// What the rules of a source and its lake follow from.
pub(crate) struct RulesOf<'a> {
    /// How rows land in the lake.
    pub(crate) plan: &'a ValidMergePlan,
    /// What the next run reads.
    pub(crate) coverage: Coverage,
    /// The lake has no rows yet.
    pub(crate) never_synced: bool,
    /// Whether a row can be added as it was before.
    pub(crate) again: Again,
    /// Whether a change of a row can come to the strategy's notice.
    pub(crate) sees_updates: bool,
    /// Rows have a key.
    pub(crate) identified: bool,
    /// The target's merge says by which column one of several rows of a key is chosen.
    pub(crate) chosen: bool,
}

impl RulesOf<'_> {
    /// Whether every version of a row stays in the lake, and it shows which row it is of.
    pub(crate) fn keeps_versions(&self) -> bool {
        self.plan.keys.is_empty() && self.identified
    }
}

/// What differences mean.
pub(crate) fn rules(of: &RulesOf<'_>) -> Rules {
    let has_key = !of.plan.keys.is_empty();
    let first = |class| match of.never_synced {
        true => Class::Pending,
        false => class,
    };
    let incremental = of.coverage == Coverage::Incremental;
    let removes = of.plan.clauses.iter().any(|clause| {
        clause.occasion == Occasion::NotMatchedBySource && clause.action == Action::Delete
    });
    Rules {
        landing: match (has_key, of.plan.deduplicate.is_empty()) {
            (true, true) => Landing::Same,
            // Each run chooses among the rows that it reads.
            (true, false) if incremental => Landing::One(Choice::Any),
            (true, false) => Landing::One(Choice::Together),
            (false, _) => Landing::Among,
        },
        missing: first(Class::Wrong),
        changed: match of.sees_updates && overwrites(of.plan) {
            true => first(Class::Wrong),
            false => Class::NotSeen,
        },
        extra: match (has_key, removes && !incremental) {
            (true, true) => Some(Class::Wrong),
            (true, false) => Some(Class::NotSeen),
            // Without a key nobody can say which row a version is of.
            (false, _) => of.identified.then_some(Class::NotSeen),
        },
        repeated: Class::Wrong,
        unique: false,
        // In the lake it shows what came in between.
        again: match of.again {
            Again::Never if of.keeps_versions() => Again::Between,
            again => again,
        },
        came: None,
        last_counts: of.keeps_versions() && !of.chosen,
        overwrites: overwrites(of.plan),
    }
}

/// The columns that decide whether a row is read.
fn filter_columns(plan: &ValidExtractionPlan) -> BTreeSet<u32> {
    let nodes = plan.filter.iter().flat_map(|filter| &filter.nodes);
    nodes
        .filter_map(|node| match node {
            Node::Column { column, .. } => Some(*column),
            _ => None,
        })
        .collect()
}

/// Whether a change of a row can bring it to the strategy's notice: not where that looks at nothing but what a change
/// leaves as it is, an identity or the key.
pub(crate) fn sees_updates(job: &SyncJob, plan: &ValidExtractionPlan, table: &SqlTable) -> bool {
    if plan.coverage == Coverage::Full {
        return true;
    }
    // The shipped strategy says of itself that it sees inserts, whatever its column.
    if job.detection.strategy.strategy().description().name == "id" {
        return false;
    }
    let stays = |column: &u32| {
        let column = table.table.columns.get(*column as usize);
        column.is_some_and(|column| column.identity || column.key_position.is_some())
    };
    let columns = filter_columns(plan);
    columns.is_empty() || !columns.iter().all(stays)
}

/// Whether a row can be added as it was before.
pub(crate) fn again(job: &SyncJob, plan: &ValidExtractionPlan, source: &OpenSource) -> Again {
    // A row that is read anew each time is added anew each time.
    if plan.coverage == Coverage::Full {
        return Again::Always;
    }
    let moves = |column: u32| {
        let column = source.table.columns.get(column as usize)?;
        let carried = is_carried(job, source, &column.name);
        Some(carried && moves_with_each_change(column.sql_type))
    };
    let bound = plan.lower_bound();
    match bound
        .filter(|bound| !bound.or_null)
        .and_then(|bound| moves(bound.column))
    {
        Some(true) => Again::Never,
        // What changes and changes back within a day is the same to a `date`, and NULL stays NULL.
        _ => Again::Between,
    }
}

/// Whether two changes of a row leave different values in a column of this type, where a change leaves its moment or
/// its number there.
fn moves_with_each_change(sql_type: SqlType) -> bool {
    match sql_type {
        SqlType::DateTime | SqlType::RowVersion => true,
        SqlType::DateTime2(digits) | SqlType::DateTimeOffset(digits) => digits >= 3,
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Decimal { .. }
        | SqlType::Money
        | SqlType::SmallMoney
        | SqlType::Real
        | SqlType::Float
        | SqlType::Char(_)
        | SqlType::VarChar(_)
        | SqlType::NChar(_)
        | SqlType::NVarChar(_)
        | SqlType::Binary(_)
        | SqlType::VarBinary(_)
        | SqlType::Date
        | SqlType::Time(_)
        | SqlType::SmallDateTime
        | SqlType::UniqueIdentifier => false,
    }
}

/// Whether a column goes to the lake, and neither a rule nor a transformer changes it.
fn is_carried(job: &SyncJob, source: &OpenSource, name: &str) -> bool {
    let landing = source.landing();
    let lands = landing.columns.iter().any(|column| column.name == name);
    lands && !job.source.rules.concern(name) && !source.transforms.writes(name)
}

/// The columns by which rows are passed over where one of them is NULL. A column that rules or transformers have
/// changed tells nothing.
pub(crate) fn cursor(
    job: &SyncJob,
    plan: &ValidExtractionPlan,
    source: &OpenSource,
) -> Vec<String> {
    let table = &source.table.table;
    let needed = |column: &u32| {
        let filter = plan.filter.as_ref();
        filter.is_some_and(|filter| filter.needs_value(*column))
    };
    let columns = filter_columns(plan).into_iter().filter(needed);
    let columns = columns.filter_map(|ordinal| {
        let column = table.columns.get(ordinal as usize)?;
        let there = plan.columns.contains(&ordinal) && is_carried(job, source, &column.name);
        there.then(|| column.name.clone())
    });
    columns.collect()
}

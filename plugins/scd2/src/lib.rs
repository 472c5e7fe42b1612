//! `scd2`: every version of a row is kept, with the time from when and until when it counted.

mod clauses;
mod columns;
mod end_of_time;
#[cfg(test)]
mod tests;

use icehost_sdk::prelude::*;

use columns::HistoryColumns;

/// The strategy.
pub struct Scd2;

icehost_sdk::options! {
    /// What users may set.
    pub struct Scd2Options {
        /// The columns that identify a row of the source, of which the target has a version after another. By default
        /// the source's primary key.
        pub keys: Option<Vec<String>>,
        /// The target's column that says from when a version counts. By default the only one whose name says so, such
        /// as ValidFrom.
        pub valid_from: Option<String>,
        /// The target's column that says until when a version counted, that moment not included. By default the only
        /// one whose name says so, such as ValidTo.
        pub valid_to: Option<String>,
        /// The target's column that says that a version is the current one: a bit, or an integer that is 1 then and 0
        /// otherwise. By default the only one whose name says so, such as IsCurrent; else there is none.
        pub current: Option<String>,
        /// The columns whose change begins a new version; the others are overwritten in the current one. By default
        /// all but the key and the column that from names.
        pub compare: Option<Vec<String>>,
        /// The column of the source that says since when a row is as it is, such as ModifiedDate: its value begins the
        /// version. By default, and where it is NULL, the time of the run does, in UTC.
        pub from: Option<String>,
        /// What the column valid-to holds for the current version, such as 9999-12-31. By default NULL.
        pub end_of_time: Option<String>,
        /// Whether the versions of rows that a complete read of the source did not find are closed.
        pub close_missing: bool = false,
    }
}

/// What the strategy is shown.
type Context = MergeContext<Scd2Options>;

impl Merger for Scd2 {
    const NAME: &'static str = "scd2";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str =
        "keeps every version of a row, with the time from when and until when it counted";
    type Options = Scd2Options;

    fn plan(context: &Context) -> Result<MergePlan, Error> {
        let history = HistoryColumns::find(context)?;
        let keys = keys(context)?;
        columns::check_room(context, &keys)?;
        let begins = columns::begins(context, &history)?;
        let clauses = clauses::clauses(context, &history, &keys, &begins)?;
        let plan = MergePlan::new(keys.clone(), clauses).among(history.is_current());
        // Changes come as net changes, one for each key, in an order that has its sense. Under a key that is not the
        // source's own, rows with one key are no versions of a row, and none may give way to another.
        Ok(match (begins.column, context.delta.operation) {
            (Some(column), None) if covers_own_key(context, &keys) => {
                plan.deduplicate(vec![SortKey {
                    column,
                    direction: Direction::Descending,
                }])
            }
            _ => plan,
        })
    }
}

/// The key of the source: the target's own is another one, for it has several rows for each.
fn keys(context: &Context) -> Result<Vec<KeyPair>, Error> {
    let own = |id: ColumnId| Some(context.delta.columns.get(id as usize)?.name.clone());
    let names = match &context.options.keys {
        Some(names) => names.clone(),
        None => context.delta.key().into_iter().filter_map(own).collect(),
    };
    if names.is_empty() {
        return Err(Error::invalid_options(
            "no-key",
            format!(
                "the source has no key; set keys to one or more of {}",
                context.delta.names()
            ),
        ));
    }
    context.keys(Some(&names))
}

/// Whether rows with one key are the same row for the source. Without a key of its own, nobody knows.
fn covers_own_key(context: &Context, keys: &[KeyPair]) -> bool {
    let own = context.delta.key();
    let in_keys = |own: &ColumnId| keys.iter().any(|pair| pair.source == *own);
    !own.is_empty() && own.iter().all(in_keys)
}

icehost_sdk::export_merger!(Scd2);

//! `upsert`: rows with a known key are updated, the others inserted.

mod newest_first;

use icehost_sdk::prelude::*;

use newest_first::SortColumn;

/// The strategy.
pub struct Upsert;

/// What the operation column holds for a row that is gone.
const DELETE: i64 = 0;

icehost_sdk::choices! {
    /// What happens to a row whose key is in the target.
    pub enum WhenMatched {
        /// It is overwritten.
        Update = "update",
        /// It stays as it is.
        Skip = "skip",
    }
}

icehost_sdk::choices! {
    /// What happens to rows that the delta says are deleted.
    pub enum Deletes {
        /// They are deleted from the target.
        Apply = "apply",
        /// They stay in the target.
        Ignore = "ignore",
    }
}

icehost_sdk::options! {
    /// What users may set.
    pub struct UpsertOptions {
        /// The columns that identify a row. By default the target's primary key or identifier fields, else
        /// the source's.
        pub keys: Option<Vec<String>>,
        /// Of several rows with one key, the one that comes first in the order of these columns is kept: the
        /// largest value first, unless the direction says otherwise. Without it, and where it ties, the row
        /// that arrived last is kept.
        pub deduplicate_by: Option<Vec<SortColumn>>,
        /// What happens to a row whose key is in the target.
        pub when_matched: WhenMatched = WhenMatched::Update,
        /// Whether rows that a complete read of the source did not find are deleted from the target.
        pub delete_missing: bool = false,
        /// What happens to rows that the source says are deleted.
        pub deletes: Deletes = Deletes::Apply,
    }
}

impl Merger for Upsert {
    const NAME: &'static str = "upsert";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const SUMMARY: &'static str = "updates rows whose key is known and inserts the others";
    type Options = UpsertOptions;

    fn plan(context: &MergeContext<UpsertOptions>) -> Result<MergePlan, Error> {
        let keys = context.keys(context.options.keys.as_deref())?;
        let order = newest_first::sort_keys(context)?;
        Ok(MergePlan::new(keys, clauses(context)).deduplicate(order))
    }
}

fn clauses(context: &MergeContext<UpsertOptions>) -> Vec<Clause> {
    let options = &context.options;
    let mut clauses = Vec::new();
    if let Some(operation) = context.delta.operation {
        let deleted = || col(operation).eq(lit(DELETE));
        let matched = match options.deletes {
            Deletes::Apply => Action::Delete,
            Deletes::Ignore => Action::Skip,
        };
        clauses.push(Clause::matched(matched).when(deleted()));
        clauses.push(Clause::not_matched(Action::Skip).when(deleted()));
    }
    clauses.push(Clause::matched(match options.when_matched {
        WhenMatched::Update => Action::WriteAll,
        WhenMatched::Skip => Action::Skip,
    }));
    clauses.push(Clause::not_matched(Action::WriteAll));
    if options.delete_missing && context.delta.contents == Contents::Snapshot {
        clauses.push(Clause::not_matched_by_source(Action::Delete));
    }
    clauses
}

icehost_sdk::export_merger!(Upsert);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn integer(name: &str) -> Column {
        Column::new(name, LogicalType::Integer, "int")
    }

    fn target() -> Table {
        Table::new(
            "dbo.Lines",
            vec![
                integer("OrderId").key(0),
                integer("Line").key(1),
                integer("Amount"),
            ],
        )
    }

    /// The same columns in another order, with the operation in front.
    fn delta(contents: Contents) -> Delta {
        let columns = vec![
            integer("op"),
            integer("Amount"),
            integer("Line"),
            integer("OrderId"),
        ];
        let mut delta = Delta::new(columns, contents);
        delta.operation = (contents == Contents::Changes).then_some(0);
        delta
    }

    fn plan(target: Table, delta: Delta, options: &str) -> Result<MergePlan, Error> {
        Upsert::plan(&MergeContext {
            target,
            delta,
            options: icehost_sdk::options::parse(options)?,
        })
    }

    fn pair(source: ColumnId, target: ColumnId) -> KeyPair {
        KeyPair { source, target }
    }

    #[test]
    fn a_composite_key_is_paired_by_name() {
        let plan = plan(target(), delta(Contents::Upserts), "{}").unwrap();
        assert_eq!(plan.keys, [pair(3, 0), pair(2, 1)]);
        assert_eq!(
            plan.clauses,
            [
                Clause::matched(Action::WriteAll),
                Clause::not_matched(Action::WriteAll)
            ]
        );
        assert_eq!(plan.mode, WriteMode::MergeOnRead);
    }

    #[test]
    fn the_source_s_key_serves_where_the_target_has_none() {
        let mut target = target();
        target
            .columns
            .iter_mut()
            .for_each(|c| c.key_position = None);
        let mut delta = delta(Contents::Upserts);
        delta.columns[2].key_position = Some(0);
        assert_eq!(plan(target, delta, "{}").unwrap().keys, [pair(2, 1)]);
    }

    #[test]
    fn named_keys_come_before_any_other() {
        let plan = plan(
            target(),
            delta(Contents::Upserts),
            r#"{"keys": ["amount"]}"#,
        )
        .unwrap();
        assert_eq!(plan.keys, [pair(1, 2)]);
    }

    #[test]
    fn without_a_key_the_columns_are_listed() {
        let mut target = target();
        target
            .columns
            .iter_mut()
            .for_each(|c| c.key_position = None);
        let error = plan(target, delta(Contents::Upserts), "{}").unwrap_err();
        assert_eq!(error.code, "no-key");
        assert!(
            error
                .message
                .ends_with("set keys to one or more of 'op', 'Amount', 'Line', 'OrderId'"),
            "{error:?}"
        );
    }

    #[test]
    fn keys_must_be_on_both_sides_and_different() {
        let with = |keys: &str| {
            plan(target(), delta(Contents::Upserts), keys)
                .unwrap_err()
                .code
        };
        assert_eq!(with(r#"{"keys": ["Nope"]}"#), "no-column");
        assert_eq!(with(r#"{"keys": ["op"]}"#), "no-column");
        assert_eq!(with(r#"{"keys": ["Line", "LINE"]}"#), "repeated-key");
    }

    #[test]
    fn changes_delete_what_was_deleted_and_never_insert_it() {
        let deleted = || col(0).eq(lit(0));
        let applied = plan(target(), delta(Contents::Changes), "{}").unwrap();
        assert_eq!(
            applied.clauses,
            [
                Clause::matched(Action::Delete).when(deleted()),
                Clause::not_matched(Action::Skip).when(deleted()),
                Clause::matched(Action::WriteAll),
                Clause::not_matched(Action::WriteAll),
            ]
        );
        let ignored = plan(
            target(),
            delta(Contents::Changes),
            r#"{"deletes": "ignore"}"#,
        )
        .unwrap();
        assert_eq!(
            ignored.clauses[0],
            Clause::matched(Action::Skip).when(deleted())
        );
    }

    #[test]
    fn only_a_complete_read_deletes_what_is_missing() {
        let options = r#"{"delete-missing": true}"#;
        let complete = plan(target(), delta(Contents::Snapshot), options).unwrap();
        assert_eq!(
            complete.clauses.last(),
            Some(&Clause::not_matched_by_source(Action::Delete))
        );
        for contents in [Contents::Upserts, Contents::Changes] {
            let partial = plan(target(), delta(contents), options).unwrap();
            let missing = |clause: &Clause| clause.occasion == Occasion::NotMatchedBySource;
            assert!(!partial.clauses.iter().any(missing), "{contents:?}");
        }
        let complete = plan(target(), delta(Contents::Snapshot), "{}").unwrap();
        assert_eq!(complete.clauses.len(), 2);
    }

    #[test]
    fn known_rows_can_be_left_as_they_are() {
        let options = r#"{"when-matched": "skip"}"#;
        let plan = plan(target(), delta(Contents::Upserts), options).unwrap();
        assert_eq!(plan.clauses[0], Clause::matched(Action::Skip));
    }
}

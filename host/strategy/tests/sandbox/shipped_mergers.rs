//! The shipped mergers, through the runtime.

use icehost_plan::{
    Action, Clause, Column, ColumnType, Contents, Delta, Direction, KeyPair, LakeType, Occasion,
    SortKey, Table, ValidMergePlan, WriteMode,
};
use icehost_strategy::{Options, StrategyError};

use crate::fixtures::{orders, runtime, shipped};

async fn plan(
    name: &str,
    pairs: &[(&str, &str)],
    target: &Table,
    delta: &Delta,
) -> Result<ValidMergePlan, StrategyError> {
    let runtime = runtime();
    let strategy = shipped(&runtime, name).await;
    let options = Options::from_pairs(&strategy, pairs)?;
    strategy.as_merger()?.plan(target, delta, &options).await
}

fn delta(contents: Contents) -> Delta {
    let mut columns = orders().columns;
    let operation = (contents == Contents::Changes).then(|| {
        columns.push(Delta::operation_column());
        columns.len() as u32 - 1
    });
    Delta {
        columns,
        contents,
        operation,
        rows: 10,
        run_time: 0,
    }
}

fn clause(occasion: Occasion, action: Action) -> Clause {
    Clause {
        occasion,
        condition: None,
        action,
    }
}

#[tokio::test]
async fn upsert_updates_and_inserts_by_the_target_s_key() {
    let plan = plan("upsert", &[], &orders(), &delta(Contents::Upserts))
        .await
        .unwrap();
    assert_eq!(
        plan.keys,
        [KeyPair {
            source: 0,
            target: 0
        }]
    );
    assert_eq!(
        plan.clauses,
        [
            clause(Occasion::Matched, Action::WriteAll),
            clause(Occasion::NotMatched, Action::WriteAll)
        ]
    );
    assert_eq!(plan.mode, WriteMode::MergeOnRead);
}

#[tokio::test]
async fn upsert_takes_lists_as_people_write_them() {
    let keys = |plan: ValidMergePlan| plan.keys.iter().map(|key| key.source).collect::<Vec<_>>();
    let (target, delta) = (orders(), delta(Contents::Upserts));
    for pairs in [
        &[("keys", "Id,Name")][..],
        &[("keys", "Id, Name")],
        &[("keys", r#"["Id","Name"]"#)],
        &[("keys", "Id"), ("keys", "Name")],
    ] {
        assert_eq!(
            keys(plan("upsert", pairs, &target, &delta).await.unwrap()),
            [0, 1]
        );
    }
    let newest = r#"{"column":"Id","direction":"ascending"}"#;
    let pairs = [
        ("deduplicate-by", "ModifiedDate"),
        ("deduplicate-by", newest),
    ];
    let plan = plan("upsert", &pairs, &target, &delta).await.unwrap();
    let key = |column, direction| SortKey { column, direction };
    assert_eq!(
        plan.deduplicate,
        [key(3, Direction::Descending), key(0, Direction::Ascending)]
    );
}

#[tokio::test]
async fn upsert_applies_deletes_and_deletes_what_is_missing() {
    let (target, changes) = (orders(), delta(Contents::Changes));
    let changed = plan("upsert", &[], &target, &changes).await.unwrap();
    assert_eq!(changed.clauses.len(), 4);
    assert_eq!(changed.clauses[0].action, Action::Delete);
    let pairs = [("delete-missing", "true")];
    let snapshot = plan("upsert", &pairs, &target, &delta(Contents::Snapshot))
        .await
        .unwrap();
    assert_eq!(
        snapshot.clauses[2],
        clause(Occasion::NotMatchedBySource, Action::Delete)
    );
}

#[tokio::test]
async fn upsert_without_a_key_lists_the_columns() {
    let mut target = orders();
    target.columns[0].key_position = None;
    let mut delta = delta(Contents::Upserts);
    delta.columns[0].key_position = None;
    let error = plan("upsert", &[], &target, &delta).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("set keys to one or more of 'Id', 'Name', 'Weight', 'ModifiedDate'"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("keys (list of text)"));
}

#[tokio::test]
async fn a_key_that_the_host_cannot_compare_is_refused() {
    let mut delta = delta(Contents::Upserts);
    delta.columns[0] = Column::new("Id", ColumnType::Lake(LakeType::String), false);
    let error = plan("upsert", &[], &orders(), &delta).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy 'upsert' returned an invalid answer while planning: keys[0]: 'Id' is text but 'Id' is \
         integer"
    );
}

#[tokio::test]
async fn append_only_adds_whatever_arrives() {
    let plan = plan("append-only", &[], &orders(), &delta(Contents::Upserts))
        .await
        .unwrap();
    assert_eq!(plan.keys, []);
    assert_eq!(
        plan.clauses,
        [clause(Occasion::NotMatched, Action::WriteAll)]
    );
    assert_eq!(plan.mode, WriteMode::Append);
}

#[tokio::test]
async fn append_only_takes_no_options() {
    let error = plan(
        "append-only",
        &[("keys", "Id")],
        &orders(),
        &delta(Contents::Upserts),
    )
    .await
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy 'append-only' does not take these options: there is no option 'keys'"
    );
    assert_eq!(error.hint().unwrap(), "it takes no options");
}

#[tokio::test]
async fn what_a_strategy_is_can_be_inspected() {
    let runtime = runtime();
    for shipped in icehost_plugins::shipped() {
        let strategy = runtime.load(shipped.name, shipped.component).await.unwrap();
        assert_eq!(strategy.description().name, shipped.name);
        assert_eq!(strategy.size(), shipped.component.len());
        assert_eq!(strategy.digest().len(), 64);
        assert!(
            strategy
                .imports()
                .iter()
                .all(|name| name.starts_with("icehost:strategy/"))
        );
        assert!(
            strategy
                .exports()
                .contains(&"icehost:strategy/metadata@0.3.0".to_owned())
        );
        let schema = strategy.options_schema().json();
        assert_eq!(schema["additionalProperties"], false);
        for option in strategy.options_schema().options() {
            assert!(!option.description.is_empty(), "{} {option}", shipped.name);
        }
    }
}

#[tokio::test]
async fn scd2_supersedes_among_the_current_versions() {
    let mut target = orders();
    target.columns[0].key_position = None;
    for (name, nullable) in [("ValidFrom", false), ("ValidTo", true)] {
        let column_type = ColumnType::Lake(LakeType::Timestamp);
        target
            .columns
            .push(Column::new(name, column_type, nullable));
    }
    let plan = plan("scd2", &[], &target, &delta(Contents::Snapshot))
        .await
        .unwrap();
    assert!(plan.among.is_some());
    let supersedes = |clause: &&Clause| matches!(clause.action, Action::Supersede(_));
    assert_eq!(plan.clauses.iter().filter(supersedes).count(), 1);
    // What the lake has no way to do is not asked of it.
    let error = self::plan("scd2", &[], &orders(), &delta(Contents::Snapshot))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no-history-columns"), "{error}");
}

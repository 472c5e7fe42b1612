//! What every catalog must do.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use iceberg::spec::{
    MAIN_BRANCH, NestedField, Operation, PrimitiveType, Schema, Snapshot, SnapshotReference,
    SnapshotRetention, Summary, Type,
};
use iceberg::{TableRequirement, TableUpdate};
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::catalog::{Catalog, Found, LoadedTable, Outcome, TableCommit};
use crate::error::{LakeErrorKind, Result};
use crate::kit::contract::answers;
use crate::kit::rows::{append_ids, ids_of, numbers};
use crate::name::LakeTableName;
use crate::storage::below;
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// How many try at once.
const RACERS: usize = 12;

/// Holds a catalog without tables to what [`Catalog`] says, on a runtime of several threads.
///
/// # Panics
/// Where something is not as it must be.
pub async fn catalog_contract(catalog: Arc<dyn Catalog>) {
    of_those_that_create_a_table_one_succeeds(&catalog).await;
    what_is_known_is_not_loaded_again(&catalog).await;
    of_commits_to_one_version_one_is_made(&catalog).await;
    requirements_are_kept(&catalog).await;
    updates_are_made_whatever_they_are(&catalog).await;
    every_writer_lands(&catalog).await;
    tables_are_listed_and_dropped(&catalog).await;
    answers::answers_may_be_lost(&catalog).await;
    answers::a_commit_that_is_overtaken_is_made_anew(&catalog).await;
    answers::what_is_not_known_is_said_and_kept(&catalog).await;
    answers::a_new_table_may_have_no_answer(&catalog).await;
}

pub(super) fn name(text: &str) -> LakeTableName {
    text.parse().unwrap()
}

pub(super) async fn loaded(catalog: &Arc<dyn Catalog>, table: &LakeTableName) -> LoadedTable {
    match catalog.load(table, None).await.unwrap() {
        Found::Table(found) => *found,
        other => panic!("{table}: {other:?}"),
    }
}

pub(super) async fn created(catalog: &Arc<dyn Catalog>, table: &str) -> LakeTable {
    let warehouse = Warehouse::of(Arc::clone(catalog));
    let created = warehouse.create_table(&name(table), &numbers()).await;
    created.unwrap()
}

/// What the metadata says, but for properties, of which a catalog may keep some of its own.
fn said(table: &LoadedTable) -> Value {
    let mut said = serde_json::to_value(&*table.metadata).unwrap();
    let fields = said.as_object_mut().unwrap();
    fields.remove("properties");
    // In any order
    for (list, id) in [("snapshots", "snapshot-id"), ("schemas", "schema-id")] {
        if let Some(list) = fields.get_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(|one| one[id].as_i64());
        }
    }
    said
}

/// A commit of updates to a table, which must have this identity.
fn commit_of(base: &LoadedTable, updates: Vec<TableUpdate>) -> TableCommit {
    TableCommit {
        base: base.version.clone(),
        metadata: Arc::clone(&base.metadata),
        location: base.location.clone(),
        requirements: vec![TableRequirement::UuidMatch {
            uuid: base.metadata.uuid(),
        }],
        updates,
    }
}

/// A snapshot without files on that base, which must be at the head of its branch.
pub(super) fn snapshot_commit(base: &LoadedTable) -> TableCommit {
    let snapshot_id = (Uuid::new_v4().as_u128() as i64) & i64::MAX;
    let parent = base.metadata.current_snapshot_id();
    let snapshot = Snapshot::builder()
        .with_snapshot_id(snapshot_id)
        .with_parent_snapshot_id(parent)
        .with_sequence_number(base.metadata.next_sequence_number())
        .with_timestamp_ms(base.metadata.last_updated_ms() + 1)
        .with_manifest_list(below(&base.location, "metadata/none.avro"))
        .with_schema_id(base.metadata.current_schema_id())
        .with_summary(Summary {
            operation: Operation::Append,
            additional_properties: HashMap::new(),
        })
        .build();
    let updates = vec![
        TableUpdate::AddSnapshot { snapshot },
        TableUpdate::SetSnapshotRef {
            ref_name: MAIN_BRANCH.to_owned(),
            reference: SnapshotReference::new(
                snapshot_id,
                SnapshotRetention::branch(None, None, None),
            ),
        },
    ];
    let mut commit = commit_of(base, updates);
    commit
        .requirements
        .push(TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_owned(),
            snapshot_id: parent,
        });
    commit
}

async fn of_those_that_create_a_table_one_succeeds(catalog: &Arc<dyn Catalog>) {
    let table = name("contract.created");
    assert!(!catalog.has_table(&table).await.unwrap());
    assert!(matches!(
        catalog.load(&table, None).await.unwrap(),
        Found::Nothing
    ));
    let mut racers = JoinSet::new();
    for _ in 0..RACERS {
        let warehouse = Warehouse::of(Arc::clone(catalog));
        let table = table.clone();
        racers.spawn(async move { warehouse.create_table(&table, &numbers()).await });
    }
    let (won, lost): (Vec<_>, Vec<_>) =
        racers.join_all().await.into_iter().partition(Result::is_ok);
    let [Ok(won)] = won.as_slice() else {
        panic!("{} of {RACERS} created the table", won.len());
    };
    for error in lost.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), LakeErrorKind::TableExists, "{error}");
    }
    assert!(catalog.has_table(&table).await.unwrap());
    let found = loaded(catalog, &table).await;
    assert_eq!(found.metadata.uuid(), won.uuid());
    assert!(!found.kept_by_another);
    assert_eq!(found.metadata.location(), found.location);
    assert_eq!(*found.location, *won.location());
    assert!(found.metadata.current_snapshot().is_none());
}

async fn what_is_known_is_not_loaded_again(catalog: &Arc<dyn Catalog>) {
    let table = name("contract.known");
    let created = created(catalog, "contract.known").await;
    let base = loaded(catalog, &table).await;
    assert_eq!(
        base.version, created.version,
        "what a commit gives is what is loaded"
    );
    let again = catalog.load(&table, base.version.as_ref()).await.unwrap();
    assert!(matches!(again, Found::Unchanged), "{again:?}");
    let done = append_ids(&created, &[1]).await.unwrap();
    let newer = catalog.load(&table, base.version.as_ref()).await.unwrap();
    let Found::Table(newer) = newer else {
        panic!("{newer:?}");
    };
    assert_eq!(newer.metadata.current_snapshot_id(), Some(done.snapshot_id));
    assert_eq!(newer.version, done.table.version);
    let line = newer.metadata.metadata_log();
    assert_eq!(line.len(), 1, "the version before is told");
}

async fn of_commits_to_one_version_one_is_made(catalog: &Arc<dyn Catalog>) {
    let table = name("contract.conflicts");
    created(catalog, "contract.conflicts").await;
    for round in 0..4 {
        let base = loaded(catalog, &table).await;
        let mut racers = JoinSet::new();
        for _ in 0..RACERS {
            let (catalog, table) = (Arc::clone(catalog), table.clone());
            let commit = snapshot_commit(&base);
            racers.spawn(async move { catalog.commit(&table, commit).await.unwrap() });
        }
        let outcomes = racers.join_all().await;
        let conflicts = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::Conflict))
            .count();
        let done: Vec<&LoadedTable> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Done(table) => Some(&**table),
                _ => None,
            })
            .collect();
        let [winner] = done.as_slice() else {
            panic!(
                "{} of {RACERS} commits to one version were made",
                done.len()
            );
        };
        assert_eq!(conflicts, RACERS - 1, "the others are told");
        let now = loaded(catalog, &table).await;
        assert_eq!(now.metadata.snapshots().len(), round + 1);
        assert_eq!(said(&now), said(winner));
        assert_eq!(now.version, winner.version);
    }
}

async fn requirements_are_kept(catalog: &Arc<dyn Catalog>) {
    let table = name("contract.requirements");
    created(catalog, "contract.requirements").await;
    let base = loaded(catalog, &table).await;
    let property = TableUpdate::SetProperties {
        updates: HashMap::from([("contract".to_owned(), "wrong".to_owned())]),
    };
    let wrong = [
        TableRequirement::NotExist,
        TableRequirement::UuidMatch {
            uuid: Uuid::new_v4(),
        },
        TableRequirement::RefSnapshotIdMatch {
            r#ref: MAIN_BRANCH.to_owned(),
            snapshot_id: Some(7),
        },
        TableRequirement::CurrentSchemaIdMatch {
            current_schema_id: 99,
        },
        TableRequirement::LastAssignedFieldIdMatch {
            last_assigned_field_id: 99,
        },
    ];
    for requirement in wrong {
        let mut commit = commit_of(&base, vec![property.clone()]);
        commit.requirements.push(requirement.clone());
        let outcome = catalog.commit(&table, commit).await.unwrap();
        assert!(
            matches!(outcome, Outcome::Conflict),
            "{requirement:?}: {outcome:?}"
        );
        let now = catalog.load(&table, base.version.as_ref()).await.unwrap();
        assert!(matches!(now, Found::Unchanged), "{requirement:?}");
    }
    // A table that is not there cannot be committed to.
    let nowhere = name("contract.nowhere");
    let outcome = catalog
        .commit(&nowhere, commit_of(&base, vec![property]))
        .await;
    assert!(!matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    let found = catalog.load(&nowhere, None).await.unwrap();
    assert!(matches!(found, Found::Nothing));
}

async fn updates_are_made_whatever_they_are(catalog: &Arc<dyn Catalog>) {
    let table = name("contract.updates");
    created(catalog, "contract.updates").await;
    let base = loaded(catalog, &table).await;
    let old = base.metadata.current_schema();
    let mut fields = old.as_struct().fields().to_vec();
    let text = Type::Primitive(PrimitiveType::String);
    fields.push(NestedField::optional(2, "note", text).into());
    let schema = Schema::builder()
        .with_schema_id(1)
        .with_fields(fields)
        .build()
        .unwrap();
    let updates = vec![
        TableUpdate::SetProperties {
            updates: HashMap::from([("contract".to_owned(), "kept".to_owned())]),
        },
        TableUpdate::AddSchema { schema },
        TableUpdate::SetCurrentSchema { schema_id: -1 },
    ];
    let outcome = catalog.commit(&table, commit_of(&base, updates)).await;
    let Outcome::Done(done) = outcome.unwrap() else {
        panic!("it is refused");
    };
    let now = loaded(catalog, &table).await;
    assert_eq!(said(&now), said(&done));
    assert_eq!(now.metadata.properties()["contract"], "kept");
    let names: Vec<&str> = now
        .metadata
        .current_schema()
        .as_struct()
        .fields()
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["id", "note"]);
    let updates = vec![TableUpdate::RemoveProperties {
        removals: vec!["contract".to_owned()],
    }];
    let outcome = catalog.commit(&table, commit_of(&now, updates)).await;
    assert!(matches!(outcome.unwrap(), Outcome::Done(_)));
    let now = loaded(catalog, &table).await;
    assert!(!now.metadata.properties().contains_key("contract"));
}

async fn every_writer_lands(catalog: &Arc<dyn Catalog>) {
    const COMMITS: i64 = 4;
    let table = created(catalog, "contract.writers").await;
    let mut writers = JoinSet::new();
    for writer in 0..RACERS as i64 {
        let table = table.clone();
        writers.spawn(async move {
            for commit in 0..COMMITS {
                let id = writer * COMMITS + commit;
                append_ids(&table, &[id]).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let mut now = table;
    now.refresh().await.unwrap();
    let all = RACERS as i64 * COMMITS;
    assert_eq!(ids_of(&now).await.unwrap(), (0..all).collect::<Vec<_>>());
    let snapshots = now.snapshots();
    assert_eq!(snapshots.len() as i64, all);
    let numbers: BTreeSet<i64> = snapshots.iter().map(|one| one.sequence_number).collect();
    assert_eq!(numbers, (1..=all).collect(), "each commit is counted once");
    let line = now.ancestors(now.current_snapshot().unwrap().id);
    assert_eq!(line.len(), snapshots.len(), "one line of history");
}

async fn tables_are_listed_and_dropped(catalog: &Arc<dyn Catalog>) {
    let warehouse = Warehouse::of(Arc::clone(catalog));
    let before: BTreeSet<LakeTableName> = catalog.list().await.unwrap().into_iter().collect();
    let deep = created(catalog, "contract.deep.er.table").await;
    let other = created(catalog, "contract_too.table").await;
    let now: BTreeSet<LakeTableName> = catalog.list().await.unwrap().into_iter().collect();
    let new: Vec<String> = now.difference(&before).map(ToString::to_string).collect();
    assert_eq!(new, ["contract.deep.er.table", "contract_too.table"]);

    let table = name("contract.deep.er.table");
    let old = deep.version.clone().unwrap();
    append_ids(&deep, &[1]).await.unwrap();
    let dropped = catalog.drop_table(&table, &old).await.unwrap();
    assert!(!dropped, "it has been written to");
    assert_eq!(
        ids_of(&warehouse.load(&table).await.unwrap())
            .await
            .unwrap(),
        [1]
    );

    let table = name("contract_too.table");
    let version = other.version.clone().unwrap();
    assert!(catalog.drop_table(&table, &version).await.unwrap());
    assert!(matches!(
        catalog.load(&table, None).await.unwrap(),
        Found::Nothing
    ));
    assert!(!catalog.list().await.unwrap().contains(&table));
    assert!(!catalog.drop_table(&table, &version).await.unwrap());
    let again = created(catalog, "contract_too.table").await;
    assert_ne!(again.uuid(), other.uuid(), "another table");
    // Who holds the old one is told.
    let error = append_ids(&other, &[1]).await.unwrap_err();
    assert_eq!(error.kind(), LakeErrorKind::Conflict, "{error}");
    again.withdraw().await.unwrap();
    assert!(!catalog.has_table(&table).await.unwrap());
}

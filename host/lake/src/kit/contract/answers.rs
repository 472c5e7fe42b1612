//! What every commit must come to where answers are lost.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use iceberg::TableUpdate;
use iceberg::spec::ManifestListWriter;

use super::catalog::{created, loaded, name, snapshot_commit};
use crate::catalog::{Catalog, LoadedTable, TableCommit};
use crate::commit::{CommitRequest, Stopping};
use crate::error::LakeErrorKind;
use crate::kit::faults::{CommitFault, FaultyCatalog};
use crate::kit::rows::{append_ids, ids_of, numbers, stage};
use crate::library_files::LibraryFiles;
use crate::table::LakeTable;
use crate::warehouse::Warehouse;

/// The same table through a catalog with faults.
async fn faulty(catalog: &Arc<dyn Catalog>, table: &str) -> (Arc<FaultyCatalog>, LakeTable) {
    let faulty = Arc::new(FaultyCatalog::new(Arc::clone(catalog)));
    let warehouse = Warehouse::of(Arc::clone(&faulty) as Arc<dyn Catalog>);
    let table = warehouse.load(&name(table)).await.unwrap();
    (faulty, table)
}

pub(super) async fn answers_may_be_lost(catalog: &Arc<dyn Catalog>) {
    use CommitFault::{AnswerLost, Late, RequestLost};
    created(catalog, "contract.answers").await;
    let cases: [&[CommitFault]; 6] = [
        &[AnswerLost],
        &[RequestLost],
        &[RequestLost, RequestLost, AnswerLost],
        &[Late],
        &[Late, Late],
        &[RequestLost, Late],
    ];
    for (id, faults) in cases.into_iter().enumerate() {
        let (faulty, table) = faulty(catalog, "contract.answers").await;
        faulty.fail_commits(faults.iter().copied());
        let done = append_ids(&table, &[id as i64]).await;
        let done = done.unwrap_or_else(|error| panic!("{faults:?}: {error}"));
        let now = loaded(catalog, &name("contract.answers")).await;
        assert_eq!(
            now.metadata.current_snapshot_id(),
            Some(done.snapshot_id),
            "{faults:?}"
        );
        assert_eq!(now.metadata.snapshots().len(), id + 1, "{faults:?}");
        let expected: Vec<i64> = (0..=id as i64).collect();
        assert_eq!(
            ids_of(&done.table).await.unwrap(),
            expected,
            "{faults:?}: each once"
        );
        assert!(faulty.commits() >= faults.len() as u32);
    }
}

pub(super) async fn a_commit_that_is_overtaken_is_made_anew(catalog: &Arc<dyn Catalog>) {
    created(catalog, "contract.overtaken").await;
    let table_name = name("contract.overtaken");
    let base = loaded(catalog, &table_name).await;
    let (faulty, table) = faulty(catalog, "contract.overtaken").await;
    let other = empty_snapshot(&table, &base).await;
    faulty.overtake_with(&table_name, other);
    faulty.fail_commits([CommitFault::Overtaken]);
    let done = append_ids(&table, &[1]).await.unwrap();
    assert_eq!(ids_of(&done.table).await.unwrap(), [1]);
    assert_eq!(
        done.table.snapshots().len(),
        2,
        "the other writer's is kept"
    );
    assert_eq!(faulty.commits(), 2);
}

/// Another writer's commit on the same base: a snapshot with a list of no manifests.
async fn empty_snapshot(table: &LakeTable, base: &LoadedTable) -> TableCommit {
    let mut commit = snapshot_commit(base);
    let Some(TableUpdate::AddSnapshot { snapshot }) = commit.updates.first_mut() else {
        panic!("a snapshot comes first");
    };
    let written = LibraryFiles::default().written(async |output| {
        let writer = output.writer().await?;
        let sequence = snapshot.sequence_number();
        ManifestListWriter::v2(writer, snapshot.snapshot_id(), None, sequence)
            .close()
            .await
    });
    let (_, bytes) = written.unwrap();
    let file = (snapshot.manifest_list().to_owned(), bytes);
    table.storage.write(vec![file]).await.unwrap();
    commit
}

/// Asks a commit to stop, once it has begun.
struct AfterTheFirstLook(AtomicU32);

impl Stopping for AfterTheFirstLook {
    fn is_asked(&self) -> bool {
        // Twice it is asked before the commit is handed over.
        self.0.fetch_add(1, Ordering::Relaxed) >= 2
    }

    fn hold(&self) -> Box<dyn Any + Send> {
        Box::new(())
    }
}

pub(super) async fn what_is_not_known_is_said_and_kept(catalog: &Arc<dyn Catalog>) {
    created(catalog, "contract.unsettled").await;
    for (made, fault) in [
        (true, CommitFault::AnswerLost),
        (false, CommitFault::RequestLost),
    ] {
        let before = loaded(catalog, &name("contract.unsettled")).await;
        let (faulty, table) = faulty(catalog, "contract.unsettled").await;
        let staged = stage(&table, &[i64::from(made)]).await.unwrap();
        let files: Vec<String> = staged
            .data_files
            .iter()
            .map(|file| file.file_path().to_owned())
            .collect();
        faulty.fail_commits([fault]);
        // The look before the commit succeeds, and no other.
        let request = CommitRequest {
            staged: Some(staged),
            guard: Some(Box::new({
                let faulty = Arc::clone(&faulty);
                move |_| {
                    faulty.fail_loads(u32::MAX);
                    Ok(())
                }
            })),
            stopping: Some(Arc::new(AfterTheFirstLook(Default::default()))),
            ..CommitRequest::default()
        };
        let error = table.commit(request).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Unsettled, "{error}");
        assert!(error.is_transient());
        assert!(error.hint().is_some());
        for file in &files {
            let size = before.storage.size(file).await.unwrap();
            assert!(
                size.is_some(),
                "the files of a commit that may be made stay"
            );
        }
        let now = loaded(catalog, &name("contract.unsettled")).await;
        let grown = now.metadata.snapshots().len() - before.metadata.snapshots().len();
        assert_eq!(grown, usize::from(made));
        let warehouse = Warehouse::of(Arc::clone(catalog));
        let now = warehouse.load(&name("contract.unsettled")).await.unwrap();
        assert_eq!(
            ids_of(&now).await.unwrap(),
            [1],
            "and what was made can be read"
        );
    }
}

pub(super) async fn a_new_table_may_have_no_answer(catalog: &Arc<dyn Catalog>) {
    use CommitFault::{AnswerLost, Late, RequestLost};
    for (number, fault) in [AnswerLost, RequestLost, Late].into_iter().enumerate() {
        let table = name(&format!("contract.first{number}"));
        let faulty = Arc::new(FaultyCatalog::new(Arc::clone(catalog)));
        let warehouse = Warehouse::of(Arc::clone(&faulty) as Arc<dyn Catalog>);
        let prepared = warehouse.prepare_create(&table, &numbers()).await.unwrap();
        faulty.fail_commits([fault]);
        let done = append_ids(&prepared, &[1, 2]).await;
        let done = done.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(ids_of(&done.table).await.unwrap(), [1, 2], "{fault:?}");
        assert_eq!(loaded(catalog, &table).await.metadata.snapshots().len(), 1);
        let error = append_ids(&prepared, &[3]).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::TableExists, "{error}");
    }
}

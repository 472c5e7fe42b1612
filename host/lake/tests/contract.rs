//! Every storage and every catalog passes the same suite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::ErrorKind;
use std::sync::Arc;

use icehost_lake::kit::{
    FaultyCatalog, FaultyStorage, MemoryCatalog, MemoryStorage, Operation, StorageFault,
    append_ids, catalog_contract, ids_of, numbers, storage_contract,
};
use icehost_lake::{
    Catalog, Committed, FilesystemCatalog, LakeErrorKind, LakeTable, LocalStorage, Storage,
    Warehouse,
};

fn root(directory: &tempfile::TempDir) -> String {
    let root = directory.path().canonicalize().unwrap();
    root.to_str().unwrap().to_owned()
}

const MEMORY: &str = "memory://lake";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn local_files_are_a_storage() {
    let directory = tempfile::tempdir().unwrap();
    storage_contract(Arc::new(LocalStorage), &root(&directory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files_in_memory_are_a_storage() {
    storage_contract(Arc::new(MemoryStorage::new()), MEMORY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storage_without_faults_is_a_storage() {
    let directory = tempfile::tempdir().unwrap();
    let storage = FaultyStorage::new(Arc::new(LocalStorage));
    storage_contract(Arc::new(storage), &root(&directory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_directory_is_a_catalog() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = FilesystemCatalog::new(Arc::new(LocalStorage), &root(&directory));
    catalog_contract(Arc::new(catalog)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn files_in_memory_are_a_catalog() {
    let catalog = FilesystemCatalog::new(Arc::new(MemoryStorage::new()), MEMORY);
    catalog_contract(Arc::new(catalog)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tables_in_memory_are_a_catalog() {
    let catalog = MemoryCatalog::new(Arc::new(MemoryStorage::new()), MEMORY);
    catalog_contract(Arc::new(catalog)).await;
    let directory = tempfile::tempdir().unwrap();
    let catalog = MemoryCatalog::new(Arc::new(LocalStorage), &root(&directory));
    catalog_contract(Arc::new(catalog)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_catalog_without_faults_is_a_catalog() {
    let catalog = MemoryCatalog::new(Arc::new(MemoryStorage::new()), MEMORY);
    catalog_contract(Arc::new(FaultyCatalog::new(Arc::new(catalog)))).await;
}

/// A table on files in memory, with two rows, and what makes them fail.
async fn with_faults() -> (MemoryStorage, Arc<FaultyStorage>, LakeTable) {
    let memory = MemoryStorage::new();
    let faulty = Arc::new(FaultyStorage::new(Arc::new(memory.clone())));
    let storage = Arc::clone(&faulty) as Arc<dyn Storage>;
    let catalog: Arc<dyn Catalog> = Arc::new(FilesystemCatalog::new(storage, MEMORY));
    let table = Warehouse::of(catalog)
        .create_table(&"demo.numbers".parse().unwrap(), &numbers())
        .await
        .unwrap();
    let table = append_ids(&table, &[1, 2]).await.unwrap().table;
    (memory, faulty, table)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_of_the_store_that_is_lost_loses_and_doubles_no_row() {
    for done in [true, false] {
        for kind in [ErrorKind::TimedOut, ErrorKind::ConnectionReset] {
            let (_, faulty, table) = with_faults().await;
            faulty.fail(StorageFault {
                operation: Operation::Create,
                suffix: "v3.metadata.json",
                kind,
                done,
            });
            let now = append_ids(&table, &[3]).await.unwrap().table;
            assert!(faulty.is_exhausted());
            assert_eq!(ids_of(&now).await.unwrap(), [1, 2, 3], "{kind} {done}");
            assert_eq!(now.version(), Some(3), "{kind} {done}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_refuses_leaves_the_table_and_no_files() {
    use Operation::{Create, List, Read, Write, Writer};
    for (operation, suffix) in [
        (Writer, ".parquet"),
        (Write, ".avro"),
        (Create, "v3.metadata.json"),
        (List, "metadata"),
        (Read, ".avro"),
    ] {
        let (memory, faulty, table) = with_faults().await;
        let before = memory.locations();
        let kind = ErrorKind::PermissionDenied;
        let done = false;
        faulty.fail(StorageFault {
            operation,
            suffix,
            kind,
            done,
        });
        let error = append_ids(&table, &[3]).await.unwrap_err();
        assert_eq!(error.kind(), LakeErrorKind::Io, "{operation:?}: {error}");
        assert!(faulty.is_exhausted(), "{operation:?}");
        assert_eq!(memory.locations(), before, "{operation:?}");
        let now = append_ids(&table, &[4]).await.unwrap().table;
        assert_eq!(ids_of(&now).await.unwrap(), [1, 2, 4], "{operation:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_version_that_may_not_last_is_told_and_keeps_its_files() {
    let (memory, faulty, table) = with_faults().await;
    faulty.fail(StorageFault {
        operation: Operation::Create,
        suffix: "v3.metadata.json",
        kind: ErrorKind::Other,
        done: true,
    });
    stands(append_ids(&table, &[3]).await.unwrap(), true);
    let storage: Arc<dyn Storage> = Arc::new(memory);
    let catalog = Arc::new(FilesystemCatalog::new(storage, MEMORY));
    let name = "demo.numbers".parse().unwrap();
    let now = Warehouse::of(catalog).load(&name).await.unwrap();
    assert_eq!(ids_of(&now).await.unwrap(), [1, 2, 3]);
}

/// A commit that is there, as the third version, and whether something went wrong behind it.
#[track_caller]
fn stands(done: Committed, warns: bool) {
    assert_eq!(done.version, 3);
    let says = |warning: String| warning.contains("the commit to lake table demo.numbers stands");
    assert_eq!(done.warning.map(says), warns.then_some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_fails_behind_a_commit_does_not_undo_it() {
    let (_, faulty, table) = with_faults().await;
    faulty.fail(StorageFault {
        operation: Operation::Write,
        suffix: "version-hint.text",
        kind: ErrorKind::StorageFull,
        done: false,
    });
    let done = append_ids(&table, &[3]).await.unwrap();
    assert!(faulty.is_exhausted());
    let now = append_ids(&done.table, &[4]).await.unwrap().table;
    assert_eq!(ids_of(&now).await.unwrap(), [1, 2, 3, 4]);
    stands(done, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_cannot_be_read_may_be_committed() {
    let (_, faulty, table) = with_faults().await;
    for (operation, done) in [(Operation::Create, true), (Operation::Read, false)] {
        faulty.fail(StorageFault {
            operation,
            suffix: "v3.metadata.json",
            kind: ErrorKind::PermissionDenied,
            done,
        });
    }
    let done = append_ids(&table, &[3]).await.unwrap();
    assert!(faulty.is_exhausted());
    assert_eq!(ids_of(&done.table).await.unwrap(), [1, 2, 3]);
    stands(done, false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_beside_a_table_has_one_owner() {
    let (memory, _, table) = with_faults().await;
    let files = memory.locations();
    let sidecar = table.sidecar("icehost-test").unwrap();
    assert!(!sidecar.is_present().await.unwrap());
    let claimed = sidecar.claim().await.unwrap().unwrap();
    assert!(sidecar.claim().await.unwrap().is_none());
    assert_eq!(claimed.read(10).await.unwrap(), None);
    claimed.write("one").await.unwrap();
    claimed.write("2").await.unwrap();
    assert!(sidecar.is_present().await.unwrap());
    assert_eq!(claimed.read(10).await.unwrap().unwrap(), "2");
    drop(claimed);
    let claimed = sidecar.claim().await.unwrap().unwrap();
    assert_eq!(claimed.read(10).await.unwrap().unwrap(), "2");
    // No reader takes it for a part of the table.
    let mut now = table.clone();
    now.refresh().await.unwrap();
    assert_eq!(ids_of(&now).await.unwrap(), [1, 2]);
    claimed.remove().await.unwrap();
    claimed.remove().await.unwrap();
    assert_eq!(memory.locations(), files);
    for name in ["v3", "icehost-../x", "icehost-A", "version-hint"] {
        assert!(table.sidecar(name).is_err(), "{name}");
    }
}

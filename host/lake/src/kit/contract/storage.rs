//! What every storage must do.

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use bytes::Bytes;
use icehost_files::blocking::spawn;
use tokio::task::JoinSet;

use crate::storage::{Storage, below};

/// How many try at once.
const RACERS: usize = 24;
/// More than stores list at once.
const MANY: usize = 1_200;
/// More than one part of an upload, and no multiple of anything.
const BIG: usize = 20 * 1024 * 1024 + 13;

/// Holds a storage to what [`Storage`] says, below a root at which nothing is, on a runtime of several threads.
///
/// # Panics
/// Where something is not as it must be.
pub async fn storage_contract(storage: Arc<dyn Storage>, root: &str) {
    locations_are_its_own(&storage, root);
    what_is_not_there(&storage, &below(root, "nothing")).await;
    files_are_written_whole(&storage, &below(root, "written")).await;
    a_file_is_created_once(&storage, &below(root, "created")).await;
    ranges(&storage, &below(root, "ranges")).await;
    a_big_file_in_pieces(&storage, &below(root, "big")).await;
    many_are_listed(&storage, &below(root, "many")).await;
    a_lease_has_one_holder(&storage, &below(root, "leases")).await;
    what_is_discarded_is_gone(&storage, &below(root, "discarded")).await;
}

fn locations_are_its_own(storage: &Arc<dyn Storage>, root: &str) {
    assert_eq!(storage.resolve(root).as_deref(), Some(root));
    assert_eq!(storage.resolve("other-scheme://bucket/file"), None);
}

async fn what_is_not_there(storage: &Arc<dyn Storage>, root: &str) {
    let file = below(root, "file");
    let error = storage.read(&file, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "read");
    let error = storage.open(&file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "open");
    assert_eq!(storage.size(&file).await.unwrap(), None);
    storage.delete(&file).await.expect("it may be gone already");
    assert_eq!(storage.list(root).await.unwrap(), Default::default());
    storage.discard(std::slice::from_ref(&file), &[root.to_owned()]);
    storage
        .try_writing(root)
        .await
        .expect("files can be put there");
    assert_eq!(
        storage.list(root).await.unwrap(),
        Default::default(),
        "trying leaves nothing"
    );
}

async fn files_are_written_whole(storage: &Arc<dyn Storage>, root: &str) {
    let names = ["a", "deep/er/b", "with blank %20 and ä"];
    let files = names.map(|name| (below(root, name), Bytes::from(format!("one {name}"))));
    storage.write(files.to_vec()).await.unwrap();
    for (file, content) in &files {
        let size = content.len() as u64;
        assert_eq!(storage.read(file, size).await.unwrap(), content, "{file}");
        assert_eq!(storage.size(file).await.unwrap(), Some(size), "{file}");
        let error = storage.read(file, size - 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "larger than allowed");
    }
    // A longer file makes way for a shorter one, for an empty one, and for one that looks the same.
    let [(file, _), ..] = &files;
    let mut tags = Vec::new();
    for content in ["2", "", "3", "3"] {
        storage
            .write(vec![(file.clone(), Bytes::from(content))])
            .await
            .unwrap();
        assert_eq!(storage.read(file, 10).await.unwrap(), content);
        let stat = storage.stat(file).await.unwrap().unwrap();
        assert_eq!(storage.stat(file).await.unwrap().as_ref(), Some(&stat));
        assert!(!tags.contains(&stat.tag), "another file has another tag");
        tags.push(stat.tag);
    }
    storage.delete(file).await.unwrap();
    assert_eq!(storage.size(file).await.unwrap(), None);
    storage.write(Vec::new()).await.unwrap();
}

async fn a_file_is_created_once(storage: &Arc<dyn Storage>, root: &str) {
    let file = below(root, "v1.json");
    let mut racers = JoinSet::new();
    for number in 0..RACERS as u8 {
        let (storage, file) = (Arc::clone(storage), file.clone());
        let content = Bytes::from(vec![number; 100_000]);
        racers.spawn(async move { (number, storage.create(&file, content).await.unwrap()) });
    }
    let outcomes = racers.join_all().await;
    let winners: Vec<u8> = outcomes
        .iter()
        .filter(|(_, created)| *created)
        .map(|(number, _)| *number)
        .collect();
    let [winner] = winners.as_slice() else {
        panic!("{} of {RACERS} created the file", winners.len());
    };
    let content = storage.read(&file, 100_000).await.unwrap();
    assert_eq!(content, vec![*winner; 100_000], "what the winner wrote");
    assert!(!storage.create(&file, Bytes::new()).await.unwrap());
    assert_eq!(
        storage.list(root).await.unwrap().files,
        ["v1.json"],
        "nothing is left of the losers"
    );
    storage.delete(&file).await.unwrap();
    assert!(storage.create(&file, Bytes::from("again")).await.unwrap());
}

/// What stands at a place of the files of [`ranges`] and [`a_big_file_in_pieces`].
fn byte(place: usize) -> u8 {
    (place % 251) as u8
}

async fn ranges(storage: &Arc<dyn Storage>, root: &str) {
    let content: Vec<u8> = (0..1_000).map(byte).collect();
    let (file, empty) = (below(root, "file"), below(root, "empty"));
    let files = vec![
        (file.clone(), Bytes::from(content.clone())),
        (empty.clone(), Bytes::new()),
    ];
    storage.write(files).await.unwrap();
    let file = storage.open(&file).await.unwrap();
    let empty = storage.open(&empty).await.unwrap();
    let work = spawn(move || {
        assert_eq!((file.length(), empty.length()), (1_000, 0));
        for (from, to) in [
            (0, 1_000),
            (0, 1),
            (999, 1_000),
            (500, 501),
            (0, 0),
            (1_000, 1_000),
        ] {
            let mut into = vec![0xff; to - from];
            file.read_at(from as u64, &mut into).unwrap();
            assert_eq!(into, &content[from..to], "{from} to {to}");
        }
        for (from, length) in [(0, 1_001), (999, 2), (1_000, 1), (5_000, 1), (u64::MAX, 1)] {
            assert!(
                file.read_at(from, &mut vec![0; length]).is_err(),
                "{length} at {from}"
            );
        }
        assert!(empty.read_at(0, &mut [0]).is_err());
    });
    work.await.unwrap();
}

async fn a_big_file_in_pieces(storage: &Arc<dyn Storage>, root: &str) {
    let file = below(root, "deep/file");
    let mut writer = storage.writer(&file).await.unwrap();
    let written = spawn(move || {
        let content: Vec<u8> = (0..BIG).map(byte).collect();
        for piece in content.chunks(777_777) {
            writer.write_all(piece).unwrap();
        }
        writer.flush().unwrap();
        writer.finish().unwrap()
    });
    assert_eq!(written.await.unwrap(), BIG as u64);
    assert_eq!(storage.size(&file).await.unwrap(), Some(BIG as u64));
    let opened = storage.open(&file).await.unwrap();
    let read = spawn(move || {
        let mut into = vec![0; 100_003];
        for place in (0..BIG).step_by(1_000_003) {
            let length = into.len().min(BIG - place);
            let into = &mut into[..length];
            opened.read_at(place as u64, into).unwrap();
            assert!(
                into.iter()
                    .enumerate()
                    .all(|(at, found)| *found == byte(place + at))
            );
        }
    });
    read.await.unwrap();
    // A second file of the name: refused when it is begun, or when it is ended.
    if let Ok(mut writer) = storage.writer(&file).await {
        let refused = spawn(move || writer.write_all(b"other").and_then(|()| writer.finish()));
        let error = refused.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
    assert_eq!(storage.size(&file).await.unwrap(), Some(BIG as u64));
}

async fn many_are_listed(storage: &Arc<dyn Storage>, root: &str) {
    let mut names: Vec<String> = (0..MANY).map(|number| format!("{number:05}")).collect();
    let mut files: Vec<(String, Bytes)> = names
        .iter()
        .map(|name| (below(root, name), Bytes::new()))
        .collect();
    for inner in ["inner/one", "inner/two", "other/deep/three"] {
        files.push((below(root, inner), Bytes::new()));
    }
    // One that begins alike is beside the directory, not in it.
    files.push((format!("{root}-beside/file"), Bytes::new()));
    storage.write(files).await.unwrap();
    for spelling in [root.to_owned(), format!("{root}/")] {
        let mut listing = storage.list(&spelling).await.unwrap();
        listing.files.sort();
        listing.directories.sort();
        assert_eq!(listing.directories, ["inner", "other"]);
        assert!(listing.files == names, "{} files", listing.files.len());
    }
    names.truncate(0);
    let deepest = storage.list(&below(root, "other/deep")).await.unwrap();
    assert_eq!(deepest.files, ["three"]);
    assert_eq!(deepest.directories, names);
}

async fn a_lease_has_one_holder(storage: &Arc<dyn Storage>, root: &str) {
    let (place, other) = (below(root, "lease"), below(root, "other"));
    let mut racers = JoinSet::new();
    for _ in 0..RACERS {
        let (storage, place) = (Arc::clone(storage), place.clone());
        racers.spawn(async move { storage.lease(&place).await.unwrap() });
    }
    let mut taken: Vec<_> = racers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "of {RACERS} one has the lease");
    assert!(storage.lease(&place).await.unwrap().is_none());
    assert!(storage.lease(&other).await.unwrap().is_some());
    taken.clear();
    assert!(storage.lease(&place).await.unwrap().is_some(), "given up");
}

async fn what_is_discarded_is_gone(storage: &Arc<dyn Storage>, root: &str) {
    let files = ["table/data/1", "table/data/2", "used/file"].map(|name| below(root, name));
    let content = files.clone().map(|file| (file, Bytes::new()));
    storage.write(content.to_vec()).await.unwrap();
    let [first, second, kept] = &files;
    let directories = ["table/data", "table", "used"].map(|name| below(root, name));
    storage.discard(&[first.clone(), second.clone()], &directories);
    // Those that wait for an answer may take a while.
    for _ in 0..100 {
        if storage.size(second).await.unwrap().is_none() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(storage.size(first).await.unwrap(), None);
    assert_eq!(storage.size(second).await.unwrap(), None);
    assert_eq!(storage.size(kept).await.unwrap(), Some(0));
    let left = storage.list(root).await.unwrap();
    assert_eq!(left.directories, ["used"]);
}

//! What the compile cache keeps, and what it trusts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use icehost_strategy::{Runtime, RuntimeOptions, Strategy};
use tempfile::TempDir;

async fn load(cache: &Path, name: &str) -> Strategy {
    let runtime = Runtime::new(RuntimeOptions {
        cache_dir: Some(cache.to_owned()),
        ..RuntimeOptions::default()
    })
    .unwrap();
    let component = icehost_plugins::find(name).unwrap().component;
    runtime.load(name, component).await.unwrap()
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some()).collect()
}

/// A cache with one compiled component.
async fn filled() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    assert!(!load(&cache, "upsert").await.from_cache());
    (directory, cache)
}

#[tokio::test]
async fn a_component_is_compiled_once() {
    let (_directory, cache) = filled().await;
    assert!(load(&cache, "upsert").await.from_cache());
    assert!(!load(&cache, "append-only").await.from_cache());
    assert_eq!(entries(&cache).len(), 2);
}

#[tokio::test]
async fn the_cache_is_the_user_s_alone() {
    let (_directory, cache) = filled().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o700);
    for file in entries(&cache).iter().chain([&cache.join("key")]) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn an_entry_that_was_changed_is_compiled_again_and_repaired() {
    let (_directory, cache) = filled().await;
    let entry = entries(&cache).remove(0);
    let good = fs::read(&entry).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    for bad in [
        flipped(0),
        flipped(good.len() / 2),
        flipped(good.len() - 1),
        good[..good.len() / 2].to_vec(),
        good[..10].to_vec(),
        Vec::new(),
    ] {
        fs::write(&entry, &bad).unwrap();
        assert!(
            !load(&cache, "upsert").await.from_cache(),
            "{} bytes",
            bad.len()
        );
        assert!(load(&cache, "upsert").await.from_cache());
    }
}

#[tokio::test]
async fn a_good_entry_under_another_name_is_not_loaded() {
    let (_directory, cache) = filled().await;
    let upsert = entries(&cache).remove(0);
    load(&cache, "append-only").await;
    let append_only = entries(&cache)
        .into_iter()
        .find(|path| *path != upsert)
        .unwrap();
    fs::copy(&upsert, &append_only).unwrap();
    let strategy = load(&cache, "append-only").await;
    assert!(!strategy.from_cache());
    assert_eq!(strategy.description().name, "append-only");
}

#[tokio::test]
async fn an_entry_made_under_another_key_is_not_loaded() {
    let (_directory, cache) = filled().await;
    fs::write(cache.join("key"), [7; 32]).unwrap();
    assert!(!load(&cache, "upsert").await.from_cache());
}

#[tokio::test]
async fn a_damaged_key_turns_the_cache_off() {
    let (_directory, cache) = filled().await;
    fs::write(cache.join("key"), b"short").unwrap();
    assert!(!load(&cache, "upsert").await.from_cache());
    assert!(!load(&cache, "upsert").await.from_cache());
}

#[tokio::test]
async fn what_others_can_write_to_is_not_used() {
    let (_directory, cache) = filled().await;
    let entry = entries(&cache).remove(0);
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o770, 0o707, 0o777] {
        allow(&cache, mode);
        assert!(!load(&cache, "upsert").await.from_cache(), "{mode:o}");
    }
    allow(&cache, 0o700);
    assert!(load(&cache, "upsert").await.from_cache());
    allow(&entry, 0o666);
    assert!(!load(&cache, "upsert").await.from_cache());
    allow(&cache.join("key"), 0o620);
    assert!(!load(&cache, "upsert").await.from_cache());
}

#[tokio::test]
async fn a_place_that_cannot_be_a_cache_costs_only_time() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(!load(&file, "upsert").await.from_cache());
    assert!(!load(&file.join("below"), "upsert").await.from_cache());
}

#[tokio::test]
async fn old_entries_make_room() {
    let (_directory, cache) = filled().await;
    for i in 0..100 {
        fs::write(cache.join(format!("{i}.compiled")), b"old").unwrap();
    }
    load(&cache, "append-only").await;
    assert!(entries(&cache).len() <= 64, "{}", entries(&cache).len());
    assert!(load(&cache, "append-only").await.from_cache());
}

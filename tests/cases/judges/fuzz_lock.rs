//! `tests/fuzz` stands outside of the workspace and has a lock file of its own: it must have what the project's has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// By name and version: the checksum, nothing for a crate of the project, and the names of what it depends on.
type Packages = BTreeMap<(String, String), (Option<String>, BTreeSet<String>)>;

fn packages(lock: &str) -> Packages {
    let blocks = lock.split("[[package]]\n").skip(1);
    blocks
        .map(|block| {
            let value = |key: &str| {
                let lines = block.lines();
                let mut found = lines.filter_map(|line| {
                    line.strip_prefix(&format!("{key} = \""))?.strip_suffix('"')
                });
                found.next().map(str::to_owned)
            };
            let entries = block.lines().filter_map(|line| line.strip_prefix(" \""));
            let needs = entries.filter_map(|entry| entry.split(['"', ' ']).next());
            let name = (value("name").unwrap(), value("version").unwrap());
            (
                name,
                (value("checksum"), needs.map(str::to_owned).collect()),
            )
        })
        .collect()
}

/// What the crates of the project depend on, but for their tests, by their names.
fn written() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for room in ["host", "plugins", "sdk", "demo", "tests", "."] {
        for entry in std::fs::read_dir(root().join(room)).unwrap() {
            let manifest = entry.unwrap().path().join("Cargo.toml");
            let Ok(manifest) = std::fs::read_to_string(manifest) else {
                continue;
            };
            let name = manifest
                .lines()
                .find_map(|line| line.strip_prefix("name = \""));
            let section = manifest
                .split("\n[dependencies]\n")
                .nth(1)
                .unwrap_or_default();
            let lines = section.lines().take_while(|line| !line.starts_with('['));
            let needs = lines.filter_map(|line| line.split(['.', ' ', '#']).next());
            let needs = needs.filter(|name| !name.is_empty()).map(str::to_owned);
            if let Some(name) = name {
                found.insert(name.trim_end_matches('"').to_owned(), needs.collect());
            }
        }
    }
    found
}

fn faults(
    own: &Packages,
    project: &Packages,
    written: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut faults = Vec::new();
    for (package, (checksum, needs)) in own {
        let (name, version) = package;
        if ["icehost-fuzz", "libfuzzer-sys"].contains(&name.as_str()) {
            continue;
        }
        match project.get(package) {
            Some((known, all)) if known == checksum => {
                let missing = written.get(name).into_iter().flatten();
                let missing = missing.filter(|need| all.contains(*need) && !needs.contains(*need));
                faults.extend(missing.map(|need| format!("{name} lacks {need}")));
            }
            _ => faults.push(format!("{name} {version} is not the project's")),
        }
    }
    faults
}

#[test]
fn the_fuzz_targets_are_built_from_what_the_project_is_built_from() {
    let lock = |path: &str| packages(&std::fs::read_to_string(root().join(path)).unwrap());
    let (own, project) = (lock("tests/fuzz/Cargo.lock"), lock("Cargo.lock"));
    let written = written();
    let of_project = own.keys().filter(|(name, _)| written.contains_key(name));
    assert!(of_project.count() > 8, "the crates are not found");
    let found = faults(&own, &project, &written);
    assert!(
        found.is_empty(),
        "tests/fuzz/Cargo.lock is stale: {}\nhint: `cargo metadata --manifest-path tests/fuzz/Cargo.toml` mends it",
        found.join(", ")
    );
    // What is stale is found.
    let mut stale = own.clone();
    for (_, needs) in stale.values_mut() {
        needs.remove("icehost-untrusted");
    }
    assert!(!faults(&stale, &project, &written).is_empty());
}

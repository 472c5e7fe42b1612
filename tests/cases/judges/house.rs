//! `ARCHITECTURE.md`: who knows whom is what the crates depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What cargo knows of the workspace.
fn metadata() -> Value {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "metadata",
            "--offline",
            "--no-deps",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The crates of the workspace: each by its directory, with the directories of those that it depends on, tests and build
/// scripts apart.
fn crates(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let root = metadata["workspace_root"].as_str().unwrap();
    let directory = |path: &str| {
        let path = path.strip_prefix(root)?.trim_start_matches('/');
        Some(path.trim_end_matches("/Cargo.toml").to_owned())
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let own = directory(package["manifest_path"].as_str().unwrap()).unwrap();
            let needed = package["dependencies"].as_array().unwrap().iter();
            let needed = needed.filter(|needed| needed["kind"].is_null());
            let needed = needed.filter_map(|needed| directory(needed["path"].as_str()?));
            (own, needed.collect())
        })
        .collect()
}

/// What a crate is called where it is known: the last part of its directory.
fn called(directory: &str) -> &str {
    directory.rsplit('/').next().unwrap_or(directory)
}

/// The rows of the picture whose first cell names directories of crates: those, and who they know.
fn rows(page: &str, crates: &[&str]) -> Vec<(Vec<String>, BTreeSet<String>)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("| "));
    lines
        .filter_map(|line| {
            let mut cells = line.trim_end_matches([' ', '|']).split(" | ");
            let (place, _, knows) = (cells.next()?, cells.next()?, cells.next()?);
            let named = place.split('`').skip(1).step_by(2);
            let of = |name: &str| -> Vec<String> {
                let all = name.strip_suffix("/*");
                let rows = crates.iter().filter(|known| match all {
                    Some(parent) => known.rsplit_once('/').is_some_and(|(of, _)| of == parent),
                    None => **known == name,
                });
                rows.map(|known| (*known).to_owned()).collect()
            };
            let named: Vec<String> = named.flat_map(of).collect();
            let knows = knows.split(", ").filter(|name| *name != "nothing");
            (!named.is_empty()).then(|| (named, knows.map(str::to_owned).collect()))
        })
        .collect()
}

#[test]
fn the_picture_is_what_the_crates_depend_on() {
    let crates = crates(&metadata());
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let names: Vec<&str> = crates.keys().map(String::as_str).collect();
    let mut told = BTreeMap::new();
    // A row of its own says more than one of many.
    let mut rows = rows(&page, &names);
    rows.sort_by_key(|(named, _)| std::cmp::Reverse(named.len()));
    for (named, knows) in rows {
        for name in named {
            told.insert(name, knows.clone());
        }
    }
    let is: BTreeMap<String, BTreeSet<String>> = crates
        .iter()
        .map(|(name, needed)| {
            let needed = needed.iter().map(|needed| called(needed).to_owned());
            (name.clone(), needed.collect())
        })
        .collect();
    for (name, is) in &is {
        let told = told.get(name);
        assert_eq!(
            told,
            Some(is),
            "who {name} knows: left ARCHITECTURE.md, right Cargo.toml"
        );
    }
    // Each name stands for one crate.
    let distinct: BTreeSet<&str> = names.iter().map(|name| called(name)).collect();
    assert_eq!(distinct.len(), names.len());
}

#[test]
fn a_plain_build_is_that_of_the_product() {
    let metadata = metadata();
    let built = metadata["workspace_default_members"].as_array().unwrap();
    let product = metadata["packages"].as_array().unwrap().iter();
    let product: Vec<&Value> = product
        .filter(|package| package["name"] == "icehost")
        .map(|package| &package["id"])
        .collect();
    assert_eq!(built.iter().collect::<Vec<_>>(), product);
}

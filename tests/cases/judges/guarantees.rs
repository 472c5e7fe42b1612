//! `docs/guarantees.md`: each sentence names its tests, and each of these exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The functions that are marked as tests in sources below a directory.
fn tests_below(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Where things are built, and not the room of that name.
        let built = name == "node_modules" || (name == "target" && !directory.ends_with("src"));
        if path.is_dir() && !name.starts_with('.') && !built {
            tests_below(&path, found);
        } else if name.ends_with(".rs") {
            tests_in(&std::fs::read_to_string(&path).unwrap(), found);
        }
    }
}

/// The test functions of a source; one that is ignored counts as none.
fn tests_in(source: &str, found: &mut BTreeSet<String>) {
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_test = false;
        } else if let Some(rest) = function(line) {
            if std::mem::take(&mut is_test) {
                found.insert(rest.to_owned());
            }
        } else if line.starts_with("fn ") || line.ends_with('{') && !line.starts_with('#') {
            // What follows an attribute is the function itself, or another attribute.
            is_test = false;
        }
    }
}

fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub ").unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The sentences of a page that promise something, with the tests that each names: the items of its lists, but for links
/// to its own sections. The names stand in a comment below the item, where no reader stumbles over them, or in
/// parentheses within it.
fn sentences(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in page.lines().map(str::trim) {
        let comment = line
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->"));
        match (line.strip_prefix("- "), comment, found.last_mut()) {
            (Some(item), _, _) if !item.starts_with('[') => {
                found.push((item, in_parentheses(item)))
            }
            (_, Some(names), Some((_, named))) => named.extend(names.split(", ").map(last_part)),
            _ => {}
        }
    }
    found
}

/// The names of each pair of parentheses that holds nothing but names.
fn in_parentheses(item: &str) -> Vec<&str> {
    let groups = item
        .split(" (")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0));
    groups
        .filter_map(|group| {
            let names = group.split(", ");
            let names = names.map(|name| name.strip_prefix('`')?.strip_suffix('`'));
            names.collect::<Option<Vec<&str>>>()
        })
        .flatten()
        .map(last_part)
        .collect()
}

fn last_part(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// What is wrong with a page, given the tests that exist.
fn faults(page: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (sentence, named) in sentences(page) {
        if named.is_empty() {
            faults.push(format!("no test is named: {sentence}"));
        }
        let missing = named.into_iter().filter(|name| !tests.contains(*name));
        faults.extend(missing.map(|name| format!("there is no test '{name}': {sentence}")));
    }
    faults
}

#[test]
fn every_test_that_the_guarantees_name_exists() {
    let page = std::fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let mut tests = BTreeSet::new();
    for room in ["host", "plugins", "sdk", "demo", "tests"] {
        tests_below(&root().join(room), &mut tests);
    }
    assert!(sentences(&page).len() > 20, "the page is not read");
    let faults = faults(&page, &tests);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_sentence_without_a_test_or_with_one_that_is_not_there_is_told() {
    let mut tests = BTreeSet::new();
    tests_in(
        "#[test]\nfn holds() {}\n#[tokio::test(flavor = \"x\")]\nasync fn waits() {}\n\
         #[test]\n#[ignore]\nfn sleeps() {}\nfn helper() {}",
        &mut tests,
    );
    let page = "# Page\n\n- [A section](#a-section)\n\nProse.\n\n\
                - Rows (of `a` table) stay (`holds`, `suite::waits`).\n\
                - Rows go (`sleeps`).\n- Rows come (`helper`), or go (`holds`).\n- Rows are what they are.\n\
                - Rows wait.\n  <!-- suite::waits, sleeps -->\n";
    assert_eq!(
        faults(page, &tests),
        [
            "there is no test 'sleeps': Rows go (`sleeps`).",
            "there is no test 'helper': Rows come (`helper`), or go (`holds`).",
            "no test is named: Rows are what they are.",
            "there is no test 'sleeps': Rows wait.",
        ]
    );
}

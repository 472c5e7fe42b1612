//! A new SQL type is found by the compiler: no match over SQL types has an arm for all others.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|kind| kind == "rs") => found.push(path),
            false => {}
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether an arm takes whatever is left: a name or `_`, with a condition or without.
fn takes_all(line: &str) -> bool {
    let Some((pattern, _)) = line.trim_start().split_once(" =>") else {
        return false;
    };
    let pattern = pattern.split(" if ").next().unwrap_or_default();
    // Of several values, the first.
    let pattern = pattern.trim_start_matches('(');
    let pattern = pattern.split(',').next().unwrap_or_default();
    let name = |c: char| c == '_' || c.is_ascii_lowercase();
    !pattern.is_empty() && pattern.chars().all(name) && pattern != "true" && pattern != "false"
}

/// Lines of arms that take every SQL type that has none of its own. Formatted arms of one match stand below each other.
fn open_arms(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut open = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !takes_all(line) {
            continue;
        }
        let depth = indent(line);
        let before = lines[..at].iter().rev();
        let in_match = before.take_while(|line| line.trim().is_empty() || indent(line) >= depth);
        let mut arms = in_match.filter(|line| indent(line) == depth);
        if arms.any(|arm| {
            let start = arm.trim_start().trim_start_matches(['|', '(', ' ']);
            start.starts_with("SqlType::")
        }) {
            open.push(at + 1);
        }
    }
    open
}

#[test]
fn no_match_over_sql_types_leaves_a_new_one_to_chance() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for entry in fs::read_dir(&host).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut files);
        }
    }
    assert!(files.len() > 200, "{}", files.len());
    let found = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        // What comes behind is tests.
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let open = open_arms(product);
        open.into_iter()
            .map(move |line| format!("{}:{line}", file.display()))
    });
    assert_eq!(found.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn an_arm_for_all_others_is_seen() {
    let with = |last: &str| {
        format!(
            "    match of {{\n        SqlType::Bit\n        | SqlType::Int => {{\n            1\n        }}\n        {last},\n    }}\n"
        )
    };
    assert_eq!(open_arms(&with("_ => 0")), [6]);
    assert_eq!(open_arms(&with("other if big => 0")), [6]);
    assert_eq!(open_arms(&with("(_, Some(name)) => 0")), [6]);
    assert_eq!(open_arms(&with("SqlType::Date => 0")), []);
    assert_eq!(
        open_arms("    match x {\n        1 => 2,\n        _ => 0,\n    }\n"),
        []
    );
}

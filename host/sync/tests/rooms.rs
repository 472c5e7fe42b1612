//! The rooms of `host/sync`: who knows whom is what `ARCHITECTURE.md` says, and nothing goes in a circle.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Words that every room may use.
const WORDS: [&str; 3] = ["error", "event", "blocking"];
/// The heading above the table.
const HEADING: &str = "### The rooms of `host/sync`";

/// The modules by their paths from the root, `rows::layout`, each with the paths that its sources name, tests aside.
struct Sources(BTreeMap<String, BTreeSet<String>>);

impl Sources {
    fn read() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&root, String::new(), &mut files);
        let exported = exports(&fs::read_to_string(root.join("lib.rs")).unwrap());
        let names: BTreeSet<String> = files.iter().map(|(module, _)| module.clone()).collect();
        let module_of = |path: &str| {
            let whole = exported.get(path).map_or(path, String::as_str);
            let ends = whole.rmatch_indices("::").map(|(at, _)| at);
            let mut ends = [whole.len()].into_iter().chain(ends);
            ends.find_map(|end| names.get(&whole[..end]).cloned())
        };
        let modules = files.iter().map(|(module, text)| {
            let known = paths(text).into_iter();
            let known = known.filter_map(|path| module_of(&path));
            let known = known.filter(|known| known != module);
            (module.clone(), known.collect())
        });
        Sources(modules.collect())
    }

    /// The rooms that each room knows, the words aside.
    fn rooms(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut rooms: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, known) in &self.0 {
            let room = room_of(module);
            if WORDS.contains(&room) {
                continue;
            }
            let others = known.iter().map(|known| room_of(known));
            let others = others.filter(|other| *other != room && !WORDS.contains(other));
            rooms.entry(room).or_default().extend(others);
        }
        rooms
    }
}

fn room_of(module: &str) -> &str {
    module.split("::").next().unwrap()
}

/// Every source file but `lib.rs` and files of tests.
fn collect(directory: &Path, module: String, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = match module.as_str() {
            "" => stem.clone(),
            outer => format!("{outer}::{stem}"),
        };
        match (path.is_dir(), stem.as_str()) {
            (true, _) => collect(&path, inner, files),
            (false, "tests") => {}
            (false, "lib") if module.is_empty() => {}
            (false, "mod") => files.push((module.clone(), fs::read_to_string(&path).unwrap())),
            (false, _) => files.push((inner, fs::read_to_string(&path).unwrap())),
        }
    }
}

/// What the root hands on: a name, and where it is defined.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let uses = lib
        .split("pub use ")
        .skip(1)
        .filter_map(|rest| rest.split_once(';'));
    let paths = uses.flat_map(|(tree, _)| leaves("", tree));
    let named = |path: String| (path.rsplit("::").next().unwrap().to_owned(), path);
    paths.map(named).collect()
}

/// The paths from the root that a source names, tests and comments aside.
fn paths(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
    let code: Vec<&str> = lines.collect();
    let code = code.join("\n");
    assert!(
        !code.contains("super::"),
        "paths are whole, from the root: {code}"
    );
    let mut paths = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let head = rest.split(|c| !is_path(c)).next().unwrap();
        let tree = match rest[head.len()..].starts_with('{') {
            true => &rest[..head.len() + group(&rest[head.len()..])],
            false => head,
        };
        paths.extend(leaves("", tree));
    }
    paths
}

/// How long a group in braces is.
fn group(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    panic!("a group without an end: {text}")
}

/// The paths of a tree such as `a::{b::C, d}`.
fn leaves(before: &str, tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, _)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap().trim();
        let path = match name {
            "self" => before.trim_end_matches("::").to_owned(),
            _ => format!("{before}{}", name.trim_end_matches("::")),
        };
        return vec![path];
    };
    let before = format!("{before}{}", head.trim());
    let inner = &tree[head.len() + 1..head.len() + group(&tree[head.len()..]) - 1];
    let (mut depth, mut from, mut all) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[from..at].trim().is_empty() {
                    all.extend(leaves(&before, &inner[from..at]));
                }
                from = at + 1;
            }
            _ => {}
        }
    }
    all
}

/// The table of rooms, from the top floor down: each room and those that it knows.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(HEADING).expect("the section of rooms");
    let rows = section.lines().skip_while(|line| !line.starts_with("| `"));
    let rows = rows.take_while(|line| line.starts_with("| `"));
    let quoted = |cell: &str| -> BTreeSet<String> {
        let parts = cell.split('`').skip(1).step_by(2);
        parts.map(str::to_owned).collect()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
        let (room, known) = (cells.first().unwrap(), cells.get(2));
        let room = quoted(room).into_iter().next().unwrap();
        (room, known.map_or_else(BTreeSet::new, |cell| quoted(cell)))
    })
    .collect()
}

#[test]
fn each_room_knows_the_rooms_that_the_page_says() {
    let sources = Sources::read();
    let found = sources.rooms();
    let told = table();
    let rooms: BTreeSet<&str> = told.iter().map(|(room, _)| room.as_str()).collect();
    let there: BTreeSet<&str> = found.keys().copied().collect();
    assert_eq!(rooms, there, "the page names the rooms that there are");
    let told = told.iter().map(|(room, known)| {
        let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        (room.as_str(), known)
    });
    for (room, known) in told {
        let more = found[room].difference(&known).collect::<Vec<_>>();
        let less = known.difference(&found[room]).collect::<Vec<_>>();
        assert!(
            more.is_empty() && less.is_empty(),
            "`{room}` knows {more:?}, of which the page does not tell, and not {less:?}, of which it does"
        );
    }
}

#[test]
fn a_room_knows_only_rooms_that_lie_below_it() {
    let told = table();
    assert!(told.len() > 10, "the table was found");
    for (at, (room, known)) in told.iter().enumerate() {
        let below = told.iter().skip(at + 1);
        let below: BTreeSet<&str> = below.map(|(room, _)| room.as_str()).collect();
        for known in known {
            assert!(below.contains(known.as_str()), "`{room}` knows `{known}`");
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut left = Sources::read().0;
    let arrows: usize = left.values().map(BTreeSet::len).sum();
    assert!(arrows > 300, "the sources were read: {arrows} arrows");
    loop {
        let ends: Vec<String> = left
            .iter()
            .filter(|(_, known)| known.iter().all(|known| !left.contains_key(known)))
            .map(|(module, _)| module.clone())
            .collect();
        if ends.is_empty() {
            break;
        }
        left.retain(|module, _| !ends.contains(module));
    }
    let circle: Vec<&String> = left.keys().collect();
    assert!(circle.is_empty(), "in a circle, or above one: {circle:?}");
}

#[test]
fn paths_are_found_in_trees_and_between_them() {
    let source = "//! See [it](crate::no::One).\nuse crate::a::{b::{self, C}, d as e};\nuse crate::F;\n\
                  fn f() { crate::g::h::i(); }\n#[cfg(test)]\nmod tests {\nuse crate::not::This;\n}";
    assert_eq!(paths(source), ["a::b", "a::b::C", "a::d", "F", "g::h::i"]);
    let exported = exports("pub use a::b::C;\npub use d::{\n    E, F,\n};");
    let exported: Vec<(&str, &str)> = exported
        .iter()
        .map(|(name, path)| (name.as_str(), path.as_str()))
        .collect();
    assert_eq!(exported, [("C", "a::b::C"), ("E", "d::E"), ("F", "d::F")]);
}

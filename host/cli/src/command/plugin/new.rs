//! `icehost plugin new`: a strategy that builds, tests and runs as it is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::args::PluginKind;
use crate::failure::Failure;

/// The SDK's sources, by their paths in the workspace.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// A file of a template; `{{name}}` and `{{Type}}` stand for the strategy's name and its type.
type Template = (&'static str, &'static str);

const DETECTOR: &[Template] = &[
    (
        "src/lib.rs",
        include_str!("../../../templates/rust/change-detector/lib.rs"),
    ),
    (
        "cases/first.toml",
        include_str!("../../../templates/rust/change-detector/cases.toml"),
    ),
];
const MERGER: &[Template] = &[
    (
        "src/lib.rs",
        include_str!("../../../templates/rust/merger/lib.rs"),
    ),
    (
        "cases/first.toml",
        include_str!("../../../templates/rust/merger/cases.toml"),
    ),
];
const BOTH: &[Template] = &[
    (
        "Cargo.toml",
        include_str!("../../../templates/rust/Cargo.toml.txt"),
    ),
    (".gitignore", "/target\n*.wasm\n"),
    (
        "sdk/Cargo.toml",
        include_str!("../../../templates/rust/sdk.toml.txt"),
    ),
];

/// Makes the directory, which must not exist, and gives it. What it began is taken away where it fails.
///
/// # Errors
/// A name that is no name of a crate, a directory that exists, and what the file system reports.
pub(super) fn create(directory: &Path, kind: PluginKind) -> Result<PathBuf, Failure> {
    let name = name(directory)?;
    if directory.exists() {
        return Err(Failure::new(
            format!("{} exists already", directory.display()),
            "choose another name, or remove it",
        ));
    }
    let written = write(directory, &name, kind);
    if written.is_err() {
        // It was not there before.
        let _ = fs::remove_dir_all(directory);
    }
    written.map_err(|(path, error)| {
        Failure::new(
            format!("cannot write {}: {error}", path.display()),
            "choose a directory that can be written",
        )
    })?;
    Ok(directory.to_owned())
}

fn name(directory: &Path) -> Result<String, Failure> {
    let name = directory.file_name().and_then(|name| name.to_str());
    let is_name = |name: &&str| {
        let mut letters = name.chars();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !name.ends_with('-')
    };
    name.filter(is_name).map(str::to_owned).ok_or_else(|| {
        Failure::new(
            format!("'{}' is no name for a strategy", directory.display()),
            "take lower-case letters, digits and '-', with a letter in front, such as by-version",
        )
    })
}

fn write(directory: &Path, name: &str, kind: PluginKind) -> Result<(), (PathBuf, std::io::Error)> {
    let own = match kind {
        PluginKind::ChangeDetector => DETECTOR,
        PluginKind::Merger => MERGER,
    };
    let type_name: String = name.split('-').map(capitalised).collect();
    let sdk = SDK
        .iter()
        .map(|&(path, text)| match path.strip_prefix("wit/") {
            // The SDK finds the contract beside its own directory.
            Some(file) => (format!("wit/{file}"), text),
            None => (path.to_owned(), text),
        });
    let templates = own
        .iter()
        .chain(BOTH)
        .map(|&(path, text)| (path.to_owned(), text));
    for (path, text) in templates.chain(sdk) {
        let path = directory.join(path);
        let text = text
            .replace("{{name}}", name)
            .replace("{{Type}}", &type_name)
            .replace("{{version}}", env!("CARGO_PKG_VERSION"));
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent)
            .and_then(|()| fs::File::create_new(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| (path, error))?;
    }
    Ok(())
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}

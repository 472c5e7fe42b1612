//! `icehost plugin new`: a strategy that builds, tests and runs as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use icehost_componentize::Error;
use icehost_run::ErrorKind;

use crate::args::{PluginKind, PluginLanguage};
use crate::failure::Failure;

/// The SDK's sources and the contract, by their paths in the workspace.
const SDK: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The templates, by their paths: `cases/KIND.toml` for all languages, and for each language `all` and one
/// directory for each kind, with the files as they will lie; where both have one, it is the kind's own. A
/// `.template` at the end keeps cargo and git from taking them for their own, and goes.
const TEMPLATES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The SDK's file of macros, for which stands what they make: building a strategy takes a third of the time then.
const BINDINGS: &str = "sdk/src/bindings.rs";

/// Makes the directory, which must not exist, and gives it. What it began is taken away where it fails.
///
/// # Errors
/// A name that is no name of a package, a directory that exists, and what the file system reports.
pub(super) fn create(
    directory: &Path,
    kind: PluginKind,
    language: PluginLanguage,
) -> Result<PathBuf, Failure> {
    let name = name(directory)?;
    if directory.exists() {
        return Err(Failure::config(
            format!("{} exists already", directory.display()),
            "choose another name, or remove it",
        ));
    }
    let files = files(kind.name(), language.name())?;
    let mut made = Made::default();
    let written = write(directory, &name, kind, &files, &mut made);
    if written.is_err() {
        made.remove();
    }
    written.map_err(|(path, error)| {
        Failure::new(
            ErrorKind::Io,
            format!("cannot write {}: {error}", path.display()),
            "choose a directory that can be written",
        )
    })?;
    Ok(directory.to_owned())
}

/// What was not there before, in the order in which it was made.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Made {
    fn directory(&mut self, directory: &Path) -> std::io::Result<()> {
        if directory.as_os_str().is_empty() || directory.is_dir() {
            return Ok(());
        }
        if let Some(parent) = directory.parent() {
            self.directory(parent)?;
        }
        fs::create_dir(directory)?;
        self.directories.push(directory.to_owned());
        Ok(())
    }

    fn file(&mut self, path: &Path, text: &str) -> std::io::Result<()> {
        self.directory(path.parent().unwrap_or(path))?;
        let mut file = fs::File::create_new(path)?;
        self.files.push(path.to_owned());
        file.write_all(text.as_bytes())
    }

    /// Takes it away, one by one: that opens no file, of which there may be too many.
    fn remove(&self) {
        for file in &self.files {
            let _gone = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            // One that holds what others have put there stays.
            let _gone = fs::remove_dir(directory);
        }
    }
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
        Failure::config(
            format!("'{}' is no name for a strategy", directory.display()),
            "take lower-case letters, digits and '-', with a letter in front, such as by-version",
        )
    })
}

fn write(
    directory: &Path,
    name: &str,
    kind: PluginKind,
    files: &BTreeMap<String, Cow<'_, str>>,
    made: &mut Made,
) -> Result<(), (PathBuf, std::io::Error)> {
    let type_name: String = name.split('-').map(capitalised).collect();
    for (path, text) in files {
        let path = directory.join(path);
        let text = text
            .replace("{{name}}", name)
            .replace("{{Type}}", &type_name)
            .replace("{{kind}}", kind.name())
            .replace("{{features}}", kind.sdk_features())
            .replace("{{version}}", env!("CARGO_PKG_VERSION"));
        made.file(&path, &text).map_err(|error| (path, error))?;
    }
    Ok(())
}

/// What a strategy of this kind in this language starts from: where it goes, and what it says.
fn files(kind: &str, language: &str) -> Result<BTreeMap<String, Cow<'static, str>>, Error> {
    let mut files = BTreeMap::new();
    for directory in [format!("{language}/all"), format!("{language}/{kind}")] {
        for &(path, text) in TEMPLATES {
            let below = |directory: &str| path.strip_prefix(directory)?.strip_prefix('/');
            if let Some(place) = below(&directory) {
                let place = place.strip_suffix(".template").unwrap_or(place);
                files.insert(place.replace("gitignore", ".gitignore"), text.into());
            }
        }
    }
    for &(path, text) in TEMPLATES {
        if path == format!("cases/{kind}.toml") {
            files.insert("cases/first.toml".to_owned(), text.into());
        }
    }
    for &(path, text) in SDK {
        let contract = path == "wit/strategy.wit";
        // The Rust SDK finds the contract beside its own directory.
        let sdk = language == "rust" && path.starts_with("sdk/") && path != BINDINGS;
        if contract || sdk {
            files.insert(path.to_owned(), text.into());
        }
        if contract && language == "rust" {
            let bindings = icehost_componentize::sdk_bindings(text)?;
            files.insert(BINDINGS.to_owned(), bindings.into());
        }
    }
    Ok(files)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}

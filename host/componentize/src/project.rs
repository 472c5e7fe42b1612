//! What a directory holds: the language by its manifest, and what the manifest says.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::Error;

/// Most bytes of a manifest.
const MOST_MANIFEST: u64 = 4 << 20;

/// What a strategy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A crate.
    Rust,
    /// An ECMAScript module.
    JavaScript,
    /// A Python module.
    Python,
    /// C without a standard library.
    C,
}

impl Language {
    /// In the order in which a directory is searched.
    pub const ALL: [Language; 4] = [
        Language::Rust,
        Language::JavaScript,
        Language::Python,
        Language::C,
    ];

    /// The file that tells the language, and name and world of the strategy.
    pub fn manifest(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::JavaScript => "package.json",
            Language::Python => "pyproject.toml",
            Language::C => "strategy.toml",
        }
    }

    /// The path in the manifest of what icehost reads.
    fn section(self) -> &'static [&'static str] {
        match self {
            Language::Rust | Language::C => &[],
            Language::JavaScript => &["icehost"],
            Language::Python => &["tool", "icehost"],
        }
    }
}

/// A strategy's sources.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) language: Language,
    pub(crate) directory: PathBuf,
    pub(crate) manifest: PathBuf,
    json: Json,
}

impl Project {
    /// The project at `path`, its directory or its manifest.
    pub(crate) fn find(path: &Path) -> Result<Project, Error> {
        let is_manifest_of = |language: &Language| {
            path.file_name()
                .is_some_and(|name| name == language.manifest())
        };
        if path.is_file()
            && let Some(language) = Language::ALL.into_iter().find(is_manifest_of)
        {
            let directory = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            return Project::read(language, directory, path);
        }
        let mut without = None;
        for language in Language::ALL {
            let manifest = path.join(language.manifest());
            if !manifest.is_file() {
                continue;
            }
            match Project::read(language, path, &manifest) {
                // It may belong to something else that stands there, such as a formatter.
                Err(error @ Error::Manifest { .. }) if without.is_none() => without = Some(error),
                Err(Error::Manifest { .. }) => {}
                found => return found,
            }
        }
        Err(without.unwrap_or_else(|| Error::NoProject {
            path: path.to_owned(),
        }))
    }

    fn read(language: Language, directory: &Path, manifest: &Path) -> Result<Project, Error> {
        let mut project = Project {
            language,
            directory: directory.to_owned(),
            manifest: manifest.to_owned(),
            json: Json::Null,
        };
        if language == Language::Rust {
            // Cargo reads it.
            return Ok(project);
        }
        let unreadable = |e| Error::io(format!("read {}", manifest.display()), e);
        let text = icehost_untrusted::read(manifest, MOST_MANIFEST).map_err(unreadable)?;
        let text = String::from_utf8(text).map_err(|e| unreadable(std::io::Error::other(e)))?;
        let parsed = match language {
            Language::JavaScript => serde_json::from_str(&text).map_err(|e| e.to_string()),
            _ => toml::from_str(&text).map_err(|e: toml::de::Error| e.message().to_owned()),
        };
        project.json = parsed.map_err(|reason| project.wrong(reason.trim_end()))?;
        project.world()?;
        // Tools run in it.
        project.directory = directory
            .canonicalize()
            .map_err(|e| Error::io(format!("find {}", directory.display()), e))?;
        Ok(project)
    }

    /// The world of the contract that the strategy implements, such as `merger`.
    pub(crate) fn world(&self) -> Result<&str, Error> {
        let section = self.language.section();
        let path: Vec<&str> = section.iter().copied().chain(["world"]).collect();
        self.text(&path)
    }

    /// The name of the package.
    pub(crate) fn name(&self) -> Result<&str, Error> {
        match self.language {
            Language::Python => self.text(&["project", "name"]),
            _ => self.text(&["name"]),
        }
    }

    /// A text in the manifest.
    pub(crate) fn text(&self, path: &[&str]) -> Result<&str, Error> {
        self.get(path)
            .and_then(Json::as_str)
            .ok_or_else(|| self.wrong(format!("it has no text '{}'", path.join("."))))
    }

    pub(crate) fn get(&self, path: &[&str]) -> Option<&Json> {
        path.iter().try_fold(&self.json, |json, key| json.get(key))
    }

    pub(crate) fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Manifest {
            language: self.language,
            path: self.manifest.clone(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    #[test]
    fn the_manifest_tells_the_language() {
        for (file, text, language) in [
            ("Cargo.toml", "", Language::Rust),
            (
                "package.json",
                r#"{"name": "x", "icehost": {"world": "merger"}}"#,
                Language::JavaScript,
            ),
            (
                "pyproject.toml",
                "[project]\nname = 'x'\n[tool.icehost]\nworld = 'merger'",
                Language::Python,
            ),
            ("strategy.toml", "name = 'x'\nworld = 'merger'", Language::C),
        ] {
            let directory = directory(&[(file, text)]);
            for path in [directory.path().to_owned(), directory.path().join(file)] {
                let project = Project::find(&path).unwrap();
                assert_eq!(project.language, language);
                if language != Language::Rust {
                    assert_eq!(project.name().unwrap(), "x");
                    assert_eq!(project.world().unwrap(), "merger");
                }
            }
        }
    }

    #[test]
    fn a_manifest_of_something_else_is_passed_over() {
        let foreign = ("package.json", r#"{"name": "formatter"}"#);
        let ours = (
            "pyproject.toml",
            "project.name = 'x'\ntool.icehost.world = 'merger'",
        );
        let both = directory(&[foreign, ours]);
        let project = Project::find(both.path()).unwrap();
        assert_eq!(project.language, Language::Python);
        let alone = directory(&[foreign]);
        let error = Project::find(alone.path()).unwrap_err();
        assert!(
            error.to_string().contains("it has no text 'icehost.world'"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains(r#""icehost""#));
    }

    #[test]
    fn a_directory_without_a_manifest_is_no_strategy() {
        let nothing = directory(&[]);
        let error = Project::find(nothing.path()).unwrap_err();
        assert!(matches!(error, Error::NoProject { .. }), "{error}");
    }
}

//! Files: pages of documentation, and what must not be in any.

use std::path::{Path, PathBuf};

/// The blocks of a language in a page of Markdown.
pub fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    page.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

/// Looks for texts in every byte of every file below a directory.
#[track_caller]
pub fn assert_nowhere(directory: &Path, secrets: &[&str]) {
    for file in below(directory) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "'{secret}' is in {}", file.display());
        }
    }
}

/// Every file below a directory, in order.
pub fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(below(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

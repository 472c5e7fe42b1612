//! Settings of a pipeline: flags, and the keys of a file that say the same.

use icehost_config::as_setting;

use icehost_run::shipped_names;

/// The text in which flags that are keys of a pipeline stand as keys, each with the value that follows it, if one does.
/// Those that `keep` names stay flags.
pub(super) fn as_keys(text: &str, keep: &[&str]) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("--") {
        let (before, flag) = rest.split_at(at);
        written.push_str(before);
        let name = flag.strip_prefix("--").unwrap_or_default();
        let end = name
            .find(|c: char| !c.is_ascii_lowercase() && c != '-')
            .unwrap_or(name.len());
        let (name, behind) = name.split_at(end);
        let begins_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '-');
        let translated = (begins_word && !keep.contains(&name))
            .then(|| translated(name, behind))
            .flatten();
        match translated {
            Some((setting, behind)) => {
                written.push_str(&setting);
                rest = behind;
            }
            None => {
                written.push_str("--");
                written.push_str(name);
                rest = behind;
            }
        }
    }
    written.push_str(rest);
    written
}

/// A flag as a key, with the value that follows it where it does, and what comes then.
fn translated<'t>(name: &str, behind: &'t str) -> Option<(String, &'t str)> {
    let (word, is_quoted, after) = value(behind);
    let is_strategy = ["strategy", "merge", "lake-merge"].contains(&name)
        && word.is_some_and(|word| shipped_names().contains(&word));
    let with_value = word.and_then(|word| as_setting(name, Some(word), is_quoted || is_strategy));
    match with_value {
        Some(setting) => Some((setting, after)),
        None => Some((as_setting(name, None, false)?, behind)),
    }
}

/// The word behind a flag, or what stands there in single quotes and that it does, and what follows.
fn value(behind: &str) -> (Option<&str>, bool, &str) {
    let Some(word) = behind.strip_prefix(' ') else {
        return (None, false, behind);
    };
    if let Some(quoted) = word.strip_prefix('\'') {
        return match quoted.split_once('\'') {
            Some((value, after)) => (Some(value), true, after),
            None => (None, false, behind),
        };
    }
    let end = word
        .find(|c: char| c.is_whitespace() || ",;)".contains(c))
        .unwrap_or(word.len());
    let (word, after) = word.split_at(end);
    ((!word.is_empty()).then_some(word), false, after)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::CommandFactory;

    use super::*;
    use crate::args::Arguments;

    #[test]
    fn values_are_written_as_a_file_wants_them() {
        for (flags, keys) in [
            (
                "with --exclude-columns 'My Col', or not",
                "with exclude-columns = [\"My Col\"], or not",
            ),
            (
                "--exclude-columns leaves it out",
                "'exclude-columns' leaves it out",
            ),
            ("(--lake-merge upsert)", "(lake-merge = \"upsert\")"),
            (
                "with --lake-merge upsert --lake-merge-option keys=…",
                "with lake-merge = \"upsert\" lake-merge-options = { keys = … }",
            ),
            ("read it with --parallel 1", "read it with parallel = 1"),
            (
                "--time-precision error refuses such values",
                "time-precision = \"error\" refuses such values",
            ),
            (
                "say so with --allow-row-filter",
                "say so with allow-row-filter = true",
            ),
            (
                "--memory-limit 45MiB is too small with this --batch-size",
                "memory-limit = \"45MiB\" is too small with this 'batch-size'",
            ),
            (
                "go on with --strategy 'id', or not",
                "go on with strategy = \"id\", or not",
            ),
            ("--merge or --lake-merge", "'merge' or 'lake-merge'"),
            (
                "run once with --allow-deletes, or set --delete-limit for every run",
                "run once with --allow-deletes, or set 'delete-limit' for every run",
            ),
            (
                "then --restart; a--table is none",
                "then --restart; a--table is none",
            ),
        ] {
            assert_eq!(as_keys(flags, &[]), keys);
        }
    }

    /// Sources of the crates whose messages are told by this one.
    fn sources() -> Vec<PathBuf> {
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut directories: Vec<PathBuf> = [
            "lake",
            "sync",
            "sqlserver",
            "strategy",
            "registry",
            "plan",
            "run",
        ]
        .iter()
        .map(|name| host.join(name).join("src"))
        .collect();
        let mut files = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => directories.push(path),
                    false => files.push(path),
                }
            }
        }
        files
    }

    fn flags(command: &clap::Command, known: &mut Vec<String>) {
        known.extend(
            command
                .get_arguments()
                .filter_map(|flag| Some(flag.get_long()?.to_owned())),
        );
        for command in command.get_subcommands() {
            flags(command, known);
        }
    }

    /// Messages name flags that there are, and beside a file none that the file says.
    #[test]
    fn every_flag_that_a_message_names_is_known() {
        let mut known = Vec::new();
        flags(&Arguments::command(), &mut known);
        let mut named = 0;
        for path in sources() {
            let source = std::fs::read_to_string(&path).unwrap();
            let lines = source
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in lines.filter(|line| line.contains("--")) {
                for (at, _) in line.match_indices("--") {
                    let name: String = line
                        .chars()
                        .skip(line[..at].chars().count() + 2)
                        .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                        .collect();
                    if name.len() < 2 || name.starts_with('-') {
                        continue;
                    }
                    named += 1;
                    let is_foreign = line.contains("cosign") || line.contains("openssl");
                    assert!(
                        is_foreign || known.contains(&name),
                        "--{name}: {}: {line}",
                        path.display()
                    );
                }
                let outside: String = line.split('`').step_by(2).collect();
                let told = as_keys(&outside, &[]);
                for key in icehost_config::pipeline_keys() {
                    for end in [" ", ",", ";", ")", "\"", "'"] {
                        assert!(!told.contains(&format!("--{key}{end}")), "{key}: {told}");
                    }
                }
            }
        }
        assert!(named > 30, "{named}");
    }
}

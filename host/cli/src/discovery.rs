//! `icehost.toml` in the working directory, which is found without `--config`.
//!
//! Which of file and flags counts is decided by what is typed alone, never by the environment:
//!
//! 1. `--config FILE` names the file.
//! 2. A pipeline's name, or a switch that only goes with a file, means the file in the working directory.
//! 3. A flag that says what is where or which strategy moves it means flags; no file is looked for.
//! 4. Otherwise the file in the working directory counts, if there is one.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// What the file is called.
pub(crate) const FILE: &str = "icehost.toml";

/// Arguments that mean a file.
const OF_FILES: &[&str] = &["pipelines", "pipeline", "jobs"];

/// Flags that describe a run: each command that goes without a file needs some of them.
pub(crate) const OF_FLAGS: &[&str] = &[
    "source",
    "table",
    "warehouse",
    "lake_table",
    "target",
    "target_table",
    "strategy",
    "merge",
];

/// Whether arguments mean the file in the working directory.
pub(crate) enum Meant {
    /// They do, and it is there: the arguments with `--config icehost.toml`.
    File(Vec<OsString>),
    /// They do, unless they forgot every flag that they need, and it is not there.
    Missing,
    /// Flags, or another file.
    Nothing,
}

/// What arguments mean.
pub(crate) fn meant(command: Command, arguments: &[OsString]) -> Meant {
    // What is wrong with them is told when they are read in earnest.
    let command = command.ignore_errors(true);
    let matches = command.clone().try_get_matches_from(arguments);
    if !matches.is_ok_and(|matches| means_file(&command, &matches)) {
        return Meant::Nothing;
    }
    if Path::new(FILE).symlink_metadata().is_err() {
        return Meant::Missing;
    }
    let mut arguments = arguments.to_vec();
    // Behind `--` it would be a pipeline's name.
    let end = arguments.iter().position(|one| one == OsStr::new("--"));
    let at = end.unwrap_or(arguments.len());
    arguments.insert(at, format!("--config={FILE}").into());
    Meant::File(arguments)
}

/// Whether the file in the working directory is meant, if it is there.
fn means_file(command: &Command, matches: &ArgMatches) -> bool {
    if let Some((name, of_subcommand)) = matches.subcommand() {
        let subcommand = command.find_subcommand(name);
        return subcommand.is_some_and(|command| means_file(command, of_subcommand));
    }
    // Whether a command knows an argument, its matches tell in debug builds alone.
    let knows = |id: &str| {
        command
            .get_arguments()
            .any(|known| known.get_id().as_str() == id)
    };
    let typed = |id: &&str| knows(id) && matches.value_source(id) == Some(ValueSource::CommandLine);
    // A command that takes no file, or has a default of its own, or was given one.
    if !knows("config") || matches.value_source("config").is_some() {
        return false;
    }
    OF_FILES.iter().any(typed) || !OF_FLAGS.iter().any(typed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Arguments;

    fn means(arguments: &str) -> bool {
        let arguments = arguments.split_whitespace();
        let command = Arguments::command().ignore_errors(true);
        let given = std::iter::once("icehost").chain(arguments);
        let matches = command.clone().try_get_matches_from(given);
        matches.is_ok_and(|matches| means_file(&command, &matches))
    }

    #[test]
    fn what_is_typed_decides() {
        for file in [
            "sync",
            "sync a b@c --jobs 2",
            "--output json sync --dry-run",
            "sync --parallel 4",
            "sync a --table dbo.T",
            "load a --full",
            "verify",
            "verify --limit 3",
            "snapshots a",
            "table describe a",
            "table list",
            "watermark show a",
            "watermark set a --mark Id=integer:4",
        ] {
            assert!(means(file), "{file}");
        }
        for flags in [
            "sync --table dbo.T",
            "sync --config other.toml",
            "load --lake-table a.b --merge upsert",
            "verify --lake-table a.b",
            "snapshots --warehouse w",
            "table list --warehouse w",
            "watermark clear --lake-table a.b",
            // They have a default of their own.
            "check",
            "plugin lock",
            // They take no file.
            "plugin list",
            "completions bash",
            "--help",
            // They are none yet.
            "",
            "watermark",
            "--output json",
        ] {
            assert!(!means(flags), "{flags}");
        }
    }
}

//! From the command line to arguments.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::args::Arguments;

/// What may stand beside `icehost sync --config`. Everything else that it takes is said by the file.
const SYNC_WITH_CONFIG: &[&str] = &[
    "pipelines",
    "config",
    "jobs",
    "dry_run",
    "restart",
    "allow_deletes",
    "cache_dir",
    "no_cache",
    "output",
];

/// What may stand beside `icehost load --config`.
const LOAD_WITH_CONFIG: &[&str] = &[
    "pipeline",
    "config",
    "full",
    "trust_position",
    "allow_deletes",
    "exclude_columns",
    "dry_run",
    "cache_dir",
    "no_cache",
    "output",
];

/// What may stand beside `icehost verify --config`.
const VERIFY_WITH_CONFIG: &[&str] = &[
    "pipelines",
    "config",
    "limit",
    "repair",
    "exclude_columns",
    "cache_dir",
    "no_cache",
    "output",
];

/// What a file says of a pipeline's lake table.
const PLACES: &[&str] = &["warehouse", "lake_table", "watermark_dir"];

/// Whether a configuration file says what an argument of a command says.
fn is_overruled(command: &str, id: &str) -> bool {
    match command {
        "sync" => !SYNC_WITH_CONFIG.contains(&id),
        "load" => !LOAD_WITH_CONFIG.contains(&id),
        "verify" => !VERIFY_WITH_CONFIG.contains(&id),
        _ => PLACES.contains(&id),
    }
}

/// Reads the process's arguments; where they are wrong, says so and ends with exit code 2.
///
/// A flag beside `--config` that the file overrules would be passed over quietly, so it is refused. Its
/// environment variable is not: it may be there for other commands.
pub(crate) fn arguments() -> Arguments {
    let mut command = Arguments::command();
    let matches = command.get_matches_mut();
    refuse_overruled(&mut command, &matches);
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn refuse_overruled(command: &mut Command, matches: &ArgMatches) {
    if let Some((name, given)) = matches.subcommand()
        && let Some(command) = command.find_subcommand_mut(name)
    {
        return refuse_overruled(command, given);
    }
    if !matches!(matches.try_contains_id("config"), Ok(true)) {
        return;
    }
    let overruled = command.get_arguments().find(|argument| {
        let id = argument.get_id().as_str();
        let by_hand = matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine);
        by_hand && is_overruled(command.get_name(), id)
    });
    if let Some(flag) = overruled.and_then(clap::Arg::get_long) {
        let message = format!(
            "the argument '--{flag}' cannot be used with '--config': set '{flag}' in the file"
        );
        command.error(ErrorKind::ArgumentConflict, message).exit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of a pipeline are the long options of `icehost sync`; options and rules come as tables.
    #[test]
    fn a_pipeline_has_the_keys_that_the_flags_have() {
        let command = Arguments::command();
        let sync = command.find_subcommand("sync");
        let arguments = || sync.into_iter().flat_map(clap::Command::get_arguments);
        let flags: Vec<&str> = arguments().filter_map(clap::Arg::get_long).collect();
        let only_in_file = ["tenants", "database", "target-database", "lake-namespace"];
        for key in icehost_config::pipeline_keys() {
            // What is a table in the file is one flag for each of its entries.
            let flag = match key.strip_suffix('s') {
                Some(one) if flags.contains(&one) => one,
                _ => key,
            };
            assert!(
                flags.contains(&flag) || only_in_file.contains(&key),
                "{key} is no flag"
            );
        }
        let ids = arguments().map(|argument| argument.get_id().as_str());
        for id in ids.filter(|id| !SYNC_WITH_CONFIG.contains(id)) {
            let key = id.replace('_', "-");
            let options = format!("{key}s");
            assert!(
                icehost_config::pipeline_keys().any(|known| known == key || known == options),
                "{id} is no key"
            );
        }
    }
}

//! From the command line to arguments.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use icehost_untrusted::{self as untrusted, Hint};

use crate::args::{Arguments, LogFormat};
use crate::discovery::{self, Meant};
use crate::failure::Failure;
use crate::render::{line, note};
use crate::variables;
use crate::voice::{self, Level, Voice};

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
];

/// What may stand beside `icehost verify --config`.
const VERIFY_WITH_CONFIG: &[&str] = &[
    "pipelines",
    "config",
    "limit",
    "repair",
    "allow_deletes",
    "exclude_columns",
    "cache_dir",
    "no_cache",
];

/// How any command speaks.
const OF_ANY: &[&str] = &["output", "quiet", "log_format"];

/// What a file says of a pipeline's lake table.
const PLACES: &[&str] = &["warehouse", "lake_table", "watermark_dir"];

/// Whether a configuration file says what an argument of a command says.
fn is_overruled(command: &str, id: &str) -> bool {
    match command {
        _ if OF_ANY.contains(&id) => false,
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
    read(std::env::args_os()).unwrap_or_else(|error| refuse(&error))
}

fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let given: Vec<OsString> = arguments.into_iter().collect();
    let mut command = variables::as_defaults(Arguments::command(), &given);
    let (file, given, is_missing) = match discovery::meant(command.clone(), &given) {
        Meant::File(with_file) => (discovery::FILE, with_file, false),
        Meant::Missing => ("--config", given, true),
        Meant::Nothing => ("--config", given, false),
    };
    let matches = match command.try_get_matches_from_mut(&given) {
        Err(error) if is_missing && error.kind() == ErrorKind::MissingRequiredArgument => {
            return Err(no_file(&command, &given, &error));
        }
        Err(error) => {
            let mut of = of_subcommand(&command, &given);
            return Err(variables::told_by_name(&mut of, &given, error));
        }
        Ok(matches) => matches,
    };
    refuse_overruled(&mut command, &matches, file)?;
    refuse_ignored(&mut command, &matches)?;
    Arguments::from_arg_matches(&matches)
}

/// The error of a command that lacks its flags, where a file that is not there may have been meant to say it all.
fn no_file(command: &Command, given: &[OsString], error: &clap::Error) -> clap::Error {
    let flags = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.as_slice(),
        _ => &[],
    };
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let by_flags = match flags.iter().any(|flag| flag.starts_with("--config")) {
        true => String::new(),
        false => format!("\n\nor say what is where with flags: {}", flags.join(", ")),
    };
    let file = discovery::FILE;
    let is_given = |flag: &String| {
        let flag = flag.as_str();
        let is = |one: &OsString| {
            one.to_str()
                .and_then(|one| one.strip_prefix(flag))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        given.iter().any(is)
    };
    let described = discovery::OF_FLAGS.iter();
    let described = described.map(|flag| format!("--{}", flag.replace('_', "-")));
    if let Some(flag) = described.into_iter().find(is_given) {
        let what = match is_given(&"--jobs".to_owned()) {
            true => "'--jobs'",
            false => "a pipeline's name",
        };
        let message = format!(
            "{what} goes with a configuration file, and there is no {file} in the working directory\n\nhint: leave it out, \
             since {flag} and other flags say what is where; or name the file with --config FILE, and leave the flags out"
        );
        return of_subcommand(command, given).error(ErrorKind::ArgumentConflict, message);
    }
    let message = format!(
        "there is no {file} in the working directory\n\nhint: go to the directory of the file, name it with --config FILE, \
         or write one, as docs/configuration.md has it:\n\n{example}{by_flags}",
        example = icehost_config::LEAST
    );
    of_subcommand(command, given).error(ErrorKind::MissingRequiredArgument, message)
}

/// The command that arguments name, which knows how it is used.
fn of_subcommand(command: &Command, given: &[OsString]) -> Command {
    let mut named = command.clone();
    for word in given.iter().skip(1) {
        if let Some(subcommand) = named.find_subcommand(word).cloned() {
            named = subcommand;
        }
    }
    named
}

/// Says what is wrong and ends with exit code 2; or shows the help that was asked for.
fn refuse(error: &clap::Error) -> ! {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            | ErrorKind::DisplayVersion
    ) {
        error.exit()
    }
    // clap takes escape sequences out of what it quotes, but not line ends: it is to quote what is escaped already.
    let mut given: Vec<String> = std::env::args_os()
        .map(|text| untrusted::line(&text.to_string_lossy()).into_owned())
        .collect();
    let escaped = read(given.iter().map(OsString::from)).err();
    let said = escaped.as_ref().unwrap_or(error).render().to_string();
    let variables = std::env::vars_os()
        .filter(|(name, _)| name.to_string_lossy().starts_with("ICEHOST_"))
        .map(|(_, value)| value.to_string_lossy().into_owned());
    given.extend(variables);
    let said = fit_to_show(&said, &given);
    let asks = |flag: &str, value: &str| asks_for(&given, flag, value);
    let (told, hint) = parts(&said);
    if asks("--log-format", "json") {
        let voice = Voice {
            quiet: false,
            format: LogFormat::Json,
        };
        voice.begin();
        voice::say(Level::Error, &told, Some(&hint));
    } else {
        for text in said.lines() {
            note(text);
        }
    }
    if asks("--output", "json") {
        let failure = Failure::config(told, hint);
        line(failure.told_in(serde_json::json!({})));
    }
    std::process::exit(error.exit_code())
}

/// Whether a flag with this value is among the arguments, which could not be read as a whole.
fn asks_for(given: &[String], flag: &str, value: &str) -> bool {
    let joined = format!("{flag}={value}");
    let pairs = given.iter().zip(given.iter().skip(1));
    given.contains(&joined)
        || pairs
            .into_iter()
            .any(|(one, next)| one == flag && next == value)
}

/// What clap says, as an error and what to do: its first paragraph, and the others.
fn parts(said: &str) -> (String, Hint) {
    let told = said.split("\n\n").next().unwrap_or_default();
    let rest = said.get(told.len()..).unwrap_or_default();
    let told: Vec<&str> = told.lines().map(str::trim).collect();
    let told = told.join(" ");
    let mut lines = rest
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default().trim_start();
    let first = Hint::new(first.strip_prefix("hint: ").unwrap_or(first));
    (
        told.strip_prefix("error: ").unwrap_or(&told).to_owned(),
        lines.fold(first, |hint, line| hint.and(line)),
    )
}

/// What clap says, in which the line ends are its own and no secret stands. It quotes what was given as it is: a URL
/// with its password where a flag was forgotten, and line ends.
fn fit_to_show(text: &str, given: &[String]) -> String {
    let mut text = text.trim_end().to_owned();
    for given in given {
        let value = given.split_once('=').map_or("", |(_, value)| value);
        for given in [given, value] {
            if !given.starts_with('-') && untrusted::may_hold_secret(given) {
                text = text.replace(given, "…");
            } else if given.contains(['\n', '\r']) {
                text = text.replace(given, &untrusted::line(given));
            }
        }
    }
    untrusted::without_secrets(&text).into_owned()
}

/// `file` is what the user knows the configuration file by.
fn refuse_overruled(
    command: &mut Command,
    matches: &ArgMatches,
    file: &str,
) -> Result<(), clap::Error> {
    if let Some((name, given)) = matches.subcommand()
        && let Some(command) = command.find_subcommand_mut(name)
    {
        return refuse_overruled(command, given, file);
    }
    if !matches!(matches.try_contains_id("config"), Ok(true)) {
        return Ok(());
    }
    let overruled = command.get_arguments().find(|argument| {
        let id = argument.get_id().as_str();
        let by_hand = matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(ValueSource::CommandLine);
        by_hand && is_overruled(command.get_name(), id)
    });
    if let Some(flag) = overruled.and_then(clap::Arg::get_long) {
        let message = format!(
            "the argument '--{flag}' cannot be used with '{file}': set '{flag}' in the file"
        );
        return Err(command.error(ErrorKind::ArgumentConflict, message));
    }
    Ok(())
}

/// A server that is named without a table of it would be passed over quietly, where a table is no must. Its environment
/// variable is not refused: it may be there for other commands.
fn refuse_ignored(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    if let Some((name, given)) = matches.subcommand()
        && let Some(command) = command.find_subcommand_mut(name)
    {
        return refuse_ignored(command, given);
    }
    let is_known = |id: &str| {
        command
            .get_arguments()
            .any(|argument| argument.get_id().as_str() == id)
    };
    let is_typed = matches!(matches.try_contains_id("source"), Ok(true))
        && matches.value_source("source") == Some(ValueSource::CommandLine);
    let has_table = matches!(matches.try_contains_id("table"), Ok(true));
    if !is_known("table") || !is_typed || has_table {
        return Ok(());
    }
    let message = "the argument '--source' names a server, and no '--table' of it: nothing would be asked there\n\nhint: \
                   name the table with --table SCHEMA.TABLE, or leave --source out";
    Err(command.error(ErrorKind::MissingRequiredArgument, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clap_says_is_an_error_and_what_to_do() {
        let (told, hint) = parts(
            "error: these are missing:\n  --table <TABLE>\n\n  tip: x\n\nUsage: icehost sync\n\nFor more, '--help'.",
        );
        assert_eq!(told, "these are missing: --table <TABLE>");
        let lines: Vec<&str> = hint.lines().collect();
        assert_eq!(
            lines,
            ["tip: x", "Usage: icehost sync", "For more, '--help'."]
        );
        let (_, hint) = parts("error: a\n\nhint: go there:\n\n  b = 1");
        assert_eq!(hint, "go there:\n  b = 1");
        let given = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(asks_for(&given("sync --output json"), "--output", "json"));
        assert!(asks_for(&given("--output=json sync"), "--output", "json"));
        assert!(!asks_for(
            &given("sync --output text json"),
            "--output",
            "json"
        ));
    }

    #[test]
    fn what_was_given_makes_no_line_and_shows_no_password() {
        let forged = "x\nerror: forged".to_owned();
        let text = format!("error: unexpected argument '{forged}' found\n\nUsage: icehost\n");
        assert_eq!(
            fit_to_show(&text, &[forged]),
            "error: unexpected argument 'x\\nerror: forged' found\n\nUsage: icehost"
        );
        let text = "error: unexpected argument 'mssql://sa:hunter2@db' found";
        assert!(!fit_to_show(text, &[]).contains("hunter2"));
        let given = "mssql//sa:hunter2/db".to_owned() + "@x";
        let text = format!("error: unexpected argument '{given}' found");
        assert_eq!(
            fit_to_show(&text, &[given]),
            "error: unexpected argument '…' found"
        );
        let text = "error: unexpected argument 'Server=db;Pwd=hunter2' found";
        assert!(!fit_to_show(text, &[]).contains("hunter2"));
    }

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
        for id in ids.filter(|id| is_overruled("sync", id)) {
            let key = id.replace('_', "-");
            let options = format!("{key}s");
            assert!(
                icehost_config::pipeline_keys().any(|known| known == key || known == options),
                "{id} is no key"
            );
        }
    }
}

//! Environment variables of flags: defaults, which a flag beats, and which are nothing where they are empty.

use std::collections::HashSet;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};
use icehost_untrusted as untrusted;

/// The command without the variables that say nothing: empty ones, and those of arguments that a flag on the command
/// line excludes.
pub(crate) fn as_defaults(command: Command, given: &[OsString]) -> Command {
    let excluded = excluded(&command, given);
    let command = command.mut_args(|argument| {
        let says_nothing = argument
            .get_env()
            .and_then(std::env::var_os)
            .is_some_and(|value| value.is_empty());
        match says_nothing || excluded.contains(argument.get_id().as_str()) {
            true => argument.env(Resettable::Reset),
            false => argument,
        }
    });
    command.mut_subcommands(|subcommand| as_defaults(subcommand, given))
}

/// Arguments that do not go together with a flag that was typed.
fn excluded(command: &Command, given: &[OsString]) -> HashSet<String> {
    let typed = command.get_arguments().filter(|argument| {
        argument
            .get_long()
            .is_some_and(|flag| is_typed(given, flag))
    });
    let with_variable = |other: &&Arg| other.get_env().is_some();
    typed
        .flat_map(|argument| command.get_arg_conflicts_with(argument))
        .filter(with_variable)
        .map(|other| other.get_id().to_string())
        .collect()
}

fn is_typed(given: &[OsString], flag: &str) -> bool {
    given.iter().filter_map(|word| word.to_str()).any(|word| {
        word.strip_prefix("--")
            .and_then(|word| word.strip_prefix(flag))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// The error as that of a variable, where it was one that said what is none: `command` is the one that the arguments
/// name.
pub(crate) fn told_by_name(
    command: &mut Command,
    given: &[OsString],
    error: clap::Error,
) -> clap::Error {
    let of_flag = |argument: &&Arg| match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(told)) => argument.get_long().is_some_and(|flag| {
            let told = told.strip_prefix("--").unwrap_or_default();
            told.split(' ').next() == Some(flag) && !is_typed(given, flag)
        }),
        _ => false,
    };
    let is_no_text = |argument: &&Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        value.is_some_and(|value| value.to_str().is_none())
    };
    let mut arguments: Vec<&Arg> = command.get_arguments().collect();
    arguments.retain(|argument| argument.get_env().is_some());
    let mut arguments = arguments.into_iter();
    let (argument, why) = match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string);
            (arguments.find(of_flag), why)
        }
        ErrorKind::InvalidUtf8 => {
            let why = "it is no valid text (UTF-8)".to_owned();
            (arguments.find(is_no_text), Some(why))
        }
        _ => (None, None),
    };
    let named = argument.and_then(|argument| {
        let (name, flag) = (
            argument.get_env()?.to_str()?.to_owned(),
            argument.get_long()?,
        );
        let value = std::env::var_os(&name)?;
        Some((
            message(&name, &value, why.as_deref()),
            name,
            flag.to_owned(),
        ))
    });
    match named {
        Some((message, name, flag)) => {
            let hint = format!(
                "mend what {name} says, or unset it; --{flag} says the same, and counts before it"
            );
            command.error(error.kind(), format!("{message}\n\nhint: {hint}"))
        }
        None => error,
    }
}

fn message(name: &str, value: &OsStr, why: Option<&str>) -> String {
    let value = untrusted::given(&value.to_string_lossy());
    match why {
        Some(why) => format!("the environment variable {name} is of no use, {value}: {why}"),
        None => format!("the environment variable {name} is of no use: {value}"),
    }
}

//! Values of flags: what is wanted where one is none.

use std::path::{Path, PathBuf};

use icehost_untrusted as untrusted;

/// Where `most` says that nothing but the number's type is a bound.
pub(super) const ANY: u32 = u32::MAX;

/// A whole number from `least` to `most` of something, such as `example`.
pub(super) fn count(
    least: u32,
    most: u32,
    of: &'static str,
    example: &'static str,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.trim().parse().ok();
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| {
                let most = match most {
                    ANY => " on".to_owned(),
                    most => format!(" to {most}"),
                };
                format!("a whole number from {least}{most} is wanted, {of}, such as {example}")
            })
    }
}

/// A number of rows, at least one.
pub(super) fn rows(text: &str) -> Result<u64, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|rows| *rows > 0)
        .ok_or_else(|| "a whole number from 1 on is wanted, in rows, such as 50000".to_owned())
}

/// What stands in front of the first `=`, and behind it. `form` is what is wanted.
pub(super) fn pair(
    form: &'static str,
) -> impl Fn(&str) -> Result<(String, String), String> + Clone + Send + Sync + 'static {
    move |text| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!(
            "{} is not of the form {form}",
            untrusted::given(text)
        )),
    }
}

/// A mark of a watermark.
pub(super) fn mark(text: &str) -> Result<(String, icehost_plan::Value), String> {
    let (name, value) = pair("NAME=KIND:VALUE, such as Id=integer:42")(text)?;
    let value = value.parse();
    Ok((
        name,
        value.map_err(|e: icehost_plan::PlanError| e.to_string())?,
    ))
}

/// A directory, or a `file:` URL of one.
pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    icehost_lake::local_directory(Path::new(text)).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, Command, CommandFactory};

    use crate::args::Arguments;

    /// What a command says of each of its flags with a value that is none: clap's first line.
    fn complaints(command: &Command, path: &[&str], said: &mut Vec<String>) {
        for flag in command.get_arguments() {
            let (Some(name), ArgAction::Set | ArgAction::Append) =
                (flag.get_long(), flag.get_action())
            else {
                continue;
            };
            let given = path.iter().copied().map(str::to_owned);
            let given = given.chain([format!("--{name}=no such value")]);
            if let Err(error) = Arguments::command().try_get_matches_from(given) {
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                if first.contains("invalid value") {
                    said.push(first.to_owned());
                }
            }
        }
        for command in command.get_subcommands() {
            let path: Vec<&str> = path.iter().copied().chain([command.get_name()]).collect();
            complaints(command, &path, said);
        }
    }

    /// No message is that of a parser of Rust's.
    #[test]
    fn a_value_that_is_none_is_told_with_what_is_wanted() {
        let mut said = Vec::new();
        complaints(&Arguments::command(), &["icehost"], &mut said);
        assert!(said.len() > 30, "{said:#?}");
        for said in &said {
            assert!(!said.contains("invalid digit"), "{said}");
        }
        let memory = "error: invalid value 'no such value' for '--strategy-memory <MIB>': a whole number from 1 to 4096 is \
                      wanted, in MiB, such as 64";
        assert!(said.iter().any(|said| said == memory), "{said:#?}");
        let rule =
            "for '--column-rule <COLUMN=RULE>': 'no such value' is not of the form COLUMN=RULE";
        assert!(said.iter().any(|said| said.contains(rule)), "{said:#?}");
    }

    #[test]
    fn numbers_have_bounds() {
        let of_mebibytes = super::count(1, 4096, "in MiB", "64");
        assert_eq!(of_mebibytes("64"), Ok(64));
        for wrong in ["0", "4097", "64MiB", "-1", ""] {
            assert!(of_mebibytes(wrong).is_err(), "{wrong}");
        }
        let any = super::count(0, super::ANY, "as a layout", "2");
        assert_eq!(
            any("x"),
            Err("a whole number from 0 on is wanted, as a layout, such as 2".to_owned())
        );
        assert!(super::rows("10k").is_err());
    }
}

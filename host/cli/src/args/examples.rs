//! How each command is typed.

pub(super) const SYNC: &str = "\
Examples:
  icehost sync --source 'mssql://reader:PASSWORD@db/Shop' --table dbo.Customers --warehouse lake --strategy timestamp --merge upsert
  icehost sync                      # every pipeline of ./icehost.toml
  icehost sync customers --jobs 4   # one of them, for each of its tenants";

pub(super) const CHECK: &str = "\
Examples:
  icehost check              # ./icehost.toml, its servers and its tables
  icehost check --offline    # the file and its strategies alone";

pub(super) const LOAD: &str = "\
Examples:
  icehost load --warehouse lake --lake-table shop.customers --target 'mssql://writer:PASSWORD@db/Reporting' --merge upsert
  icehost load customers --full    # a pipeline of ./icehost.toml, every row again";

pub(super) const VERIFY: &str = "\
Examples:
  icehost verify customers             # a pipeline of ./icehost.toml
  icehost verify customers --repair    # and deliver again what is wrong";

pub(super) const SNAPSHOTS: &str = "\
Examples:
  icehost snapshots customers
  icehost snapshots --warehouse lake --lake-table shop.customers";

pub(super) const TABLE: &str = "\
Examples:
  icehost table list                   # the warehouses of ./icehost.toml
  icehost table describe customers
  icehost table describe --warehouse lake --lake-table shop.customers";

pub(super) const WATERMARK: &str = "\
Examples:
  icehost watermark show customers
  icehost watermark set customers --mark ModifiedDate=timestamp:2026-01-31T00:00:00";

pub(super) const PLUGIN: &str = "\
Examples:
  icehost plugin new ./everything --kind change-detector
  icehost plugin inspect timestamp";

pub(super) const COMPLETIONS: &str = "\
Examples:
  icehost completions bash > ~/.local/share/bash-completion/completions/icehost
  icehost completions zsh  > ~/.zfunc/_icehost
  icehost completions fish > ~/.config/fish/completions/icehost.fish";

pub(super) const MAN: &str = "\
Examples:
  icehost man | man -l -
  icehost man ~/.local/share/man/man1";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use crate::args::Arguments;
    use crate::discovery::{FILE, Meant, meant};

    /// What `…` leaves out of a command.
    const LEFT_OUT: [(&str, &[&str]); 3] = [
        (
            "sync",
            &[
                "--source=s",
                "--table=t",
                "--warehouse=w",
                "--strategy=id",
                "--merge=upsert",
            ],
        ),
        (
            "verify",
            &[
                "--source=s",
                "--table=t",
                "--warehouse=w",
                "--strategy=id",
                "--merge=upsert",
            ],
        ),
        (
            "load",
            &[
                "--warehouse=w",
                "--lake-table=t",
                "--target=s",
                "--merge=upsert",
            ],
        ),
    ];

    /// The words of a command as a shell reads them, up to what is not of it: a comment, a pipe, another command.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for letter in line.chars() {
            match quote {
                Some(open) if letter == open => quote = None,
                Some(_) => word.get_or_insert_default().push(letter),
                None => match letter {
                    '\'' | '"' => {
                        quote = Some(letter);
                        word.get_or_insert_default();
                    }
                    ' ' => words.extend(word.take()),
                    '#' if word.is_none() => break,
                    '|' | '>' | ';' | '&' => break,
                    _ => word.get_or_insert_default().push(letter),
                },
            }
        }
        words.extend(word);
        words
    }

    /// Commands in a page: lines of blocks, and what stands between backquotes, which may be a command's name alone.
    fn commands(page: &str) -> Vec<(String, bool)> {
        let joined = page.replace("\\\n", " ");
        let mut found = Vec::new();
        for line in joined.lines() {
            let typed = line.trim_start().trim_start_matches("$ ");
            let is_line = line.starts_with("    ") || line.starts_with("$ ");
            if is_line && typed.starts_with("icehost ") {
                found.push((typed.to_owned(), true));
                continue;
            }
            let spans = line.split('`').skip(1).step_by(2);
            let spans = spans.filter(|span| span.starts_with("icehost "));
            found.extend(spans.map(|span| (span.to_owned(), false)));
        }
        found
    }

    /// Why a command would be refused as it is written.
    fn refusal(command: &str, is_whole: bool) -> Option<String> {
        let mut given: Vec<String> = Vec::new();
        let mut is_short = false;
        for word in words(command) {
            let of_flag = given.last().is_some_and(|last| last.starts_with("--"));
            match word.as_str() {
                "…" if !of_flag => is_short = true,
                _ => given.push(word),
            }
        }
        if is_short
            && let Some((_, flags)) = LEFT_OUT
                .iter()
                .find(|(name, _)| given.get(1).is_some_and(|word| word == name))
        {
            for flag in *flags {
                let name = flag.split('=').next().unwrap_or_default();
                if !given.iter().any(|word| word == name) {
                    given.push((*flag).to_owned());
                }
            }
        }
        // Variables may say these.
        for (flag, beside) in [
            ("--source", "--table"),
            ("--warehouse", "--table"),
            ("--target", "--create-target"),
        ] {
            let has = |flag: &str| {
                given
                    .iter()
                    .any(|word| word.split('=').next() == Some(flag))
            };
            if has(beside) && !has(flag) {
                given.push(format!("{flag}=x"));
            }
        }
        let given: Vec<OsString> = given.into_iter().map(OsString::from).collect();
        let given = match meant(Arguments::command(), &given) {
            Meant::Missing => {
                let file = OsString::from(format!("--config={FILE}"));
                given.into_iter().chain([file]).collect()
            }
            Meant::File(given) => given,
            Meant::Nothing => given,
        };
        let error = Arguments::command().try_get_matches_from(given).err()?;
        let is_name = matches!(
            error.kind(),
            ErrorKind::MissingRequiredArgument
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        let is_fine = error.exit_code() == 0 || (is_name && !is_whole);
        (!is_fine).then(|| format!("{command}\n{error}"))
    }

    #[test]
    fn every_command_that_is_documented_is_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut pages = vec![std::fs::read_to_string(root.join("README.md")).unwrap()];
        for entry in std::fs::read_dir(root.join("docs")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(std::fs::read_to_string(path).unwrap());
            }
        }
        for command in Arguments::command().get_subcommands() {
            pages.extend(
                command
                    .get_after_help()
                    .map(|help| help.to_string().replace("\n  ", "\n    ")),
            );
        }
        let commands: Vec<(String, bool)> = pages.iter().flat_map(|page| commands(page)).collect();
        let whole = commands.iter().filter(|(_, is_whole)| *is_whole).count();
        assert!(
            whole > 50 && commands.len() > whole,
            "{whole} of {}",
            commands.len()
        );
        // A name in capitals stands for any.
        let refused = commands
            .iter()
            .filter(|(command, _)| !command.starts_with("icehost COMMAND"));
        let refused = refused.filter_map(|(command, is_whole)| refusal(command, *is_whole));
        let refused: Vec<String> = refused.collect();
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }

    /// An address without a password cannot be used as a flag.
    #[test]
    fn examples_of_addresses_can_be_typed() {
        for command in Arguments::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            for word in help
                .lines()
                .flat_map(words)
                .filter(|word| word.starts_with("mssql://"))
            {
                let endpoint = icehost_sqlserver::Endpoint::parse(&word).unwrap();
                assert!(endpoint.has_password(), "{word}");
            }
        }
    }

    #[test]
    fn commands_are_found_and_read_as_a_shell_reads_them() {
        assert_eq!(words("icehost a 'b c'=d  # e"), ["icehost", "a", "b c=d"]);
        assert!(refusal("icehost sync … --lake-merge-option keys=…", true).is_some());
        assert!(refusal("icehost sync … --merge-option keys=…", true).is_none());
        assert!(refusal("icehost snc", false).is_some());
        assert!(refusal("icehost watermark set", true).is_some());
        assert!(refusal("icehost watermark set", false).is_none());
    }
}

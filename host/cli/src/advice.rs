//! Commands and settings in messages, as they are typed for a run.
//!
//! Whoever writes a message knows the command and the flag, and not how this run was begun: `icehost load --full`
//! describes source, lake and target by flags, and beside a file these are refused. So messages name the command alone,
//! between backquotes, and settings by their flags; here, where they are told, a command gets what it belongs to, and
//! a setting of a pipeline becomes the key of the file. A flag within a command stays one.

mod setting;

use std::path::Path;

/// The commands that take `PIPELINE --config FILE`.
const OF_PIPELINES: [&str; 8] = [
    "sync",
    "load",
    "verify",
    "snapshots",
    "table describe",
    "watermark show",
    "watermark set",
    "watermark clear",
];

/// How commands and settings are named: as they are written where flags describe the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Advice {
    /// What is put into commands.
    place: Option<String>,
    /// A file describes the run.
    of_file: bool,
    /// Settings that are flags all the same.
    flags: &'static [&'static str],
}

impl Advice {
    /// For a file as a whole.
    pub(crate) fn of_file() -> Advice {
        Advice {
            of_file: true,
            ..Advice::default()
        }
    }

    /// For one pipeline of a file.
    pub(crate) fn of(pipeline: &str, config: &Path) -> Advice {
        let config = config.display().to_string();
        Advice {
            place: Some(format!(" {} --config {}", shell(pipeline), shell(&config))),
            ..Advice::of_file()
        }
    }

    /// For the pipeline that arguments name, if they name one.
    pub(crate) fn of_arguments(pipeline: Option<&String>, config: Option<&Path>) -> Advice {
        match (pipeline, config) {
            (Some(pipeline), Some(config)) => Advice::of(pipeline, config),
            _ => Advice::default(),
        }
    }

    /// For a command that looks from the lake on: which columns of the lake it leaves out is a flag of its own.
    pub(crate) fn of_lake(self) -> Advice {
        Advice {
            flags: &["exclude-columns"],
            ..self
        }
    }

    /// The text with its commands and settings as they are typed for the run.
    pub(crate) fn complete(&self, text: &str) -> String {
        if !self.of_file {
            return text.to_owned();
        }
        let mut completed = String::with_capacity(text.len());
        // Every second part stands between backquotes.
        for (at, part) in text.split('`').enumerate() {
            if at > 0 {
                completed.push('`');
            }
            match at % 2 {
                0 => completed.push_str(&setting::as_keys(part, self.flags)),
                _ => completed.push_str(&self.command(part)),
            }
        }
        completed
    }

    /// A command with what it belongs to.
    fn command(&self, text: &str) -> String {
        let placed = || {
            let place = self.place.as_ref()?;
            let command = text.strip_prefix("icehost ")?;
            let (name, rest) = OF_PIPELINES.iter().find_map(|name| {
                let rest = command.strip_prefix(name)?;
                (rest.is_empty() || rest.starts_with(' ')).then_some((name, rest))
            })?;
            let is_placed = rest.starts_with(place.as_str());
            (!is_placed).then(|| format!("icehost {name}{place}{rest}"))
        };
        placed().unwrap_or_else(|| text.to_owned())
    }

    /// The same of each text.
    pub(crate) fn complete_all(&self, texts: &mut [String]) {
        for text in texts {
            *text = self.complete(text);
        }
    }
}

/// A word as a shell reads it.
pub(crate) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+,%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_pipeline_and_the_file() {
        let advice = Advice::of("orders@acme", Path::new("/etc/icehost.toml"));
        assert_eq!(
            advice.complete(
                "deliver again with `icehost load --full`, or ask `icehost verify`; `icehost watermark set` helps, \
                 `icehost plugin lock` does not, nor does `icehost loads`"
            ),
            "deliver again with `icehost load orders@acme --config /etc/icehost.toml --full`, or ask `icehost verify \
             orders@acme --config /etc/icehost.toml`; `icehost watermark set orders@acme --config \
             /etc/icehost.toml` helps, `icehost plugin lock` does not, nor does `icehost loads`"
        );
    }

    #[test]
    fn what_is_completed_stays_so() {
        let advice = Advice::of("a", Path::new("my file.toml"));
        let once = advice.complete("`icehost load --full`, or --lake-merge upsert");
        assert_eq!(
            once,
            "`icehost load a --config 'my file.toml' --full`, or lake-merge = \"upsert\""
        );
        assert_eq!(advice.complete(&once), once);
    }

    #[test]
    fn flags_add_nothing() {
        let text = "deliver again with `icehost load --full`, or raise --memory-limit";
        assert_eq!(Advice::default().complete(text), text);
        let file = Some(Path::new("f.toml"));
        assert_eq!(Advice::of_arguments(None, file).complete(text), text);
    }

    #[test]
    fn settings_are_keys_beside_a_file_and_flags_of_commands_stay() {
        let advice = Advice::of("a", Path::new("f.toml"));
        assert_eq!(
            advice.complete(
                "raise --memory-limit; say it with `icehost watermark set --strategy id`"
            ),
            "raise 'memory-limit'; say it with `icehost watermark set a --config f.toml --strategy id`"
        );
        let text = "leave it out with --exclude-columns 'A'";
        assert_eq!(
            advice.complete(text),
            "leave it out with exclude-columns = [\"A\"]"
        );
        assert_eq!(advice.of_lake().complete(text), text);
    }
}

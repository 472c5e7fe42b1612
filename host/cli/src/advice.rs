//! Commands in messages, as they are typed for a pipeline of a configuration file.
//!
//! Whoever writes a hint knows the command and not how this run was begun: `icehost load --full` describes source,
//! lake and target by flags, and beside a file these are refused. So messages name the command alone, between
//! backquotes, and what they belong to is put in where they are told.

use std::path::Path;

/// The commands that take `PIPELINE --config FILE`.
const OF_PIPELINES: [&str; 7] = [
    "sync",
    "load",
    "verify",
    "snapshots",
    "watermark show",
    "watermark set",
    "watermark clear",
];

/// What is put into commands: nothing where flags describe the run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Advice {
    place: Option<String>,
}

impl Advice {
    /// For one pipeline of a file.
    pub(crate) fn of(pipeline: &str, config: &Path) -> Advice {
        let config = config.display().to_string();
        Advice {
            place: Some(format!(" {} --config {}", shell(pipeline), shell(&config))),
        }
    }

    /// For the pipeline that arguments name, if they name one.
    pub(crate) fn of_arguments(pipeline: Option<&String>, config: Option<&Path>) -> Advice {
        match (pipeline, config) {
            (Some(pipeline), Some(config)) => Advice::of(pipeline, config),
            _ => Advice::default(),
        }
    }

    /// The text with its commands as they are typed for the pipeline.
    pub(crate) fn complete(&self, text: &str) -> String {
        let Some(place) = &self.place else {
            return text.to_owned();
        };
        let mut completed = String::with_capacity(text.len());
        let mut parts = text.split("`icehost ");
        completed.push_str(parts.next().unwrap_or_default());
        for part in parts {
            completed.push_str("`icehost ");
            let ends = |rest: &str| rest.starts_with(['`', ' ']);
            let command = OF_PIPELINES
                .iter()
                .find(|command| part.strip_prefix(**command).is_some_and(ends));
            match command.and_then(|command| Some((command, part.strip_prefix(*command)?))) {
                Some((command, rest)) => {
                    completed.push_str(command);
                    if !rest.starts_with(place.as_str()) {
                        completed.push_str(place);
                    }
                    completed.push_str(rest);
                }
                None => completed.push_str(part),
            }
        }
        completed
    }

    /// The same of each text.
    pub(crate) fn complete_all(&self, texts: &mut [String]) {
        for text in texts {
            *text = self.complete(text);
        }
    }
}

/// A word as a shell reads it.
fn shell(word: &str) -> String {
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
        let once = advice.complete("`icehost load --full`");
        assert_eq!(once, "`icehost load a --config 'my file.toml' --full`");
        assert_eq!(advice.complete(&once), once);
    }

    #[test]
    fn flags_add_nothing() {
        let text = "deliver again with `icehost load --full`";
        assert_eq!(Advice::default().complete(text), text);
        let file = Some(Path::new("f.toml"));
        assert_eq!(Advice::of_arguments(None, file).complete(text), text);
    }
}

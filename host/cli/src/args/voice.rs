//! How a command speaks, on stdout and on stderr.

use clap::{Args, ValueEnum};

use crate::voice::Voice;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// What is said on stderr.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct VoiceArguments {
    /// Say nothing but errors and, with --output json, the object: no warnings, no progress, no report of a run or a
    /// comparison. What a command is there to show, it shows
    #[arg(long, short, global = true)]
    quiet: bool,

    /// What stderr holds: text for people, or one JSON object a line
    #[arg(long, value_enum, default_value_t = LogFormat::Text, global = true)]
    log_format: LogFormat,
}

impl VoiceArguments {
    pub(crate) fn voice(self) -> Voice {
        Voice {
            quiet: self.quiet,
            format: self.log_format,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

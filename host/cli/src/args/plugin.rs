//! The flags of `icehost plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::value::{count, pair};
use super::{CacheArguments, KEY_VALUE, LimitArguments};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the strategies that icehost ships
    List {
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Make a strategy that builds, tests and runs as it is
    New {
        /// Where: a directory that does not exist yet; its name is the strategy's
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// What the strategy decides
        #[arg(long, value_enum)]
        kind: PluginKind,
        /// The language
        #[arg(long, value_enum, default_value_t = PluginLanguage::Rust)]
        lang: PluginLanguage,
    },
    /// Show a strategy what its case files say, and check its answers and what every strategy must do
    Test {
        /// The strategy's directory, a component's file, or the name of a shipped strategy
        #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
        path: String,
        /// A case file or a directory of them [default: cases in the directory or beside the component]
        #[arg(long, value_name = "PATH")]
        cases: Option<PathBuf>,
        #[command(flatten)]
        limits: LimitArguments,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Show what a strategy plans for a table, the SQL that this becomes, and what was checked of it
    Explain {
        #[command(flatten)]
        explain: ExplainArguments,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Time how a strategy is loaded and how it answers its cases
    Bench {
        /// The strategy's directory, a component's file, or the name of a shipped strategy
        #[arg(value_name = "DIR|FILE|NAME", default_value = ".")]
        path: String,
        /// A case file or a directory of them [default: cases in the directory or beside the component]
        #[arg(long, value_name = "PATH")]
        cases: Option<PathBuf>,
        /// How often each case is run
        #[arg(long, value_name = "N", default_value_t = 200, value_parser = count(1, 100_000, "of runs", "200"))]
        runs: u32,
        #[command(flatten)]
        limits: LimitArguments,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Build a strategy into a component, and check that icehost loads it
    Build {
        /// The strategy's directory
        path: PathBuf,
        /// Where the component goes [default: NAME.wasm in the current directory]
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Show a component's world, version, imports, options, size and digest
    Inspect {
        /// A component's file, or the name of a shipped strategy
        #[arg(value_name = "FILE|NAME")]
        file: String,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Upload a strategy to an OCI registry
    Push {
        #[command(flatten)]
        push: PushArguments,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Fetch a strategy from an OCI registry into a file
    Pull {
        #[command(flatten)]
        pull: PullArguments,
        #[command(flatten)]
        cache: CacheArguments,
    },
    /// Write down which bytes stand behind the registry references of a configuration file, and fetch them
    Lock {
        /// The configuration file; the lock file lies beside it, as icehost.lock beside icehost.toml
        #[arg(long, value_name = "FILE", default_value = "icehost.toml")]
        config: PathBuf,
        /// Take what the tags name now, also where something else is locked
        #[arg(long)]
        update: bool,
        #[command(flatten)]
        cache: CacheArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The strategy's directory, a component's file, or the name of a shipped strategy
    #[arg(value_name = "DIR|FILE|NAME")]
    pub(crate) path: String,

    /// An option of the strategy; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair(KEY_VALUE))]
    pub(crate) option: Vec<(String, String)>,

    /// A column of the table that it is shown, with null, key, identity and read-only behind the type where they apply;
    /// may be repeated [default: those of a table of orders]
    #[arg(long, value_name = "NAME TYPE", conflicts_with = "table")]
    pub(crate) column: Vec<String>,

    /// Columns that a merger's delta does not have, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) target_only: Vec<String>,

    /// The server of a table that it is shown; only what the catalog says of it is read
    #[arg(
        long,
        value_name = "URL",
        env = "ICEHOST_SOURCE",
        hide_env_values = true
    )]
    pub(crate) source: Option<String>,

    /// The table, as SCHEMA.TABLE
    #[arg(long, value_name = "TABLE", requires = "source")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// The crate's directory, a component's file, or the name of a shipped strategy
    #[arg(value_name = "DIR|FILE|NAME")]
    pub(crate) path: String,

    /// Where: HOST/REPOSITORY:VERSION, such as ghcr.io/acme/by-version:1.2.0
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,

    /// Sign it with the key in this file: PEM, PKCS#8, ECDSA on P-256
    #[arg(long, value_name = "FILE")]
    pub(crate) sign_key: Option<PathBuf>,

    /// Sign it with the key in this environment variable
    #[arg(long, value_name = "NAME", conflicts_with = "sign_key")]
    pub(crate) sign_key_env: Option<String>,

    /// Move the tag where it names other bytes already
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Reach the registry without TLS
    #[arg(long)]
    pub(crate) plain_http: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    /// What: HOST/REPOSITORY:VERSION or HOST/REPOSITORY@sha256:DIGEST
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: String,

    /// Where the component goes [default: the last part of the repository's name and .wasm]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Take it only if the owner of this key has signed it: PEM, ECDSA on P-256
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,

    /// Reach the registry without TLS
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// What a strategy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginKind {
    /// Which rows of a source changed
    ChangeDetector,
    /// How a delta lands in a target
    Merger,
    /// What becomes of rows on their way to the lake
    BatchTransformer,
}

impl PluginKind {
    /// The world in the contract, and its templates' directories.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PluginKind::ChangeDetector => "change-detector",
            PluginKind::Merger => "merger",
            PluginKind::BatchTransformer => "batch-transformer",
        }
    }

    /// What the Rust SDK is depended on with.
    pub(crate) fn sdk_features(self) -> &'static str {
        match self {
            PluginKind::BatchTransformer => ", features = [\"arrow\"]",
            PluginKind::ChangeDetector | PluginKind::Merger => "",
        }
    }
}

/// What a strategy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginLanguage {
    Rust,
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    Python,
    C,
}

impl PluginLanguage {
    /// Its templates' directory.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PluginLanguage::Rust => "rust",
            PluginLanguage::JavaScript => "javascript",
            PluginLanguage::Python => "python",
            PluginLanguage::C => "c",
        }
    }
}

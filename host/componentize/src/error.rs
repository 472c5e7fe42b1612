//! Why a strategy's sources did not become a component.

use std::io;
use std::path::PathBuf;

use crate::Language;

/// A strategy or module that could not be made into a component.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path is neither a strategy's directory nor its manifest.
    #[error("there is no strategy at {path}: {}", match path.exists() {
        true => format!("found none of {}", manifests()),
        false => "there is no such directory".to_owned(),
    })]
    NoProject {
        /// What was given.
        path: PathBuf,
    },
    /// The manifest does not say what is needed.
    #[error("cannot use {path}: {reason}")]
    Manifest {
        /// What the strategy would be written in.
        language: Language,
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The contract beside the strategy is not usable.
    #[error("cannot use the contract in {path}: {reason}")]
    Contract {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tool is not there and could not be installed.
    #[error("cannot find {tool}: {reason}")]
    MissingTool {
        /// The program or package.
        tool: String,
        /// Why it is not there.
        reason: String,
        /// What to install.
        hint: String,
    },
    /// A tool said no.
    #[error("{program} failed ({status}){}", behind(.output))]
    Tool {
        /// Its name.
        program: String,
        /// How it ended.
        status: String,
        /// What it wrote, unless it went to the terminal.
        output: String,
    },
    /// The manifest is that of a workspace.
    #[error("{path} is a workspace, not a crate")]
    Workspace {
        /// The manifest.
        path: PathBuf,
        /// Names of the packages in it.
        members: Vec<String>,
    },
    /// The crate is not built as a dynamic library.
    #[error("package '{package}' has no library of type cdylib")]
    NoCdylib {
        /// The package's name.
        package: String,
    },
    /// Nothing here compiles to WebAssembly.
    #[error("no Rust toolchain here compiles for {}", crate::TARGET)]
    NoToolchain,
    /// A program did not start, or a file could not be read.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Cargo said no.
    #[error("cargo could not build {manifest} for {}{}", crate::TARGET, behind(.output))]
    Cargo {
        /// The crate's manifest.
        manifest: PathBuf,
        /// What cargo wrote, unless it went to the terminal.
        output: String,
    },
    /// Cargo wrote something that it does not usually write.
    #[error("cannot make sense of what cargo says about {manifest}: {reason}")]
    UnexpectedOutput {
        /// The crate's manifest.
        manifest: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are not a core module.
    #[error("this is not a WebAssembly core module")]
    NotAModule,
    /// The module does not say what component it wants to be.
    #[error("the WebAssembly module has no embedded component type")]
    NoComponentType,
    /// The module does not fit the component type that it carries.
    #[error("cannot make a component of the WebAssembly module: {reason}")]
    Encode {
        /// What the encoder says.
        reason: String,
    },
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Error::NoProject { path } => match path.exists() {
                true => {
                    "give a strategy's directory, which has a manifest beside its sources: for Rust a Cargo.toml; \
                     'icehost plugin new' makes one"
                }
                false => "check the path; 'icehost plugin new' makes a strategy's directory",
            }
            .to_owned(),
            Error::Io { what, source }
                if what == "run cargo" && source.kind() == io::ErrorKind::NotFound =>
            {
                format!(
                    "install Rust 1.95 or later, with cargo on the PATH (https://rustup.rs), and then {}",
                    crate::toolchain::TO_INSTALL
                )
            }
            Error::Manifest { language, .. } => match language {
                Language::JavaScript => {
                    r#"a strategy's package.json says what it decides: "icehost": { "world": "change-detector" }"#
                }
                Language::Python => {
                    "a strategy's pyproject.toml says what it decides: [tool.icehost] world = \"change-detector\""
                }
                Language::Rust | Language::C => {
                    "'icehost plugin new NAME' makes a strategy to compare it with"
                }
            }
            .to_owned(),
            Error::Contract { .. } => {
                "lay the contract of icehost's wit directory there; 'icehost plugin new' does".to_owned()
            }
            Error::MissingTool { hint, .. } => hint.clone(),
            Error::Workspace { members, .. } => {
                format!(
                    "give the directory of one of its crates: {}",
                    members.join(", ")
                )
            }
            Error::NoCdylib { .. } => {
                "add to its Cargo.toml: [lib] crate-type = [\"cdylib\", \"rlib\"]".to_owned()
            }
            Error::NoToolchain => crate::toolchain::TO_INSTALL.to_owned(),
            Error::NoComponentType => {
                "export a strategy with icehost_sdk::export_change_detector! or export_merger!"
                    .to_owned()
            }
            _ => return None,
        })
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Error::Io {
            what: what.into(),
            source,
        }
    }
}

fn manifests() -> String {
    Language::ALL.map(Language::manifest).join(", ")
}

fn behind(output: &str) -> String {
    match output.trim_end() {
        "" => String::new(),
        output => format!(":\n{output}"),
    }
}

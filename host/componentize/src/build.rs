//! From a strategy's directory to a component, whatever its language.

use std::path::{Path, PathBuf};

use crate::{Error, Language, Project, Toolchain, c, javascript, python, rust};

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Where cargo keeps what it builds; by default where it does for the crate anyway.
    pub target_dir: Option<PathBuf>,
    /// Where the progress and the errors of tools go.
    pub output: ToolOutput,
    /// Which Rust compiler to use; by default the first that is found.
    pub toolchain: Option<Toolchain>,
    /// Told what is going on where it takes a while: a tool that is installed, a component that is built.
    pub progress: Option<fn(&str)>,
}

impl BuildOptions {
    pub(crate) fn tell(&self, what: &str) {
        if let Some(progress) = self.progress {
            progress(what);
        }
    }
}

/// Where the progress and the errors of tools go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolOutput {
    /// Into the error, should there be one.
    #[default]
    Captured,
    /// To this process's standard error.
    Inherited,
}

/// What came out of a build.
#[derive(Debug, Clone)]
pub struct Built {
    /// The name of the package.
    pub package: String,
    /// The component.
    pub component: Vec<u8>,
}

/// Builds the strategy at `path`, its directory or its manifest, and makes a component of it.
///
/// A crate may be built from a build script, given a target directory of its own. For the other languages, the
/// pinned tool is installed into the strategy's directory where it is not to be found.
pub fn build(path: &Path, options: &BuildOptions) -> Result<Built, Error> {
    let project = Project::find(path)?;
    match project.language {
        Language::Rust => rust::build(&project.manifest, options),
        Language::JavaScript => javascript::build(&project, options),
        Language::Python => python::build(&project, options),
        Language::C => c::build(&project, options),
    }
}

//! From a Python module to a component: componentize-py, which embeds CPython.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fresh::Fresh;
use crate::project::Project;
use crate::tool::{self, is_version, on_path};
use crate::{BuildOptions, Built, Error};

const PROGRAM: &str = "componentize-py";
const REQUIREMENTS: &str = "requirements.txt";
const MODULE: &str = "strategy";
/// The virtual environment in a strategy's directory.
const ENVIRONMENT: &str = ".venv";
/// What was required when it was installed.
const INSTALLED: &str = "icehost-installed.txt";

pub(crate) fn build(project: &Project, options: &BuildOptions) -> Result<Built, Error> {
    let name = project.name()?.to_owned();
    let path = project.directory.join(REQUIREMENTS);
    let text = String::from_utf8_lossy(&tool::read(&path)?).into_owned();
    let requirements = Requirements::parse(&text)
        .ok_or_else(|| project.wrong(format!("{REQUIREMENTS} beside it has no '{PROGRAM}==…'")))?;
    let component = tool::scratch(&project.directory)?.join(format!("{name}.wasm"));
    let fresh = Fresh::new(&component, &project.directory, PROGRAM)?;
    if let Some(component) = fresh.component() {
        return Ok(Built {
            package: name,
            component,
        });
    }
    let tool = find_or_install(project, &requirements, options)?;
    fresh.forget();
    options.tell(&format!("building {name} with {PROGRAM}"));
    let mut command = Command::new(tool);
    command
        .current_dir(&project.directory)
        .args(["--wit-path", "wit", "--world", project.world()?])
        .args(["componentize", MODULE, "--stub-wasi", "--output"])
        .arg(&component);
    let environment = project.directory.join(ENVIRONMENT);
    if environment.is_dir() {
        // Packages that the strategy imports come from there.
        command.env("VIRTUAL_ENV", environment);
    }
    tool::run(command, options.output)?;
    Ok(Built {
        package: name,
        component: fresh.built()?,
    })
}

/// What the directory's `requirements.txt` asks for.
struct Requirements<'a> {
    text: &'a str,
    /// The version after `componentize-py==`.
    pinned: &'a str,
    /// Whether there is more, which the strategy imports.
    more: bool,
}

impl Requirements<'_> {
    fn parse(text: &str) -> Option<Requirements<'_>> {
        let lines = || {
            let lines = text.lines().map(|line| line.split('#').next());
            lines
                .flatten()
                .map(str::trim)
                .filter(|line| !line.is_empty())
        };
        let pinned = lines().find_map(|line| {
            let rest = line.strip_prefix(PROGRAM)?.trim_start();
            Some(rest.strip_prefix("==")?.trim())
        })?;
        Some(Requirements {
            text,
            pinned,
            more: lines().count() > 1,
        })
    }
}

/// The tool of the pinned version in the directory's virtual environment, or on the path where nothing else is
/// required; else all that is required is installed.
fn find_or_install(
    project: &Project,
    requirements: &Requirements<'_>,
    options: &BuildOptions,
) -> Result<PathBuf, Error> {
    let environment = project.directory.join(ENVIRONMENT);
    let local = environment.join("bin").join(PROGRAM);
    let installed = environment.join(INSTALLED);
    let pinned = requirements.pinned;
    // An environment that somebody else made has no note, and is taken as it is.
    let up_to_date = std::fs::read_to_string(&installed)
        .map_or(true, |installed| installed == requirements.text);
    if up_to_date && is_version(&local, pinned) {
        return Ok(local);
    }
    if let Some(tool) = on_path(PROGRAM)
        && !requirements.more
        && is_version(&tool, pinned)
    {
        return Ok(tool);
    }
    let missing = |reason: String| Error::MissingTool {
        tool: format!("{PROGRAM} {pinned}"),
        reason,
        hint: format!(
            "install Python 3.10 or later with its venv module (on Debian: apt-get install python3-venv), or run \
             'pip install {PROGRAM}=={pinned}' where there is a network: {PROGRAM} is looked for in {} and on the \
             PATH",
            environment.display()
        ),
    };
    let python =
        on_path("python3").ok_or_else(|| missing("there is no python3 on the PATH".to_owned()))?;
    options.tell(&format!(
        "installing {PROGRAM} {pinned} into {}",
        environment.display()
    ));
    let file = project.directory.join(REQUIREMENTS);
    install(&python, &environment, &file, options).map_err(|error| missing(error.to_string()))?;
    if !local.is_file() {
        return Err(missing(format!("pip installed no program {PROGRAM}")));
    }
    std::fs::write(&installed, requirements.text)
        .map_err(|e| Error::io(format!("write {}", installed.display()), e))?;
    Ok(local)
}

fn install(
    python: &Path,
    environment: &Path,
    requirements: &Path,
    options: &BuildOptions,
) -> Result<(), Error> {
    let mut make = Command::new(python);
    make.args(["-m", "venv"]).arg(environment);
    tool::run(make, options.output)?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(requirements);
    tool::run(pip, options.output).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_read_from_the_requirements() {
        let read = |text| Requirements::parse(text).map(|found| (found.pinned, found.more));
        let alone = "# the tool\n\ncomponentize-py == 0.25.1  # pinned\n";
        assert_eq!(read(alone), Some(("0.25.1", false)));
        assert_eq!(
            read("other==1\ncomponentize-py==0.25.1"),
            Some(("0.25.1", true))
        );
        assert_eq!(read("componentize-py\ncomponentize-pyx==1"), None);
    }
}

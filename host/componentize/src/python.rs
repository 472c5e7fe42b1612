//! From a Python module to a component: componentize-py, which embeds CPython.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::Project;
use crate::tool::{self, on_path};
use crate::{BuildOptions, Built, Error};

const PROGRAM: &str = "componentize-py";
const REQUIREMENTS: &str = "requirements.txt";
const MODULE: &str = "strategy";
/// The virtual environment in a strategy's directory.
const ENVIRONMENT: &str = ".venv";

pub(crate) fn build(project: &Project, options: &BuildOptions) -> Result<Built, Error> {
    let name = project.name()?.to_owned();
    let tool = find_or_install(project, options)?;
    let component = tool::scratch(&project.directory)?.join(format!("{name}.wasm"));
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
        component: tool::read(&component)?,
    })
}

/// The tool of the directory's virtual environment; on the path, if it is of the pinned version; else it is
/// installed.
fn find_or_install(project: &Project, options: &BuildOptions) -> Result<PathBuf, Error> {
    let environment = project.directory.join(ENVIRONMENT);
    let local = environment.join("bin").join(PROGRAM);
    if local.is_file() {
        return Ok(local);
    }
    let requirements = project.directory.join(REQUIREMENTS);
    let text = String::from_utf8_lossy(&tool::read(&requirements)?).into_owned();
    let pinned = pinned(&text)
        .ok_or_else(|| project.wrong(format!("{REQUIREMENTS} beside it has no '{PROGRAM}==…'")))?;
    if let Some(tool) = on_path(PROGRAM)
        && tool::version(&tool).as_deref() == Some(pinned)
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
    install(&python, &environment, &requirements, options).map_err(|error| {
        // What is half installed would be taken for whole.
        let _ = std::fs::remove_dir_all(&environment);
        missing(error.to_string())
    })?;
    match local.is_file() {
        true => Ok(local),
        false => Err(missing(format!("pip installed no program {PROGRAM}"))),
    }
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

/// The version after `componentize-py==`.
fn pinned(requirements: &str) -> Option<&str> {
    requirements
        .lines()
        .filter_map(|line| line.trim().strip_prefix(PROGRAM))
        .filter_map(|rest| rest.trim_start().strip_prefix("=="))
        .find_map(|version| version.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_is_read_from_the_requirements() {
        let text = "# the tool\nother==1\ncomponentize-py == 0.25.1  # pinned\n";
        assert_eq!(pinned(text), Some("0.25.1"));
        assert_eq!(pinned("componentize-py\ncomponentize-pyx==1"), None);
    }
}

//! From an ECMAScript module to a component: ComponentizeJS, which embeds the engine SpiderMonkey.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::fresh::Fresh;
use crate::project::Project;
use crate::tool::{self, is_version, on_path};
use crate::{BuildOptions, Built, Error};

const PACKAGE: &str = "@bytecodealliance/componentize-js";
const PROGRAM: &str = "componentize-js";

/// All that the engine may import beside the contract: a strategy gets none of it.
const FEATURES: [&str; 5] = ["random", "stdio", "clocks", "http", "fetch-event"];

pub(crate) fn build(project: &Project, options: &BuildOptions) -> Result<Built, Error> {
    let name = project.name()?.to_owned();
    let pinned = project
        .get(&["devDependencies", PACKAGE])
        .and_then(Json::as_str)
        .ok_or_else(|| project.wrong(format!("its devDependencies have no {PACKAGE}")))?;
    let component = tool::scratch(&project.directory)?.join(format!("{name}.wasm"));
    let fresh = Fresh::new(
        &component,
        &project.directory,
        &format!("{PACKAGE} {pinned}"),
    )?;
    if let Some(component) = fresh.component() {
        return Ok(Built {
            package: name,
            component,
        });
    }
    let tool = find_or_install(project, pinned, options)?;
    fresh.forget();
    let source = project.get(&["main"]).and_then(Json::as_str);
    options.tell(&format!("building {name} with {PROGRAM}"));
    let mut command = Command::new(tool);
    command
        .current_dir(&project.directory)
        .arg(source.unwrap_or("strategy.js"))
        .args(["--wit", "wit", "--world-name", project.world()?])
        .arg("--out")
        .arg(&component)
        .arg("--disable")
        .args(FEATURES);
    tool::run(command, options.output)?;
    Ok(Built {
        package: name,
        component: fresh.built()?,
    })
}

/// The tool of the pinned version in the directory or in one above it, as node looks for packages, or on the
/// path; else it is installed.
fn find_or_install(
    project: &Project,
    pinned: &str,
    options: &BuildOptions,
) -> Result<PathBuf, Error> {
    // What is no version but a range of them is npm's affair.
    let exact = pinned.starts_with(|first: char| first.is_ascii_digit());
    let found = installed(&project.directory).filter(|tool| !exact || is_version(tool, pinned));
    let found = found.or_else(|| on_path(PROGRAM).filter(|tool| is_version(tool, pinned)));
    if let Some(tool) = found {
        return Ok(tool);
    }
    let missing = |reason: String| Error::MissingTool {
        tool: format!("{PACKAGE} {pinned}"),
        reason,
        hint: format!(
            "install Node.js 20 or later with npm (on Debian: apt-get install nodejs npm), or run 'npm install' \
             where there is a network: {PROGRAM} is looked for in node_modules of {} and above, and on the PATH",
            project.directory.display()
        ),
    };
    let npm = on_path("npm").ok_or_else(|| missing("there is no npm on the PATH".to_owned()))?;
    options.tell(&format!(
        "installing {PACKAGE} {pinned} into {}",
        project.directory.join("node_modules").display()
    ));
    let mut install = Command::new(npm);
    let locked = project.directory.join("package-lock.json").is_file();
    install
        .current_dir(&project.directory)
        .arg(if locked { "ci" } else { "install" })
        .args(["--no-audit", "--no-fund", "--loglevel=error"]);
    tool::run(install, options.output).map_err(|e| missing(e.to_string()))?;
    installed(&project.directory)
        .ok_or_else(|| missing(format!("npm installed no program {PROGRAM}")))
}

fn installed(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .map(|directory| directory.join("node_modules/.bin").join(PROGRAM))
        .find(|path| path.is_file())
}

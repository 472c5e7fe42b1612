//! From an ECMAScript module to a component: ComponentizeJS, which embeds the engine SpiderMonkey.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::project::Project;
use crate::tool::{self, on_path};
use crate::{BuildOptions, Built, Error};

const PACKAGE: &str = "@bytecodealliance/componentize-js";
const PROGRAM: &str = "componentize-js";

/// All that the engine may import beside the contract: a strategy gets none of it.
const FEATURES: [&str; 5] = ["random", "stdio", "clocks", "http", "fetch-event"];

pub(crate) fn build(project: &Project, options: &BuildOptions) -> Result<Built, Error> {
    let name = project.name()?.to_owned();
    let tool = find_or_install(project, options)?;
    let source = project.get(&["main"]).and_then(Json::as_str);
    let component = tool::scratch(&project.directory)?.join(format!("{name}.wasm"));
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
        component: tool::read(&component)?,
    })
}

/// The tool of the directory or of one above it, as node looks for packages; on the path, if it is of the
/// pinned version; else it is installed.
fn find_or_install(project: &Project, options: &BuildOptions) -> Result<PathBuf, Error> {
    if let Some(tool) = installed(&project.directory) {
        return Ok(tool);
    }
    let pinned = project
        .get(&["devDependencies", PACKAGE])
        .and_then(Json::as_str)
        .ok_or_else(|| project.wrong(format!("its devDependencies have no {PACKAGE}")))?;
    if let Some(tool) = on_path(PROGRAM)
        && tool::version(&tool).as_deref() == Some(pinned)
    {
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

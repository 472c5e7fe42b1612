//! From an ECMAScript module to a component: ComponentizeJS, which embeds the engine SpiderMonkey. What the module
//! imports from packages is bundled with it first, by Rolldown.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::fresh::Fresh;
use crate::project::Project;
use crate::tool::{self, is_version, on_path};
use crate::{BuildOptions, Built, Error};

const PACKAGE: &str = "@bytecodealliance/componentize-js";
const PROGRAM: &str = "componentize-js";

/// Package and program in one.
const BUNDLER: &str = "rolldown";

/// All that the engine may import beside the contract: a strategy gets none of it.
const FEATURES: [&str; 5] = ["random", "stdio", "clocks", "http", "fetch-event"];

pub(crate) fn build(project: &Project, options: &BuildOptions) -> Result<Built, Error> {
    let name = project.name()?.to_owned();
    let packages = Packages::of(project)?;
    let pinned = packages.pinned;
    let scratch = tool::scratch(&project.directory)?;
    let component = scratch.join(format!("{name}.wasm"));
    let by = format!("{PACKAGE} {pinned}");
    if let Some(component) = Fresh::new(&component, &project.directory, &by)?.component() {
        return Ok(Built {
            package: name,
            component,
        });
    }
    let tool = find_or_install(project, &packages, options)?;
    // npm writes down what it installed beside the sources.
    let fresh = Fresh::new(&component, &project.directory, &by)?;
    fresh.forget();
    let source = project.get(&["main"]).and_then(Json::as_str);
    let mut source = PathBuf::from(source.unwrap_or("strategy.js"));
    options.tell(&format!("building {name} with {PROGRAM}"));
    if !packages.imported.is_empty() {
        let bundler = installed(&project.directory, BUNDLER)
            .ok_or_else(|| missing(project, pinned, format!("npm installed no {BUNDLER}")))?;
        source = bundle(project, &bundler, &source, &scratch, options)?;
    }
    let mut command = Command::new(tool);
    command
        .current_dir(&project.directory)
        .arg(source)
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

/// The strategy and all that it imports as one module: the engine knows no packages.
fn bundle(
    project: &Project,
    bundler: &Path,
    source: &Path,
    scratch: &Path,
    options: &BuildOptions,
) -> Result<PathBuf, Error> {
    let bundle = scratch.join("bundle.js");
    let mut command = Command::new(bundler);
    command
        .current_dir(&project.directory)
        .arg(source)
        // Packages made for Node.js have another entry for what has neither files nor a network.
        .args(["--format", "esm", "--platform", "browser"])
        .args(["--logLevel", "warn", "--file"])
        .arg(&bundle);
    tool::run(command, options.output)?;
    Ok(bundle)
}

/// What a `package.json` names.
struct Packages<'a> {
    /// The version of ComponentizeJS.
    pinned: &'a str,
    /// What the strategy imports: names and versions.
    imported: Vec<(&'a str, &'a str)>,
}

impl<'a> Packages<'a> {
    fn of(project: &'a Project) -> Result<Packages<'a>, Error> {
        let tool = |package: &str| {
            project
                .get(&["devDependencies", package])
                .and_then(Json::as_str)
                .ok_or_else(|| project.wrong(format!("its devDependencies have no {package}")))
        };
        let pinned = tool(PACKAGE)?;
        let imported = project.get(&["dependencies"]).and_then(Json::as_object);
        let mut imported: Vec<(&str, &str)> = imported
            .into_iter()
            .flatten()
            .filter_map(|(name, version)| Some((name.as_str(), version.as_str()?)))
            .collect();
        if !imported.is_empty() {
            imported.push((BUNDLER, tool(BUNDLER)?));
        }
        Ok(Packages { pinned, imported })
    }

    /// Whether the directory or one above it has the packages that are imported.
    fn are_installed(&self, directory: &Path) -> bool {
        self.imported.iter().all(|(name, wanted)| {
            find(directory, &format!("{name}/package.json")).is_some_and(|manifest| {
                !is_exact(wanted) || version(&manifest).as_deref() == Some(*wanted)
            })
        })
    }
}

/// What is no version but a range of them is npm's affair.
fn is_exact(version: &str) -> bool {
    version.starts_with(|first: char| first.is_ascii_digit())
}

/// The version that the manifest of a package gives.
fn version(manifest: &Path) -> Option<String> {
    let text = std::fs::read(manifest).ok()?;
    let manifest: Json = serde_json::from_slice(&text).ok()?;
    Some(manifest.get("version")?.as_str()?.to_owned())
}

/// The tool of the pinned version in the directory or in one above it, as node looks for packages, or on the
/// path where the strategy imports no package; else all is installed.
fn find_or_install(
    project: &Project,
    packages: &Packages<'_>,
    options: &BuildOptions,
) -> Result<PathBuf, Error> {
    let pinned = packages.pinned;
    let found = installed(&project.directory, PROGRAM)
        .filter(|tool| !is_exact(pinned) || is_version(tool, pinned));
    let found = found.or_else(|| on_path(PROGRAM).filter(|tool| is_version(tool, pinned)));
    if let Some(tool) = found
        && packages.are_installed(&project.directory)
    {
        return Ok(tool);
    }
    let npm = on_path("npm")
        .ok_or_else(|| missing(project, pinned, "there is no npm on the PATH".to_owned()))?;
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
    tool::run(install, options.output).map_err(|e| missing(project, pinned, e.to_string()))?;
    installed(&project.directory, PROGRAM).ok_or_else(|| {
        missing(
            project,
            pinned,
            format!("npm installed no program {PROGRAM}"),
        )
    })
}

fn missing(project: &Project, pinned: &str, reason: String) -> Error {
    Error::MissingTool {
        tool: format!("{PACKAGE} {pinned}"),
        reason,
        hint: format!(
            "install Node.js 20 or later with npm (on Debian: apt-get install nodejs npm), or run 'npm install' \
             where there is a network: {PROGRAM} is looked for in node_modules of {} and above, and on the PATH",
            project.directory.display()
        ),
    }
}

fn installed(directory: &Path, program: &str) -> Option<PathBuf> {
    find(directory, &format!(".bin/{program}"))
}

/// A file in the `node_modules` of the directory or of one above it.
fn find(directory: &Path, file: &str) -> Option<PathBuf> {
    directory
        .ancestors()
        .map(|directory| directory.join("node_modules").join(file))
        .find(|path| path.is_file())
}

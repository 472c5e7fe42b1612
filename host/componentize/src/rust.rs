//! From a crate to a component: cargo for `wasm32-unknown-unknown`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::tool::{self, run};
use crate::{BuildOptions, Built, Error, ToolOutput, Toolchain, encode, environment};

/// Small code and no names: a component is compiled again on every machine that loads it.
const PROFILE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "fat"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
    ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
];

/// Builds the crate of a manifest in release mode and makes a component of it.
pub(crate) fn build(manifest: &Path, options: &BuildOptions) -> Result<Built, Error> {
    let manifest = &manifest
        .canonicalize()
        .map_err(|e| Error::io(format!("find {}", manifest.display()), e))?;
    let package = Package::read(manifest)?;
    let toolchain = match &options.toolchain {
        Some(toolchain) => toolchain.clone(),
        None => Toolchain::find().ok_or(Error::NoToolchain)?,
    };
    let mut cargo = cargo();
    cargo
        .args(["build", "--release", "--lib"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(manifest)
        .envs(PROFILE.iter().copied())
        .env("CARGO_ENCODED_RUSTFLAGS", package.remapped_paths());
    toolchain.apply(&mut cargo);
    if let Some(directory) = &options.target_dir {
        cargo.arg("--target-dir").arg(directory);
    }
    let messages = run(cargo, options.output).map_err(|e| refused(e, manifest))?;
    let core_module = package
        .artefact(&messages)
        .ok_or_else(|| unexpected(manifest, "it built no .wasm file for the library"))?;
    let bytes = tool::read(&core_module)?;
    Ok(Built {
        package: package.name,
        component: encode(&bytes)?,
    })
}

/// What has to be known of a crate before it is built.
struct Package {
    name: String,
    id: String,
    workspace: PathBuf,
}

impl Package {
    fn read(manifest: &Path) -> Result<Package, Error> {
        let mut cargo = cargo();
        cargo
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .arg("--manifest-path")
            .arg(manifest);
        let output = run(cargo, ToolOutput::Captured).map_err(|e| refused(e, manifest))?;
        let metadata: Json =
            serde_json::from_str(&output).map_err(|e| unexpected(manifest, e.to_string()))?;
        let packages = metadata["packages"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let here = |package: &&Json| {
            let path = package["manifest_path"].as_str().unwrap_or_default();
            Path::new(path)
                .canonicalize()
                .is_ok_and(|path| path == manifest)
        };
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        let Some(package) = packages.iter().find(here) else {
            return Err(Error::Workspace {
                path: manifest.to_owned(),
                members: packages.iter().map(|p| text(&p["name"])).collect(),
            });
        };
        let targets = package["targets"].as_array().map_or(&[][..], Vec::as_slice);
        let cdylib = |target: &Json| {
            let kinds = target["crate_types"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            kinds.iter().any(|kind| kind == "cdylib")
        };
        let name = text(&package["name"]);
        if !targets.iter().any(cdylib) {
            return Err(Error::NoCdylib { package: name });
        }
        Ok(Package {
            name,
            id: text(&package["id"]),
            workspace: PathBuf::from(text(&metadata["workspace_root"])),
        })
    }

    /// Flags that keep this machine's directories out of the component, separated by U+001F as cargo wants.
    /// The same source then gives the same component anywhere.
    fn remapped_paths(&self) -> String {
        let mut prefixes = vec![(self.workspace.clone(), "/strategy")];
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let default_home = || Some(std::env::home_dir()?.join(".cargo"));
        if let Some(home) = home.or_else(default_home) {
            prefixes.push((home, "/cargo"));
        }
        let flags: Vec<String> = prefixes
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect();
        flags.join("\u{1f}")
    }

    fn artefact(&self, messages: &str) -> Option<PathBuf> {
        messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Json>(line).ok())
            .filter(|m| m["reason"] == "compiler-artifact" && m["package_id"] == *self.id)
            .filter_map(|message| {
                message["filenames"]
                    .as_array()?
                    .iter()
                    .filter_map(Json::as_str)
                    .map(PathBuf::from)
                    .find(|file| file.extension().is_some_and(|e| e == "wasm"))
            })
            .next_back()
    }
}

fn cargo() -> Command {
    // Within a build, cargo names itself: the same one is sure to be there.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    environment::clean(&mut cargo);
    cargo
}

/// What cargo wrote about a crate that it did not build.
fn refused(error: Error, manifest: &Path) -> Error {
    match error {
        Error::Tool { output, .. } => Error::Cargo {
            manifest: manifest.to_owned(),
            output,
        },
        other => other,
    }
}

fn unexpected(manifest: &Path, reason: impl Into<String>) -> Error {
    Error::UnexpectedOutput {
        manifest: manifest.to_owned(),
        reason: reason.into(),
    }
}

//! From a crate to a component.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::{Error, Toolchain, encode, environment};

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Where cargo keeps what it builds; by default where it does for the crate anyway.
    pub target_dir: Option<PathBuf>,
    /// Where cargo's progress and errors go.
    pub output: CargoOutput,
    /// Which compiler to use; by default the first that is found.
    pub toolchain: Option<Toolchain>,
}

/// Where cargo's progress and errors go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CargoOutput {
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
    /// The core module that it was made of, where cargo left it.
    pub core_module: PathBuf,
}

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

/// Builds the crate at `path`, its directory or its manifest, in release mode and makes a component of it.
///
/// It may be called from a build script, given a target directory of its own.
pub fn build(path: &Path, options: &BuildOptions) -> Result<Built, Error> {
    let manifest = manifest(path)?;
    let package = Package::read(&manifest)?;
    let toolchain = match &options.toolchain {
        Some(toolchain) => toolchain.clone(),
        None => Toolchain::find()?,
    };
    let mut cargo = cargo();
    cargo
        .args(["build", "--release", "--lib"])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(&manifest)
        .envs(PROFILE.iter().copied())
        .env("CARGO_ENCODED_RUSTFLAGS", package.remapped_paths());
    toolchain.apply(&mut cargo);
    if let Some(directory) = &options.target_dir {
        cargo.arg("--target-dir").arg(directory);
    }
    let messages = run(cargo, options.output, &manifest)?;
    let core_module = package
        .artefact(&messages)
        .ok_or_else(|| unexpected(&manifest, "it built no .wasm file for the library"))?;
    let bytes = std::fs::read(&core_module)
        .map_err(|e| Error::io(format!("read {}", core_module.display()), e))?;
    Ok(Built {
        package: package.name,
        component: encode(&bytes)?,
        core_module,
    })
}

fn manifest(path: &Path) -> Result<PathBuf, Error> {
    let manifest = if path.is_dir() {
        path.join("Cargo.toml")
    } else {
        path.to_owned()
    };
    if !manifest.is_file() || manifest.extension().is_none_or(|e| e != "toml") {
        return Err(Error::NoCrate {
            path: path.to_owned(),
        });
    }
    manifest
        .canonicalize()
        .map_err(|e| Error::io(format!("find {}", manifest.display()), e))
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
        let output = run(cargo, CargoOutput::Captured, manifest)?;
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

/// Runs cargo and gives its standard output.
fn run(mut cargo: Command, output: CargoOutput, manifest: &Path) -> Result<String, Error> {
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    cargo.stderr(match output {
        CargoOutput::Captured => Stdio::piped(),
        CargoOutput::Inherited => Stdio::inherit(),
    });
    let mut child = cargo.spawn().map_err(|e| Error::io("run cargo", e))?;
    let mut errors = child.stderr.take();
    // Both pipes are read at once: a full one would stop cargo.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(errors) = &mut errors {
            let _ = errors.read_to_end(&mut bytes);
        }
        bytes
    });
    let mut messages = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout
            .read_to_end(&mut messages)
            .map_err(|e| Error::io("read what cargo writes", e))?;
    }
    let status = child.wait().map_err(|e| Error::io("wait for cargo", e))?;
    let errors = reader.join().unwrap_or_default();
    if !status.success() {
        return Err(Error::Cargo {
            manifest: manifest.to_owned(),
            output: String::from_utf8_lossy(&errors).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&messages).into_owned())
}

fn unexpected(manifest: &Path, reason: impl Into<String>) -> Error {
    Error::UnexpectedOutput {
        manifest: manifest.to_owned(),
        reason: reason.into(),
    }
}

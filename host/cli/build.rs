//! Takes the SDK's sources and the templates into the program: `icehost plugin new` lays them beside the
//! strategy, so that it builds wherever it stands and against the contract of the program that made it.
//!
//! And fails where the build would fail at its end: the strategies that icehost ships are built for WebAssembly when most
//! else has been compiled, and this script needs nothing to be compiled before it.

// Shared with the crate that builds them, which this script is not to wait for.
#[path = "../componentize/src/environment.rs"]
#[allow(dead_code)]
mod environment;
#[path = "../componentize/src/toolchain.rs"]
#[allow(dead_code, unreachable_pub)]
mod toolchain;

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    if toolchain::Toolchain::find().is_none() {
        eprintln!(
            "error: nothing here builds for {}, which the strategies that icehost ships are built for",
            toolchain::TARGET
        );
        eprintln!("hint: {}", toolchain::TO_INSTALL);
        return ExitCode::FAILURE;
    }
    match tables() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the templates of 'icehost plugin new' were not taken in: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tables() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = here
        .ancestors()
        .nth(2)
        .ok_or("this crate is not two levels below the workspace")?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let sdk = table(root, &[root.join("sdk/src"), root.join("wit")])?;
    fs::write(out.join("sdk.rs"), sdk)?;
    let templates = here.join("templates");
    fs::write(
        out.join("templates.rs"),
        table(&templates, std::slice::from_ref(&templates))?,
    )?;
    Ok(())
}

/// A Rust table of the files in these directories: each one's path below `root`, and its text.
fn table(root: &Path, directories: &[PathBuf]) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    for directory in directories {
        println!("cargo::rerun-if-changed={}", directory.display());
        collect(directory, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in files {
        let name = file
            .strip_prefix(root)?
            .to_str()
            .ok_or("a path that is no text")?;
        writeln!(table, "    ({name:?}, include_str!({file:?})),")?;
    }
    table.push_str("]\n");
    Ok(table)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

//! Takes the SDK's sources into the program: `icehost plugin new` lays them beside the strategy, so that it
//! builds wherever it stands and against the contract of the program that made it.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = here
        .ancestors()
        .nth(2)
        .ok_or("this crate is not two levels below the workspace")?;
    let mut files = Vec::new();
    for directory in ["sdk/src", "wit"] {
        let directory = root.join(directory);
        println!("cargo::rerun-if-changed={}", directory.display());
        collect(&directory, &mut files)?;
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
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("sdk.rs"), table)?;
    Ok(())
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

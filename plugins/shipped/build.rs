//! Builds the shipped strategies into components, to be embedded.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use icehost_componentize::{BuildOptions, build};

/// By the names that users give, with what they decide; each is a directory beside this crate's.
const SHIPPED: [(&str, &str); 10] = [
    ("timestamp", "ChangeDetector"),
    ("id", "ChangeDetector"),
    ("rowversion", "ChangeDetector"),
    ("full-refresh", "ChangeDetector"),
    ("upsert", "Merger"),
    ("append-only", "Merger"),
    ("soft-delete", "Merger"),
    ("scd2", "Merger"),
    ("mask", "BatchTransformer"),
    ("tenant-filter", "BatchTransformer"),
];

fn main() -> ExitCode {
    match components() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Cargo shows both when a build script fails.
            eprintln!("error: the shipped strategies were not built: {error}");
            if let Some(hint) = error
                .downcast_ref::<icehost_componentize::Error>()
                .and_then(icehost_componentize::Error::hint)
            {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn components() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let plugins = here.parent().ok_or("this crate has no parent directory")?;
    let root = plugins
        .parent()
        .ok_or("the plugins have no parent directory")?;
    for source in ["sdk", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-env-changed=PATH");
    let options = BuildOptions {
        // The calling cargo holds the lock of its own.
        target_dir: Some(out.join("target")),
        ..BuildOptions::default()
    };
    let mut table = String::from("&[\n");
    for (name, kind) in SHIPPED {
        let crate_directory = plugins.join(name);
        println!("cargo::rerun-if-changed={}", crate_directory.display());
        let built = build(&crate_directory, &options)?;
        let file = out.join(format!("{name}.wasm"));
        fs::write(&file, built.component)?;
        writeln!(
            table,
            "    Shipped {{ name: {name:?}, kind: Kind::{kind}, component: include_bytes!({file:?}) }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("shipped.rs"), table)?;
    Ok(())
}

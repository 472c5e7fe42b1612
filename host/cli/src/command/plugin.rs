//! `icehost plugin list|build|inspect`

use std::path::{Path, PathBuf};

use icehost_strategy::{Limits, Runtime, Strategy};

use crate::args::{Output, PluginCommand};
use crate::failure::Failure;
use crate::render::print_inspection;
use crate::strategies;

pub(crate) async fn run(command: PluginCommand, output: Output) -> Result<(), Failure> {
    match command {
        PluginCommand::List { cache } => {
            let runtime = strategies::runtime(&cache, Limits::default())?;
            let mut strategies = Vec::new();
            for shipped in icehost_plugins::shipped() {
                strategies.push(runtime.load(shipped.name, shipped.component).await?);
            }
            print_inspection(&strategies, output);
        }
        PluginCommand::Inspect { file, cache } => {
            let strategy = strategies::load(&cache, &file).await?;
            print_inspection(&[strategy], output);
        }
        PluginCommand::Build { path, out, cache } => {
            let runtime = strategies::runtime(&cache, Limits::default())?;
            let (file, strategy) = build(&runtime, &path, out).await?;
            eprintln!("built {}", file.display());
            print_inspection(&[strategy], output);
        }
    }
    Ok(())
}

/// Builds, loads what was built as a sync would, and only then writes the file.
async fn build(
    runtime: &Runtime,
    path: &Path,
    out: Option<PathBuf>,
) -> Result<(PathBuf, Strategy), Failure> {
    let path = path.to_owned();
    let built = tokio::task::spawn_blocking(move || {
        icehost_componentize::build(&path, &icehost_componentize::BuildOptions::default())
    })
    .await
    .map_err(std::io::Error::other)??;
    let strategy = runtime.load(&built.package, &built.component).await?;
    let file = out.unwrap_or_else(|| PathBuf::from(format!("{}.wasm", built.package)));
    tokio::fs::write(&file, &built.component)
        .await
        .map_err(|error| {
            Failure::new(
                format!("cannot write {}: {error}", file.display()),
                "choose another place with --out",
            )
        })?;
    Ok((file, strategy))
}

//! `icehost plugin`

mod bench;
mod explain;
mod lock;
mod new;
mod pull;
mod push;
mod test;

use std::path::{Path, PathBuf};

use icehost_componentize::{BuildOptions, Built};
use icehost_run::ErrorKind;
use icehost_strategy::{Limits, Runtime, Strategy};

use crate::args::{Output, PluginCommand};
use crate::failure::Failure;
use crate::render::{line, note, print_inspection};

pub(crate) async fn run(command: PluginCommand, output: Output) -> Result<(), Failure> {
    match command {
        PluginCommand::List { cache } => {
            let runtime = cache.caches()?.runtime(Limits::default())?;
            let mut strategies = Vec::new();
            for shipped in icehost_plugins::shipped() {
                strategies.push(runtime.load(shipped.name, shipped.component).await?);
            }
            print_inspection(&strategies, output);
        }
        PluginCommand::Inspect { file, cache } => {
            let strategy = icehost_run::load(&cache.caches()?, &file).await?;
            print_inspection(&[strategy], output);
        }
        PluginCommand::New {
            directory,
            kind,
            lang,
        } => {
            let directory = new::create(&directory, kind, lang)?;
            let shown = directory.display();
            match output {
                Output::Json => line(serde_json::json!({ "directory": directory })),
                Output::Text => {
                    line(format!("made {shown}"));
                    line("");
                    line(format!(
                        "  icehost plugin test {shown}     its cases, in {shown}/cases"
                    ));
                    line(format!("  icehost plugin build {shown}    the component"));
                }
            }
        }
        PluginCommand::Test {
            path,
            cases,
            limits,
            cache,
        } => {
            test::run(&cache, &limits, &path, cases, output).await?;
        }
        PluginCommand::Explain { explain, cache } => explain::run(&cache, &explain, output).await?,
        PluginCommand::Bench {
            path,
            cases,
            runs,
            limits,
            cache,
        } => {
            let bench = bench::Bench {
                cache,
                limits,
                runs,
            };
            bench.run(&path, cases, output).await?;
        }
        PluginCommand::Build { path, out, cache } => {
            let runtime = cache.caches()?.runtime(Limits::default())?;
            let (built, strategy) = build(&runtime, &path).await?;
            let file = out.unwrap_or_else(|| PathBuf::from(format!("{}.wasm", built.package)));
            write(&built.component, &file).await?;
            note(format_args!("built {}", file.display()));
            print_inspection(&[strategy], output);
        }
        PluginCommand::Push { push, cache } => push::run(&cache, &push, output).await?,
        PluginCommand::Pull { pull, cache } => pull::run(&cache, pull, output).await?,
        PluginCommand::Lock {
            config,
            update,
            cache,
        } => lock::run(&cache, &config, update, output).await?,
    }
    Ok(())
}

/// Builds, and loads what was built as a sync would.
async fn build(runtime: &Runtime, path: &Path) -> Result<(Built, Strategy), Failure> {
    let built = compile(path).await?;
    let strategy = runtime.load(&built.package, &built.component).await?;
    Ok((built, strategy))
}

async fn compile(path: &Path) -> Result<Built, Failure> {
    let path = path.to_owned();
    let built = tokio::task::spawn_blocking(move || {
        let options = BuildOptions {
            progress: Some(|what| note(what)),
            ..BuildOptions::default()
        };
        icehost_componentize::build(&path, &options)
    })
    .await
    .map_err(std::io::Error::other)??;
    Ok(built)
}

/// A component and what it is called: that of a directory, which is built, of a file, or a shipped one.
async fn component(path: &str) -> Result<(String, Vec<u8>), Failure> {
    if Path::new(path).is_dir() {
        let built = compile(Path::new(path)).await?;
        return Ok((built.package, built.component));
    }
    Ok(icehost_run::strategy_bytes(path)?)
}

/// Writes a component, all of it or nothing.
async fn write(component: &[u8], file: &Path) -> Result<(), Failure> {
    let (content, path) = (component.to_owned(), file.to_owned());
    let written = tokio::task::spawn_blocking(move || put(&path, &content)).await;
    let written = written.map_err(std::io::Error::other).flatten();
    written.map_err(|error| {
        Failure::new(
            ErrorKind::Io,
            format!("cannot write {}: {error}", file.display()),
            "choose another place with --out",
        )
    })
}

/// Puts a file where none or another one is. A link stays, and what is no file, such as a pipe, is written into.
fn put(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&path) {
        Ok(found) if !found.is_file() => std::fs::write(&path, content),
        _ => icehost_files::replace(&path, content, icehost_files::Kind::Shared),
    }
}

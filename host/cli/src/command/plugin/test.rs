//! `icehost plugin test`: a strategy's own cases, and what every strategy must do.

use std::path::{Path, PathBuf};

use icehost_conformance::CaseFile;
use icehost_run::ErrorKind;

use super::component;
use crate::args::{CacheArguments, LimitArguments, Output};
use crate::failure::Failure;
use crate::render::{line, print_checks};
use crate::voice::Voice;

/// Most bytes of a file with cases.
const MAX_CASES: u64 = 16 << 20;

/// Builds the strategy where it is a directory, and runs its cases.
///
/// # Errors
/// What keeps the cases from being run, and checks that fail.
pub(super) async fn run(
    cache: &CacheArguments,
    limits: &LimitArguments,
    path: &str,
    cases: Option<PathBuf>,
    output: Output,
) -> Result<(), Failure> {
    let files = of(path, cases)?;
    let (name, bytes) = component(path).await?;
    let runtime = cache.caches()?.runtime(limits.limits())?;
    let strategy = runtime.load(&name, &bytes).await?;
    let checks = icehost_conformance::run(&strategy, &files).await;
    let failed = checks
        .iter()
        .filter(|check| check.failure.is_some())
        .count();
    if output == Output::Text {
        print_checks(&checks);
    }
    let mut object = serde_json::json!({
        "strategy": strategy.description().name,
        "checks": checks.iter().map(|check| serde_json::json!({
            "name": check.name,
            "holds": check.failure.is_none(),
            "failure": check.failure,
        })).collect::<Vec<_>>(),
    });
    if failed > 0 {
        let failure = Failure::new(
            ErrorKind::Strategy,
            format!("{failed} of {} checks do not hold", checks.len()),
            "each says above what was wanted and what came",
        );
        object = failure.told_in(object);
        return Err(failure.with_object(object));
    }
    match output {
        Output::Text if Voice::of_process().quiet => {}
        Output::Text => line(format!("all {} checks hold", checks.len())),
        Output::Json => line(object),
    }
    Ok(())
}

/// A strategy's cases: where the user says, in its directory, or beside its file.
///
/// # Errors
/// None there, and what is no case file.
pub(super) fn of(strategy: &str, cases: Option<PathBuf>) -> Result<Vec<CaseFile>, Failure> {
    if let Some(cases) = cases {
        return read(&cases);
    }
    let path = Path::new(strategy);
    let beside = match path.is_dir() {
        true => path.join("cases"),
        false => path.with_file_name("cases"),
    };
    if beside.exists() {
        return read(&beside);
    }
    let message = match icehost_plugins::find(strategy) {
        Some(_) => format!(
            "'{strategy}' is shipped without cases, and there is no directory {} here",
            beside.display()
        ),
        None => format!(
            "there are no cases for {strategy}: there is no {}",
            beside.display()
        ),
    };
    Err(Failure::config(
        message,
        "name a directory of case files, or one, with --cases; docs/tutorial.md says how one is written",
    ))
}

/// The case files of a directory, in the order of their names, or a single one.
fn read(cases: &Path) -> Result<Vec<CaseFile>, Failure> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        Failure::new(
            ErrorKind::Io,
            format!("cannot read {}: {error}", path.display()),
            "name a directory of case files, or one, with --cases",
        )
    };
    let mut paths = Vec::new();
    if cases.is_dir() {
        for entry in std::fs::read_dir(cases).map_err(|e| unreadable(cases, &e))? {
            let path = entry.map_err(|e| unreadable(cases, &e))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                paths.push(path);
            }
        }
        paths.sort();
    } else {
        paths.push(cases.to_owned());
    }
    if paths.is_empty() {
        return Err(Failure::config(
            format!("there are no cases in {}", cases.display()),
            "a case file ends in .toml; icehost plugin new makes one to start from",
        ));
    }
    paths
        .iter()
        .map(|path| {
            let bytes =
                icehost_untrusted::read(path, MAX_CASES).map_err(|e| unreadable(path, &e))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| unreadable(path, &std::io::Error::other("it is not text in UTF-8")))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(CaseFile::parse(&name, &text)?)
        })
        .collect()
}

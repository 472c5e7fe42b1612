//! T-SQL scripts, as `sqlcmd` reads them: batches that end at a line `GO`.

use std::path::Path;

use icehost_devengine::Session;
use icehost_devengine::session::{
    Cancel, EnvChange, ResultColumn, ResultSink, SqlError, StatementDone, Stop,
};
use icehost_devengine::types::Datum;
use icehost_devserver::RunningServer;

/// Keeps the first error of a batch and drops its results.
#[derive(Debug, Default)]
struct FirstError(Option<SqlError>);

impl ResultSink for FirstError {
    fn columns(&mut self, _: &[ResultColumn]) -> Result<(), Stop> {
        Ok(())
    }

    fn row(&mut self, _: &[Datum]) -> Result<(), Stop> {
        Ok(())
    }

    fn done(&mut self, _: StatementDone) -> Result<(), Stop> {
        Ok(())
    }

    fn message(&mut self, message: SqlError) -> Result<(), Stop> {
        tracing::info!("{}", message.message);
        Ok(())
    }

    fn error(&mut self, error: SqlError) -> Result<(), Stop> {
        self.0.get_or_insert(error);
        Err(Stop)
    }

    fn env_change(&mut self, _: EnvChange) -> Result<(), Stop> {
        Ok(())
    }
}

/// Runs a script in a session of its own.
///
/// # Errors
/// The script cannot be read, or one of its batches fails; with file and line.
pub(crate) fn run(server: &RunningServer, path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("reading the script {} failed: {error}", path.display()))?;
    let mut session = Session::open(server.engine(), None, server.user())
        .map_err(|error| format!("opening a session for {} failed: {error}", path.display()))?;
    for (first_line, batch) in batches(&text) {
        let mut sink = FirstError::default();
        session.execute(&batch, Vec::new(), &Cancel::default(), &mut sink);
        if let Some(error) = sink.0 {
            let line = first_line + (error.line as usize).saturating_sub(1);
            return Err(format!("{}:{line}: {error}", path.display()));
        }
    }
    Ok(())
}

/// The batches of a script that are not blank, each with the number of its first line.
fn batches(script: &str) -> Vec<(usize, String)> {
    let mut batches = Vec::new();
    let mut batch = String::new();
    let mut first_line = 1;
    let mut add = |batch: &mut String, first_line| {
        if !batch.trim().is_empty() {
            batches.push((first_line, std::mem::take(batch)));
        }
        batch.clear();
    };
    for (index, line) in script.trim_start_matches('\u{feff}').lines().enumerate() {
        if line.trim().eq_ignore_ascii_case("go") {
            add(&mut batch, first_line);
            first_line = index + 2;
        } else {
            batch.push_str(line);
            batch.push('\n');
        }
    }
    add(&mut batch, first_line);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_at_go() {
        let script = "SELECT 1\n  go \n\nGO\nSELECT 'GO'\nSELECT 2\n";
        assert_eq!(
            batches(script),
            [
                (1, "SELECT 1\n".to_owned()),
                (5, "SELECT 'GO'\nSELECT 2\n".to_owned())
            ]
        );
    }
}

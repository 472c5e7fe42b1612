//! Independent readers: PyIceberg and DuckDB on the lake, python-tds on the server.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A table's contents in the canonical form of `tests/readers/canonical.py`: columns, then sorted rows.
///
/// Dumps of one table by different readers are equal, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// `[[name, type], …]`.
    pub columns: String,
    /// A JSON array a row, sorted.
    pub rows: Vec<String>,
}

impl Dump {
    /// What PyIceberg reads of the table in a directory, at a snapshot or at the current one.
    pub fn pyiceberg(table: &Path, snapshot: Option<i64>) -> Dump {
        Dump::read("read_pyiceberg.py", table, snapshot)
    }

    /// What DuckDB reads of it.
    pub fn duckdb(table: &Path, snapshot: Option<i64>) -> Dump {
        Dump::read("read_duckdb.py", table, snapshot)
    }

    /// What PyIceberg reads, having checked that DuckDB reads the same.
    #[track_caller]
    pub fn agreed(table: &Path, snapshot: Option<i64>) -> Dump {
        let pyiceberg = Dump::pyiceberg(table, snapshot);
        let duckdb = Dump::duckdb(table, snapshot);
        pyiceberg.assert_equals(&duckdb, "PyIceberg", "DuckDB");
        pyiceberg
    }

    fn read(script: &str, table: &Path, snapshot: Option<i64>) -> Dump {
        let mut arguments = vec![table.display().to_string()];
        if let Some(snapshot) = snapshot {
            arguments.push(format!("--snapshot-id={snapshot}"));
        }
        Dump::parse(&python_script(&format!("readers/{script}"), &arguments))
    }

    pub(crate) fn parse(text: &str) -> Dump {
        let mut lines = text.lines().map(str::to_owned);
        Dump {
            columns: lines.next().unwrap_or_default(),
            rows: lines.collect(),
        }
    }

    /// Fails with the first difference.
    #[track_caller]
    pub fn assert_equals(&self, other: &Dump, this: &str, that: &str) {
        assert_eq!(self.columns, other.columns, "{this} and {that}: columns");
        for (mine, theirs) in self.rows.iter().zip(&other.rows) {
            assert_eq!(mine, theirs, "{this} and {that}: first difference");
        }
        assert_eq!(
            self.rows.len(),
            other.rows.len(),
            "{this} and {that}: number of rows"
        );
    }
}

/// Runs a script below `tests/` in the Python that has the readers, and gives its stdout.
pub fn python_script(script: &str, arguments: &[String]) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(script);
    told(python().arg(&script).args(arguments))
}

/// Runs a program's text there, which may import the scripts of `tests/readers`, and gives its stdout.
pub fn python_text(text: &str) -> String {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("readers");
    told(python().args(["-c", text]).env("PYTHONPATH", scripts))
}

fn python() -> Command {
    Command::new(std::env::var_os("ICEHOST_TEST_PYTHON").expect(
        "ICEHOST_TEST_PYTHON names the Python that has PyIceberg and DuckDB: run tests/run.sh",
    ))
}

fn told(command: &mut Command) -> String {
    let output = command.output().expect("start Python");
    assert!(
        output.status.success(),
        "{command:?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8 from Python")
}

//! The program under test, as a process.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use icehost_untrusted as untrusted;
use serde_json::Value;

use crate::bed::PASSWORD;
use crate::judge::{self, Excuse, Judgement};

/// An `icehost` command in the making.
#[derive(Debug, Clone)]
pub struct Command {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Option<PathBuf>,
    shell: Option<String>,
    excuse: Option<Excuse>,
}

impl Command {
    /// `icehost` with these arguments.
    pub fn new<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Command {
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            environment: Vec::new(),
            directory: None,
            shell: None,
            excuse: None,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The working directory.
    #[must_use]
    pub fn in_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Starts the program from this script of a shell, as `exec "$0" "$@"`.
    #[must_use]
    pub fn in_shell(mut self, script: &str) -> Self {
        self.shell = Some(script.to_owned());
        self
    }

    /// Lets the run fail or crash at a failpoint: `return` or `panic`-like actions of the `fail` crate.
    #[must_use]
    pub fn failpoint(self, name: &str, action: &str) -> Self {
        self.env("FAILPOINTS", &format!("{name}={action}"))
    }

    /// Starts the process.
    pub fn spawn(&self) -> Child {
        let program = program();
        let mut process = match &self.shell {
            None => std::process::Command::new(&program),
            Some(script) => {
                let mut shell = std::process::Command::new("sh");
                shell.args(["-c", script]).arg(&program);
                shell
            }
        };
        if let Some(directory) = &self.directory {
            process.current_dir(directory);
        }
        process
            .args(&self.arguments)
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()))
    }

    /// What came of it, and the most bytes of the heap that were in use at once.
    #[track_caller]
    pub fn counted(&self) -> (Run, u64) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let path = file.path().display().to_string();
        let counting = self.clone().env("ICEHOST_TEST_COUNT_ALLOCATIONS", &path);
        let run = counting.run();
        let text = std::fs::read_to_string(file.path()).expect("what was counted");
        let (_, peak) = text.split_once(' ').expect("two numbers");
        (run, peak.parse().expect("a number"))
    }

    /// Runs the process to its end.
    pub fn run(&self) -> Run {
        Run {
            judgement: Judgement::of(self.comparison(), self.excuse.clone()),
            ..Run::of(self.arguments.join(" "), self.spawn())
        }
    }

    /// Runs the process to its end, and gives the most memory that it took, in bytes, as last seen before that.
    pub fn run_watched(&self) -> (Run, u64) {
        let child = self.spawn();
        let status = format!("/proc/{}/status", child.id());
        let arguments = self.arguments.join(" ");
        // Somebody has to read what it says meanwhile: it waits once a pipe is full.
        let run = std::thread::spawn(move || Run::of(arguments, child));
        let mut most = 0;
        while !run.is_finished() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok());
            most = most.max(peak.unwrap_or(0u64) << 10);
            std::thread::sleep(Duration::from_millis(2));
        }
        (run.join().expect("the run's output"), most)
    }

    /// Leaves sides that `icehost verify` finds wrong, or cannot compare: `why` says what keeps them apart. They have
    /// to be apart.
    #[must_use]
    pub fn leaves_apart(mut self, why: &str) -> Self {
        self.excuse = Some(Excuse::Differs(why.to_owned()));
        self
    }

    /// Leaves something to a later run: `why` says what. There has to be something.
    #[must_use]
    pub fn leaves_more(mut self, why: &str) -> Self {
        self.excuse = Some(Excuse::LeavesMore(why.to_owned()));
        self
    }

    /// The comparison of source, lake and target of a `sync`, or lake and target of a `load`.
    pub fn comparison(&self) -> Option<Command> {
        let arguments = judge::comparison(&self.arguments)?;
        let environment = self.environment.iter();
        let environment = environment.filter(|(name, _)| {
            !["FAILPOINTS", "ICEHOST_TEST_COUNT_ALLOCATIONS"].contains(&name.as_str())
        });
        Some(Command {
            arguments,
            environment: environment.cloned().collect(),
            directory: self.directory.clone(),
            shell: None,
            excuse: None,
        })
    }

    /// Runs it with `--output json` and gives the object; the run must succeed, as [`Run::success`] sees it.
    #[track_caller]
    pub fn json(self) -> Value {
        self.args(["--output", "json"]).run().success().json()
    }
}

/// A finished process.
#[derive(Debug)]
pub struct Run {
    /// Its arguments, for messages.
    pub command: String,
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// What is to be asked where it succeeded.
    judgement: Option<Judgement>,
}

impl Run {
    /// Waits for a process.
    pub fn of(command: String, child: Child) -> Run {
        let output = child.wait_with_output().expect("wait for icehost");
        let run = Run {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            judgement: None,
        };
        run.assert_harmless();
        run
    }

    /// Whatever a command was given, what it writes controls no terminal and shows no password. What compilers write
    /// of an author's own sources goes past icehost.
    #[track_caller]
    fn assert_harmless(&self) {
        let compiles = ["plugin build", "plugin test", "plugin bench", "plugin push"];
        if compiles
            .iter()
            .any(|command| self.command.starts_with(command))
        {
            return;
        }
        for written in [&self.stdout, &self.stderr] {
            let misleading = written.find(|c: char| c != '\n' && untrusted::misleads(c));
            assert_eq!(misleading, None, "icehost {}\n{written:?}", self.command);
            assert!(
                !written.contains(PASSWORD),
                "icehost {}\n{written}",
                self.command
            );
        }
    }

    /// The run, which must have succeeded. After a `sync` or a `load`, source, lake and target must agree as
    /// `icehost verify` sees them, unless the command says why not.
    #[track_caller]
    pub fn success(mut self) -> Run {
        assert_eq!(
            self.code,
            Some(0),
            "icehost {}\n{}",
            self.command,
            self.stderr
        );
        if let Some(judgement) = self.judgement.take() {
            judgement.pass();
        }
        self
    }

    /// The run, which must have failed with exit code 1, saying all of these.
    #[track_caller]
    pub fn failure(self, saying: &[&str]) -> Run {
        assert_eq!(
            self.code,
            Some(1),
            "icehost {}\n{}{}",
            self.command,
            self.stdout,
            self.stderr
        );
        for text in saying {
            assert!(
                self.stderr.contains(text),
                "'{text}' is missing in:\n{}",
                self.stderr
            );
        }
        self
    }

    /// The object on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("stdout is not one JSON object: {e}\n{}", self.stdout))
    }
}

/// The program under test.
pub fn program() -> PathBuf {
    program_named("icehost-under-test")
}

/// A program beside the test programs, in the same build.
pub fn program_named(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let build = test
        .ancestors()
        .nth(2)
        .expect("tests lie in the target directory");
    let program = build.join(name);
    assert!(
        program.exists(),
        "{} is missing: run the cases with `cargo test -p icehost-tests` or tests/run.sh",
        program.display()
    );
    program
}

//! The compiler as a process of its own, seen from the one that starts it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::worker::{Answer, THREADS};
use super::{Bounds, Job};
use crate::LoadError;
use crate::load_error::reason;

/// Largest answer that is read, in bytes: machine code is some times larger than what it is of.
const MOST_ANSWER: u64 = 512 << 20;
/// How much of what it says when it fails is kept, in bytes.
const MOST_SAID: u64 = 4 << 10;
/// Where the system's loader looks for libraries.
const LIBRARIES: &str = "LD_LIBRARY_PATH";
/// How often it is looked whether somebody still waits for it.
const LOOK: Duration = Duration::from_millis(50);

/// One job for one process.
pub(super) struct Request<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [OsString],
    pub(super) job: Job,
    pub(super) count_fuel: bool,
    pub(super) bounds: Bounds,
}

/// How a process ended.
enum Ended {
    /// With an answer, if it is a whole one.
    Itself(ExitStatus, Vec<u8>),
    OutOfTime,
    GivenUp,
}

impl Request<'_> {
    /// Starts the process, and gives what it answers.
    ///
    /// # Errors
    /// What it finds wrong with the bytes; that it came to a bound; that it cannot be started, or failed.
    pub(super) fn run(&self, bytes: &[u8], given_up: &AtomicBool) -> Result<Vec<u8>, LoadError> {
        let failed = |error: io::Error| LoadError::Compiler {
            reason: reason(&error),
        };
        let mut child = self.command().spawn().map_err(failed)?;
        let (ended, said) = match self.attend(&mut child, bytes, given_up) {
            Ok(ended) => ended,
            Err(error) => {
                stop(&mut child);
                return Err(failed(error));
            }
        };
        match ended {
            Ended::Itself(status, answer) => match Answer::read(answer) {
                Some(answer) if status.success() => answer.into(),
                _ => Err(self.failure(status, &said)),
            },
            Ended::OutOfTime => Err(LoadError::CompileTimeout {
                limit: self.bounds.time,
            }),
            Ended::GivenUp => Err(LoadError::Interrupted {
                reason: "nobody waits for it any more".to_owned(),
            }),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(self.arguments)
            .arg(self.job.name())
            .arg(u8::from(self.count_fuel).to_string())
            .arg(self.bounds.memory.to_string())
            .arg(self.bounds.processor_time.as_secs().to_string())
            // Nothing of what this process knows, passwords among it.
            .env_clear()
            // So that memory does not depend on the machine; the first is rayon's, the second that of glibc.
            .env("RAYON_NUM_THREADS", THREADS)
            .env("MALLOC_ARENA_MAX", THREADS)
            // Without it the program may not find its libraries.
            .envs(std::env::var_os(LIBRARIES).map(|path| (LIBRARIES, path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // Ctrl-C is for the one that started it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    /// Gives the process its work and waits for what becomes of it.
    fn attend(
        &self,
        child: &mut Child,
        bytes: &[u8],
        given_up: &AtomicBool,
    ) -> io::Result<(Ended, String)> {
        let missing = || io::Error::other("it has no pipes");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let started = Instant::now();
        thread::scope(|scope| {
            // It is held open until the end: the process ends where this one does.
            let given = scope.spawn(move || give(stdin, bytes));
            let said = scope.spawn(move || listen(stderr));
            let (answered, answer) = channel();
            scope.spawn(move || {
                let mut answer = Vec::new();
                let read = stdout.take(MOST_ANSWER + 1).read_to_end(&mut answer);
                // Nobody listens any more where it was stopped.
                let _ = answered.send(read.map(|_| answer));
            });
            let ended = loop {
                match answer.recv_timeout(LOOK) {
                    Ok(Ok(answer)) if answer.len() as u64 <= MOST_ANSWER => {
                        let status = child.wait()?;
                        break Ended::Itself(status, answer);
                    }
                    Ok(Ok(_)) => {
                        stop(child);
                        return Err(io::Error::other(format!(
                            "what it was compiled to has more than {MOST_ANSWER} bytes"
                        )));
                    }
                    Ok(Err(error)) => {
                        stop(child);
                        return Err(error);
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        stop(child);
                        return Err(io::Error::other("its answer was not read"));
                    }
                    Err(RecvTimeoutError::Timeout) if given_up.load(Ordering::Relaxed) => {
                        stop(child);
                        break Ended::GivenUp;
                    }
                    Err(RecvTimeoutError::Timeout) if started.elapsed() > self.bounds.time => {
                        stop(child);
                        break Ended::OutOfTime;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                }
            };
            // Where it ended before it had read all, its status says more.
            drop(given.join());
            Ok((ended, said.join().unwrap_or_default()))
        })
    }

    /// Why a process ended without an answer.
    fn failure(&self, status: ExitStatus, said: &str) -> LoadError {
        let signal = signal(status);
        if signal == Some(PROCESSOR_TIME_EXCEEDED) {
            return LoadError::CompileTimeout {
                limit: self.bounds.processor_time,
            };
        }
        if OUT_OF_MEMORY.iter().any(|text| said.contains(text)) {
            return LoadError::CompileMemory {
                limit: self.bounds.memory,
            };
        }
        let said = said.lines().next().unwrap_or_default();
        LoadError::Compiler {
            reason: match signal {
                Some(signal) => reason(&format!("it was ended by signal {signal} {said}").trim()),
                None => reason(&format!("it failed: {said}")),
            },
        }
    }
}

/// `SIGXCPU`, of Linux and others.
const PROCESSOR_TIME_EXCEEDED: i32 = 24;

/// What a program says that gets no more memory: Rust's allocator; threads and mappings, by the system's errors.
const OUT_OF_MEMORY: &[&str] = &[
    "memory allocation of",
    "annot allocate memory",
    "Resource temporarily unavailable",
];

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// Writes the work, and gives back the pipe, open.
fn give(mut stdin: ChildStdin, bytes: &[u8]) -> io::Result<ChildStdin> {
    stdin.write_all(&(bytes.len() as u64).to_le_bytes())?;
    stdin.write_all(bytes)?;
    stdin.flush()?;
    Ok(stdin)
}

/// The first of what it says; the rest is read, so that it does not wait for a reader.
fn listen(mut stderr: impl Read) -> String {
    let mut said = Vec::new();
    let _ = stderr
        .by_ref()
        .take(MOST_SAID)
        .read_to_end(&mut said)
        .and_then(|_| io::copy(&mut stderr, &mut io::sink()));
    String::from_utf8_lossy(&said).into_owned()
}

/// Ends the process, which cannot refuse.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What becomes of a job whose compiler is this script.
    fn run(script: &str, bytes: &[u8], given_up: bool) -> Result<Vec<u8>, LoadError> {
        let arguments = ["-c", script].map(OsString::from);
        let request = Request {
            program: Path::new("/bin/sh"),
            arguments: &arguments,
            job: Job::Compile,
            count_fuel: false,
            bounds: Bounds {
                memory: 7 << 20,
                time: Duration::from_millis(300),
                processor_time: Duration::from_secs(3),
            },
        };
        request.run(bytes, &AtomicBool::new(given_up))
    }

    #[track_caller]
    fn refused(script: &str) -> String {
        run(script, b"\0asm", false).unwrap_err().to_string()
    }

    #[test]
    fn what_it_answers_is_taken_where_it_ends_well() {
        assert_eq!(run("printf 'abc\\0'", b"", false).unwrap(), b"abc");
        assert_eq!(
            refused("printf 'no good\\1'"),
            "the file is not a valid component: no good"
        );
        for cut in [
            "printf abc",
            "true",
            "printf 'abc\\0'; exit 3",
            "printf '\\377\\1'",
        ] {
            let said = refused(cut);
            assert!(said.contains("the compiler did not run"), "{cut}: {said}");
        }
    }

    #[test]
    fn its_bounds_are_named() {
        assert_eq!(
            refused("exec sleep 60"),
            "the component did not compile within 300ms"
        );
        assert_eq!(
            refused("kill -XCPU $$"),
            "the component did not compile within 3s"
        );
        assert_eq!(
            refused("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$"),
            "the component did not compile within 7 MiB of memory"
        );
        let killed = refused("echo 'oh\u{202e}' >&2; kill -KILL $$");
        assert!(
            killed.ends_with("it was ended by signal 9 oh\\u202e"),
            "{killed}"
        );
    }

    #[test]
    fn nobody_waits_for_it_in_vain() {
        let error = run("exec sleep 60", b"", true).unwrap_err();
        assert!(error.to_string().contains("nobody waits"), "{error}");
        // Work that it does not read.
        assert!(run("exec sleep 60", &vec![0; 1 << 20], true).is_err());
        // A program that is not there.
        let gone = Request {
            program: Path::new("/no/such/program"),
            arguments: &[],
            job: Job::Encode,
            count_fuel: false,
            bounds: Bounds::of(b""),
        };
        let error = gone.run(b"", &AtomicBool::new(false)).unwrap_err();
        assert!(
            error.to_string().contains("the compiler did not run"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("may start processes"));
    }
}

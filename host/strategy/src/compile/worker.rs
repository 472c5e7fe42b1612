//! The compiler as a process of its own, seen from within.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::{Bounds, Job};
use crate::{LoadError, runtime};

/// How many threads compile.
pub(super) const THREADS: &str = "4";
/// Most bytes that it takes.
const MOST_WORK: u64 = 1 << 30;

/// Runs as the compiler of another process, which [`Compiler::Process`](crate::Compiler::Process) started: `arguments`
/// are those that follow its own. It takes work from the standard input and answers on the standard output, under the
/// limits that it sets itself first.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let done = Order::read(arguments)
        .ok_or_else(|| io::Error::other("this is for icehost to call"))
        .and_then(|order| order.run());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// What it was started for.
struct Order {
    job: Job,
    count_fuel: bool,
    bounds: Bounds,
}

impl Order {
    fn read(arguments: impl Iterator<Item = OsString>) -> Option<Order> {
        let mut arguments = arguments.map(|argument| argument.to_str().map(str::to_owned));
        let mut next = || arguments.next().flatten();
        let order = Order {
            job: Job::named(&next()?)?,
            count_fuel: next()? == "1",
            bounds: Bounds {
                memory: next()?.parse().ok()?,
                time: Duration::MAX,
                processor_time: Duration::from_secs(next()?.parse().ok()?),
            },
        };
        Some(order)
    }

    fn run(self) -> io::Result<()> {
        self.bounds.set()?;
        let mut stdin = io::stdin();
        let mut length = [0; 8];
        stdin.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut work = Vec::new();
        stdin
            .by_ref()
            .take(length.min(MOST_WORK))
            .read_to_end(&mut work)?;
        if work.len() as u64 != length {
            return Err(io::Error::other("the work is not whole"));
        }
        std::thread::Builder::new().spawn(end_with_the_other)?;
        let engine = runtime::engine(self.count_fuel).map_err(io::Error::other)?;
        let answer = Answer::from(self.job.run(&engine, &work));
        drop(work);
        answer.write(&mut io::stdout().lock())
    }
}

/// Ends this process once the one that started it is gone, which closes the pipe.
fn end_with_the_other() {
    let mut one = [0];
    while matches!(io::stdin().read(&mut one), Ok(1..)) {}
    std::process::exit(1);
}

impl Bounds {
    /// What is less already stays.
    #[cfg(unix)]
    fn set(self) -> io::Result<()> {
        use rlimit::{Resource, getrlimit, setrlimit};
        let bound = |resource: Resource, wanted: u64| {
            let (soft, hard) = getrlimit(resource)?;
            // At the hard limit of time the process is killed without a word, at the soft one it is told.
            setrlimit(
                resource,
                wanted.min(soft),
                wanted.saturating_add(5).min(hard),
            )
        };
        bound(Resource::AS, self.memory as u64)?;
        bound(Resource::CPU, self.processor_time.as_secs())?;
        // What ends it in its middle leaves nothing behind.
        bound(Resource::CORE, 0)
    }

    #[cfg(not(unix))]
    fn set(self) -> io::Result<()> {
        Err(io::Error::other(
            "it is not known how to bound a process on this system",
        ))
    }
}

impl Job {
    pub(super) fn name(self) -> &'static str {
        match self {
            Job::Encode => "encode",
            Job::Compile => "compile",
        }
    }

    fn named(name: &str) -> Option<Job> {
        [Job::Encode, Job::Compile]
            .into_iter()
            .find(|job| job.name() == name)
    }
}

/// What a compiler says of its work: what it made, or what is wrong with it. The first byte says which.
pub(super) enum Answer {
    Made(Vec<u8>),
    Invalid(String),
    Componentize(String),
    NoComponentType,
}

impl Answer {
    /// From bytes; `None` of such as no compiler writes.
    pub(super) fn read(mut bytes: Vec<u8>) -> Option<Answer> {
        let kind = bytes.pop()?;
        let text = |bytes| String::from_utf8(bytes).ok();
        Some(match kind {
            0 => Answer::Made(bytes),
            1 => Answer::Invalid(text(bytes)?),
            2 => Answer::Componentize(text(bytes)?),
            3 => Answer::NoComponentType,
            _ => return None,
        })
    }

    /// What it says, and last of all the kind, so that nothing that was cut passes for a whole one's beginning and the
    /// bytes need not be moved.
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let (bytes, kind): (&[u8], u8) = match self {
            Answer::Made(bytes) => (bytes, 0),
            Answer::Invalid(reason) => (reason.as_bytes(), 1),
            Answer::Componentize(reason) => (reason.as_bytes(), 2),
            Answer::NoComponentType => (&[], 3),
        };
        to.write_all(bytes)?;
        to.write_all(&[kind])?;
        to.flush()
    }
}

impl From<Result<Vec<u8>, LoadError>> for Answer {
    fn from(done: Result<Vec<u8>, LoadError>) -> Answer {
        match done {
            Ok(made) => Answer::Made(made),
            Err(LoadError::NoComponentType) => Answer::NoComponentType,
            Err(LoadError::Componentize { reason }) => Answer::Componentize(reason),
            Err(LoadError::Invalid { reason }) => Answer::Invalid(reason),
            Err(other) => Answer::Invalid(other.to_string()),
        }
    }
}

impl From<Answer> for Result<Vec<u8>, LoadError> {
    fn from(answer: Answer) -> Self {
        Err(match answer {
            Answer::Made(made) => return Ok(made),
            Answer::Invalid(reason) => LoadError::Invalid { reason },
            Answer::Componentize(reason) => LoadError::Componentize { reason },
            Answer::NoComponentType => LoadError::NoComponentType,
        })
    }
}

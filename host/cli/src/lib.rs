//! `icehost`, the command line: arguments in, a run of `icehost-run`, text or JSON out.
//!
//! Exit code 0: done; 1: failed; 2: wrong usage.

// What is written goes through `render`, or `logging`, which let no control character of others out.
#![warn(clippy::print_stderr)]

mod advice;
mod args;
mod command;
mod discovery;
mod failure;
mod interrupt;
mod logging;
mod render;
mod usage;
mod variables;
mod voice;

use std::process::ExitCode;

use crate::args::{Arguments, Command, Output};
use crate::failure::Failure;
use crate::voice::Level;

/// Bytes of a worker's stack.
const STACK: usize = 8 << 20;

/// Runs the command that the process was given.
pub fn main() -> ExitCode {
    if let Some(code) = icehost_run::compile_if_asked() {
        return code;
    }
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();

    // A panic is a defect, and what it says may be anybody's text.
    std::panic::set_hook(Box::new(|panic| {
        voice::say(Level::Error, &format!("a defect of icehost: {panic}"), None);
    }));
    let arguments = usage::arguments();
    arguments.voice.voice().begin();
    logging::start();
    let output = arguments.output;
    let mut ended = ExitCode::SUCCESS;
    if let Err(failure) = run(arguments) {
        failure.print(output);
        ended = ExitCode::FAILURE;
    }
    if let Err(failure) = render::all_written() {
        failure.print(Output::Text);
        ended = ExitCode::FAILURE;
    }
    ended
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    check_descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // As much as the main thread has: a sync is one deep future, whose frames are large in a debug build.
        .thread_stack_size(STACK)
        .build()?;
    let output = arguments.output;
    let cancel = interrupt::listen(output)?;
    let ended = runtime.block_on(interrupt::unless_stopped(&cancel, async {
        match arguments.command {
            Command::Sync(arguments) => command::sync::run(*arguments, output, &cancel).await,
            Command::Check(arguments) => command::check::run(arguments, output).await,
            Command::Load(arguments) => command::load::run(*arguments, output, &cancel).await,
            Command::Verify(arguments) => command::verify::run(*arguments, output, &cancel).await,
            Command::Snapshots(arguments) => command::snapshots::run(arguments, output).await,
            Command::Table(command) => command::table::run(command, output).await,
            Command::Watermark(command) => command::watermark::run(command, output, &cancel).await,
            Command::Plugin(command) => command::plugin::run(command, output).await,
            Command::Completions { shell } => command::manual::completions(shell),
            Command::Man { directory } => command::manual::man(directory.as_deref()),
        }
    }));
    interrupt::wind_down(runtime, &cancel);
    ended
}

/// Files that are open at once before anything is done: the runtime's own, of signals and of what waits for sockets.
const FEWEST_FILES: usize = 12;

/// Whether the process may open as many files as it needs to begin at all: the runtime panics where it may not.
fn check_descriptors() -> Result<(), Failure> {
    if cfg!(unix) {
        let files: Vec<std::fs::File> = (0..FEWEST_FILES)
            .map(|_| std::fs::File::open("/dev/null"))
            .collect::<std::io::Result<_>>()?;
        drop(files);
    }
    Ok(())
}

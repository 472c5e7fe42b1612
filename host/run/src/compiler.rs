//! A program as the compiler of another one of itself, which bounds what a component may take to be compiled.

use std::path::PathBuf;
use std::process::ExitCode;

use icehost_strategy::Compiler;

/// The argument that makes it one; no command of a command line, and none that people type.
const ARGUMENT: &str = "_compile";

/// Compiles, where the process was started for that, and gives the code to exit with: what a program that uses
/// [`this_program`] asks first.
pub fn compile_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == ARGUMENT).then(|| icehost_strategy::run_compiler(arguments))
}

/// The compiler that is this program, started once more.
///
/// # Errors
/// The system does not say which program runs.
pub fn this_program() -> std::io::Result<Compiler> {
    Ok(Compiler::Process {
        program: program()?,
        arguments: vec![ARGUMENT.into()],
    })
}

/// The very file that runs, though another one has taken its name since.
#[cfg(target_os = "linux")]
fn program() -> std::io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    match running.exists() {
        true => Ok(running),
        false => std::env::current_exe(),
    }
}

#[cfg(not(target_os = "linux"))]
fn program() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

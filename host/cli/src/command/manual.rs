//! `icehost completions` and `icehost man`: what shells and readers of manuals want.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::{Man, generate_to};
use icehost_run::ErrorKind;

use crate::args::Arguments;
use crate::failure::Failure;

/// Prints a shell's completions.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "icehost", &mut script);
    print(&script)
}

/// Prints the manual page of `icehost`, or writes those of all commands into a directory.
pub(crate) fn man(directory: Option<&Path>) -> Result<(), Failure> {
    match directory {
        None => {
            let mut page = Vec::new();
            Man::new(Arguments::command()).render(&mut page)?;
            print(&page)
        }
        Some(directory) => {
            let written = std::fs::create_dir_all(directory)
                .and_then(|()| generate_to(Arguments::command(), directory));
            written.map_err(|error| {
                Failure::new(
                    ErrorKind::Io,
                    format!(
                        "cannot write manual pages to {}: {error}",
                        directory.display()
                    ),
                    "name a directory that may be written to",
                )
            })
        }
    }
}

/// Writes what is our own to the last byte. A reader that went away is no error.
fn print(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

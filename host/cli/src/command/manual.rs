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
        Some(directory) => write_pages(directory).map_err(|error| {
            Failure::new(
                ErrorKind::Io,
                format!(
                    "cannot write manual pages to {}: {error}",
                    directory.display()
                ),
                "name a directory that may be written to",
            )
        }),
    }
}

/// Writes them beside their places first, so that a disk that is full leaves no page by half.
fn write_pages(directory: &Path) -> std::io::Result<()> {
    let is_new = !directory.exists();
    std::fs::create_dir_all(directory)?;
    let beside = directory.join(format!(".icehost-{}.tmp", std::process::id()));
    let written = std::fs::create_dir(&beside)
        .and_then(|()| generate_to(Arguments::command(), &beside))
        .and_then(|()| {
            for page in std::fs::read_dir(&beside)? {
                let page = page?;
                std::fs::rename(page.path(), directory.join(page.file_name()))?;
            }
            std::fs::remove_dir(&beside)
        });
    if written.is_err() {
        let _gone = std::fs::remove_dir_all(&beside);
        if is_new {
            let _gone = std::fs::remove_dir(directory);
        }
    }
    written
}

/// Writes what is our own to the last byte. A reader that went away is no error.
fn print(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

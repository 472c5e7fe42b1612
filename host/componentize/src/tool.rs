//! Other people's programs: finding them, and running them.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, ToolOutput};

/// Most bytes of what tools build.
const MOST_COMPONENT: u64 = 1 << 30;

/// The program of this name on the search path.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|path| path.is_file())
}

/// The version that a program gives: the last word of what `--version` prints.
fn version(program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.split_whitespace().next_back()?.to_owned())
}

/// Whether a program is of this version.
pub(crate) fn is_version(program: &Path, wanted: &str) -> bool {
    version(program).as_deref() == Some(wanted)
}

/// Runs a program and gives its standard output; where it fails, what it wrote.
pub(crate) fn run(mut command: Command, output: ToolOutput) -> Result<String, Error> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(match output {
        ToolOutput::Captured => Stdio::piped(),
        ToolOutput::Inherited => Stdio::inherit(),
    });
    let name = shown(command.get_program());
    let mut child = command
        .spawn()
        .map_err(|e| Error::io(format!("run {name}"), e))?;
    let mut errors = child.stderr.take();
    // Both pipes are read at once: a full one would stop the program.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(errors) = &mut errors {
            let _ = errors.read_to_end(&mut bytes);
        }
        bytes
    });
    let mut written = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        stdout
            .read_to_end(&mut written)
            .map_err(|e| Error::io(format!("read what {name} writes"), e))?;
    }
    let status = child
        .wait()
        .map_err(|e| Error::io(format!("wait for {name}"), e))?;
    let errors = reader.join().unwrap_or_default();
    if !status.success() {
        return Err(Error::Tool {
            program: name,
            status: status.to_string(),
            output: String::from_utf8_lossy(&errors).into_owned(),
        });
    }
    Ok(String::from_utf8_lossy(&written).into_owned())
}

fn shown(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    name.to_string_lossy().into_owned()
}

/// The directory for what is built, made if need be.
pub(crate) fn scratch(directory: &Path) -> Result<PathBuf, Error> {
    let scratch = directory.join("build");
    std::fs::create_dir_all(&scratch)
        .map_err(|e| Error::io(format!("make {}", scratch.display()), e))?;
    Ok(scratch)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    icehost_untrusted::read(path, MOST_COMPONENT)
        .map_err(|e| Error::io(format!("read {}", path.display()), e))
}

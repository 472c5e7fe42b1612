//! Which compiler builds for WebAssembly.
//!
//! The build script of `host/cli` includes this file: it looks before everything else is compiled.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that strategies are built for: WebAssembly without a system underneath.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What to do where there is none.
pub(crate) const TO_INSTALL: &str = "run 'rustup target add wasm32-unknown-unknown', or with Debian's Rust 'apt-get install rust-web-src lld' as root";

/// Debian's compiler and the standard library source of its package `rust-web-src` (or `rust-src`).
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std";

/// A way to build for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Toolchain {
    /// The compiler that is installed has the target's standard library.
    Installed,
    /// Debian's compiler, whose own source of the standard library is built along.
    ///
    /// Debian packages no standard library for the target; its compiler accepts `RUSTC_BOOTSTRAP`.
    Debian {
        /// Debian's rustc.
        rustc: PathBuf,
        /// A `wasm-ld` from one of the packages `lld-N`.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds what is there; the installed compiler comes first. `None` where nothing is.
    pub fn find() -> Option<Toolchain> {
        if installed_rustc_has_target() {
            return Some(Toolchain::Installed);
        }
        let rustc = PathBuf::from(DEBIAN_RUSTC);
        if rustc.is_file()
            && Path::new(DEBIAN_STD_SOURCE).is_dir()
            && let Some(linker) = find_newest("wasm-ld", std::env::var_os("PATH").as_deref())
        {
            return Some(Toolchain::Debian { rustc, linker });
        }
        None
    }

    /// Sets up a cargo command, which has its subcommand already.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        match self {
            Toolchain::Installed => {}
            Toolchain::Debian { rustc, linker } => {
                cargo
                    .arg("-Zbuild-std=std,panic_abort")
                    .env("RUSTC", rustc)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            }
        }
    }
}

fn installed_rustc_has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    crate::environment::clean(&mut rustc);
    match rustc.output() {
        Ok(output) if output.status.success() => {
            let directory = String::from_utf8_lossy(&output.stdout);
            Path::new(directory.trim()).is_dir()
        }
        _ => false,
    }
}

/// `PROGRAM`, or the newest `PROGRAM-N`, in the directories of a search path.
pub(crate) fn find_newest(program: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    let mut best: Option<(u32, PathBuf)> = None;
    for directory in std::env::split_paths(path?) {
        let Ok(entries) = std::fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let version = match name.to_str().and_then(|name| name.strip_prefix(program)) {
                Some("") => u32::MAX,
                Some(rest) => match rest.strip_prefix('-').and_then(|n| n.parse().ok()) {
                    Some(version) => version,
                    None => continue,
                },
                None => continue,
            };
            if best.as_ref().is_none_or(|(found, _)| *found < version) {
                best = Some((version, entry.path()));
            }
        }
    }
    best.map(|(_, path)| path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_linker_wins() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["wasm-ld-9", "wasm-ld-19", "wasm-ld-old", "wasm-ldx"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let found = find_newest("wasm-ld", Some(directory.path().as_os_str()));
        assert_eq!(found, Some(directory.path().join("wasm-ld-19")));
        std::fs::write(directory.path().join("wasm-ld"), "").unwrap();
        let found = find_newest("wasm-ld", Some(directory.path().as_os_str()));
        assert_eq!(found, Some(directory.path().join("wasm-ld")));
    }

    #[test]
    fn no_linker_is_no_linker() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            find_newest("wasm-ld", Some(directory.path().as_os_str())),
            None
        );
        assert_eq!(find_newest("wasm-ld", None), None);
    }
}

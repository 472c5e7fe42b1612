//! The environment of a nested cargo.

use std::ffi::OsStr;
use std::process::Command;

/// What the calling cargo sets for a build script or a test, and what chooses flags, wrappers or another
/// target for the host: none of it is meant for the component.
const LEAKING: &[&str] = &[
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTC_BOOTSTRAP",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "HOST",
    "TARGET",
    "OUT_DIR",
    "PROFILE",
    "DEBUG",
    "OPT_LEVEL",
    "NUM_JOBS",
    "MAKEFLAGS",
    "MFLAGS",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// Of cargo's own variables, these say where things are and how to reach registries.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "CARGO_REGISTRY_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];

/// Removes from a command's environment what would leak into the build.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if leaks(&name) {
            command.env_remove(name);
        }
    }
}

fn leaks(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    LEAKING.contains(&name)
        || (name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_calling_build_set_leaks_and_what_finds_registries_does_not() {
        for name in [
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_FEATURE_X",
            "CARGO_MAKEFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "RUSTC_WORKSPACE_WRAPPER",
        ] {
            assert!(leaks(OsStr::new(name)), "{name}");
        }
        for name in [
            "PATH",
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "RUSTUP_TOOLCHAIN",
            "CARGO",
        ] {
            assert!(!leaks(OsStr::new(name)), "{name}");
        }
    }
}

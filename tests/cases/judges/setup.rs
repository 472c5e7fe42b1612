//! `setup.sh`: what a bare machine lacks is named at once, and installed where that is allowed.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

/// What the script itself runs.
const TOOLS: [&str; 9] = [
    "bash", "grep", "sed", "uname", "env", "tr", "sort", "true", "id",
];

/// A machine: a directory of programs, and the log of what was installed.
struct Machine {
    directory: tempfile::TempDir,
}

impl Machine {
    /// One that has nothing but what the script itself runs, and these programs.
    fn with(programs: &[(&str, &str)]) -> Machine {
        let machine = Machine {
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(machine.programs()).unwrap();
        for tool in TOOLS {
            let place = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(tool));
            let there = place.iter().find(|path| path.exists()).unwrap();
            symlink(there, machine.programs().join(tool)).unwrap();
        }
        for (name, script) in programs {
            machine.add(name, script);
        }
        machine
    }

    fn programs(&self) -> std::path::PathBuf {
        self.directory.path().join("bin")
    }

    fn add(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.programs().join(name);
        std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn setup(&self, purpose: &str, environment: &[(&str, &str)]) -> Output {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        Command::new("/bin/bash")
            .args(["-c", "set -euo pipefail; . ./setup.sh; setup \"$0\""])
            .arg(purpose)
            .current_dir(root)
            .env_clear()
            .env("PATH", self.programs())
            .env("HOME", self.directory.path())
            .env("INSTALLED", self.directory.path().join("installed"))
            .envs(environment.iter().copied())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// What package managers were told.
    fn installed(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("installed")).unwrap_or_default()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const APT: (&str, &str) = ("apt-get", "echo \"apt-get $*\" >>\"$INSTALLED\"");
const SUDO: (&str, &str) = (
    "sudo",
    "while [[ $1 == -n ]]; do shift; done\necho sudo >>\"$INSTALLED\"\nexec \"$@\"",
);

#[test]
fn what_is_missing_is_named_as_one_command() {
    // Debian 12: its compiler for browsers is new enough.
    let machine = Machine::with(&[
        APT,
        ("apt-cache", "echo '  Candidate: 9.96.0+dfsg1-1~deb12u2'"),
    ]);
    let run = machine.setup("tests", &[("ICEHOST_NO_INSTALL", "1")]);
    assert_eq!(run.status.code(), Some(1));
    let said = stderr(&run);
    let command = said
        .lines()
        .find(|line| line.starts_with("hint: "))
        .unwrap();
    assert!(command.contains("apt-get update && "), "{command}");
    for package in [
        "build-essential",
        "rustc-web",
        "cargo-web",
        "rust-web-src",
        "clang",
        "lld",
        "freetds-bin",
        "openssl",
        "docker-registry",
        "nodejs npm",
        "python3-venv",
    ] {
        assert!(command.contains(package), "{package}: {said}");
    }
    assert_eq!(said.lines().count(), 2, "{said}");
    assert_eq!(machine.installed(), "", "nothing is touched");
    // The demo needs less.
    let run = machine.setup("build", &[("ICEHOST_NO_INSTALL", "1")]);
    assert!(!stderr(&run).contains("freetds"), "{}", stderr(&run));
}

#[test]
fn without_packages_rust_and_its_target_are_named() {
    let machine = Machine::with(&[]);
    let run = machine.setup("build", &[]);
    assert_eq!(run.status.code(), Some(1));
    let said = stderr(&run);
    assert!(said.contains("Rust 1."), "{said}");
    assert!(said.contains("https://rustup.rs"), "{said}");
    // An old compiler is none, and rustup has a newer one.
    machine.add("rustc", "[[ $1 == --version ]] && echo 'rustc 1.60.0 (x)'");
    machine.add("cargo", "echo 'cargo 1.60.0 (x)'");
    machine.add("rustup", "echo \"rustup $*\" >>\"$INSTALLED\"");
    machine.add("cc", "");
    let run = machine.setup("build", &[]);
    // It stays as it is here, and so the script ends with an error.
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(
        machine.installed(),
        "rustup toolchain install stable --profile minimal --no-self-update\n\
         rustup target add wasm32-unknown-unknown\n"
    );
}

#[test]
fn what_is_installed_is_said_before_and_asks_nothing() {
    let machine = Machine::with(&[
        APT,
        SUDO,
        ("apt-cache", "echo '  Candidate: 9.96.0+dfsg1-1'"),
    ]);
    let run = machine.setup("tests", &[("CI", "true")]);
    let said = stderr(&run);
    assert!(said.contains("installing with apt-get: "), "{said}");
    let installed = machine.installed();
    let orders: Vec<&str> = installed.lines().filter(|line| *line != "sudo").collect();
    assert_eq!(orders.len(), 2, "{installed}");
    assert_eq!(orders[0], "apt-get update -qq");
    let install = "apt-get install -y -qq --no-install-recommends ";
    assert!(orders[1].starts_with(install), "{installed}");
    assert!(orders[1].contains("rustc-web"), "{installed}");
}

#[test]
fn a_machine_that_has_all_is_left_alone() {
    let version = "[[ $1 == --version ]] && echo \"${0##*/} 9.99.0 (x)\" || echo /";
    let nothing = "exit 0";
    let mut programs = vec![("rustc", version), ("cargo", version)];
    for name in [
        "cc",
        "clang-19",
        "wasm-ld-19",
        "tsql",
        "openssl",
        "npm",
        "python3",
    ] {
        programs.push((name, nothing));
    }
    programs.push(("docker-registry", nothing));
    programs.push(("ldconfig", "echo libgssapi_krb5 libltdl"));
    let run = Machine::with(&programs).setup("tests", &[]);
    assert!(run.status.success(), "{}", stderr(&run));
    assert_eq!(stderr(&run), "");
}

/// The build script of the program itself, which waits for no other crate.
#[test]
fn a_build_without_the_target_fails_before_anything_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/cli");
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "--crate-name", "build_script", "-o"])
        .arg(&script)
        .arg(root.join("build.rs"))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", stderr(&compiled));
    let run = |path: &std::ffi::OsStr| {
        Command::new(&script)
            .env("PATH", path)
            .env("CARGO_MANIFEST_DIR", &root)
            .env("OUT_DIR", directory.path())
            .output()
            .unwrap()
    };
    let there = run(&std::env::var_os("PATH").unwrap());
    assert!(there.status.success(), "{}", stderr(&there));
    let bare = Machine::with(&[("rustc", "echo /nowhere")]);
    let run = run(bare.programs().as_os_str());
    // Debian's own compiler may be there; its linker is not on the path.
    assert_eq!(run.status.code(), Some(1));
    let said = stderr(&run);
    assert!(
        said.contains("rustup target add wasm32-unknown-unknown"),
        "{said}"
    );
}

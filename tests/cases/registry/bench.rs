//! What the cases work on: a registry and a directory, and a database where one is needed.

use std::path::PathBuf;
use std::process::Command as Process;

use icehost_tests::registry::TestRegistry;
use icehost_tests::{Bed, Command, customers};
use tempfile::TempDir;

/// A registry with `acme/timestamp:1` and the directory of those who use it.
pub(crate) struct Bench {
    pub(crate) registry: TestRegistry,
    directory: TempDir,
}

impl Bench {
    /// A registry that is empty.
    pub(crate) fn empty() -> Bench {
        Bench {
            registry: TestRegistry::start(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A registry with the shipped strategy `timestamp` in it, as version 1.
    pub(crate) fn new() -> Bench {
        let bench = Bench::empty();
        bench.push("timestamp", "1").run().success();
        bench.registry.seen();
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// `icehost` with a cache of the bench's own, and no login but what a case gives.
    pub(crate) fn icehost<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        Command::new(arguments)
            .args(["--cache-dir", &self.text("cache")])
            .env("DOCKER_CONFIG", &self.text("docker"))
    }

    /// `icehost plugin push` of a shipped strategy to `acme/timestamp`.
    pub(crate) fn push(&self, strategy: &str, tag: &str) -> Command {
        let reference = self.registry.reference(&format!("timestamp:{tag}"));
        self.icehost(["plugin", "push", strategy, &reference])
    }

    /// `icehost plugin pull` of a version of `acme/timestamp`, to `out.wasm`.
    pub(crate) fn pull(&self, tag: &str) -> Command {
        let reference = self.registry.reference(&format!("timestamp:{tag}"));
        self.icehost([
            "plugin",
            "pull",
            &reference,
            "--out",
            &self.text("out.wasm"),
        ])
    }

    /// `icehost plugin lock` of the configuration file.
    pub(crate) fn lock(&self) -> Command {
        self.with_config(["plugin", "lock"])
    }

    /// `icehost SUBCOMMAND --config` with the configuration file.
    pub(crate) fn with_config<'a>(&self, subcommand: impl IntoIterator<Item = &'a str>) -> Command {
        self.icehost(subcommand)
            .args(["--config", &self.text("icehost.toml")])
    }

    /// A configuration file with a pipeline whose strategy is version 1 in the registry; `more` says more of
    /// the strategy, and of what follows it.
    pub(crate) fn configure(&self, bed: &Bed, more: &str) {
        let text = format!(
            "warehouse = 'lake'\n\
             [connections.source]\nurl = \"{}\"\nallow-inline-secret = true\n\
             [pipelines.customers]\nsource = 'source'\ntable = 'dbo.Customers'\nstrategy = 'mine'\nmerge = 'upsert'\n\
             [strategies.mine]\nregistry = '{}'\n{more}",
            bed.source_url(),
            self.registry.reference("timestamp:1"),
        );
        std::fs::write(self.path("icehost.toml"), text).unwrap();
    }

    pub(crate) fn lock_file(&self) -> String {
        std::fs::read_to_string(self.path("icehost.lock")).unwrap()
    }

    /// The files that are kept of what registries gave.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        match std::fs::read_dir(self.path("cache/registry")) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// A pair of keys of `openssl`: the files of the private and the public one.
    pub(crate) fn keys(&self, name: &str) -> (String, String) {
        let private = self.text(&format!("{name}.pem"));
        let public = self.text(&format!("{name}.pub"));
        openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &private,
        ]);
        openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]);
        (private, public)
    }
}

/// Five customers, for pipelines.
pub(crate) fn bed() -> Bed {
    customers::bed(5)
}

/// Runs `openssl`, and gives what it prints.
pub(crate) fn openssl(arguments: &[&str]) -> String {
    let output = Process::new("openssl")
        .args(arguments)
        .output()
        .expect("openssl on the PATH");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "openssl {arguments:?}: {said}{wrong}"
    );
    said
}

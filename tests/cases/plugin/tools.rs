//! What is said where a tool is missing, or says no.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use icehost_tests::{Bed, Command};

/// A new strategy in a language, and a directory that will be all of its search path.
fn made(bed: &Bed, language: &str) -> (String, String) {
    made_of(bed, language, "merger")
}

fn made_of(bed: &Bed, language: &str, kind: &str) -> (String, String) {
    let directory = bed.path(language).display().to_string();
    Command::new(["plugin", "new", &directory, "--kind", kind])
        .args(["--lang", language])
        .run()
        .success();
    let programs = bed.path("programs");
    fs::create_dir_all(&programs).unwrap();
    (directory, programs.display().to_string())
}

/// A program that complains and fails.
fn failing(bed: &Bed, name: &str) {
    program(bed, name, "echo 'the registry is far away' >&2\nexit 7");
}

fn program(bed: &Bed, name: &str, script: &str) {
    let path = bed.path("programs").join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_tool_that_is_missing_is_named_with_what_to_install() {
    let bed = Bed::new();
    for (language, says, hint) in [
        ("javascript", "no npm on the PATH", "install Node.js"),
        ("python", "no python3 on the PATH", "install Python"),
        (
            "c",
            "neither clang nor clang-N",
            "apt-get install clang lld",
        ),
    ] {
        let (directory, path) = made(&bed, language);
        Command::new(["plugin", "build", &directory])
            .env("PATH", &path)
            .run()
            .failure(&["cannot find", says, "hint", hint]);
    }
    let (directory, path) = made(&bed, "rust");
    Command::new(["plugin", "build", &directory])
        .env("PATH", &path)
        .env("CARGO", "cargo")
        .run()
        .failure(&["cannot run cargo", "hint: install Rust 1.95 or later"]);
}

#[test]
fn where_there_is_no_strategy_and_where_there_are_no_cases_is_told() {
    let place = tempfile::tempdir().unwrap();
    let here = |arguments: [&'static str; 3]| Command::new(arguments).in_directory(place.path());
    here(["plugin", "build", "nowhere"])
        .run()
        .failure(&["no strategy at nowhere: there is no such directory"]);
    std::fs::create_dir(place.path().join("empty")).unwrap();
    here(["plugin", "build", "empty"])
        .run()
        .failure(&["found none of Cargo.toml", "for Rust a Cargo.toml"]);
    for command in ["test", "bench"] {
        here(["plugin", command, "timestamp"]).run().failure(&[
            "'timestamp' is shipped without cases, and there is no directory cases here",
            "--cases",
        ]);
    }
}

/// An error that is the same each time is no second answer; the case tells it.
#[test]
fn a_case_that_ends_in_an_error_each_time_is_told_once() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(
        place.path().join("cases.toml"),
        "[table]\nname = \"dbo.T\"\ncolumns = [\"Id int key\"]\n[[case]]\nname = \"one\"\n[case.expect]\nplan = \"x\"\n",
    )
    .unwrap();
    let test = ["plugin", "test", "timestamp", "--cases", "cases.toml"];
    let test = || Command::new(test).in_directory(place.path());
    let run = test().run().failure(&["1 of 3 checks do not hold"]);
    assert!(run.stdout.contains("got an error"), "{}", run.stdout);
    assert!(!run.stdout.contains("two answers"), "{}", run.stdout);
    // Quietly, what holds is not told.
    let quiet = test().arg("-q").run().failure(&[]);
    assert!(quiet.stdout.starts_with("FAIL"), "{}", quiet.stdout);
}

#[test]
fn what_a_strategy_imports_is_installed_even_where_the_tool_is_there() {
    let bed = Bed::new();
    let (directory, path) = made_of(&bed, "javascript", "batch-transformer");
    program(&bed, "componentize-js", "echo 0.23.0");
    failing(&bed, "npm");
    Command::new(["plugin", "build", &directory])
        .env("PATH", &format!("{path}:/bin:/usr/bin"))
        .run()
        .failure(&["installing", "npm failed", "far away", "hint"]);
}

/// npm leaves a lock file among the sources.
#[test]
fn an_installation_does_not_make_the_next_build_a_new_one() {
    let bed = Bed::new();
    let (made_in_c, _) = made(&bed, "c");
    let component = bed.path("c.wasm").display().to_string();
    Command::new(["plugin", "build", &made_in_c, "--out", &component])
        .run()
        .success();
    let (directory, path) = made(&bed, "javascript");
    let builds = bed.path("builds");
    program(
        &bed,
        "tool",
        &format!(
            "if [ \"$1\" = --version ]; then echo 0.23.0; exit; fi\n\
             echo built >> {}\nwhile [ \"$1\" != --out ]; do shift; done\ncp {component} \"$2\"",
            builds.display()
        ),
    );
    program(
        &bed,
        "npm",
        "echo '{}' > package-lock.json\nmkdir -p node_modules/.bin\ncp $(dirname $0)/tool node_modules/.bin/componentize-js",
    );
    for _ in 0..2 {
        Command::new(["plugin", "build", &directory, "--out", &component])
            .env("PATH", &format!("{path}:/bin:/usr/bin"))
            .run()
            .success();
    }
    assert_eq!(fs::read_to_string(builds).unwrap(), "built\n");
}

#[test]
fn an_installation_that_fails_is_told_with_its_reason() {
    let bed = Bed::new();
    for (language, program, says) in [
        ("javascript", "npm", "npm failed"),
        ("python", "python3", "python3 failed"),
    ] {
        let (directory, path) = made(&bed, language);
        failing(&bed, program);
        Command::new(["plugin", "test", &directory])
            .env("PATH", &path)
            .run()
            .failure(&["installing", "cannot find", says, "far away", "hint"]);
    }
}

#[test]
fn what_the_compiler_says_is_shown() {
    let bed = Bed::new();
    let (directory, _) = made(&bed, "c");
    fs::write(bed.path("c/strategy.c"), "int wrong = ;\n").unwrap();
    Command::new(["plugin", "build", &directory])
        .run()
        .failure(&["clang failed", "strategy.c:1", "expected expression"]);
}

#[test]
fn a_world_that_the_contract_does_not_have_is_refused() {
    let bed = Bed::new();
    let (directory, _) = made(&bed, "c");
    fs::write(
        bed.path("c/strategy.toml"),
        "name = \"c\"\nworld = \"oracle\"\n",
    )
    .unwrap();
    Command::new(["plugin", "build", &directory])
        .run()
        .failure(&["cannot use the contract", "oracle", "hint"]);
}

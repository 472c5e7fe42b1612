//! Help, completions and manual pages: they tell of every command.

use icehost_tests::Command;

const COMMANDS: [&str; 10] = [
    "sync",
    "check",
    "load",
    "verify",
    "snapshots",
    "table",
    "watermark",
    "plugin",
    "completions",
    "man",
];

fn printed(arguments: &[&str]) -> String {
    let run = Command::new(arguments.iter().copied()).run();
    assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stderr);
    assert_eq!(run.stderr, "", "{arguments:?}");
    run.stdout
}

#[test]
fn completions_know_every_command_and_its_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("lake-table"), "{shell}");
    }
    // A shell that reads them accepts them.
    let script = printed(&["completions", "bash"]);
    let checked = std::process::Command::new("bash")
        .args(["-n", "-c", &script])
        .status();
    assert!(checked.unwrap().success());
}

#[test]
fn manual_pages_know_every_command() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH icehost 1"), "{page}");
    for command in COMMANDS {
        assert!(page.contains(&format!("icehost\\-{command}")), "{command}");
    }
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    printed(&["man", &pages.display().to_string()]);
    for command in COMMANDS {
        assert!(
            pages.join(format!("icehost-{command}.1")).exists(),
            "{command}"
        );
    }
    std::fs::write(directory.path().join("file"), "").unwrap();
    let file = directory.path().join("file").display().to_string();
    Command::new(["man", &file])
        .run()
        .failure(&["cannot write manual pages to", "hint"]);
}

#[test]
fn help_is_in_groups_with_examples_and_lists_what_is_shipped() {
    for command in COMMANDS {
        let help = printed(&[command, "--help"]);
        assert!(help.contains("Examples:\n  icehost "), "{help}");
        for line in help.lines() {
            assert!(line.len() <= 130, "{line}");
        }
    }
    let help = printed(&["sync", "--help"]);
    for group in [
        "Source:",
        "Lake:",
        "Target:",
        "Strategies and rules:",
        "Limits:",
        "Waits:",
    ] {
        assert!(help.lines().any(|line| line == group), "{group}: {help}");
    }
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for shipped in [
        "(timestamp, id, rowversion, full-refresh)",
        "(upsert, append-only, soft-delete, scd2)",
        "(mask, tenant-filter)",
    ] {
        assert!(words.contains(shipped), "{shipped}: {help}");
    }
    // Each is listed with what it is.
    let listed = Command::new(["plugin", "list"]).json();
    for strategy in listed["strategies"].as_array().unwrap() {
        let list = match strategy["kind"].as_str().unwrap() {
            "change-detector" => "(timestamp, id, rowversion, full-refresh)",
            "merger" => "(upsert, append-only, soft-delete, scd2)",
            _ => "(mask, tenant-filter)",
        };
        assert!(
            list.contains(strategy["name"].as_str().unwrap()),
            "{strategy}"
        );
    }
}

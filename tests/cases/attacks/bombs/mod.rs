//! Bombs: components that take a compiler's time and memory. Only to look at one must not take a machine's.

mod generator;

use std::fs;
use std::time::Duration;

use icehost_tests::{Bed, Command, customers};

use generator::{Bomb, Seeded, counted, uncounted};

/// Most that `icehost` itself takes while it looks at one, in a debug build, beside what the system bounds.
const MOST_MEMORY: u64 = 512 << 20;

fn file(bed: &Bed, bomb: &Bomb) -> String {
    let path = bed.path(&format!("{}.wasm", bomb.name.replace(' ', "-")));
    fs::write(&path, &bomb.bytes).unwrap();
    path.display().to_string()
}

fn inspect(bed: &Bed, bomb: &Bomb) {
    let path = file(bed, bomb);
    let (run, memory) = Command::new(["plugin", "inspect", &path, "--no-cache"]).run_watched();
    let run = run.failure(&["cannot load strategy"]);
    let said = bomb.says.iter().any(|says| run.stderr.contains(says));
    assert!(said, "{}: {}", bomb.name, run.stderr);
    assert!(memory < MOST_MEMORY, "{}: {} MiB", bomb.name, memory >> 20);
}

#[test]
fn what_there_is_too_much_of_is_counted_before_anything_is_compiled() {
    let bed = Bed::new();
    let bombs = counted(&mut Seeded(12));
    assert_eq!(bombs.len(), 20);
    for bomb in bombs {
        inspect(&bed, &bomb);
    }
}

#[test]
fn what_no_count_tells_is_stopped_by_the_system() {
    let bed = Bed::new();
    for bomb in uncounted() {
        inspect(&bed, &bomb);
    }
}

/// Each of the two walls, for each command that loads a strategy.
#[test]
fn every_command_that_looks_at_a_bomb_is_behind_the_same_walls() {
    let bed = customers::bed_on_development_server(1);
    let counted = counted(&mut Seeded(13)).remove(0);
    let stopped = uncounted().remove(0);
    let config = bed.path("icehost.toml");
    for bomb in [counted, stopped] {
        let path = file(&bed, &bomb);
        let text = format!(
            "warehouse = \"w\"\n[connections.c]\nurl = \"{}\"\nallow-inline-secret = true\n[strategies.bomb]\n\
             file = \"{path}\"\n[pipelines.p]\nsource = \"c\"\ntable = \"dbo.Customers\"\n\
             strategy = \"bomb\"\nmerge = \"upsert\"\n",
            bed.source_url(),
        );
        fs::write(&config, text).unwrap();
        let config = config.display().to_string();
        let commands = [
            Command::new(["check", "--config", &config, "--no-cache"]),
            Command::new(["sync", "--config", &config, "--no-cache"]),
            bed.sync("dbo.Customers", "demo.customers").args([
                "--strategy",
                &path,
                "--merge",
                "upsert",
                "--no-cache",
            ]),
            Command::new(["plugin", "push", &path, "127.0.0.1:1/a/b:1", "--plain-http"])
                .arg("--no-cache"),
            Command::new(["plugin", "explain", &path, "--no-cache"]),
        ];
        for command in commands {
            let run = command.run();
            let said = bomb
                .says
                .iter()
                .any(|says| run.stderr.contains(says) || run.stdout.contains(says));
            assert!(said && run.code == Some(1), "{command:?}\n{run:?}");
        }
    }
}

/// Whoever waits for a compiler may be told to stop, and the compiler goes with it.
#[test]
fn a_compiler_goes_with_who_started_it() {
    let bed = Bed::new();
    let path = file(&bed, &uncounted().remove(0));
    let mut child = Command::new(["plugin", "inspect", &path, "--no-cache"]).spawn();
    let compilers = || -> Vec<u32> {
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|id: &u32| {
                let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
                status.contains(&format!("\nPPid:\t{}\n", child.id()))
            })
            .collect()
    };
    let compiler = loop {
        if let [compiler] = compilers()[..] {
            break compiler;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let ends = || {
        let status = fs::read_to_string(format!("/proc/{compiler}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    };
    let started = std::time::Instant::now();
    while !ends() {
        assert!(started.elapsed() < Duration::from_secs(20), "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

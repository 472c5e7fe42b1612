//! Configurations that are small to write and large to carry out.

use std::fmt::Write;
use std::fs;

use icehost_tests::{Bed, Command};

/// Strategies of one component, each with limits of its own.
const STRATEGIES: u32 = 400;
/// What one takes in a debug build is some 50 MiB; with an engine for each they took 320.
const MOST_MEMORY: u64 = 160 << 20;

#[test]
fn strategies_with_limits_of_their_own_share_what_is_compiled() {
    let bed = Bed::new();
    let mut text = format!(
        "warehouse = \"w\"\n[connections.c]\nurl = \"{}\"\nallow-inline-secret = true\n",
        bed.source_url()
    );
    for n in 1..=STRATEGIES {
        write!(
            text,
            "[strategies.s{n}]\nshipped = \"upsert\"\ntimeout = {}.{:02}\nmemory = 16\n\
             [pipelines.p{n}]\nsource = \"c\"\ntable = \"dbo.T{n}\"\nstrategy = \"full-refresh\"\n\
             merge = \"s{n}\"\nlake-table = \"demo.t{n}\"\n",
            n / 100 + 5,
            n % 100,
        )
        .unwrap();
    }
    let file = bed.path("icehost.toml");
    fs::write(&file, text).unwrap();
    let (run, memory) = Command::new(["check", "--offline", "--config"])
        .arg(file.display().to_string())
        .run_watched();
    run.success();
    assert!(memory < MOST_MEMORY, "{} MiB", memory >> 20);
}

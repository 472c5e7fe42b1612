//! docs/distribution.md, as its reader would follow it.

use std::process::Command;

use icehost_tests::blocks;

use crate::bench::{Bench, bed};

const PAGE: &str = include_str!("../../../docs/distribution.md");

#[test]
fn every_block_of_the_page_on_registries_works() {
    let bench = Bench::empty();
    let bed = bed();
    let here = |text: &str| text.replace("ghcr.io", &bench.registry.host());
    bench.configure(&bed, "");
    let config = std::fs::read_to_string(bench.path("icehost.toml")).unwrap();
    let (connection, _) = config.split_once("[strategies.mine]").unwrap();
    let [strategies] = blocks(PAGE, "toml")[..] else {
        panic!("the page shows one part of a configuration file");
    };
    let config = connection.replace("'mine'", "'by-version'") + &here(strategies);
    std::fs::write(bench.path("icehost.toml"), config).unwrap();

    let lines: Vec<&str> = blocks(PAGE, "console")
        .into_iter()
        .flat_map(str::lines)
        .map(|line| line.strip_prefix("$ ").expect("a command"))
        .collect();
    assert_eq!(lines.len(), 7);
    let programs = bench.path("bin");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(icehost_tests::program(), programs.join("icehost")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    for line in lines {
        // The page's strategy is one that is shipped here.
        let line = here(line).replace("./by-version.wasm", "timestamp");
        let output = Command::new("sh")
            .args(["-ec", &line])
            .current_dir(bench.path("."))
            .env("PATH", &path)
            .env("ICEHOST_CACHE_DIR", bench.path("cache"))
            .env("DOCKER_CONFIG", bench.path("docker"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "$ {line}\n{said}");
    }
    assert!(bench.lock_file().contains("signed-by"));
    assert!(bench.path("lake/dbo/customers/metadata").is_dir());
    assert!(bench.path("pulled.wasm").exists());
}

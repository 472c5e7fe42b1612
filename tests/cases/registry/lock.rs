//! `icehost.lock`: what runs take, and what they do not.

use icehost_tests::Command;

use crate::bench::{Bench, bed};

#[test]
fn a_run_takes_what_is_locked_and_asks_nobody() {
    let bench = Bench::new();
    let bed = bed();
    bench.configure(&bed, "");
    for subcommand in [&["sync"][..], &["check"], &["check", "--offline"]] {
        bench
            .with_config(subcommand.iter().copied())
            .run()
            .failure(&[
                "strategy mine: ",
                "timestamp:1 is not in ",
                "icehost.lock",
                "icehost plugin lock",
            ]);
    }
    let locked = bench.lock().json();
    let (digest, manifest) = bench.registry.manifest("timestamp", "1");
    let entry = &locked["components"][0];
    assert_eq!(entry["manifest"], digest.as_str());
    assert_eq!(entry["state"], "locked");
    let text = bench.lock_file();
    let layer = &manifest["layers"][0];
    for line in [
        format!(
            "[components.\"{}\"]",
            bench.registry.reference("timestamp:1")
        ),
        format!("manifest = \"{digest}\""),
        format!("sha256 = {}", layer["digest"]),
        format!("size = {}", layer["size"]),
    ] {
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    bench.registry.seen();
    let run = bench.with_config(["sync"]).json();
    assert_eq!(run["pipelines"][0]["report"]["rows_appended"], 5);
    bench.with_config(["check", "--offline"]).run().success();
    assert_eq!(bench.registry.seen(), []);
    // The registry may be gone.
    drop(bench.registry);
}

#[test]
fn a_tag_that_moved_is_told_and_taken_only_on_request() {
    let bench = Bench::new();
    let bed = bed();
    bench.configure(&bed, "");
    bench.lock().run().success();
    let text = bench.lock_file();
    let before = bench.registry.manifest("timestamp", "1").0;
    bench.push("id", "1").arg("--overwrite").run().success();
    let after = bench.registry.manifest("timestamp", "1").0;

    let kept = bench.lock().args(["--output", "json"]).run().success();
    for text in [&before, &after, "--update"] {
        assert!(kept.stderr.contains(text), "{}", kept.stderr);
    }
    assert_eq!(kept.json()["components"][0]["state"], "kept");
    assert_eq!(kept.json()["components"][0]["moved_to"], after.as_str());
    assert_eq!(kept.json()["written"], false);
    assert_eq!(bench.lock_file(), text);
    let checked = bench.with_config(["check"]).run().success();
    assert!(checked.stderr.contains(&after), "{}", checked.stderr);
    // Fetched anew, it is still what was locked: `id` would miss its column here.
    std::fs::remove_dir_all(bench.path("cache")).unwrap();
    bench.with_config(["sync"]).run().success();

    let updated = bench.lock().arg("--update").json();
    assert_eq!(updated["components"][0]["state"], "updated");
    assert!(bench.lock_file().contains(&after));
    assert!(!bench.lock_file().contains(&before));
}

#[test]
fn a_damaged_file_is_fetched_again_or_refused() {
    let bench = Bench::new();
    let bed = bed();
    bench.configure(&bed, "");
    bench.lock().run().success();
    let [file] = &bench.kept()[..] else {
        panic!("{:?}", bench.kept());
    };
    let sound = std::fs::read(file).unwrap();
    let damage = || {
        let mut bytes = sound.clone();
        bytes[100] ^= 1;
        std::fs::write(file, bytes).unwrap();
    };
    damage();
    bench.with_config(["check", "--offline"]).run().failure(&[
        "is damaged",
        "is not on this machine",
        "icehost plugin lock",
    ]);
    let run = bench.with_config(["sync"]).run().success();
    assert!(run.stderr.contains("is damaged"), "{}", run.stderr);
    assert_eq!(std::fs::read(file).unwrap(), sound);
    damage();
    bench.lock().run().success();
    assert_eq!(std::fs::read(file).unwrap(), sound);
    // With nothing kept, it is fetched for this run.
    damage();
    let nothing_kept = Command::new(["sync", "--no-cache"]).args([
        "--config",
        &bench.path("icehost.toml").display().to_string(),
    ]);
    nothing_kept.run().success();
    assert_ne!(std::fs::read(file).unwrap(), sound);
}

#[test]
fn a_lock_follows_the_file() {
    let bench = Bench::new();
    let bed = bed();
    bench.push("id", "2").run().success();
    let second = format!(
        "[strategies.other]\nregistry = '{}'\n",
        bench.registry.reference("timestamp:2")
    );
    bench.configure(&bed, &second);
    let locked = bench.lock().json();
    assert_eq!(locked["components"].as_array().unwrap().len(), 2);
    let both = bench.lock_file();
    // The same again writes nothing, and a lock without an entry gets it back as it was.
    assert_eq!(bench.lock().json()["written"], false);
    bench.configure(&bed, "");
    let locked = bench.lock().json();
    assert_eq!(locked["dropped"], 1);
    assert!(!bench.lock_file().contains("timestamp:2"));
    bench.configure(&bed, &second);
    bench.lock().run().success();
    assert_eq!(bench.lock_file(), both);
}

#[test]
fn a_lock_that_was_tampered_with_is_no_way_around_the_digests() {
    let bench = Bench::new();
    let bed = bed();
    bench.push("id", "2").run().success();
    bench.configure(&bed, "");
    bench.lock().run().success();
    let text = bench.lock_file();
    let layer = |tag: &str| {
        let (_, manifest) = bench.registry.manifest("timestamp", tag);
        manifest["layers"][0]["digest"].as_str().unwrap().to_owned()
    };
    std::fs::write(
        bench.path("icehost.lock"),
        text.replace(&layer("1"), &layer("2")),
    )
    .unwrap();
    bench
        .with_config(["sync"])
        .run()
        .failure(&["is refused: its manifest has the component"]);
    std::fs::write(bench.path("icehost.lock"), "version = 9\n").unwrap();
    bench
        .with_config(["sync"])
        .run()
        .failure(&["icehost.lock: it has version 9"]);
    std::fs::write(bench.path("icehost.lock"), "version = ").unwrap();
    bench
        .with_config(["check", "--offline"])
        .run()
        .failure(&["cannot read", "icehost.lock"]);
    bench.lock().run().failure(&["cannot read", "icehost.lock"]);
}

#[test]
fn a_pin_counts_beside_the_lock() {
    let bench = Bench::new();
    let bed = bed();
    bench.configure(&bed, &format!("sha256 = '{}'\n", "0".repeat(64)));
    bench
        .lock()
        .run()
        .failure(&["strategy mine is not the one that was pinned"]);
    assert!(bench.kept().is_empty());
    bench.configure(&bed, "");
    bench.lock().run().success();
    bench.configure(&bed, &format!("sha256 = '{}'\n", "0".repeat(64)));
    bench
        .with_config(["sync"])
        .run()
        .failure(&["strategy mine is not the one that was pinned"]);
}

#[test]
fn what_is_no_strategy_is_not_locked() {
    let bench = Bench::new();
    let bed = bed();
    bench.configure(&bed, "");
    // A layer whose digest fits, and which is no strategy: the configuration of the artifact.
    bench
        .registry
        .change_manifest("timestamp", "1", |manifest| {
            for key in ["digest", "size"] {
                manifest["layers"][0][key] = manifest["config"][key].clone();
            }
        });
    bench.lock().run().failure(&["not WebAssembly"]);
    assert!(!bench.path("icehost.lock").exists());
    assert!(bench.kept().is_empty());
}

#[test]
fn mistakes_are_told_with_their_places() {
    let bench = Bench::empty();
    let bed = bed();
    bench.configure(&bed, "file = 'x.wasm'\n[strategies.a]\nregistry = 'acme/x'\n[strategies.b]\nfile = 'b.wasm'\npublic-key = 'k'\n[registry]\npublickey = 'k'\n");
    bench.lock().run().failure(&[
        "strategy mine has both 'file' and 'registry'",
        "'acme/x' is no registry reference: it names no registry",
        "'public-key' stands without 'registry'",
        "there is no key 'publickey' in [registry]",
        "did you mean 'public-key'?",
    ]);
    let text = std::fs::read_to_string(bench.path("icehost.toml")).unwrap();
    let text = text.replace("strategy = 'mine'", "strategy = 'oci://ghcr.io/acme/x:1'");
    std::fs::write(bench.path("icehost.toml"), text).unwrap();
    bench.lock().run().failure(&[
        "is a registry reference, where a strategy's name is wanted",
        "[strategies.NAME]",
    ]);
}

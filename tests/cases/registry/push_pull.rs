//! `icehost plugin push` and `icehost plugin pull`.

use icehost_tests::Command;

use crate::bench::Bench;

#[test]
fn what_is_pushed_is_pulled_byte_for_byte() {
    let bench = Bench::empty();
    let pushed = bench.push("timestamp", "1.2.0").json();
    assert_eq!(pushed["unchanged"], false);
    let (digest, manifest) = bench.registry.manifest("timestamp", "1.2.0");
    assert_eq!(pushed["manifest"], digest.as_str());
    // The ecosystem's format, as oci-wasm describes it.
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    let config = bench
        .registry
        .blob("timestamp", manifest["config"]["digest"].as_str().unwrap());
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
    let listed = |key: &str| config["component"][key].to_string();
    assert!(
        listed("exports").contains("icehost:strategy/change-detection@"),
        "{config}"
    );
    assert!(
        listed("imports").contains("icehost:strategy/logging@"),
        "{config}"
    );
    assert!(
        listed("target").contains("icehost:strategy/change-detector@"),
        "{config}"
    );

    let pulled = bench.pull("1.2.0").json();
    let inspected = Command::new(["plugin", "inspect", "timestamp"]).json();
    assert_eq!(pulled["sha256"], inspected["strategies"][0]["sha256"]);
    for key in ["reference", "manifest", "sha256", "size"] {
        assert_eq!(pulled[key], pushed[key], "{key}");
    }
    // What was pulled is a file as any other.
    let file = bench.path("out.wasm").display().to_string();
    Command::new(["plugin", "inspect", &file]).run().success();
}

#[test]
fn a_version_is_pushed_once_and_replaced_only_on_request() {
    let bench = Bench::new();
    let before = bench.registry.manifest("timestamp", "1").0;
    // The same bytes leave the digest as it is, which others have locked.
    let again = bench.push("timestamp", "1").json();
    assert_eq!(again["unchanged"], true);
    assert_eq!(again["manifest"], before.as_str());
    bench
        .push("id", "1")
        .run()
        .failure(&["is there already", &before, "--overwrite"]);
    assert_eq!(bench.registry.manifest("timestamp", "1").0, before);
    bench.push("id", "1").arg("--overwrite").run().success();
    assert_ne!(bench.registry.manifest("timestamp", "1").0, before);
}

#[test]
fn what_is_no_strategy_is_not_pushed() {
    let bench = Bench::empty();
    let file = bench.path("core.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let file = file.display().to_string();
    bench
        .push(&file, "1")
        .run()
        .failure(&["without an embedded component type"]);
    bench
        .push("nothing", "1")
        .run()
        .failure(&["there is no strategy 'nothing'"]);
    assert!(bench.registry.seen().is_empty());
}

#[test]
fn a_reference_says_host_and_version() {
    let bench = Bench::new();
    let host = bench.registry.host();
    let digest = format!(
        "{host}/acme/timestamp@{}",
        bench.registry.manifest("timestamp", "1").0
    );
    let out = bench.path("out.wasm").display().to_string();
    let pull = |reference: &str| bench.icehost(["plugin", "pull", reference, "--out", &out]);
    pull(&digest).run().success();
    pull(&format!("oci://{host}/acme/timestamp:1"))
        .run()
        .success();
    pull("acme/timestamp:1")
        .run()
        .failure(&["names no registry", "ghcr.io/acme"]);
    pull(&format!("{host}/acme/timestamp"))
        .run()
        .failure(&["names no version"]);
    pull(&format!("{host}/acme/timestamp:2"))
        .run()
        .failure(&["timestamp:2: ", "does not have it (404: manifest unknown)"]);
    bench
        .icehost(["plugin", "push", "id", &digest])
        .run()
        .failure(&["cannot push to"]);
    bench
        .icehost(["plugin", "pull", "127.0.0.1:1/acme/x:1"])
        .run()
        .failure(&["127.0.0.1:1/acme/x:1: cannot reach 127.0.0.1:1"]);
}

#[test]
fn a_reference_is_no_strategy_of_the_command_line() {
    let bench = Bench::new();
    let reference = format!("oci://{}", bench.registry.reference("timestamp:1"));
    bench
        .icehost(["plugin", "inspect", &reference])
        .run()
        .failure(&["is in a registry", "icehost plugin pull"]);
    assert!(bench.registry.seen().is_empty());
}

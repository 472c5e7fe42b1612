//! Registries that send something else than they should. Nothing of it is kept.

use icehost_tests::registry::{Misbehaviour, TestRegistry};
use serde_json::json;

use crate::bench::{Bench, bed};

#[track_caller]
fn refused(bench: &Bench, misbehaviour: Misbehaviour, saying: &[&str]) {
    bench.registry.misbehave(misbehaviour);
    let run = bench.pull("1").run().failure(saying);
    assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
    assert!(
        !run.stderr.contains(|c: char| c.is_control() && c != '\n'),
        "{:?}",
        run.stderr
    );
    assert!(!bench.path("out.wasm").exists());
}

#[test]
fn bytes_that_are_not_what_was_announced_are_refused() {
    let bench = Bench::new();
    refused(
        &bench,
        Misbehaviour::WrongBlob,
        &["is refused: the SHA-256 of what came is", "hint"],
    );
    refused(
        &bench,
        Misbehaviour::WrongManifest,
        &["is refused: the SHA-256 of its manifest is"],
    );
    refused(
        &bench,
        Misbehaviour::TruncatedBlob,
        &["cannot reach", &bench.registry.host()],
    );
    refused(
        &bench,
        Misbehaviour::EndlessBlob,
        &["is refused: it has more than"],
    );
    refused(
        &bench,
        Misbehaviour::HugeManifest,
        &["is refused: it has more than 1048576 bytes"],
    );
    refused(
        &bench,
        Misbehaviour::Fails,
        &[r"fails (500: no\u001b[31m luck\u202e)"],
    );
}

#[test]
fn manifests_that_are_no_components_are_refused_before_anything_is_fetched() {
    let bench = Bench::new();
    let manifest = |change: fn(&mut serde_json::Value), saying: &str| {
        let bench = Bench::new();
        bench.registry.change_manifest("timestamp", "1", change);
        bench.pull("1").run().failure(&["is refused", saying]);
        let asked = bench.registry.seen();
        assert!(
            asked.iter().all(|seen| !seen.request.contains("/blobs/")),
            "{asked:?}"
        );
    };
    manifest(
        |manifest| manifest["layers"][0]["size"] = json!(32 * 1024 * 1024 + 1),
        "33554433 bytes",
    );
    manifest(
        |manifest| manifest["config"]["mediaType"] = json!("a\u{1b}b"),
        r"no WebAssembly component but a\u001bb",
    );
    manifest(|manifest| manifest["layers"] = json!([]), "0 layers");
    manifest(
        |manifest| manifest["layers"][0]["digest"] = json!("sha256:../../x"),
        "its manifest is none",
    );
    manifest(
        |manifest| *manifest = json!({ "schemaVersion": 2, "manifests": [] }),
        "list of images",
    );
    manifest(|manifest| *manifest = json!([]), "is refused");
    // A size that does not fit is one that was not announced.
    bench
        .registry
        .change_manifest("timestamp", "1", |manifest| {
            manifest["layers"][0]["size"] = json!(5)
        });
    bench.pull("1").run().failure(&["it has more than 5 bytes"]);
}

#[test]
fn redirects_are_followed_a_few_times_and_get_no_credential() {
    let bench = Bench::new();
    // Registries keep their blobs elsewhere, and that is well.
    let elsewhere = TestRegistry::start();
    let own = format!("http://{}", bench.registry.host());
    refused(
        &bench,
        Misbehaviour::RedirectBlobs(own),
        &["redirects more than 5 times"],
    );
    refused(
        &bench,
        Misbehaviour::RedirectBlobs("ftp://example.com".to_owned()),
        &["is not https"],
    );
    refused(
        &bench,
        Misbehaviour::RedirectBlobs("file:///etc".to_owned()),
        &["redirects to file: and no host, which is not https"],
    );
    refused(
        &bench,
        Misbehaviour::RedirectBlobs("data:text/plain,x#".to_owned()),
        &["redirects to data: and no host, which is not https"],
    );
    refused(
        &bench,
        Misbehaviour::RedirectBlobs(format!("http://{}", elsewhere.host())),
        &["does not have it (404: blob unknown)"],
    );
    assert_eq!(elsewhere.seen().len(), 1);
}

#[test]
fn a_run_keeps_nothing_of_what_is_refused() {
    let bench = Bench::new();
    let bed = bed();
    bench.configure(&bed, "");
    bench.registry.misbehave(Misbehaviour::WrongBlob);
    bench
        .lock()
        .run()
        .failure(&["strategy mine: ", "is refused"]);
    assert!(bench.kept().is_empty());
    assert!(!bench.path("icehost.lock").exists());
    bench.registry.misbehave(None);
    bench.lock().run().success();
    // On another machine, the lock is there and the component is not.
    std::fs::remove_dir_all(bench.path("cache")).unwrap();
    bench.registry.misbehave(Misbehaviour::WrongBlob);
    bench.with_config(["sync"]).run().failure(&[
        "error: customers: ",
        "strategy mine: ",
        "is refused",
    ]);
    assert!(bench.kept().is_empty());
    assert!(!bench.path("lake").exists());
}

//! Signatures in cosign's format; `openssl` is the judge.

use crate::bench::{Bench, bed, openssl};

#[test]
fn a_signature_is_one_that_openssl_verifies() {
    let bench = Bench::empty();
    let (private, public) = bench.keys("author");
    let pushed = bench
        .push("timestamp", "1")
        .args(["--sign-key", &private])
        .json();
    let tag = format!(
        "{}.sig",
        pushed["manifest"].as_str().unwrap().replace(':', "-")
    );
    let (_, signature) = bench.registry.manifest("timestamp", &tag);
    let layer = &signature["layers"][0];
    assert_eq!(
        layer["mediaType"],
        "application/vnd.dev.cosign.simplesigning.v1+json"
    );
    let payload = bench
        .registry
        .blob("timestamp", layer["digest"].as_str().unwrap());
    let said: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(
        said["critical"]["image"]["docker-manifest-digest"],
        pushed["manifest"]
    );
    assert_eq!(said["critical"]["type"], "cosign container image signature");
    std::fs::write(bench.path("payload"), payload).unwrap();
    let text = layer["annotations"]["dev.cosignproject.cosign/signature"]
        .as_str()
        .unwrap();
    std::fs::write(bench.path("base64"), format!("{text}\n")).unwrap();
    let path = |name: &str| bench.path(name).display().to_string();
    openssl(&[
        "base64",
        "-d",
        "-A",
        "-in",
        &path("base64"),
        "-out",
        &path("signature"),
    ]);
    openssl(&[
        "dgst",
        "-sha256",
        "-verify",
        &public,
        "-signature",
        &path("signature"),
        &path("payload"),
    ]);

    bench
        .pull("1")
        .args(["--public-key", &public])
        .run()
        .success();
    // The key may come from the environment, and signing again adds nothing.
    bench
        .push("timestamp", "1")
        .args(["--sign-key-env", "SIGNING_KEY"])
        .env("SIGNING_KEY", &std::fs::read_to_string(&private).unwrap())
        .run()
        .success();
    assert_eq!(bench.registry.manifest("timestamp", &tag).1, signature);
}

#[test]
fn a_signature_of_openssl_is_taken() {
    let bench = Bench::new();
    let (private, public) = bench.keys("author");
    let (other, _) = bench.keys("other");
    // Somebody else's signature makes the manifest of signatures, and openssl's replaces it.
    bench
        .push("timestamp", "1")
        .args(["--sign-key", &other])
        .run()
        .success();
    let tag = format!(
        "{}.sig",
        bench
            .registry
            .manifest("timestamp", "1")
            .0
            .replace(':', "-")
    );
    let (_, signatures) = bench.registry.manifest("timestamp", &tag);
    let payload = bench.registry.blob(
        "timestamp",
        signatures["layers"][0]["digest"].as_str().unwrap(),
    );
    let path = |name: &str| bench.path(name).display().to_string();
    std::fs::write(path("payload"), payload).unwrap();
    openssl(&[
        "dgst",
        "-sha256",
        "-sign",
        &private,
        "-out",
        &path("signature"),
        &path("payload"),
    ]);
    let text = openssl(&["base64", "-A", "-in", &path("signature")]);
    bench
        .registry
        .change_manifest("timestamp", &tag, |manifest| {
            // Beside the other one: one that fits is enough.
            let mut layer = manifest["layers"][0].clone();
            layer["annotations"]["dev.cosignproject.cosign/signature"] = text.trim().into();
            manifest["layers"].as_array_mut().unwrap().push(layer);
        });
    bench
        .pull("1")
        .args(["--public-key", &public])
        .run()
        .success();
}

#[test]
fn what_is_not_signed_by_the_wanted_key_is_refused() {
    let bench = Bench::empty();
    let (private, public) = bench.keys("author");
    let (_, stranger) = bench.keys("stranger");
    let pull = |key: &str| bench.pull("1").args(["--public-key", key]).run();
    bench.push("timestamp", "1").run().success();
    pull(&public).failure(&["is refused: it is not signed", "--sign-key"]);
    bench
        .push("timestamp", "1")
        .args(["--sign-key", &private])
        .run()
        .success();
    pull(&stranger).failure(&[
        "is refused: its signature is not the wanted key's",
        "fingerprint",
    ]);
    assert!(!bench.path("out.wasm").exists());
    pull(&public).success();

    // The signature of one version is none of another one.
    bench.push("id", "2").run().success();
    let tag = |version: &str| {
        format!(
            "{}.sig",
            bench
                .registry
                .manifest("timestamp", version)
                .0
                .replace(':', "-")
        )
    };
    bench.registry.move_tag("timestamp", &tag("2"), &tag("1"));
    bench
        .pull("2")
        .args(["--public-key", &public])
        .run()
        .failure(&["is refused: its signature is that of another manifest"]);
    pull(&private).failure(&["is no public key"]);
    pull("nowhere.pem").failure(&["cannot read the public key nowhere.pem"]);
}

#[test]
fn a_key_that_cannot_sign_is_told_by_what_it_is() {
    let bench = Bench::empty();
    let (private, public) = bench.keys("author");
    let path = |name: &str| bench.path(name).display().to_string();
    openssl(&["ec", "-in", &private, "-out", &path("sec1.pem")]);
    openssl(&[
        "pkcs8",
        "-topk8",
        "-in",
        &private,
        "-passout",
        "pass:x",
        "-out",
        &path("encrypted.pem"),
    ]);
    for (key, why) in [
        (path("sec1.pem"), "not in PKCS#8"),
        (path("encrypted.pem"), "it is encrypted"),
        (public, "no section PRIVATE KEY"),
        (path("none.pem"), "cannot read the key to sign with"),
    ] {
        let run = bench
            .push("timestamp", "1")
            .args(["--sign-key", &key])
            .run()
            .failure(&[why, "hint"]);
        assert!(!run.stderr.contains("BEGIN"), "{}", run.stderr);
    }
    assert!(bench.registry.seen().is_empty());
}

#[test]
fn a_lock_says_who_signed_and_holds_for_that_key_only() {
    let bench = Bench::new();
    let bed = bed();
    let (private, public) = bench.keys("author");
    let (_, stranger) = bench.keys("stranger");
    bench.configure(&bed, "public-key = 'author.pub'\n");
    bench
        .lock()
        .run()
        .failure(&["strategy mine: ", "it is not signed"]);
    assert!(bench.kept().is_empty());
    bench
        .push("timestamp", "1")
        .args(["--sign-key", &private])
        .run()
        .success();
    bench.lock().run().success();
    let fingerprint = openssl(&[
        "pkey",
        "-pubin",
        "-in",
        &public,
        "-pubout",
        "-outform",
        "DER",
        "-out",
        &bench.path("der").display().to_string(),
    ]);
    assert_eq!(fingerprint, "");
    let fingerprint = icehost_tests::registry::sha256(&std::fs::read(bench.path("der")).unwrap());
    assert!(
        bench
            .lock_file()
            .contains(&format!("signed-by = \"{fingerprint}\""))
    );
    bench.registry.seen();
    bench.with_config(["sync"]).run().success();
    assert!(bench.registry.seen().is_empty());

    // Another key, for all strategies: what was checked with the old one is not what is wanted.
    std::fs::copy(&stranger, bench.path("author.pub")).unwrap();
    bench
        .with_config(["sync"])
        .run()
        .failure(&["another key than it was locked with", "icehost plugin lock"]);
    bench
        .lock()
        .run()
        .failure(&["its signature is not the wanted key's"]);
    bench.configure(&bed, "[registry]\npublic-key = 'stranger.pub'\n");
    bench
        .with_config(["check", "--offline"])
        .run()
        .failure(&["another key"]);
    // Locked without a signature, where one is wanted now.
    bench.configure(&bed, "");
    std::fs::remove_file(bench.path("icehost.lock")).unwrap();
    bench.lock().run().success();
    assert!(!bench.lock_file().contains("signed-by"));
    bench.configure(&bed, "[registry]\npublic-key = 'stranger.pub'\n");
    bench
        .with_config(["sync"])
        .run()
        .failure(&["is to be signed, and was locked without that"]);
}

//! Registries over TLS.

use icehost_tests::registry::{Misbehaviour, TestRegistry};

use crate::bench::Bench;

#[test]
fn a_certificate_is_checked_and_tls_is_not_left() {
    let bench = Bench::empty();
    let (registry, certificate) = TestRegistry::start_with_tls();
    let authority = bench.path("authority.pem");
    std::fs::write(&authority, certificate).unwrap();
    let reference = registry.reference("timestamp:1");
    let out = bench.path("out.wasm").display().to_string();
    let trusting = |command: icehost_tests::Command| {
        command.env("SSL_CERT_FILE", &authority.display().to_string())
    };
    let push = bench.icehost(["plugin", "push", "timestamp", &reference]);
    let pull = bench.icehost(["plugin", "pull", &reference, "--out", &out]);

    push.run()
        .failure(&["cannot reach", &registry.host(), "certificate"]);
    // Leaving TLS out is no way around a certificate.
    push.clone()
        .arg("--plain-http")
        .run()
        .failure(&["certificate"]);
    assert!(registry.seen().is_empty());
    trusting(push).run().success();
    trusting(pull.clone()).run().success();

    let plain = TestRegistry::start();
    registry.misbehave(Misbehaviour::RedirectBlobs(format!(
        "http://{}",
        plain.host()
    )));
    trusting(pull)
        .run()
        .failure(&["redirects to", &plain.host(), "not https"]);
    assert!(plain.seen().is_empty());
}

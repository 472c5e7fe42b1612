//! Logins: where they are found, and where they do not go.

use icehost_tests::registry::{Login, Misbehaviour, TestRegistry, base64};

use crate::bench::{Bench, bed};

const USER: &str = "robot";
const PASSWORD: &str = "s3cret:with/colon";

fn basic() -> Login {
    Login::Basic(USER.to_owned(), PASSWORD.to_owned())
}

fn token() -> Login {
    Login::Token(USER.to_owned(), PASSWORD.to_owned())
}

/// What `docker login` leaves.
fn docker_login(bench: &Bench, host: &str) {
    std::fs::create_dir_all(bench.path("docker")).unwrap();
    let auth = base64(&format!("{USER}:{PASSWORD}"));
    let config = serde_json::json!({ "auths": { host: { "auth": auth } } });
    std::fs::write(bench.path("docker/config.json"), config.to_string()).unwrap();
}

#[test]
fn a_login_of_the_environment_or_of_docker_is_used() {
    for login in [basic(), token()] {
        let bench = Bench::new();
        bench.registry.want(login);
        let denied = bench
            .pull("1")
            .run()
            .failure(&["denies it (401", "docker login"]);
        assert!(!denied.stderr.contains(USER), "{}", denied.stderr);
        bench
            .pull("1")
            .env("ICEHOST_REGISTRY_USER", USER)
            .env("ICEHOST_REGISTRY_PASSWORD", PASSWORD)
            .run()
            .success();
        docker_login(&bench, &bench.registry.host());
        bench.pull("1").run().success();
        bench.push("id", "2").run().success();
    }
}

#[test]
fn a_wrong_or_broken_login_is_told_and_not_shown() {
    for login in [basic(), token()] {
        let bench = Bench::new();
        bench.registry.want(login);
        let run = bench
            .pull("1")
            .env("ICEHOST_REGISTRY_USER", USER)
            .env("ICEHOST_REGISTRY_PASSWORD", "an0ther")
            .env("RUST_LOG", "trace")
            .run()
            .failure(&["denies it (401"]);
        for secret in ["an0ther", &base64(&format!("{USER}:an0ther"))] {
            assert!(!run.stderr.contains(secret), "{}", run.stderr);
        }
        bench
            .pull("1")
            .env("ICEHOST_REGISTRY_USER", USER)
            .run()
            .failure(&["ICEHOST_REGISTRY_PASSWORD is not"]);
        // Empty ones say nothing.
        bench
            .pull("1")
            .env("ICEHOST_REGISTRY_USER", "")
            .env("ICEHOST_REGISTRY_PASSWORD", "")
            .run()
            .failure(&["denies it (401", "docker login"]);
        std::fs::create_dir_all(bench.path("docker")).unwrap();
        std::fs::write(bench.path("docker/config.json"), "{ \"auths\": \"s3cret\"").unwrap();
        let run = bench
            .pull("1")
            .run()
            .failure(&["config.json: it is not docker's configuration"]);
        assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
    }
}

#[test]
fn a_token_is_shown_in_no_log() {
    let bench = Bench::new();
    bench.registry.want(token());
    docker_login(&bench, &bench.registry.host());
    let run = bench.pull("1").env("RUST_LOG", "trace").run().success();
    for secret in [
        "a-token-for-tests",
        PASSWORD,
        &base64(&format!("{USER}:{PASSWORD}")),
    ] {
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
}

#[test]
fn a_login_goes_to_its_registry_only() {
    let bench = Bench::new();
    bench.registry.want(basic());
    docker_login(&bench, &bench.registry.host());
    // The blobs are at another registry, which wants a login too.
    let other = TestRegistry::start();
    other.want(basic());
    bench
        .registry
        .misbehave(Misbehaviour::RedirectBlobs(format!(
            "http://{}",
            other.host()
        )));
    bench.pull("1").run().failure(&[&other.host(), "denies it"]);
    let seen = other.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].authorization, None);

    // The tokens are to be had at another host.
    let bench = Bench::new();
    bench.registry.want(token());
    docker_login(&bench, &bench.registry.host());
    let realm = format!(
        "http://localhost:{}/token",
        other.host().rsplit_once(':').unwrap().1
    );
    bench.registry.misbehave(Misbehaviour::TokensAt(realm));
    bench
        .pull("1")
        .run()
        .failure(&["wants a token from", "another host", "not sent there"]);
    assert!(other.seen().is_empty());

    // Of docker's logins, the one for another registry does not count.
    let bench = Bench::new();
    bench.registry.want(basic());
    docker_login(&bench, &other.host());
    bench.pull("1").run().failure(&["denies it"]);
    assert!(
        bench
            .registry
            .seen()
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[test]
fn a_credential_helper_is_asked() {
    let bench = Bench::new();
    bench.registry.want(token());
    let host = bench.registry.host();
    let programs = bench.path("bin");
    std::fs::create_dir_all(&programs).unwrap();
    std::fs::create_dir_all(bench.path("docker")).unwrap();
    let helper = |script: &str| {
        let file = programs.join("docker-credential-tests");
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&file, mode).unwrap();
    };
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let pull = || bench.pull("1").env("PATH", &path).run();
    let config = serde_json::json!({ "credHelpers": { &host: "tests" } });
    std::fs::write(bench.path("docker/config.json"), config.to_string()).unwrap();

    helper(&format!(
        "[ \"$1 $(cat)\" = 'get {host}' ] && echo '{{\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}'"
    ));
    pull().success();
    helper("cat >/dev/null; echo 'credentials not found in native keychain'; exit 1");
    pull().failure(&["denies it (401"]);
    helper("cat >/dev/null; echo s3cret; exit 1");
    let run = pull().failure(&["cannot get the login", "docker-credential-tests: it failed"]);
    assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
    std::fs::remove_file(programs.join("docker-credential-tests")).unwrap();
    pull().failure(&["docker-credential-tests: "]);
}

#[test]
fn the_environments_login_is_not_shown_to_several_registries() {
    let bench = Bench::new();
    let bed = bed();
    let other = TestRegistry::start();
    other.want(basic());
    bench.registry.want(basic());
    let second = format!(
        "[strategies.other]\nregistry = '{}'\n",
        other.reference("x:1")
    );
    bench.configure(&bed, &second);
    let lock = || {
        bench
            .lock()
            .env("ICEHOST_REGISTRY_USER", USER)
            .env("ICEHOST_REGISTRY_PASSWORD", PASSWORD)
            .run()
    };
    lock().failure(&["ICEHOST_REGISTRY_USER is not used", "denies it"]);
    let seen = [bench.registry.seen(), other.seen()].concat();
    assert!(
        seen.iter().all(|seen| seen.authorization.is_none()),
        "{seen:?}"
    );
    // Of one there is no doubt.
    bench.configure(&bed, "");
    lock().success();
}

//! The same against a registry that nobody here wrote: Debian's `docker-registry`, the reference
//! implementation of the protocol. Where it is not on the `PATH`, `tests/run.sh` says so.

use std::net::TcpListener;
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use crate::bench::{Bench, bed};

struct Registry {
    process: Child,
    host: String,
}

impl Registry {
    fn start(bench: &Bench) -> Registry {
        // Free now, and most likely still free in a moment.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = format!("127.0.0.1:{port}");
        let data = bench.path("data");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: '{}'}}\nhttp: {{addr: '{host}'}}\n",
            data.display()
        );
        let file = bench.path("registry.yml");
        std::fs::write(&file, config).unwrap();
        let process = Process::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry on the PATH: on Debian, apt-get install docker-registry");
        for _ in 0..1000 {
            if std::net::TcpStream::connect(&host).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Registry { process, host }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn push_sign_pull_lock_and_sync() {
    if std::env::var_os("PATH").is_none_or(|path| {
        std::env::split_paths(&path).all(|directory| !directory.join("docker-registry").exists())
    }) {
        eprintln!("skipped: there is no docker-registry on the PATH");
        return;
    }
    let bench = Bench::empty();
    let bed = bed();
    let registry = Registry::start(&bench);
    let reference = format!("{}/acme/deep/timestamp:1.0.0", registry.host);
    let (private, public) = bench.keys("author");
    let push = |strategy: &str| bench.icehost(["plugin", "push", strategy, &reference]);
    let pushed = push("timestamp").args(["--sign-key", &private]).json();
    assert_eq!(push("timestamp").json()["unchanged"], true);
    push("id")
        .run()
        .failure(&["is there already", pushed["manifest"].as_str().unwrap()]);
    let out = bench.path("out.wasm").display().to_string();
    bench
        .icehost([
            "plugin",
            "pull",
            &reference,
            "--out",
            &out,
            "--public-key",
            &public,
        ])
        .run()
        .success();
    bench
        .icehost(["plugin", "pull", &format!("{reference}-not"), "--out", &out])
        .run()
        .failure(&["does not have it (404: manifest unknown)"]);
    bench.configure(&bed, "public-key = 'author.pub'\n");
    let text = std::fs::read_to_string(bench.path("icehost.toml")).unwrap();
    let text = text.replace(&bench.registry.reference("timestamp:1"), &reference);
    std::fs::write(bench.path("icehost.toml"), text).unwrap();
    bench.lock().run().success();
    // On another machine, and then with the registry gone.
    std::fs::remove_dir_all(bench.path("cache")).unwrap();
    bench
        .with_config(["check", "--offline"])
        .run()
        .failure(&["is not on this machine"]);
    bench.with_config(["check"]).run().success();
    drop(registry);
    let run = bench.with_config(["sync"]).json();
    assert_eq!(run["pipelines"][0]["report"]["rows_appended"], 5);
}

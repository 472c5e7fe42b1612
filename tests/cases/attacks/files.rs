//! Files that are none, or that never end: refused by name, at once.

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, Instant};

use icehost_tests::{Bed, Command, Run, customers};

/// Long enough for a busy machine, and nothing to a pipe that nobody writes into.
const AT_ONCE: Duration = Duration::from_secs(60);

/// The run, which must end on its own.
#[track_caller]
fn ends(command: &Command) -> Run {
    let mut child = command.spawn();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > AT_ONCE {
            child.kill().unwrap();
            panic!("it waits: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Run::of(format!("{command:?}"), child)
}

fn pipe(path: &Path) -> PathBuf {
    assert!(Process::new("mkfifo").arg(path).status().unwrap().success());
    path.to_owned()
}

/// What is no file, and what is said of it.
fn no_files(bed: &Bed) -> Vec<(String, &'static str)> {
    vec![
        (
            "/dev/zero".to_owned(),
            "it is a device or a socket, not a file",
        ),
        (
            pipe(&bed.path("pipe")).display().to_string(),
            "it is a pipe",
        ),
        (
            bed.path("").display().to_string(),
            "it is a directory, not a file",
        ),
    ]
}

#[test]
fn secrets_certificates_and_keys_are_files_of_some_size() {
    let bed = customers::bed_on_development_server(1);
    let (url, options) = bed
        .source_url()
        .split_once('?')
        .map(|(u, o)| (u.to_owned(), o.to_owned()))
        .unwrap();
    let (login, rest) = url.rsplit_once('@').unwrap();
    let user = login.rsplit_once(':').unwrap().0;
    let file = bed.path("icehost.toml");
    let configured = |connection: &str, more: &str| {
        let text = format!(
            "warehouse = \"w\"\n[connections.c]\n{connection}\n[pipelines.p]\nsource = \"c\"\ntable = \"dbo.Customers\"\n\
             strategy = \"id\"\nmerge = \"upsert\"\n{more}\n"
        );
        std::fs::write(&file, text).unwrap();
        Command::new(["sync", "--config"]).arg(file.display().to_string())
    };
    std::fs::write(bed.path("huge"), vec![b'x'; 5 << 20]).unwrap();
    let mut wrong = no_files(&bed);
    wrong.push((bed.path("huge").display().to_string(), "it has more than"));
    for (path, why) in &wrong {
        let connection = format!("url = \"{user}@{rest}?{options}\"\npassword-file = \"{path}\"");
        let run =
            ends(&configured(&connection, "")).failure(&["cannot read the password from", path]);
        assert!(run.stderr.contains(why), "{}", run.stderr);

        let url = format!("{url}?certificate={path}");
        let connection = format!("url = \"{url}\"\nallow-inline-secret = true");
        ends(&configured(&connection, "")).failure(&["the certificate file", path, why]);

        let connection = format!("url = \"{}\"\nallow-inline-secret = true", bed.source_url());
        let rule = format!("column-rules = {{ Name = \"hash\" }}\nhash-key-file = \"{path}\"");
        ends(&configured(&connection, &rule)).failure(&[
            "cannot take the key for hashes from",
            path,
            why,
        ]);
    }
    // A pipe that somebody writes into is a way to hand over a secret that is on no disk.
    let connection = format!("url = \"{user}@{rest}?{options}\"\npassword-file = \"/dev/fd/9\"");
    let _written = configured(&connection, "");
    let output = Process::new("bash")
        .args([
            "-c",
            "exec \"$0\" sync --config \"$1\" 9< <(sleep 0.2; printf %s \"$SECRET\")",
        ])
        .arg(icehost_tests::program())
        .arg(&file)
        .env("SECRET", bed.login().1)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn components_cases_configurations_and_locks_are_files() {
    let bed = Bed::on_development_server();
    for (path, why) in no_files(&bed) {
        ends(&Command::new(["plugin", "inspect", &path])).failure(&["cannot read", why]);
        ends(&Command::new(["check", "--config", &path])).failure(&["cannot read", why]);
        if !Path::new(&path).is_dir() {
            let test = Command::new(["plugin", "test", "timestamp", "--cases", &path]);
            ends(&test).failure(&["cannot read", why]);
        }
        let push = [
            "plugin",
            "push",
            "timestamp",
            "127.0.0.1:1/x:1",
            "--sign-key",
            &path,
        ];
        ends(&Command::new(push)).failure(&["cannot read the key to sign with", why]);
        let pull = ["plugin", "pull", "127.0.0.1:1/x:1", "--public-key", &path];
        ends(&Command::new(pull)).failure(&["cannot read the public key", why]);
    }
    // What lies beside files that are named
    let text = "[strategies.s]\nregistry = \"127.0.0.1:1/x:1\"\n[connections.c]\nurl = \"mssql://127.0.0.1:1/d\"\n\
                [pipelines.p]\nwarehouse = \"w\"\nsource = \"c\"\ntable = \"dbo.T\"\nstrategy = \"s\"\nmerge = \"upsert\"\n";
    std::fs::write(bed.path("icehost.toml"), text).unwrap();
    pipe(&bed.path("icehost.lock"));
    let config = bed.path("icehost.toml").display().to_string();
    for command in ["sync", "check"] {
        ends(&Command::new([command, "--config", &config]))
            .failure(&["icehost.lock", "it is a pipe"]);
    }
}

#[test]
fn a_cache_whose_key_is_a_pipe_is_not_used() {
    let bed = customers::bed(1);
    let cache = bed.path("cache");
    let sync = bed
        .sync("dbo.Customers", "demo.customers")
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--cache-dir", &cache.display().to_string()]);
    sync.clone().run().success();
    let mut replaced = 0;
    for file in icehost_tests::below(&cache) {
        std::fs::remove_file(&file).unwrap();
        pipe(&file);
        replaced += 1;
    }
    assert!(replaced >= 3);
    let run = ends(&sync).success();
    assert!(run.stderr.contains("it is a pipe"), "{}", run.stderr);
}

#[test]
fn files_of_a_lake_are_files() {
    let bed = customers::bed(3);
    let watermarks = bed.path("watermarks");
    let sync = || {
        bed.sync("dbo.Customers", "demo.customers")
            .args([
                "--strategy",
                "timestamp",
                "--merge",
                "upsert",
                "--retries",
                "0",
            ])
            .args(["--watermark-dir", &watermarks.display().to_string()])
    };
    sync().run().success();
    let lake = bed.lake("demo.customers");
    let load = bed.load("demo.customers", "dbo.Customers").args([
        "--merge",
        "upsert",
        "--retries",
        "0",
        "--full",
    ]);
    for (name, may_go_on) in [
        ("version-hint.text", true),
        (".avro", false),
        (".parquet", false),
        (".metadata.json", false),
    ] {
        let found: Vec<PathBuf> = icehost_tests::below(&lake)
            .into_iter()
            .filter(|path| path.display().to_string().ends_with(name))
            .collect();
        assert!(!found.is_empty(), "{name}");
        let kept: Vec<_> = found
            .iter()
            .map(|path| (path, std::fs::read(path).unwrap()))
            .collect();
        for (path, _) in &kept {
            std::fs::remove_file(path).unwrap();
            pipe(path);
        }
        let run = ends(&load);
        assert!(may_go_on || run.code == Some(1), "{name}: {}", run.stderr);
        for (path, bytes) in kept {
            std::fs::remove_file(path).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    ends(&load).success();
    // The journal and the lock of a first load, and a copy of a watermark
    let metadata = lake.join("metadata");
    pipe(&metadata.join("icehost-first-load.json"));
    ends(&sync()).failure(&["icehost-first-load.json", "it is a pipe"]);
    std::fs::remove_file(metadata.join("icehost-first-load.json")).unwrap();
    for file in icehost_tests::below(&watermarks) {
        std::fs::remove_file(&file).unwrap();
        pipe(&file);
    }
    let run = ends(&sync());
    assert!(run.stderr.contains("it is a pipe"), "{}", run.stderr);
}

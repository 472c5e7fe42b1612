//! Every command with something else than it wants: an error in one line, a hint, an exit code, and no half.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use icehost_tests::{Bed, Command, customers};

/// What stands where a file or a directory is wanted.
const STANDS: [&str; 9] = [
    "missing",
    "directory",
    "empty",
    "garbage",
    "huge",
    "pipe",
    "circle",
    "below a file",
    "not text",
];

fn put(what: &str, at: &Path) {
    let _gone = fs::remove_file(at);
    let _gone = fs::remove_dir_all(at);
    match what {
        "missing" => {}
        "directory" => {
            fs::create_dir(at).unwrap();
            fs::write(at.join("in the way"), "").unwrap();
        }
        "empty" => fs::write(at, "").unwrap(),
        "garbage" => fs::write(at, "= this [is nothing\n").unwrap(),
        "not text" => fs::write(at, [0xff, 0xfe, 0, 0x9b]).unwrap(),
        // Sparse: it takes no room.
        "huge" => fs::File::create(at).unwrap().set_len(1 << 34).unwrap(),
        "pipe" => {
            let made = std::process::Command::new("mkfifo").arg(at).status();
            assert!(made.unwrap().success());
        }
        "circle" => symlink(at, at).unwrap(),
        _ => panic!("{what}"),
    }
}

/// Something of this kind, by its path.
fn place(bed: &Bed, what: &str) -> PathBuf {
    if what == "below a file" {
        fs::write(bed.path("a file"), "").unwrap();
        return bed.path("a file").join("inner");
    }
    let at = bed.path(what);
    put(what, &at);
    at
}

/// What is wrong with how a command ended; `None` where it is as it should be.
fn complaint(command: &Command, what: &str) -> Option<String> {
    let run = command.run();
    let told = |why: &str| {
        Some(format!(
            "{what}: {why}: icehost {}\n{}",
            run.command, run.stderr
        ))
    };
    match run.code {
        Some(1) if !run.stderr.contains("error: ") => told("no error"),
        Some(1) if !run.stderr.contains("hint: ") => told("no hint"),
        Some(2) if !run.stderr.contains("--help") => told("no usage"),
        Some(1 | 2) if run.stderr.contains("a defect") => told("a defect"),
        Some(1 | 2) => None,
        _ => told("no failure"),
    }
}

#[track_caller]
fn all_well(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{}:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn whatever_stands_where_a_file_is_named_the_error_says_what_to_do() {
    let bed = Bed::on_development_server();
    let good = bed.path("timestamp.wasm").display().to_string();
    let mut complaints = Vec::new();
    for what in STANDS {
        let path = place(&bed, what).display().to_string();
        let path = path.as_str();
        let lake = ["--warehouse", path, "--lake-table", "a.b"];
        let nowhere = "mssql://sa:x@127.0.0.1:1/d?connect_timeout=2";
        let table = [
            "--source",
            nowhere,
            "--table",
            "dbo.T",
            "--warehouse",
            "lake",
        ];
        let sync = |more: &[&str]| {
            let merge = ["--strategy", "timestamp", "--merge", "upsert"];
            let all = ["sync"].iter().chain(&table).chain(&merge).chain(more);
            Command::new(all.copied().collect::<Vec<_>>())
        };
        let with = |words: &[&str], more: &[&str]| {
            Command::new(words.iter().chain(more).copied().collect::<Vec<_>>())
        };
        let commands = [
            with(&["sync", "--config", path], &[]),
            with(&["check", "--config", path], &[]),
            with(&["load", "p", "--config", path], &[]),
            with(&["verify", "--config", path], &[]),
            with(&["snapshots", "p", "--config", path], &[]),
            with(&["watermark", "show", "p", "--config", path], &[]),
            with(&["plugin", "lock", "--config", path], &[]),
            with(&["snapshots"], &lake),
            with(&["watermark", "show"], &lake),
            with(&["watermark", "clear"], &lake),
            with(&["watermark", "set", "--mark", "Id=integer:1"], &lake),
            with(&["load", "--merge", "upsert", "--target", nowhere], &lake),
            with(&["verify", "--merge", "upsert", "--target", nowhere], &lake),
            with(&["plugin", "inspect", path], &[]),
            with(&["plugin", "test", path], &[]),
            with(&["plugin", "test", "timestamp", "--cases", path], &[]),
            with(&["plugin", "bench", path], &[]),
            with(&["plugin", "explain", path], &[]),
            with(&["plugin", "build", path, "--out", &good], &[]),
            with(&["plugin", "push", path, "127.0.0.1:1/x:1"], &[]),
            with(
                &[
                    "plugin",
                    "push",
                    "timestamp",
                    "127.0.0.1:1/x:1",
                    "--sign-key",
                    path,
                ],
                &[],
            ),
            with(
                &["plugin", "pull", "127.0.0.1:1/x:1", "--public-key", path],
                &[],
            ),
            with(&["plugin", "pull", path], &[]),
            sync(&["--transform", path]),
            sync(&["--hash-key-file", path, "--column-rule", "Name=hash"]),
            sync(&["--watermark-dir", path]),
            sync(&["--lake-merge", path]),
        ];
        for command in commands {
            let command = command.in_directory(bed.path("."));
            complaints.extend(complaint(&command, what));
        }
        if !["missing", "directory"].contains(&what) {
            for command in [
                with(&["man", path], &[]),
                with(&["plugin", "new", path, "--kind", "merger"], &[]),
            ] {
                complaints.extend(complaint(&command, what));
            }
        }
        assert!(!bed.path("timestamp.wasm").exists(), "{what}");
        assert!(!bed.path("lake").exists(), "{what}");
    }
    all_well(&complaints);
}

/// The files of a lake table, each in turn something else.
#[test]
fn whatever_stands_where_a_lake_table_has_a_file_the_error_says_what_to_do() {
    let bed = customers::bed_on_development_server(3);
    bed.sync_to_target("dbo.Customers", "demo.customers")
        .run()
        .success();
    let lake = bed.lake("demo.customers");
    let mut files = Vec::new();
    for directory in ["metadata", "data"] {
        for entry in fs::read_dir(lake.join(directory)).unwrap() {
            files.push(entry.unwrap().path());
        }
    }
    let names_state = |name: &str| {
        name.ends_with(".json") || name.ends_with(".avro") || name.ends_with(".parquet")
    };
    files.retain(|path| names_state(&path.display().to_string()));
    assert!(files.len() >= 4, "{files:?}");
    let target = format!("{}&application_name=again", bed.target_url());
    let load = || {
        bed.on_lake(["load"], "demo.customers")
            .args(["--merge", "upsert", "--target", &target])
            .args(["--target-table", "dbo.Customers", "--full"])
    };
    let mut complaints = Vec::new();
    for file in files {
        let sound = fs::read(&file).unwrap();
        for what in STANDS.into_iter().filter(|what| *what != "below a file") {
            // The newest version that is missing is an earlier state, which is none of these.
            if what == "missing" && file.extension().is_some_and(|end| end == "json") {
                continue;
            }
            put(what, &file);
            let what = format!("{what} at {}", file.display());
            complaints.extend(complaint(&load(), &what));
            put("missing", &file);
            fs::write(&file, &sound).unwrap();
        }
    }
    all_well(&complaints);
    load().run().success();
}

#[test]
fn what_is_made_is_there_whole_or_not_at_all() {
    let bed = Bed::on_development_server();
    let place = bed.path("made");
    let path = place.display().to_string();
    let mut failed = 0;
    for limit in 8..40 {
        let few = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let new = Command::new(["plugin", "new", &path, "--kind", "merger", "--lang", "rust"]);
        if new.in_shell(&few).run().code != Some(0) {
            failed += 1;
            assert!(
                !place.exists(),
                "{limit}: {:?}",
                fs::read_dir(&place).map(Iterator::count)
            );
        } else {
            fs::remove_dir_all(&place).unwrap();
        }
        // Directories above it are taken away as well.
        let deep = bed.path("a/b/made").display().to_string();
        let new = Command::new(["plugin", "new", &deep, "--kind", "merger", "--lang", "c"]);
        if new.in_shell(&few).run().code != Some(0) {
            assert!(!bed.path("a").exists(), "{limit}");
        } else {
            fs::remove_dir_all(bed.path("a")).unwrap();
        }
        let man = Command::new(["man", &path]).in_shell(&few).run();
        if man.code != Some(0) {
            assert!(!place.exists(), "{limit}: {}", man.stderr);
        } else {
            fs::remove_dir_all(&place).unwrap();
        }
    }
    assert!(failed > 0);
}

/// A file that grows too large stops each of them: as a disk that is full.
#[test]
fn what_finds_no_room_leaves_nothing() {
    let bed = Bed::on_development_server();
    let path = bed.path("made").display().to_string();
    // Blocks of 512 bytes, and an error where a signal would end the process.
    let small = "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\"";
    for command in [
        Command::new(["plugin", "new", &path, "--kind", "merger"]),
        Command::new(["man", &path]),
    ] {
        command
            .in_shell(small)
            .run()
            .failure(&["cannot write", "hint: "]);
        assert!(!bed.path("made").exists());
    }
}

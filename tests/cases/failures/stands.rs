//! What fails behind a commit: it stands, and is told as one that does.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use icehost_tests::{Bed, Command, Run, customers};

fn hint(bed: &Bed) -> PathBuf {
    bed.warehouse()
        .join("demo/customers/metadata/version-hint.text")
}

/// Nothing can take the hint's place: as on a disk that is full by then.
fn block_hint(bed: &Bed) {
    let _removed = fs::remove_file(hint(bed));
    fs::create_dir(hint(bed)).unwrap();
    fs::write(hint(bed).join("in the way"), "").unwrap();
}

fn sync(bed: &Bed) -> Command {
    bed.sync_to_target("dbo.Customers", "demo.customers")
        .args(["--retries", "0"])
}

fn mark(bed: &Bed) -> serde_json::Value {
    bed.on_lake(["watermark", "show"], "demo.customers").json()["watermark"]["marks"].clone()
}

#[test]
fn a_commit_that_stands_is_told_as_one_whatever_fails_behind_it() {
    let bed = customers::bed(50);
    sync(&bed).run().success();
    let before = mark(&bed);
    block_hint(&bed);
    customers::add(&bed, 51, 60, "2026-02-01");
    let run = sync(&bed).args(["--output", "json"]).run().success();
    let told = run.json();
    assert_eq!(told["rows_extracted"], 10);
    assert_eq!(told["rows_inserted"], 10);
    assert!(told["snapshot_created"].as_bool().unwrap(), "{told}");
    for said in [told["warnings"].to_string(), run.stderr] {
        assert!(said.contains("lake table demo.customers stands"), "{said}");
        assert!(said.contains("version-hint.text"), "{said}");
    }
    let after = mark(&bed);
    assert_ne!(before, after);
    // Nothing is read again, and what is still behind is said.
    let run = sync(&bed).args(["--output", "json"]).run().success();
    assert_eq!(run.json()["rows_extracted"], 0);
    assert!(run.stderr.contains("version-hint.text"), "{}", run.stderr);
    // The same of a watermark that is set or cleared.
    let on_lake = |words: [&'static str; 2]| bed.on_lake(words, "demo.customers");
    let set = on_lake(["watermark", "set"])
        .args(["--mark", "ModifiedDate=timestamp:2020-01-01T00:00:00"]);
    let stands = |run: Run| assert!(run.stderr.contains("stands, but"), "{}", run.stderr);
    stands(set.run().success());
    assert_ne!(mark(&bed), after);
    stands(on_lake(["watermark", "clear"]).run().success());
    assert_eq!(
        on_lake(["watermark", "show"]).json()["watermark"],
        serde_json::Value::Null
    );

    fs::remove_dir_all(hint(&bed)).unwrap();
    let run = sync(&bed).run().success();
    assert!(!run.stderr.contains("version-hint"), "{}", run.stderr);
    assert!(hint(&bed).is_file());
}

#[test]
fn a_first_load_that_stands_is_told_as_one() {
    for place in ["lake::after-metadata-link", "lake::after-hint"] {
        for commit in ["once", "per-range"] {
            let bed = customers::bed(60);
            let sync =
                || sync(&bed).args(["--parallel", "2", "--range-rows", "20", "--commit", commit]);
            let run = sync().failpoint(place, "return").run().success();
            assert!(
                run.stderr.contains("stands, but"),
                "{place}: {}",
                run.stderr
            );
            assert_eq!(sync().json()["rows_extracted"], 0, "{place}");
        }
    }
}

#[test]
fn a_watermark_whose_copy_fails_is_set() {
    let bed = customers::bed(5);
    let marks = bed.path("marks");
    let kept = marks.display().to_string();
    let sync = || sync(&bed).args(["--watermark-dir", &kept]);
    sync().run().success();
    let copy = marks.join("demo.customers.json");
    fs::remove_file(&copy).unwrap();
    fs::create_dir(&copy).unwrap();
    fs::write(copy.join("in the way"), "").unwrap();
    let on_lake = |words: [&'static str; 2]| {
        bed.on_lake(words, "demo.customers")
            .args(["--watermark-dir", &kept])
    };
    let run = on_lake(["watermark", "set"])
        .args(["--mark", "ModifiedDate=timestamp:2020-01-01T00:00:00"])
        .run()
        .success();
    assert!(run.stderr.contains("demo.customers.json"), "{}", run.stderr);
    assert!(run.stdout.contains("2020-01-01"), "{}", run.stdout);
    let run = on_lake(["watermark", "clear"]).run().success();
    assert!(run.stderr.contains("demo.customers.json"), "{}", run.stderr);
    // A file in the place of the whole directory is told as what it is.
    fs::remove_dir_all(&marks).unwrap();
    fs::write(&marks, "").unwrap();
    let run = on_lake(["watermark", "show"])
        .run()
        .failure(&["a file stands"]);
    assert!(!run.stderr.contains("writable"), "{}", run.stderr);
}

/// Others are faster again and again, and it is asked to stop.
#[test]
fn a_watermark_command_that_tries_again_heeds_a_signal() {
    let bed = customers::bed(5);
    sync(&bed).run().success();
    let clear = || bed.on_lake(["watermark", "clear"], "demo.customers");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut commits = 0;
            while !done.load(Ordering::SeqCst) {
                clear().run().success();
                commits += 1;
            }
            commits
        });
        let mut slow = clear()
            .failpoint("lake::before-metadata-link", "sleep(2500)")
            .spawn();
        std::thread::sleep(Duration::from_secs(4));
        assert!(slow.try_wait().unwrap().is_none(), "it was first");
        let asked = Instant::now();
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &slow.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let run = Run::of("watermark clear".to_owned(), slow);
        let took = asked.elapsed();
        done.store(true, Ordering::SeqCst);
        run.failure(&["stopped", "hint: "]);
        // The attempt that is under way is ended, and there is no other: without that it takes 12 seconds.
        assert!(took < Duration::from_secs(8), "{took:?}");
        assert!(others.join().unwrap() > 1);
    });
}

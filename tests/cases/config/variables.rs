//! Environment variables of flags: defaults, which a flag beats.

use icehost_tests::{Command, customers};

use crate::file::{with_config, write};

const PIPELINE: &str = "[pipelines.customers]\nsource = 'source'\ntable = 'dbo.Customers'\nstrategy = 'timestamp'\n\
     merge = 'upsert'\nlake-table = 'demo.customers'\n";

/// All that flags have, with what is no value of them; `None` where any text is one.
const VARIABLES: [(&str, Option<&str>); 7] = [
    ("ICEHOST_SOURCE", None),
    ("ICEHOST_TARGET", None),
    ("ICEHOST_WAREHOUSE", None),
    ("ICEHOST_CACHE_DIR", None),
    ("ICEHOST_WATERMARK_DIR", Some("s3://bucket/marks")),
    ("ICEHOST_MEMORY_LIMIT", Some("much")),
    ("ICEHOST_PARALLEL", Some("0")),
];

#[test]
fn an_empty_variable_says_nothing_and_an_odd_one_is_named() {
    let bed = customers::bed_on_development_server(3);
    write(&bed, PIPELINE);
    let by_flags = || bed.sync("dbo.Customers", "demo.flags");
    let by_flags = || by_flags().args(["--strategy", "timestamp", "--merge", "upsert"]);
    let of_file = || with_config(&bed, ["sync"]).in_directory(bed.path("."));
    let all_empty = |command: Command| {
        VARIABLES
            .iter()
            .fold(command, |command, (name, _)| command.env(name, ""))
    };
    all_empty(by_flags()).run().success();
    all_empty(of_file()).run().success();
    // What is needed is missing, and not empty.
    let run = all_empty(Command::new(["snapshots", "--lake-table", "a.b"])).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("--warehouse"), "{}", run.stderr);

    for (name, odd) in VARIABLES {
        let Some(odd) = odd else { continue };
        for command in [by_flags(), of_file()] {
            let run = command.env(name, odd).run();
            assert_eq!(run.code, Some(2), "{name}\n{}", run.stderr);
            let told = format!("the environment variable {name} is of no use, '{odd}': ");
            let hint = format!("hint: mend what {name} says, or unset it");
            for said in [told, hint] {
                assert!(run.stderr.contains(&said), "{said}\n{}", run.stderr);
            }
        }
    }
    // A flag is told as a flag, whatever its variable says, and counts before it.
    let run = by_flags()
        .args(["--memory-limit", "more"])
        .env("ICEHOST_MEMORY_LIMIT", "much")
        .run();
    assert!(
        run.stderr.contains("'more' for '--memory-limit"),
        "{}",
        run.stderr
    );
    by_flags()
        .args(["--memory-limit", "256MiB"])
        .env("ICEHOST_MEMORY_LIMIT", "much")
        .run()
        .success();
}

#[test]
fn a_flag_beats_the_variable_that_it_excludes() {
    let bed = customers::bed_on_development_server(3);
    write(&bed, PIPELINE);
    let cache = bed.path("cache");
    let kept = cache.display().to_string();
    let sync = |command: Command| command.env("ICEHOST_CACHE_DIR", &kept);
    let by_flags = || bed.sync("dbo.Customers", "demo.flags");
    let by_flags = || by_flags().args(["--strategy", "timestamp", "--merge", "upsert"]);
    sync(by_flags().arg("--no-cache")).run().success();
    sync(with_config(&bed, ["sync", "--no-cache"]))
        .run()
        .success();
    assert!(!cache.exists());
    sync(by_flags()).run().success();
    assert!(cache.exists());
    // Two flags are a contradiction.
    let run = by_flags().args(["--no-cache", "--cache-dir", &kept]).run();
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
}

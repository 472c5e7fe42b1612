//! Where lakes are: directories, and what only looks like one.

use icehost_tests::{Bed, Command, customers};

use crate::file::{with_config, write, write_raw};

fn sync(bed: &Bed, warehouse: &str) -> Command {
    Command::new(["sync"])
        .args(["--source", &bed.source_url(), "--table", "dbo.Customers"])
        .args(["--strategy", "timestamp", "--merge", "upsert"])
        .args(["--warehouse", warehouse])
}

const TWO: &str = "[defaults]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\n\
                   merge = \"upsert\"\n[pipelines.a]\n[pipelines.b]\n";

/// One place under two names is one place.
#[test]
fn two_pipelines_that_write_one_lake_table_are_refused_by_whatever_names() {
    let bed = customers::bed(3);
    let warehouse = bed.warehouse();
    std::fs::create_dir_all(warehouse.join("dbo")).unwrap();
    let link = |name: &str, to: &std::path::Path| {
        std::os::unix::fs::symlink(to, bed.path(name)).unwrap();
    };
    link("alias", &warehouse);
    std::os::unix::fs::symlink("dbo", warehouse.join("DBO")).unwrap();
    let alias = format!("warehouse = {:?}\n", bed.path("alias"));
    for more in [alias.as_str(), "lake-table = \"DBO.customers\"\n", ""] {
        write(&bed, &format!("{TWO}{more}"));
        for command in [&["check", "--offline"][..], &["sync"]] {
            let run = with_config(&bed, command.iter().copied()).run();
            run.failure(&["pipelines a and b both write lake table", "hint: "]);
        }
    }
    write(&bed, &format!("{TWO}lake-table = \"DBO.other\"\n"));
    with_config(&bed, ["sync"]).run().success();
}

/// A volume that is not mounted is no place for a new table.
#[test]
fn a_link_that_leads_nowhere_is_told_and_nothing_is_made_there() {
    let bed = customers::bed(3);
    let away = bed.path("away");
    let commands = [
        bed.sync("dbo.Customers", "demo.customers").args([
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
        ]),
        bed.on_lake(["watermark", "show"], "demo.customers"),
        bed.on_lake(["snapshots"], "demo.customers"),
    ];
    for (at, parent) in [
        ("demo/customers", Some("demo")),
        ("demo", Some("")),
        ("demo/customers/metadata", Some("demo/customers")),
    ] {
        let warehouse = bed.warehouse();
        std::fs::create_dir_all(warehouse.join(parent.unwrap_or_default())).unwrap();
        std::os::unix::fs::symlink(&away, warehouse.join(at)).unwrap();
        for command in &commands {
            let run = command.run();
            run.failure(&["is a link to", "which is not there", "hint: mount"]);
            assert!(!away.exists(), "{at}");
        }
        std::fs::remove_dir_all(&warehouse).unwrap();
    }
    // A file in the place of the table.
    std::fs::create_dir_all(bed.warehouse().join("demo")).unwrap();
    std::fs::write(bed.warehouse().join("demo/customers"), "").unwrap();
    commands[0]
        .run()
        .failure(&["a file stands where a directory is wanted"]);
}

#[test]
fn a_place_that_is_no_directory_is_refused_by_every_command() {
    let bed = customers::bed(3);
    for place in [
        "s3://bucket/lake",
        "abfss://lake@account.dfs.core.windows.net/x",
        "gs://bucket",
        "hdfs://host:8020/lake",
        "file://server/lake",
        "file:lake",
    ] {
        let saying = [place, "is no directory", "hint: "];
        sync(&bed, place).run().failure(&saying);
        sync(&bed, place).arg("--dry-run").run().failure(&saying);
        for command in [
            &["snapshots"][..],
            &["watermark", "show"],
            &["watermark", "clear"],
            &[
                "load",
                "--merge",
                "upsert",
                "--target",
                "mssql://a:b@localhost/c",
            ],
        ] {
            Command::new(command.iter().copied())
                .args(["--warehouse", place, "--lake-table", "demo.customers"])
                .run()
                .failure(&saying);
        }
        let run = sync(&bed, "lake").args(["--watermark-dir", place]).run();
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("is no directory"), "{}", run.stderr);
        let pipeline = "[pipelines.p]\nsource = \"source\"\ntable = \"dbo.Customers\"\n\
                        strategy = \"timestamp\"\nmerge = \"upsert\"\n";
        let named = format!("\"{place}\"");
        for text in [
            format!("warehouse = {named}\n{pipeline}"),
            format!("warehouse = \"lake\"\n{pipeline}watermark-dir = {named}\n"),
        ] {
            let connection =
                "[connections.source]\nurl = \"mssql://a@localhost/b\"\npassword-env = \"X\"\n";
            write_raw(
                &bed,
                &text.replace("[pipelines.p]", &format!("{connection}[pipelines.p]")),
            );
            with_config(&bed, ["check", "--offline"]).run().failure(&[
                "icehost.toml:",
                place,
                "is no directory",
                "hint: ",
            ]);
        }
        assert!(!std::path::Path::new(place).exists());
    }
}

#[test]
fn a_file_url_names_a_directory() {
    let bed = customers::bed(3);
    let directory = bed.path("my lake");
    let url = format!("file://{}", directory.display()).replace(' ', "%20");
    let first = sync(&bed, &url).json();
    assert_eq!(first["warehouse_created"], directory.display().to_string());
    assert!(directory.join("dbo/customers/metadata").is_dir());
    let snapshots = Command::new(["snapshots", "--lake-table", "dbo.customers"])
        .args(["--warehouse", &url])
        .json();
    assert_eq!(snapshots["snapshots"].as_array().unwrap().len(), 1);
    // The same lake by its path.
    let second = sync(&bed, &directory.display().to_string()).json();
    assert_eq!(second["rows_extracted"], 0);
    assert!(second["warehouse_created"].is_null());
}

#[test]
fn a_warehouse_that_is_not_there_is_made_by_a_first_sync_alone_which_says_so() {
    let bed = customers::bed(3);
    let there = bed.path("lake");
    let place = there.display().to_string();
    for command in [
        &["snapshots"][..],
        &["watermark", "show"],
        &["watermark", "clear"],
    ] {
        Command::new(command.iter().copied())
            .args(["--warehouse", &place, "--lake-table", "dbo.customers"])
            .run()
            .failure(&["the warehouse", "does not exist", "hint: check the path"]);
    }
    sync(&bed, &place).arg("--dry-run").run().success();
    assert!(!there.exists());
    let first = sync(&bed, &place).run().success();
    assert!(
        first
            .stdout
            .contains(&format!("created the warehouse {place}")),
        "{}",
        first.stdout
    );
    let second = sync(&bed, &place).run().success();
    assert!(!second.stdout.contains("created"), "{}", second.stdout);

    // A path of which more than the last part is missing is a mistake.
    let mistyped = bed.path("laek/warehouse").display().to_string();
    for command in [
        sync(&bed, &mistyped),
        sync(&bed, &mistyped).arg("--dry-run"),
    ] {
        command
            .run()
            .failure(&["cannot be created: there is no directory", "laek", "hint"]);
    }
    assert!(!bed.path("laek").exists());
}

/// By trying, of which nothing stays: what a run would find out after it has read everything.
#[test]
fn check_finds_a_warehouse_that_cannot_be_written() {
    let bed = customers::bed(3);
    let pipeline = |warehouse: &str| {
        let text = "[pipelines.p]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\n\
                    merge = \"upsert\"\nlake-table = \"shop.customers\"\n";
        crate::file::write(&bed, &format!("{text}warehouse = \"{warehouse}\"\n"));
    };
    let check = || with_config(&bed, ["check"]);
    // A file of the file system that takes none, whoever asks.
    pipeline("/proc/lake");
    let saying = [
        "icehost.toml:",
        "pipeline p: ",
        "cannot write to /proc",
        "hint: ",
    ];
    check().run().failure(&saying);
    check().arg("--offline").run().success();

    pipeline("here");
    let before = icehost_tests::below(&bed.path(""));
    check().run().success();
    assert!(!bed.path("here").exists());
    for (file, said) in [
        ("here", "the warehouse"),
        ("here/shop", "is no directory"),
        ("here/shop/customers", "is no directory"),
        ("here/shop/customers/data", "is no directory"),
    ] {
        let path = bed.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        let saying = [
            said,
            &path.display().to_string(),
            "hint: move away what is there",
        ];
        check().run().failure(&saying);
        // So it is.
        with_config(&bed, ["sync"]).run().failure(&[]);
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::remove_dir_all(bed.path("here")).unwrap();
    assert_eq!(icehost_tests::below(&bed.path("")), before);
    with_config(&bed, ["sync"]).run().success();
    check().run().success();
}

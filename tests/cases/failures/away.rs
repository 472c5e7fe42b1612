//! Servers that go away and come back, and logins that are refused.

use std::time::Duration;

use icehost_tests::proxy::{Fault, Proxy, When};
use icehost_tests::{Bed, Command, Dump, Run, customers};

fn sync(bed: &Bed, source: &str, target: &str) -> Command {
    Command::new(["sync"])
        .args(["--source", source, "--target", target])
        .args(["--table", "dbo.Customers", "--strategy", "timestamp"])
        .args(["--merge", "upsert", "--lake-table", "demo.customers"])
        .args(["--warehouse", &bed.warehouse().display().to_string()])
}

#[track_caller]
fn assert_in_step(bed: &Bed) {
    let source = bed.source_dump("dbo.Customers");
    let lake = Dump::pyiceberg(&bed.lake("demo.customers"), None);
    source.assert_equals(&lake, "source", "lake");
    source.assert_equals(&bed.target_dump("dbo.Customers"), "source", "target");
}

#[test]
fn a_server_that_is_away_for_seconds_is_waited_for() {
    for side in ["source", "target"] {
        let bed = customers::bed_on_development_server(2000);
        let mut proxy = Proxy::new(bed.server().addr());
        let (source, target) = match side {
            "source" => (proxy.clear(&bed.source_url()), bed.target_url()),
            _ => (bed.source_url(), proxy.clear(&bed.target_url())),
        };
        let statement = match side {
            "source" => "ORDER BY",
            _ => "INSERT INTO [dbo].[Customers]",
        };
        proxy.order(When::Answer(statement.to_owned(), 5), Fault::Break);
        // One try more, which meets a server that refuses connections.
        let child = sync(&bed, &source, &target)
            .args(["--retries", "1"])
            .spawn();
        while proxy.acted() == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        proxy.go_away();
        std::thread::sleep(Duration::from_secs(3));
        proxy.come_back();
        let run = Run::of(side.to_owned(), child).success();
        assert!(
            run.stderr.contains("the server is away"),
            "{side}\n{}",
            run.stderr
        );
        assert_in_step(&bed);
    }
}

/// Before anything is read, the target is looked at.
#[test]
fn a_first_look_at_the_target_that_is_lost_is_tried_again() {
    for bytes in [1000, 1300, 2300] {
        let bed = customers::bed_on_development_server(3);
        let proxy = Proxy::new(bed.server().addr());
        proxy.order(When::Received(bytes), Fault::Break);
        let target = proxy.clear(&bed.target_url());
        let run = sync(&bed, &bed.source_url(), &target)
            .args(["--target-table", "dbo.Copy", "--create-target"])
            .run()
            .success();
        assert_eq!(proxy.acted(), 1, "{bytes}");
        assert!(
            run.stderr.contains("trying again"),
            "{bytes}: {}",
            run.stderr
        );
        let copied = bed.target().value("SELECT COUNT(*) FROM dbo.Copy");
        assert_eq!(copied, "3", "{bytes}");
    }
}

#[test]
fn a_server_that_stays_away_ends_the_run_when_the_time_is_over() {
    let bed = customers::bed_on_development_server(2000);
    let mut proxy = Proxy::new(bed.server().addr());
    proxy.order(When::Answer("ORDER BY".to_owned(), 5), Fault::Break);
    let child = sync(&bed, &proxy.clear(&bed.source_url()), &bed.target_url())
        .args(["--reconnect-timeout", "2"])
        .spawn();
    while proxy.acted() == 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    proxy.go_away();
    let run = Run::of("away".to_owned(), child).failure(&[
        "tries within",
        "no connection to",
        "--reconnect-timeout",
    ]);
    // It is not tried again from the beginning.
    assert_eq!(
        run.stderr.matches("trying again").count(),
        1,
        "{}",
        run.stderr
    );
}

#[test]
fn a_server_that_was_never_reached_is_not_waited_for() {
    let bed = customers::bed_on_development_server(5);
    let mut proxy = Proxy::new(bed.server().addr());
    proxy.go_away();
    let source = proxy.clear(&bed.source_url());
    let warned = |run: Run| assert!(!run.stderr.contains("again"), "{}", run.stderr);
    warned(
        sync(&bed, &source, &bed.target_url())
            .run()
            .failure(&["no connection to"]),
    );
    warned(
        sync(&bed, &source, &bed.target_url())
            .arg("--dry-run")
            .run()
            .failure(&["no connection to"]),
    );
}

#[test]
fn a_server_that_starts_is_waited_for_once_the_run_has_reached_it() {
    for number in [18401, 40613, 4060, 17809] {
        let bed = customers::bed_on_development_server(2000);
        let proxy = Proxy::new(bed.server().addr());
        proxy.order(When::Answer("ORDER BY".to_owned(), 5), Fault::Break);
        let child = sync(&bed, &proxy.clear(&bed.source_url()), &bed.target_url())
            .args(["--retries", "1"])
            .spawn();
        while proxy.acted() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        bed.server().faults().refuse_logins_with(3, number);
        let run = Run::of(number.to_string(), child).success();
        assert!(
            run.stderr.contains("the server is away"),
            "{number}\n{}",
            run.stderr
        );
        assert_in_step(&bed);
    }
}

/// A file with many pipelines of the same table into lake tables of their own.
fn file(bed: &Bed, source: &str, pipelines: usize) -> String {
    let mut text = format!(
        "warehouse = \"warehouse\"\n[defaults]\nstrategy = \"timestamp\"\nmerge = \"upsert\"\n\
         [connections.db]\nurl = \"{source}\"\nallow-inline-secret = true\n"
    );
    for number in 0..pipelines {
        text.push_str(&format!(
            "[pipelines.p{number}]\nsource = \"db\"\ntable = \"dbo.Customers\"\nlake-table = \"demo.t{number}\"\n"
        ));
    }
    let path = bed.path("icehost.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_wrong_password_is_tried_once_in_a_run() {
    let bed = customers::bed_on_development_server(5);
    let wrong = bed.source_url().replace("mssql://sa:", "mssql://sa:wrong");
    let config = file(&bed, &wrong, 12);
    let tried = || bed.server().statistics().wrong_logins();
    for jobs in ["1", "12"] {
        let before = tried();
        let run = Command::new(["sync", "--config", &config, "--jobs", jobs])
            .run()
            .failure(&[
                "Login failed",
                "(tried once, and not again in this run)",
                "12 of 12 pipelines failed",
                "each run tries it once, and each try counts against the account",
            ]);
        // One cause is told once, whoever asked first.
        assert_eq!(
            run.stderr.matches("Login failed").count(),
            1,
            "{}",
            run.stderr
        );
        assert_eq!(tried() - before, 1, "{jobs}\n{}", run.stderr);
        // Each is told where a program reads it.
        let told = Command::new(["sync", "--config", &config, "--jobs", jobs])
            .args(["--output", "json"])
            .run();
        assert_eq!(told.code, Some(1), "{}", told.stderr);
        for number in 0..12 {
            let name = format!("\"p{number}\"");
            assert!(told.stdout.contains(&name), "{name}\n{}", told.stdout);
        }
    }
    let before = tried();
    Command::new(["check", "--config", &config])
        .run()
        .failure(&["Login failed"]);
    assert_eq!(tried() - before, 1, "check");
    let before = tried();
    Command::new(["verify", "--config", &config])
        .run()
        .failure(&["Login failed"]);
    assert_eq!(tried() - before, 1, "verify");
    let before = tried();
    sync(&bed, &wrong, &wrong).run().failure(&["Login failed"]);
    assert_eq!(tried() - before, 1, "source and target are one login");
}

#[test]
fn another_password_or_database_is_another_answer() {
    let bed = customers::bed_on_development_server(5);
    // A database that is not there says nothing of the others.
    let nowhere = bed.source_url().replace(bed.source_database(), "nowhere");
    let mut text = std::fs::read_to_string(file(&bed, &nowhere, 2)).unwrap();
    text.push_str(&format!(
        "[connections.right]\nurl = \"{}\"\nallow-inline-secret = true\n[pipelines.right]\nsource = \"right\"\n\
         table = \"dbo.Customers\"\nlake-table = \"demo.right\"\n",
        bed.source_url()
    ));
    let path = bed.path("icehost.toml");
    std::fs::write(&path, text).unwrap();
    let run = Command::new(["sync", "--config", &path.display().to_string()])
        .run()
        .failure(&["nowhere", "tried once, and not again"]);
    assert!(bed.lake("demo.right").exists(), "{}", run.stderr);
}

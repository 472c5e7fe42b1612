//! The README's first steps, and how the guide reads the lake.

use std::net::TcpListener;
use std::process::Command;

use icehost_tests::{Bed, blocks, customers, program_named, python_text};

const README: &str = include_str!("../../../README.md");
const GUIDE: &str = include_str!("../../../docs/guide.md");

#[test]
fn every_line_of_the_first_steps_works() {
    let [steps] = blocks(README, "console")[..] else {
        panic!("the README shows one session");
    };
    let lines = steps.lines().map(|line| line.strip_prefix("$ ").unwrap());
    let (built, lines): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("cargo "));
    assert_eq!((built.len(), lines.len()), (1, 14));
    // They are built already.
    let place = tempfile::tempdir().unwrap();
    let programs = place.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    for name in ["icehost", "icehost-devserver", "icehost-sql"] {
        assert!(built[0].contains(&format!("-p {name}")), "{built:?}");
        let program = program_named(&format!("{name}-under-test"));
        std::os::unix::fs::symlink(program, programs.join(name)).unwrap();
    }
    // A port that is free. The lines are pasted as a block: nothing waits between them.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut script = String::from("set -e\ntrap 'kill $! 2>/dev/null || true' EXIT\n");
    for line in lines {
        script += &line.replace("14330", &port.to_string());
        script.push('\n');
    }
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(place.path())
        .env("PATH", format!("{}:{path}", programs.display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("1\tAda\n2\tGrace Hopper\n"), "{told}");
    assert!(place.path().join("lake/dbo/customers/metadata").is_dir());
    let log = std::fs::read_to_string(place.path().join("devserver.log")).unwrap();
    assert!(!log.contains('\u{1b}'), "colours are for terminals: {log}");
}

/// Values of every type, as SQL Server's own tools print them; views and synonyms are there for users as well.
#[test]
fn the_tool_for_statements_prints_every_type() {
    let bed = Bed::on_development_server();
    let url = bed.source_url();
    let host = url
        .rsplit_once('@')
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let run = |statement: &str| {
        let output = Command::new(program_named("icehost-sql-under-test"))
            .args(["--wait", "5", &host, bed.source_database(), statement])
            .env("ICEHOST_DEVSERVER_PASSWORD", &bed.login().1)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {errors}");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    };
    for (value, printed) in [
        ("CAST(-0.5 AS decimal(9,4))", "-0.5000"),
        ("CAST(12.34 AS money)", "12.3400"),
        ("CAST(-1 AS smallmoney)", "-1.0000"),
        ("CAST('2026-02-28' AS date)", "2026-02-28"),
        (
            "CAST('2026-02-28T01:02:03.004' AS datetime)",
            "2026-02-28 01:02:03.003",
        ),
        (
            "CAST('2026-02-28T01:02:00' AS smalldatetime)",
            "2026-02-28 01:02:00",
        ),
        (
            "CAST('2026-02-28T01:02:03.1234567' AS datetime2)",
            "2026-02-28 01:02:03.1234567",
        ),
        ("CAST('01:02:03' AS time(0))", "01:02:03"),
        (
            "CAST('2026-02-28T23:30:00 +05:30' AS datetimeoffset(3))",
            "2026-02-28 23:30:00.000 +05:30",
        ),
        ("CAST(0.1 AS float)", "0.1"),
        ("CAST(1.5 AS real)", "1.5"),
        ("CAST(1 AS bit)", "1"),
        (
            "CAST('6f9619ff-8b86-d011-b42d-00c04fc964ff' AS uniqueidentifier)",
            "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        ),
        ("CAST(0x00ab AS varbinary(8))", "0x00AB"),
        ("CAST(NULL AS money)", "NULL"),
        ("CAST(NULL AS datetime2)", "NULL"),
        ("CAST(NULL AS varbinary(8))", "NULL"),
    ] {
        assert_eq!(run(&format!("SELECT {value}")), printed, "{value}");
    }
    run("CREATE TABLE dbo.T (Id int NOT NULL, V int NULL)");
    run("INSERT INTO dbo.T VALUES (1, 10), (2, 20)");
    run("CREATE VIEW dbo.X AS SELECT Id FROM dbo.T WHERE V > 10");
    run("CREATE SYNONYM dbo.S FOR dbo.T");
    assert_eq!(run("SELECT Id FROM dbo.X"), "2");
    assert_eq!(run("SELECT COUNT(*) FROM dbo.S"), "2");
}

#[test]
fn the_lake_is_read_as_the_guide_says() {
    let bed = customers::bed(150);
    let sync = bed.sync_to_target("dbo.Customers", "shop.customers");
    sync.arg("--create-target").run().success();
    let here = bed.lake("shop.customers").display().to_string();
    let section = GUIDE.split("\n## Reading the lake\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let [sql] = blocks(section, "sql")[..] else {
        panic!("the section shows one query");
    };
    let [python] = blocks(section, "python")[..] else {
        panic!("the section shows one script");
    };
    let placed = |text: &str| text.replace("/lake/shop/customers", &here);
    let read = python_text(&placed(python));
    assert!(read.contains("CustomerID"), "{read}");
    let rows = python_text(&placed(
        &python.replace(".to_arrow()", ".to_arrow().num_rows"),
    ));
    assert_eq!(rows.trim(), "99");
    // The extension lies on the disk here, so that nothing is downloaded.
    let query = placed(sql.trim().trim_end_matches(';'));
    let rows = python_text(&format!(
        "from read_duckdb import connect\nprint(len(connect().sql(\"\"\"{query}\"\"\").fetchall()))"
    ));
    assert_eq!(rows.trim(), "150");
}

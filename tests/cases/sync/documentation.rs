//! The README's first steps, and how the guide reads the lake.

use std::net::TcpListener;
use std::process::Command;

use icehost_tests::{blocks, customers, program_named, python_text};

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
    // A port that is free, and a moment for the server, which a person takes for typing.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut script = String::from("set -e\ntrap 'kill $! 2>/dev/null' EXIT\n");
    for line in lines {
        script += &line.replace("14330", &port.to_string());
        script.push('\n');
        if line.ends_with('&') {
            script += "for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; icehost-sql $SERVER master 'SELECT 1' && break; done\n";
        }
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

//! The tutorial, as its reader would follow it.

use std::process::Command;

use icehost_tests::{Bed, blocks};

const PAGE: &str = include_str!("../../../docs/tutorial.md");

#[test]
fn every_block_of_the_tutorial_works() {
    let bed = Bed::new();
    bed.source().execute(
        "CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, Version bigint NOT NULL, Note nvarchar(50));
         INSERT INTO dbo.Orders VALUES (1, 10, N'a'), (2, 11, NULL)",
    );
    let programs = bed.path("bin");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(icehost_tests::program(), programs.join("icehost")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let run = |line: &str| {
        let output = Command::new("sh")
            .args(["-ec", line])
            .current_dir(bed.path("."))
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("SOURCE", bed.source_url())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "$ {line}\n{text}");
        text
    };

    // The example is one of the cases that the template brings, so that it passes there.
    let [cases] = blocks(PAGE, "toml")[..] else {
        panic!("the tutorial shows one case file");
    };
    let lines: Vec<&str> = blocks(PAGE, "console")
        .into_iter()
        .flat_map(str::lines)
        .map(|line| line.strip_prefix("$ ").expect("a command"))
        .collect();
    assert_eq!(lines.len(), 6);
    for line in lines {
        let told = run(line);
        if line.starts_with("icehost plugin test") {
            std::fs::write(bed.path("shown.toml"), cases).unwrap();
            run("icehost plugin test by-number --cases shown.toml");
        }
        if line.starts_with("icehost sync") {
            assert!(told.contains('2'), "{told}");
        }
    }
    assert!(bed.path("lake/demo/orders/metadata").is_dir());
}

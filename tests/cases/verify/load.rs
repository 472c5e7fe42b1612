//! Lake and target alone, and pipelines of a file.

use icehost_tests::Command;

use crate::{Case, counts, keys};

fn verify_load(case: &Case) -> Command {
    case.bed
        .on_lake(["verify"], "demo.t")
        .args(["--target", &case.bed.target_url()])
        .args(["--target-table", "dbo.Copy", "--merge", "upsert"])
}

#[test]
fn lake_and_target_are_compared_without_a_source() {
    let case = Case::synced(60);
    let report = verify_load(&case).json();
    assert_eq!(counts(&report, "target", "pending"), "60 missing");
    let load = || {
        case.bed
            .load("demo.t", "dbo.Copy")
            .args(["--merge", "upsert", "--create-target"])
            .run()
            .success()
    };
    load();
    let report = verify_load(&case).json();
    assert_eq!(
        (&report["wrong"], &report["pending"]),
        (&0.into(), &0.into())
    );
    assert!(report["table"].is_null() && report["lake"].is_null());
    case.target("UPDATE dbo.Copy SET Amount = NULL WHERE Id = 33");
    let report = crate::differs(verify_load(&case));
    assert_eq!(
        keys(&report, "target", "wrong"),
        ["changed Id = 33: Amount"]
    );
}

#[test]
fn a_login_that_may_only_read_can_compare() {
    let case = Case::synced(20);
    let reader = case.bed.source_url().replacen(
        "mssql://sa:",
        &format!("mssql://{}:", icehost_tests::READER),
        1,
    );
    assert!(reader.contains(icehost_tests::READER));
    let report = Command::new(["verify"])
        .args(["--source", &reader, "--table", "dbo.T"])
        .args(["--warehouse", &case.bed.warehouse().display().to_string()])
        .args([
            "--lake-table",
            "demo.t",
            "--strategy",
            "timestamp",
            "--merge",
            "upsert",
        ])
        .json();
    assert_eq!(report["wrong"], 0);
    assert_eq!(report["lake"]["rows_found"], 20);
}

#[test]
fn pipelines_of_a_file_are_compared_and_one_that_is_wrong_fails() {
    let case = Case::synced(30);
    let config = case.bed.path("icehost.toml");
    let password = "ICEHOST_CASE_PASSWORD";
    let connection = |name: &str, url: &str| {
        let (login, rest) = url.rsplit_once('@').unwrap();
        let (user, _) = login.rsplit_once(':').unwrap();
        format!("[connections.{name}]\nurl = \"{user}@{rest}\"\npassword-env = \"{password}\"\n")
    };
    let pipeline = |name: &str, lake_table: &str, target: &str| {
        format!(
            "[pipelines.{name}]\nsource = \"source\"\ntable = \"dbo.T\"\nlake-table = \"{lake_table}\"\n\
             strategy = \"timestamp\"\nmerge = \"upsert\"\n{target}"
        )
    };
    let text = [
        "warehouse = \"warehouse\"\n".to_owned(),
        connection("source", &case.bed.source_url()),
        connection("target", &case.bed.target_url()),
        pipeline("one", "demo.t", "target = \"target\"\n"),
        pipeline("two", "demo.two", ""),
    ]
    .join("\n");
    std::fs::write(&config, text).unwrap();
    let run = |command: &str, names: &[&str]| {
        Command::new([command])
            .args(names.iter().copied())
            .args(["--config", &config.display().to_string()])
            .env(password, &case.bed.login().1)
    };
    let verify = |names: &[&str]| run("verify", names);
    verify(&[])
        .run()
        .failure(&["two", "there is no lake table demo.two"]);
    run("sync", &["two"]).json();
    case.source("INSERT INTO dbo.T (Id, Amount, Modified) VALUES (31, 1, '2026-03-01')");
    let report = verify(&[]).json();
    assert_eq!(report["succeeded"], 2, "{report}");
    assert_eq!(report["pipelines"][1]["report"]["pending"], 1);
    case.target("DELETE FROM dbo.T WHERE Id = 3");
    let run = verify(&["one"])
        .args(["--output", "json"])
        .run()
        .failure(&["one"]);
    let report = run.json();
    assert_eq!(report["failed"], 1);
    assert_eq!(report["pipelines"][0]["report"]["wrong"], 1);
}

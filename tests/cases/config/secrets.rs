//! Passwords: by variable or file, never in the file by accident, never shown.

use icehost_tests::{Bed, Run, customers};

use crate::file::{PASSWORD, with_config, without_password, write, write_raw};

const PIPELINE: &str = r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
merge = "upsert"
"#;

fn shows_no(run: &Run, secret: &str) {
    for shown in [&run.stdout, &run.stderr] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_password_comes_from_a_variable_a_file_or_parts() {
    let bed = customers::bed_on_development_server(1);
    let url = without_password(&bed.source_url());
    let (host, port) = url
        .split_once('@')
        .and_then(|(_, rest)| rest.split_once('/'))
        .and_then(|(address, _)| address.split_once(':'))
        .unwrap();
    let (user, password) = bed.login();
    std::fs::write(bed.path("secret"), format!("{password}\n")).unwrap();
    let database = bed.source_database();
    for connection in [
        format!("url = '{url}'\npassword-env = '{PASSWORD}'"),
        format!("url = '{url}'\npassword-file = 'secret'"),
        format!(
            "server = '{host}'\nport = {port}\ndatabase = '{database}'\nuser = '{user}'\n\
             encrypt = true\ntrust-server-certificate = true\npassword-file = 'secret'"
        ),
        format!("url = \"{}\"\nallow-inline-secret = true", bed.source_url()),
        format!("url = '{url}'\npassword = \"{password}\"\nallow-inline-secret = true"),
    ] {
        write_raw(
            &bed,
            &format!("warehouse = 'warehouse'\n[connections.source]\n{connection}\n{PIPELINE}"),
        );
        for subcommand in ["check", "sync"] {
            let run = with_config(&bed, [subcommand])
                .env("RUST_LOG", "trace")
                .run()
                .success();
            shows_no(&run, &password);
        }
    }
}

#[test]
fn a_password_in_the_file_is_refused_and_not_shown() {
    let bed = Bed::on_development_server();
    for connection in [
        "url = 'mssql://sa:hunter2@db/Shop'",
        "url = 'Server=db;User Id=sa;Password=hunter2'",
        "url = 'mssql://sa@db/Shop'\npassword = 'hunter2'",
        // Mistakes beside it
        "url = 'mssql://sa:hunter2@db:port/Shop'",
        "url = 'mssql://sa:hunter2@db/Shop?encrypt=hunter2'",
        "url = ['mssql://sa:hunter2@db/Shop']",
        "password = 'hunter2'\nserver = 5",
        "url = 'mssql://sa:hunter2@db/Shop",
        "password = hunter2",
        "password = \"hunter2\\q\"",
        "url = 'mssql://sa:hunter2@db/Shop'\nurl = 'mssql://sa:hunter2@db/Shop'",
        "url = 'mssql://sa@db/Shop'\nencrypt = 'hunter2'\npassword-env = ['hunter2']",
    ] {
        write_raw(
            &bed,
            &format!("warehouse = 'warehouse'\n[connections.source]\n{connection}\n{PIPELINE}"),
        );
        for subcommand in [["check", "--offline"], ["sync", "--output=json"]] {
            let run = with_config(&bed, subcommand)
                .env("RUST_LOG", "trace")
                .run()
                .failure(&["icehost.toml:"]);
            shows_no(&run, "hunter2");
        }
    }
    // A URL where a connection's name belongs
    write(
        &bed,
        &PIPELINE.replace("\"source\"", "\"mssql://sa:hunter2@db/Shop\""),
    );
    let run = with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&["'source' takes the name of a connection"]);
    shows_no(&run, "hunter2");
}

#[test]
fn a_secret_that_is_missing_is_told_where_it_is_needed() {
    let bed = customers::bed(1);
    let url = without_password(&bed.source_url());
    let file = |secret: &str| {
        write_raw(
            &bed,
            &format!(
                "warehouse = 'warehouse'\n[connections.source]\nurl = '{url}'\n{secret}\n{PIPELINE}"
            ),
        );
    };
    file("password-env = 'ICEHOST_CASE_NOWHERE'");
    with_config(&bed, ["check", "--offline"]).run().success();
    for subcommand in ["check", "sync"] {
        with_config(&bed, [subcommand]).run().failure(&[
            "icehost.toml:2:14: ",
            "ICEHOST_CASE_NOWHERE",
            "is not set",
        ]);
    }
    file("password-file = 'nowhere'");
    with_config(&bed, ["check"])
        .run()
        .failure(&["cannot read the password from ", "nowhere"]);
    with_config(&bed, ["check"])
        .env("ICEHOST_CASE_NOWHERE", "")
        .run()
        .failure(&["nowhere"]);
}

/// A shell's `<(…)`: it has no directory, and gives what it holds once.
#[test]
#[cfg(unix)]
fn a_file_and_its_secrets_may_be_pipes() {
    let bed = customers::bed_on_development_server(2);
    let url = without_password(&bed.source_url());
    let text = format!(
        "warehouse = 'warehouse'\n[connections.source]\nurl = '{url}'\npassword-file = '/dev/fd/8'\n\
         [defaults]\nsource = 'source'\ntable = 'dbo.Customers'\nstrategy = 'timestamp'\nmerge = 'upsert'\n\
         column-rules = {{ Name = 'hash' }}\nhash-key-file = '/dev/fd/7'\n\
         [pipelines.one]\nlake-table = 'a.one'\n[pipelines.two]\nlake-table = 'a.two'\n"
    );
    let key = "0123456789abcdef0123456789abcdef";
    let run = |arguments: &str| {
        let script = format!(
            "\"$0\" {arguments} --config <(printf %s \"$FILE\") 7< <(printf %s \"$KEY\") 8< <(printf %s \"$SECRET\")"
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .arg(icehost_tests::program())
            .current_dir(bed.path(""))
            .envs([("FILE", text.as_str()), ("KEY", key)])
            .env("SECRET", bed.login().1)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments}: {said}");
    };
    run("check");
    run("sync --jobs 2");
    // Relative paths start where the command was given.
    assert!(bed.lake("a.one").exists() && bed.lake("a.two").exists());
    run("verify");
}

/// As Kubernetes mounts a secret: links into a directory that is replaced as a whole.
#[test]
#[cfg(unix)]
fn a_mounted_secret_is_a_link() {
    use std::os::unix::fs::symlink;
    let bed = customers::bed_on_development_server(1);
    std::fs::create_dir_all(bed.path("mount/..2026")).unwrap();
    std::fs::write(bed.path("mount/..2026/password"), bed.login().1).unwrap();
    symlink("..2026", bed.path("mount/..data")).unwrap();
    symlink("..data/password", bed.path("mount/password")).unwrap();
    let url = without_password(&bed.source_url());
    let connection = format!("url = '{url}'\npassword-file = 'mount/password'");
    write_raw(
        &bed,
        &format!("warehouse = 'warehouse'\n[connections.source]\n{connection}\n{PIPELINE}"),
    );
    with_config(&bed, ["sync"]).run().success();
}

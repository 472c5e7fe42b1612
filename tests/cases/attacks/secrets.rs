//! Passwords in places and forms in which nobody expects them: none is shown, whatever becomes of the rest.

use icehost_tests::{Bed, Command, Run};

const SECRET: &str = "hunxQ7zter";

#[track_caller]
fn hides(run: &Run) {
    for written in [&run.stdout, &run.stderr] {
        assert!(
            !written.contains("xQ7z"),
            "icehost {}\n{written}",
            run.command
        );
    }
}

/// Where else a connection may be put by mistake.
const FLAGS: [&str; 6] = [
    "--table",
    "--lake-table",
    "--warehouse",
    "--strategy-option",
    "--column-rule",
    "--columns",
];

/// Connections with a slip in them. Nothing listens at the port.
fn connections() -> Vec<String> {
    [
        "sqlserver://127.0.0.1:1;user=sa;password=SECRET",
        "sqlserver://127.0.0.1;user=sa;password=SECRET",
        "sqlserver://127.0.0.1:1;user=sa;password=x@SECRET",
        "sqlserver://127.0.0.1:1/d;user=sa;password=SECRET",
        "sqlserver://127.0.0.1:1/d?user=sa;password=SECRET",
        "sqlserver://127.0.0.1:1/d?user=sa&pasword=SECRET",
        "sqlserver://127.0.0.1:1/d?user=sa&SECRET=password",
        "sqlserver://127.0.0.1:1/d?certificate=ca.pem;password=SECRET",
        "jdbc:sqlserver://127.0.0.1:1;user=sa;password=SECRET",
        "mssql://sa:SECRET@127.0.0.1:one/d",
        "mssql://sa:SECRET@127.0.0.1:1:1/d",
        "mssql://sa:SECRET@127.0.0.1:1/d?colour=SECRET",
        "mssql://sa:SECRET/127.0.0.1:1/d",
        "mssql://sa:SECRET;127.0.0.1:1/d",
        "mssql://sa:/SECRET@127.0.0.1:1/d",
        "mssql://SECRET@127.0.0.1:1/d",
        "mssql//sa:SECRET@127.0.0.1:1/d",
        "mssql:/sa:SECRET@127.0.0.1:1/d?encrypt=false",
        "postgres://sa:SECRET@127.0.0.1:1/d",
        "mssql://sa:%zz%SECRET@127.0.0.1:1/d",
        "Server=127.0.0.1,1 Password=SECRET",
        "Server=127.0.0.1,1 User Id=sa Password=SECRET",
        "Server=127.0.0.1,1;Database=d User Id=sa Password=SECRET",
        "Server=127.0.0.1,1;Database=d,User Id=sa,Password=SECRET",
        "Server=127.0.0.1,1;User Id=sa Password SECRET",
        "Server=127.0.0.1,1;Database=d Pwd:SECRET;User Id=sa",
        "Server=127.0.0.1,1;User Id=sa;Password=a;SECRET",
        "Server=127.0.0.1,1;User Id=sa;Password=a;SECRET=b",
        "Server=127.0.0.1,1;User Id=sa;Password='SECRET",
        "Server=127.0.0.1,1;SECRET='a",
        "Server=127.0.0.1,1;User Id=sa;AccessToken=SECRET",
        "Server='127.0.0.1;Database=d;User Id=sa;Password=SECRET'",
        "Server=127.0.0.1,1;Certificate=ca.pem Password=SECRET;User Id=sa",
        "SECRET",
    ]
    .iter()
    .map(|text| text.replace("SECRET", SECRET))
    .collect()
}

#[test]
fn a_password_in_a_malformed_connection_is_not_shown() {
    let bed = Bed::on_development_server();
    let warehouse = bed.warehouse().display().to_string();
    for (at, connection) in connections().iter().enumerate() {
        let output = if at % 2 == 0 { "text" } else { "json" };
        let sync = [
            "sync",
            "--strategy",
            "id",
            "--merge",
            "upsert",
            "--output",
            output,
        ];
        let place = [
            ["--warehouse", &warehouse],
            ["--lake-table", "a.b"],
            ["--table", "dbo.T"],
            ["--retries", "0"],
        ];
        let sync_without = |flag: &str| {
            let place = place.iter().filter(|[given, _]| *given != flag).flatten();
            Command::new(sync)
                .args(place.copied())
                .env("RUST_LOG", "trace")
        };
        let sync = || sync_without("");
        hides(
            &sync()
                .args(["--source", connection])
                .run()
                .failure(&["error: "]),
        );
        hides(
            &sync()
                .env("ICEHOST_SOURCE", connection)
                .run()
                .failure(&["error: "]),
        );
        // Where something else belongs; a word alone is what it is taken for.
        if !connection.contains(['=', ':']) {
            continue;
        }
        let flag = FLAGS[at % FLAGS.len()];
        let source = ["--source", "mssql://127.0.0.1:1/d", flag, connection];
        hides(&sync_without(flag).args(source).run());
        hides(&Command::new(["sync", connection]).run());
        hides(&Command::new(["plugin", "pull", connection]).run());
        // In a file
        let file = bed.path("icehost.toml");
        let quoted = serde_json::to_string(connection).unwrap();
        let pipeline = "[pipelines.p]\nsource = \"c\"\ntable = \"dbo.T\"\nstrategy = \"id\"\nmerge = \"upsert\"\nretries = 0\n";
        let texts = [
            format!(
                "warehouse = \"w\"\n[connections.c]\nurl = {quoted}\nallow-inline-secret = true\n{pipeline}"
            ),
            format!("warehouse = \"w\"\n[connections.c]\nserver = {quoted}\n{pipeline}"),
            format!("warehouse = \"w\"\n[connections.c]\n{quoted} = 1\n{pipeline}"),
            format!(
                "warehouse = {quoted}\n[connections.c]\nurl = \"mssql://127.0.0.1:1/d\"\n{pipeline}"
            ),
            format!("warehouse = \"w\"\n[connections.c]\nurl = {connection}\n{pipeline}"),
            format!("warehouse = \"w\"\n{pipeline}").replace("\"c\"", &quoted),
            format!("warehouse = \"w\"\n{quoted} = 1\n{pipeline}"),
        ];
        // Each text with some connections, and each connection in some texts: a run takes its time.
        for text in [&texts[at % texts.len()], &texts[(at + 3) % texts.len()]] {
            std::fs::write(&file, text).unwrap();
            let check = Command::new(["check", "--output", output, "--config"]);
            let check = check
                .arg(file.display().to_string())
                .env("RUST_LOG", "trace");
            hides(&check.run().failure(&["error: "]));
        }
    }
}

#[test]
fn the_login_of_a_registry_is_not_shown() {
    let bed = Bed::on_development_server();
    for reference in [
        "https://me:SECRET@127.0.0.1:1/x:1",
        "oci://me:SECRET@127.0.0.1:1/x:1",
        "me:SECRET@127.0.0.1:1/x:1",
    ] {
        let reference = reference.replace("SECRET", SECRET);
        hides(
            &Command::new(["plugin", "pull", &reference])
                .run()
                .failure(&["error: "]),
        );
        let file = bed.path("icehost.toml");
        std::fs::write(
            &file,
            format!("[strategies.s]\nregistry = \"{reference}\"\n"),
        )
        .unwrap();
        let check = Command::new(["check", "--config"]).arg(file.display().to_string());
        hides(&check.run().failure(&["error: "]));
    }
    // Damaged logins
    let directory = bed.path("docker");
    std::fs::create_dir(&directory).unwrap();
    for text in [
        "{\"auths\": {\"127.0.0.1:1\": {\"auth\": \"SECRET\"}}}",
        "{\"auths\": {\"127.0.0.1:1\": \"SECRET\"}}",
        "{\"auths\": {\"127.0.0.1:1\": {\"username\": \"me\", \"password\": SECRET}}}",
        "{\"credHelpers\": {\"127.0.0.1:1\": \"SECRET;x\"}}",
    ] {
        std::fs::write(
            directory.join("config.json"),
            text.replace("SECRET", SECRET),
        )
        .unwrap();
        let run = Command::new(["plugin", "pull", "127.0.0.1:1/x:1"])
            .env("DOCKER_CONFIG", &directory.display().to_string())
            .env("RUST_LOG", "trace")
            .run();
        if !text.contains("credHelpers") {
            hides(&run);
        }
        run.failure(&["error: "]);
    }
}

/// The secret itself where the name of a variable or a file is wanted.
#[test]
fn a_secret_in_the_place_of_its_name_is_not_shown() {
    let bed = Bed::on_development_server();
    let file = bed.path("icehost.toml");
    let written = format!("P@ss {SECRET} 2026!");
    for (key, output) in [
        ("password-env", "text"),
        ("password-env", "json"),
        ("password-file", "json"),
    ] {
        let text = format!(
            "warehouse = 'warehouse'\n[connections.s]\nurl = 'mssql://sa@127.0.0.1:1/d'\n{key} = '{written}'\n\
             [pipelines.p]\nsource = 's'\ntable = 'dbo.T'\nlake-table = 'demo.t'\nstrategy = 'id'\nmerge = 'upsert'\n"
        );
        std::fs::write(&file, text).unwrap();
        let run = Command::new(["check", "--output", output, "--config"])
            .arg(file.display().to_string())
            .run()
            .failure(&["password", "hint: "]);
        hides(&run);
    }
    bed.source()
        .execute("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Phone nvarchar(20) NULL)");
    for flag in ["--hash-key-env", "--hash-key-file"] {
        let run = bed
            .sync("dbo.T", "demo.t")
            .args([
                "--strategy",
                "id",
                "--merge",
                "upsert",
                "--column-rule",
                "Phone=hash",
            ])
            .args([flag, &written])
            .run()
            .failure(&["key for hashes", "hint: "]);
        hides(&run);
    }
}

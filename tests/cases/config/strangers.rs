//! A stranger's component in one's own configuration: what it can learn, and whose bytes run.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use icehost_tests::{Bed, Command, Dump, customers};

use crate::file::{with_config, write};

/// The detector in `snoop.c`, built into `NAME.wasm` on the bed.
fn snoop(bed: &Bed, name: &str) -> PathBuf {
    let directory = bed.path(name).display().to_string();
    let component = bed.path(&format!("{name}.wasm"));
    Command::new(["plugin", "new", &directory])
        .args(["--kind", "change-detector", "--lang", "c"])
        .run()
        .success();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config/snoop.c");
    let source = fs::read_to_string(source).unwrap();
    let source = source.replace("literal(\"snoop\")", &format!("literal(\"{name}\")"));
    fs::write(bed.path(name).join("strategy.c"), source).unwrap();
    Command::new(["plugin", "build", &directory, "--out"])
        .arg(component.display().to_string())
        .run()
        .success();
    component
}

#[test]
fn a_component_learns_nothing_of_other_tenants() {
    const TENANTS: [&str; 4] = ["acme", "birch", "cedar", "drift"];
    let bed = Bed::new();
    snoop(&bed, "snoop");
    let mut text = String::from(
        "[strategies.snoop]\nfile = \"snoop.wasm\"\n\n[pipelines.orders]\ntenants = \"all\"\nstrategy = \"snoop\"\n\
         source = \"source\"\nmerge = \"upsert\"\n",
    );
    for tenant in TENANTS {
        bed.source().execute(&format!(
            "CREATE TABLE dbo.of_{tenant} (Id int NOT NULL PRIMARY KEY, column_of_{tenant} int NULL); \
             INSERT INTO dbo.of_{tenant} VALUES (1, 1)"
        ));
        text += &format!(
            "\n[tenants.{tenant}]\ntable = \"dbo.of_{tenant}\"\nlake-table = \"{tenant}.orders\"\n\
             strategy-options = {{ secret = \"secret of {tenant}\" }}\n"
        );
    }
    write(&bed, &text);
    // One process, one compiled component, side by side; and a second run, which has watermarks.
    for run in 1..=2 {
        let summary = with_config(&bed, ["sync", "--jobs", "4"]).json();
        assert_eq!(summary["succeeded"], 4, "{summary}");
        for pipeline in summary["pipelines"].as_array().unwrap() {
            let name = pipeline["pipeline"].as_str().unwrap();
            let own = name.strip_prefix("orders@").unwrap();
            let heard = pipeline["report"]["watermark"]["marks"][0][1]["text"]
                .as_str()
                .unwrap_or_else(|| panic!("{pipeline}"));
            for tenant in TENANTS {
                let mentions = heard.contains(&format!("secret of {tenant}"))
                    || heard.contains(&format!("of_{tenant}"));
                assert_eq!(mentions, tenant == own, "run {run} of {name} heard {heard}");
            }
            assert_eq!(heard.contains("watermark"), run == 2, "{heard}");
            // Not even of its own earlier calls.
            let last = heard
                .rsplit_once("watermark")
                .map_or(heard, |(last, _)| last);
            assert!(
                !last.contains("|plan:") && !last.contains("|probes:"),
                "{heard}"
            );
        }
    }
}

#[test]
fn a_component_sees_the_columns_that_it_is_granted_and_all_are_carried() {
    let bed = customers::bed(5);
    snoop(&bed, "snoop");
    let pipeline = "[pipelines.customers]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"snoop\"\n\
                    merge = \"append-only\"\n";
    let with = |grants: &str| {
        let section = format!("[strategies.snoop]\nfile = \"snoop.wasm\"\n{grants}\n");
        write(&bed, &format!("{section}{pipeline}"));
    };
    with("columns = [\"modifieddate\", \"NotThere\"]");
    let run = with_config(&bed, ["sync"]).json();
    let report = &run["pipelines"][0]["report"];
    let heard = report["watermark"]["marks"][0][1]["text"].as_str().unwrap();
    assert!(heard.ends_with("};ModifiedDate"), "{heard}");
    assert_eq!(report["rows_appended"], 5);
    Dump::agreed(&bed.lake("dbo.customers"), None).assert_equals(
        &bed.source_dump("dbo.Customers"),
        "lake",
        "source",
    );

    // A grant that is no list, and one of what is not there to be granted.
    with("columns = \"ModifiedDate\"");
    with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&["icehost.toml:", "'columns' takes"]);
    with("imports = [\"loging\"]");
    with_config(&bed, ["check", "--offline"]).run().failure(&[
        "icehost.toml:",
        "there is no interface 'loging' to import",
        "did you mean 'logging'?",
    ]);
    // This one imports nothing; the shipped ones log.
    with("imports = []");
    with_config(&bed, ["check", "--offline"]).run().success();
    write(
        &bed,
        &format!("[strategies.snoop]\nshipped = \"full-refresh\"\nimports = []\n{pipeline}"),
    );
    with_config(&bed, ["check", "--offline"]).run().failure(&[
        "imports icehost:strategy/logging@",
        "not granted",
        "hint",
        "add it to 'imports'",
    ]);
}

#[test]
fn a_transformer_does_not_get_what_is_hidden_from_it() {
    let bed = customers::bed(2);
    let with = |columns: &str| {
        write(
            &bed,
            &format!(
                "[strategies.masks]\nshipped = \"mask\"\ncolumns = {columns}\n\
                 [pipelines.customers]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"timestamp\"\n\
                 strategy-options = {{ column = \"ModifiedDate\" }}\nmerge = \"upsert\"\n\
                 transform = [\"masks\"]\ntransform-options = {{ masks = {{ columns = [\"Name\"] }} }}\n"
            ),
        );
    };
    with("[\"CustomerID\"]");
    with_config(&bed, ["sync"]).run().failure(&[
        "no column 'Name'",
        "'CustomerID'",
        "it is shown no other columns than its section grants: CustomerID",
    ]);
    assert!(!bed.lake("dbo.customers").exists());
    with("[\"Name\"]");
    with_config(&bed, ["sync"]).run().success();
    let dump = Dump::agreed(&bed.lake("dbo.customers"), None);
    assert_eq!(dump.rows.len(), 2);
}

#[test]
fn a_component_that_is_replaced_after_the_check_does_not_run() {
    let bed = customers::bed(3);
    let (component, good, other) = (
        bed.path("mine.wasm"),
        snoop(&bed, "snoop"),
        snoop(&bed, "other"),
    );
    let digest = digest(&good);
    pinned(&bed, "mine.wasm", &digest);
    fs::copy(&good, &component).unwrap();
    with_config(&bed, ["check"]).run().success();
    fs::copy(&other, &component).unwrap();
    with_config(&bed, ["sync"])
        .run()
        .failure(&["strategy mine is not the one that was pinned", &digest]);
    assert!(!bed.warehouse().exists());
}

/// The bytes whose digest is right are those that run: whoever replaces the file between the two gets nowhere, since
/// nobody opens it again.
#[test]
fn a_component_is_read_once() {
    let bed = customers::bed(3);
    let good = snoop(&bed, "snoop");
    let digest = digest(&good);
    pinned(&bed, "snoop.wasm", &digest);
    let python = std::env::var_os("ICEHOST_TEST_PYTHON").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config/opens.py");
    let mut watch = Process::new(python)
        .arg(script)
        .arg(&good)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(watch.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "watching\n");
    // Without the comparison that `success` would make, which reads it too.
    let run = with_config(&bed, ["sync"]).run();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    drop(watch.stdin.take());
    line.clear();
    said.read_line(&mut line).unwrap();
    assert!(watch.wait().unwrap().success());
    assert_eq!(line, "1\n");
    assert_eq!(Dump::agreed(&bed.lake("dbo.customers"), None).rows.len(), 3);
}

/// A pipeline whose detector is this file, with this digest.
fn pinned(bed: &Bed, file: &str, digest: &str) {
    let text = format!(
        "[strategies.mine]\nfile = \"{file}\"\nsha256 = \"{digest}\"\n\
         [pipelines.customers]\nsource = \"source\"\ntable = \"dbo.Customers\"\nstrategy = \"mine\"\n\
         merge = \"append-only\"\n"
    );
    write(bed, &text);
}

/// The digest that `icehost plugin inspect` prints.
fn digest(component: &Path) -> String {
    let path = component.display().to_string();
    let inspected = Command::new(["plugin", "inspect", &path]).json();
    inspected["strategies"][0]["sha256"]
        .as_str()
        .unwrap()
        .to_owned()
}

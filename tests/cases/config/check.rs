//! `icehost check`: every problem, each with its place.

use icehost_tests::{Bed, READER, customers};

use crate::file::{with_config, write, write_raw};

#[test]
fn a_sound_file_is_told_so_and_nothing_is_touched() {
    let bed = customers::bed(5);
    write(
        &bed,
        r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
merge = "upsert"
target = "target"
"#,
    );
    let run = with_config(&bed, ["check"]).run().success();
    assert!(
        run.stdout.contains("no problem found in 1 pipeline:"),
        "{}",
        run.stdout
    );
    let run = with_config(&bed, ["check", "--offline"]).json();
    assert_eq!(run["pipelines"][0], "customers");
    assert_eq!(run["offline"], true);
    assert!(!bed.warehouse().exists());
}

#[test]
fn all_that_is_wrong_in_a_file_is_told_at_once() {
    let bed = Bed::on_development_server();
    let text = r#"
wharehouse = "lake"

[connections.shop]
server = "db"
encrypt = "maybe"

[strategies.mine]
file = "mine.wasm"
sha256 = "abc"

[pipelines.customers]
source = "shp"
tabel = "dbo.Customers"
columns = "Name"
strategy = "timestmp"
merge = "upsert"
parallel = 0

[pipelines.orders]
source = "shop"
table = "a.b.c.d"
strategy = "mine"
merge = "upsert"
commit = "sometimes"
tenants = ["acme"]
"#;
    write_raw(&bed, text);
    let run = with_config(&bed, ["check", "--offline", "--output", "json"])
        .run()
        .failure(&["error: ", "14 problems in "]);
    let problems = run.json();
    let told: Vec<String> = problems["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            assert!(problem["file"].as_str().unwrap().ends_with("icehost.toml"));
            format!(
                "{}:{} {} ({})",
                problem["line"],
                problem["column"],
                problem["message"].as_str().unwrap(),
                problem["hint"].as_str().unwrap_or("-")
            )
        })
        .collect();
    let wanted = [
        "2:1 there is no key or section 'wharehouse' (did you mean 'warehouse'?)",
        "6:11 ",
        "10:10 'sha256' takes 64 hexadecimal digits",
        "12:12 pipeline customers has no 'table'",
        "12:12 pipeline customers has no 'warehouse'",
        "13:10 there is no connection 'shp' (did you mean 'shop'?)",
        "14:1 there is no key 'tabel' in [pipelines.customers] (did you mean 'table'?)",
        "15:11 'columns' takes a list of names in quotes, not \"Name\"",
        "16:12 there is no strategy 'timestmp' (did you mean 'timestamp'?)",
        "18:12 'parallel' takes a whole number from 1 to 256, not 0",
        "20:12 pipeline orders has no 'warehouse'",
        "22:9 'a.b.c.d' is not a table name",
        "25:10 'commit' takes \"once\" or \"per-range\", not \"sometimes\"",
        "26:11 there is no tenant 'acme'",
    ];
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told} is not {wanted}");
    }
    // A file with a mistake runs nothing.
    with_config(&bed, ["sync"])
        .run()
        .failure(&["14 problems in "]);
}

#[test]
fn text_that_is_not_toml_is_told_with_its_places() {
    let bed = Bed::on_development_server();
    write_raw(&bed, "warehouse = \n[pipelines.a\ntable = 'x'\n");
    with_config(&bed, ["check", "--offline"]).run().failure(&[
        "icehost.toml:1:",
        "icehost.toml:2:",
        "this is not TOML",
    ]);
    write_raw(&bed, "");
    with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&["icehost.toml:1:1: there is no pipeline", "hint"]);
}

#[test]
fn options_tables_and_servers_are_all_checked() {
    let bed = customers::bed(1);
    write(
        &bed,
        r#"
[connections.nowhere]
url = "mssql://sa@127.0.0.1:1/db?connect_timeout=2"
password-env = "ICEHOST_CASE_PASSWORD"

[defaults]
source = "source"
strategy = "timestamp"
merge = "upsert"

[pipelines.a]
table = "dbo.Custmers"
strategy-options = { colum = "ModifiedDate" }

[pipelines.b]
table = "dbo.Customers"
source = "nowhere"
strategy = "upsert"

[pipelines.c]
table = "dbo.Orders"
source = "nowhere"
merge-options = { keys = 5 }

[pipelines.d]
table = "dbo.Customers"
exclude-columns = ["Emial"]
lake-table = "other.customers"
target = "target"
target-table = "dbo.Missing"

[pipelines.e]
table = "dbo.Customers"
target = "target"
target-table = "dbo.New"
create-target = true
memory-limit = "1MiB"
lake-table = "third.customers"
"#,
    );
    let run = with_config(&bed, ["check"]).run().failure(&[
        "pipeline a: opening source table dbo.Custmers: ",
        "dbo.Custmers",
        "colum",
        "change detector",
        "'keys' takes list of text, not 5",
        "Emial",
        "pipeline d: target table dbo.Missing does not exist",
        "dbo.Missing",
        "memory",
        "127.0.0.1:1",
    ]);
    let unreachable = run.stderr.matches("127.0.0.1:1/").count();
    assert_eq!(unreachable, 1, "{}", run.stderr);
    assert!(!run.stderr.contains("dbo.New"), "{}", run.stderr);
    // None of the servers is asked offline, and the strategies still are.
    let run = with_config(&bed, ["check", "--offline"])
        .run()
        .failure(&["colum"]);
    assert!(!run.stderr.contains("dbo."), "{}", run.stderr);
}

#[test]
fn what_the_login_may_not_do_is_told_before_a_run_finds_out() {
    // Its second login may read and nothing else.
    let bed = customers::bed_on_development_server(1);
    let reading = |connections: &[&str]| {
        let path = write(
            &bed,
            r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "timestamp"
strategy-options = { column = "ModifiedDate" }
merge = "upsert"
target = "target"

[pipelines.copies]
source = "source"
table = "dbo.Customers"
lake-table = "other.customers"
strategy = "full-refresh"
merge = "upsert"
target = "target"
target-table = "dbo.Copies"
create-target = true
"#,
        );
        let mut text = std::fs::read_to_string(path).unwrap();
        for connection in connections {
            let url = format!("[connections.{connection}]\nurl = \"mssql://");
            text = text.replace(&format!("{url}sa@"), &format!("{url}{READER}@"));
        }
        write_raw(&bed, &text);
    };
    reading(&["source"]);
    with_config(&bed, ["check"]).run().success();
    reading(&["source", "target"]);
    let run = with_config(&bed, ["check"]).run().failure(&[
        "pipeline customers: the login has no permission for INSERT, UPDATE on dbo.Customers",
        "hint: grant it: GRANT INSERT, UPDATE ON [dbo].[Customers] TO the login's user",
        "pipeline copies: dbo.Copies is missing, and the login may not create it",
        "dbo.icehost_positions is missing, and the login may not create it",
        "4 problems in ",
    ]);
    assert!(!run.stderr.contains("DELETE"), "{}", run.stderr);
    // The run ends with just that, and has left nothing behind at the target, nor in the lake.
    with_config(&bed, ["sync", "customers"])
        .run()
        .failure(&["the login has no permission for INSERT, UPDATE on dbo.Customers"]);
    assert!(!bed.warehouse().exists());
    assert_eq!(
        bed.target().value("SELECT COUNT(*) FROM dbo.Customers"),
        "0"
    );
}

/// What a delivery of new rows would end with is told as a run would tell it.
#[test]
fn columns_that_a_target_could_not_take_are_problems() {
    let bed = customers::bed(3);
    write(
        &bed,
        r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "full-refresh"
merge = "upsert"
target = "target"
"#,
    );
    let another_kind =
        "ALTER TABLE dbo.Customers DROP COLUMN Name; ALTER TABLE dbo.Customers ADD Name int NULL";
    let not_filled = "ALTER TABLE dbo.Customers ADD Extra int NOT NULL";
    for (change, back, saying) in [
        (
            not_filled,
            "ALTER TABLE dbo.Customers DROP COLUMN Extra",
            "column 'Extra': it is NOT NULL and has no default",
        ),
        (another_kind, "", "column 'Name'"),
    ] {
        bed.target().execute(change);
        with_config(&bed, ["check"])
            .run()
            .failure(&[saying, "1 problem in "]);
        with_config(&bed, ["sync"]).run().failure(&[saying]);
        assert!(!bed.warehouse().exists());
        if !back.is_empty() {
            bed.target().execute(back);
        }
    }
}

/// Where a setting is written, not where it is used; one cause once.
#[test]
fn places_are_those_of_the_settings_and_one_cause_is_told_once() {
    let bed = customers::bed(1);
    let pipelines = r#"
[defaults]
source = "source"
strategy = "timestamp"
merge = "upsert"
column-rules = { Nowhere = "null" }
[pipelines.a]
table = "dbo.Customers"
[pipelines.b]
table = "dbo.Customers"
lake-table = "x.y"
column-rules = { Name = "truncate:x" }
[pipelines.c]
table = "dbo.Missing"
lake-table = "x.z"
column-rules = { Email = "hash" }
hash-key-env = "ICEHOST_NO_SUCH_VARIABLE"
"#;
    let path = write(&bed, pipelines);
    let text = std::fs::read_to_string(&path).unwrap();
    let line = |of: &str| 1 + text.lines().position(|line| line.starts_with(of)).unwrap();
    let told = |text: &str| -> Vec<String> {
        write_raw(&bed, text);
        let run = with_config(&bed, ["check", "--output", "json"]).run();
        let problems = run.failure(&[]).json()["problems"].clone();
        let problems = problems.as_array().unwrap().iter();
        problems
            .map(|of| {
                format!(
                    "{}:{} {}",
                    of["line"],
                    of["column"],
                    of["message"].as_str().unwrap()
                )
            })
            .collect()
    };
    let found = told(&text);
    let wanted = [
        format!(
            "{}:18 pipeline a: the rule for column 'Nowhere' of dbo.Customers",
            line("column-rules = { Nowhere")
        ),
        format!(
            "{}:18 the rule for column 'Name': 'x' is no number",
            line("column-rules = { Name")
        ),
        format!(
            "{}:9 pipeline c: opening source table dbo.Missing",
            line("table = \"dbo.Missing")
        ),
        format!("{}:16 cannot take the key for hashes", line("hash-key-env")),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(found.starts_with(&wanted), "{found} is not {wanted}");
    }
    // A warehouse that cannot be made is one mistake of the file, however many tables it is to hold.
    let nowhere = bed.path("none/lake").display().to_string();
    let sound = text
        .replace("column-rules", "# column-rules")
        .replace("dbo.Missing", "dbo.Customers");
    let sound = sound.replace(
        "warehouse = \"warehouse\"",
        &format!("warehouse = \"{nowhere}\""),
    );
    let found = told(&sound);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with("1:13 the warehouse "), "{found:#?}");
}

#[test]
fn a_schema_that_is_missing_and_a_hash_that_does_not_fit_are_problems() {
    let bed = customers::bed(3);
    let pipeline = |more: &str| {
        write(
            &bed,
            &format!(
                r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
strategy = "full-refresh"
merge = "upsert"
target = "target"
{more}
"#
            ),
        );
    };
    pipeline("target-table = \"nosch.Customers\"\ncreate-target = true");
    let saying = "its database has no schema [nosch]";
    with_config(&bed, ["check"])
        .run()
        .failure(&[saying, "1 problem in "]);
    with_config(&bed, ["sync"]).run().failure(&[saying]);
    assert!(!bed.warehouse().exists());

    let key = bed.path("key");
    std::fs::write(&key, "a key of sixteen bytes and more").unwrap();
    pipeline(&format!(
        "hash-key-file = '{}'\ncolumn-rules = {{ Name = \"hash\" }}",
        key.display()
    ));
    bed.target()
        .execute("ALTER TABLE dbo.Customers ALTER COLUMN Name nvarchar(63) NULL");
    let saying = "column 'Name': a hash has 64 characters, and nvarchar(63) holds fewer";
    with_config(&bed, ["check"])
        .run()
        .failure(&[saying, "1 problem in "]);
    with_config(&bed, ["sync"]).run().failure(&[saying]);
    assert!(!bed.warehouse().exists());
}

/// A column that is not there, a watermark of another strategy, a merger without a key: strategies are asked before
/// a row is read.
#[test]
fn strategies_are_asked_whether_they_can_serve_the_tables() {
    let bed = customers::bed(1);
    bed.source()
        .execute("CREATE TABLE dbo.Heap (Name nvarchar(50) NULL)");
    let pipelines = |strategy: &str| {
        write(
            &bed,
            &format!(
                r#"
[pipelines.customers]
source = "source"
table = "dbo.Customers"
{strategy}
merge = "upsert"

[pipelines.heap]
source = "source"
table = "dbo.Heap"
strategy = "full-refresh"
merge = "upsert"
"#
            ),
        );
    };
    pipelines("strategy = \"timestamp\"\nstrategy-options = { column = \"Changed\" }");
    with_config(&bed, ["check"]).run().failure(&[
        "pipeline customers: strategy 'timestamp' says: ",
        "no column 'Changed'",
        "pipeline heap: strategy 'upsert' says: ",
        "no-key",
        "2 problems in ",
    ]);
    assert!(!bed.warehouse().exists());
    pipelines("strategy = \"timestamp\"");
    with_config(&bed, ["sync", "customers"]).run().success();
    pipelines("strategy = \"full-refresh\"");
    with_config(&bed, ["check"]).run().failure(&[
        "pipeline customers: ",
        "timestamp",
        "2 problems in ",
    ]);
}

//! Configuration files in, pipelines or problems out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use icehost_config::{Component, Config, Digest, GivenOptions, Origin, Problem};
use proptest::prelude::*;

const SHIPPED: &[&str] = &["timestamp", "id", "upsert", "append-only"];

fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    Config::parse("icehost.toml", text, Path::new("/etc/icehost"), SHIPPED)
}

/// The problems of a text, as people see them.
fn problems(text: &str) -> String {
    let problems = parse(text).expect_err("something is wrong with it");
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| match &problem.hint {
            Some(hint) => format!("{problem}\nhint: {hint}"),
            None => problem.to_string(),
        })
        .collect();
    lines.join("\n")
}

#[track_caller]
fn snapshot(name: &str, text: String) {
    // The text that was parsed stands in the test.
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

/// A file with one pipeline; `more` goes into it.
fn one(more: &str) -> String {
    format!(
        "warehouse = 'lake'
[connections.shop]
url = 'mssql://reader@db/Shop'
[pipelines.p]
source = 'shop'
table = 'dbo.T'
strategy = 'id'
merge = 'upsert'
{more}"
    )
}

/// One cause is told once, by its name.
#[test]
fn what_stands_twice_is_named_once() {
    let twice = "[pipelines.people]\ntable = 'a'\n[defaults]\nsource = 's'\n[pipelines.people] # again\ntable = 'b'\n\
                 source = 's'\n[connections.x]\nurl = 'u'\nurl = 'mssql://sa:hunter2@h/d'\n";
    assert_eq!(
        problems(twice),
        "icehost.toml:5:12: this is not TOML: the section [pipelines.people] stands twice\n\
         hint: make one section of both\n\
         icehost.toml:10:1: this is not TOML: the key 'url' stands twice\n\
         hint: leave one of them out"
    );
}

/// What is found out later is told where it is written: in the pipeline, in the defaults, or at the top.
#[test]
fn settings_have_places() {
    let config = parse(
        "warehouse = 'lake'
[connections.shop]
url = 'mssql://reader@db/Shop'
[defaults]
source = 'shop'
strategy = 'id'
merge = 'upsert'
column-rules = { A = 'null', B = 'null' }
[pipelines.p]
table = 'dbo.T'
column-rules = { B = 'hash' }
hash-key-env = 'KEY'",
    );
    let config = config.unwrap();
    let pipeline = &config.pipelines()[0];
    let place = |place: Option<&icehost_config::Place>| {
        let place = place.unwrap();
        (place.line, place.column)
    };
    assert_eq!(place(pipeline.place_of("warehouse")), (1, 13));
    assert_eq!(place(pipeline.place_of("table")), (10, 9));
    assert_eq!(place(pipeline.place_of("hash-key-env")), (12, 16));
    assert_eq!(place(pipeline.place_of("memory-limit")), (9, 12));
    assert_eq!(place(pipeline.place_of_rule("A")), (8, 18));
    assert_eq!(place(pipeline.place_of_rule("B")), (11, 18));
}

#[test]
fn layers_count_from_tenant_to_pipeline_to_defaults() {
    let config = parse(
        "warehouse = 'lake'
[connections.shop]
url = 'mssql://reader@db/Shop'
password = 'x'
allow-inline-secret = true
[strategies.mine]
shipped = 'timestamp'
timeout = 1
options = { column = 'A', lookback-seconds = 1, nulls = 'skip' }
[defaults]
source = 'shop'
merge = 'upsert'
retries = 1
parallel = 2
strategy-timeout = 9
strategy-options = { column = 'B' }
[tenants.t]
database = 'Other'
retries = 3
warehouse = '/tenants'
strategy-options = { lookback-seconds = 3 }
[pipelines.p]
table = 'Sales.Orders'
tenants = ['t']
strategy = 'mine'
retries = 2
strategy-options = { lookback-seconds = 2 }
[pipelines.q]
table = 'Sales.Orders'
strategy = 'id'
",
    )
    .unwrap();
    let [p, q] = config.pipelines() else {
        panic!("{config:?}");
    };
    assert_eq!(
        (p.name.as_str(), p.limits.retries, p.first_load.parallel),
        ("p@t", 3, 2)
    );
    assert_eq!(p.lake.warehouse, Path::new("/tenants"));
    assert_eq!(q.lake.warehouse, Path::new("/etc/icehost/lake"));
    assert_eq!(p.lake.table.to_string(), "sales.orders");
    let source = p.source.connection.endpoint().unwrap();
    assert_eq!(source.to_string(), "mssql://reader@db:1433/Other");
    assert_eq!(source.user.as_deref(), Some("reader"));
    assert_eq!(p.detection.component.timeout, Duration::from_secs(1));
    assert_eq!(q.detection.component.timeout, Duration::from_secs(9));
    let GivenOptions::Typed(options) = &p.detection.options else {
        panic!("{p:?}");
    };
    assert_eq!(
        serde_json::Value::from(options.clone()),
        serde_json::json!({"column": "B", "lookback-seconds": 3, "nulls": "skip"})
    );
    let names = |names: &[&str]| -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let chosen = config.select(&names).unwrap();
        chosen.into_iter().map(|pipeline| pipeline.name).collect()
    };
    assert_eq!(names(&[]), ["p@t", "q"]);
    assert_eq!(names(&["p"]), ["p@t"]);
    assert_eq!(names(&["q", "p@t"]), ["p@t", "q"]);
}

#[test]
fn mistakes_are_told_with_their_places() {
    snapshot(
        "of_pipelines",
        problems(
            "warehouse = ''
connections = 5
[pipelines.a]
source = 'shop'
table = 'a.b.c.d'
strategy = 'nothing-like-it'
merge = 'append_only'
lake-merge-options = { keys = ['A'] }
target-table = 'dbo.T'
columns = ['A']
exclude-columns = ['B']
strategy-timeout = 0
memory-limit = '1MB'
retries = -1
range-rows = 1.5
create-target = 'yes'
tenants = []
lake-table = 'alone'
[pipelines.'b@c']
Table = 'dbo.T'
[strategies.both]
file = 'a.wasm'
shipped = 'id'
[strategies.neither]
[strategies.unknown]
shipped = 'ids'
options = 'column=A'
[tenants.t]
tenants = 'all'
",
        ),
    );
    snapshot(
        "of_connections",
        problems(
            "warehouse = 'lake'
[connections.a]
url = 'postgres://db'
[connections.b]
url = 'mssql://sa@db'
port = 1433
password-env = 'A'
password-file = 'b'
[connections.c]
user = 'sa'
[connections.d]
server = 'db'
trust-server-certificate = true
certificate = 'a.pem'
[connections.e]
server = 'db'
port = 70000
pasword-env = 'A'
",
        ),
    );
}

#[test]
fn syntax_errors_are_told_together() {
    snapshot("of_syntax", problems("a = \nb = 'x\n[c\nd = 1 2\n"));
}

#[test]
fn defaults_may_wait_for_pipelines_that_need_them() {
    let config = parse(&one(
        "[defaults]\ncreate-target = true\ntarget-table = 'dbo.X'\n",
    ));
    assert!(config.unwrap().pipelines()[0].target.is_none());
}

#[test]
fn what_is_loaded_is_what_was_hashed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.wasm");
    std::fs::write(&path, b"one").unwrap();
    let component = |digest: Option<Digest>| Component {
        origin: Origin::File(path.clone()),
        sha256: digest,
        ..Component::named("mine", Duration::from_secs(1), 1)
    };
    let pinned = component(Some(Digest::of(b"one")));
    assert_eq!(pinned.read().unwrap().unwrap(), b"one");
    std::fs::write(&path, b"two").unwrap();
    let refused = pinned.read().unwrap_err().to_string();
    assert!(
        refused.contains(&Digest::of(b"two").to_string()),
        "{refused}"
    );
    assert_eq!(component(None).read().unwrap().unwrap(), b"two");
    assert!(pinned.verify(b"one").is_ok());
    assert!(pinned.verify(b"").is_err());
}

#[test]
fn nothing_shows_a_password() {
    let text = one("").replace(
        "reader@db/Shop'",
        "reader:hunter2@db/Shop'\nallow-inline-secret = true",
    );
    let config = parse(&text).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let endpoint = config.pipelines()[0].source.connection.endpoint().unwrap();
    assert!(endpoint.has_password());
}

/// Pieces of a file, right and wrong.
fn piece(sections: &'static [&'static str]) -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "url",
        "password",
        "password-env",
        "server",
        "port",
        "encrypt",
        "source",
        "table",
        "strategy",
        "tenants",
        "options",
        "sha256",
        "file",
        "memory-limit",
        "unknown",
    ]);
    let value = prop_oneof![
        Just("'SECRET'".to_owned()),
        Just("'mssql://sa:SECRET@db/x'".to_owned()),
        Just("'Server=db;Password=SECRET'".to_owned()),
        Just("\"SECRET".to_owned()),
        Just("SECRET".to_owned()),
        Just("['SECRET', 5]".to_owned()),
        Just("{ a = 'SECRET' }".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    let section = prop::sample::select(sections);
    prop_oneof![
        3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        1 => section.prop_map(|section| format!("{section}\n")),
        1 => "\\PC{0,12}\n",
    ]
}

/// Other sections may quote their values, which are no secrets.
const PRIVATE: &[&str] = &["[connections.a]", "[x", "[[connections]]"];
const ALL: &[&str] = &[
    "[connections.a]",
    "[pipelines.a]",
    "[strategies.a]",
    "[tenants.a]",
    "[defaults]",
    "[x",
    "[[connections]]",
];

proptest! {
    /// Whatever stands in a connection, no problem quotes it.
    #[test]
    fn no_problem_quotes_a_connection(pieces in prop::collection::vec(piece(PRIVATE), 0..8)) {
        let text = format!("[connections.b]\n{}", pieces.concat());
        if let Err(problems) = parse(&text) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                let shown = format!("{problem} {:?}", problem.hint);
                prop_assert!(!shown.contains("SECRET"), "{shown}\n{text}");
            }
        }
    }

    /// Any text gives pipelines or problems, each with a place in the text.
    #[test]
    fn every_text_is_read(pieces in prop::collection::vec(piece(ALL), 0..12), noise in "\\PC{0,40}") {
        let text = format!("{}{noise}", pieces.concat());
        if let Err(problems) = parse(&text) {
            let lines = text.lines().count();
            for problem in problems {
                let line = problem.place.expect("a place").line;
                prop_assert!((1..=lines + 1).contains(&line), "{line} of {lines}");
            }
        }
    }
}

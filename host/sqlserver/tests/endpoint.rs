//! Reading URLs and connection strings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use icehost_sqlserver::{Encryption, Endpoint, ErrorKind, Trust};
use proptest::prelude::*;

fn parse(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    let error = Endpoint::parse(text).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Address, "{text}");
    match error.hint() {
        Some(hint) => format!("{error} [{hint}]"),
        None => error.to_string(),
    }
}

#[test]
fn a_url_names_server_login_database_and_options() {
    let endpoint = parse(
        "mssql://loa%40der:p%2Fw%3A%40d@db.example:1444/Sales%20Data?encrypt=strict&certificate=/etc/ca.pem\
         &application_name=nightly&connect_timeout=5&hostname_in_certificate=sql&packet_size=16384",
    );
    assert_eq!(endpoint.host, "db.example");
    assert_eq!(endpoint.port, 1444);
    assert_eq!(endpoint.user.as_deref(), Some("loa@der"));
    assert_eq!(endpoint.database.as_deref(), Some("Sales Data"));
    assert_eq!(endpoint.encryption, Encryption::Strict);
    assert_eq!(endpoint.trust, Trust::Authority("/etc/ca.pem".into()));
    assert_eq!(endpoint.application_name.as_deref(), Some("nightly"));
    assert_eq!(endpoint.connect_timeout, Some(Duration::from_secs(5)));
    assert_eq!(endpoint.certificate_host.as_deref(), Some("sql"));
    assert_eq!(endpoint.packet_size, Some(16384));
    assert!(endpoint.has_password());
}

#[test]
fn what_a_url_leaves_out_is_as_drivers_have_it() {
    let endpoint = parse("sqlserver://db");
    assert_eq!((endpoint.host.as_str(), endpoint.port), ("db", 1433));
    assert_eq!(endpoint.database, None);
    assert_eq!(endpoint.encryption, Encryption::On);
    assert_eq!(endpoint.trust, Trust::System);
    assert!(!endpoint.has_password());
}

#[test]
fn ipv6_addresses_stand_in_brackets() {
    let endpoint = parse("mssql://sa:x@[::1]:1500/d");
    assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 1500));
    assert_eq!(endpoint.to_string(), "mssql://sa@[::1]:1500/d");
    assert_eq!(parse("Server=[fe80::1],1500").host, "fe80::1");
    assert!(refusal("mssql://sa:x@::1:1500/d").contains("brackets"));
}

#[test]
fn a_connection_string_is_read_with_its_synonyms_and_quotes() {
    let endpoint = parse(
        "Data Source=tcp:db.example,1444; Initial Catalog = Sales ;UID=loader;PWD=\"a;b\"\"c=d\";\
         Encrypt=Optional;Trust Server Certificate=yes;Application Name='it''s me';Connect Timeout=7;\
         MultipleActiveResultSets=False;Persist Security Info=False;ApplicationIntent=ReadOnly;",
    );
    assert_eq!(
        (endpoint.host.as_str(), endpoint.port),
        ("db.example", 1444)
    );
    assert_eq!(endpoint.database.as_deref(), Some("Sales"));
    assert_eq!(endpoint.user.as_deref(), Some("loader"));
    assert_eq!(endpoint.encryption, Encryption::LoginOnly);
    assert_eq!(endpoint.trust, Trust::Anyone);
    assert_eq!(endpoint.application_name.as_deref(), Some("it's me"));
    assert_eq!(endpoint.connect_timeout, Some(Duration::from_secs(7)));
    assert!(endpoint.read_only);
    assert_eq!(
        parse("Server=(local);User Id=sa;Password=\"a;b\"\"c=d\""),
        parse("mssql://sa:a%3Bb%22c%3Dd@localhost")
    );
}

#[test]
fn encryption_takes_the_words_of_sql_servers_drivers() {
    for (word, encryption) in [
        ("true", Encryption::On),
        ("Yes", Encryption::On),
        ("on", Encryption::On),
        ("Mandatory", Encryption::On),
        ("false", Encryption::LoginOnly),
        ("no", Encryption::LoginOnly),
        ("off", Encryption::LoginOnly),
        ("optional", Encryption::LoginOnly),
        ("disable", Encryption::Off),
        ("STRICT", Encryption::Strict),
    ] {
        assert_eq!(
            parse(&format!("mssql://db?encrypt={word}")).encryption,
            encryption,
            "{word}"
        );
        assert_eq!(
            parse(&format!("Server=db;Encrypt={word}")).encryption,
            encryption,
            "{word}"
        );
    }
    assert!(refusal("mssql://db?encrypt=maybe").contains("strict or disable"));
}

#[test]
fn what_cannot_be_read_or_done_is_refused_with_a_way_out() {
    let refusals = [
        "",
        "db.example",
        "postgres://db",
        "mssql://",
        "mssql://sa:pa/ss@db",
        "mssql://sa:x@db:99999/d",
        "mssql://sa:x@db:/d",
        "mssql://[::1",
        "mssql://db?encrypt",
        "mssql://db?colour=blue",
        "mssql://db?trust_server_certificate=perhaps",
        "mssql://db?trust_server_certificate=true&certificate=ca.pem",
        "mssql://db?encrypt=strict&trust_server_certificate=true",
        "mssql://db?connect_timeout=soon",
        "mssql://db?packet_size=1",
        "mssql://db\\SQLEXPRESS",
        "Server=db\\SQLEXPRESS;User Id=sa",
        "Server=np:db;User Id=sa",
        "Server=db;Integrated Security=SSPI",
        "Server=db;Authentication=ActiveDirectoryDefault",
        "Server=db;Colour=blue",
        "Server=db;nonsense",
        "Server=db;Password=pa;ss",
        "Server=db;Password=\"pass",
        "Database=d;User Id=sa",
    ]
    .map(|text| format!("{text}\n    {}", refusal(text)))
    .join("\n");
    insta::assert_snapshot!(refusals);
}

/// Passwords with everything that has a meaning in URLs and connection strings.
fn password() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9;=@/?#:&%'\" .\\[\\]]{0,6}Qx7[a-zA-Z0-9;=@/?#:&%'\" .\\[\\]]{0,6}"
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The recognisable middle of each generated password.
const CORE: &str = "Qx7";

fn assert_hidden(text: &str, secret: &str) -> Result<(), TestCaseError> {
    let shown = match Endpoint::parse(text) {
        Ok(endpoint) => format!("{endpoint} {endpoint:?} {} ", endpoint.redacted()),
        Err(error) => format!("{error} {error:?} {:?}", error.hint()),
    };
    prop_assert!(!shown.contains(secret), "{text}\n{shown}");
    Ok(())
}

proptest! {
    #[test]
    fn an_encoded_password_is_read_and_never_shown(password in password()) {
        let url = format!("mssql://sa:{}@db/Sales", encoded(&password));
        let quoted = format!("Server=db;Database=Sales;User Id=sa;Password=\"{}\"", password.replace('"', "\"\""));
        let apart = parse("mssql://sa@db/Sales").with_password(password.clone());
        prop_assert_eq!(&parse(&url), &apart);
        prop_assert_eq!(&parse(&quoted), &apart);
        assert_hidden(&url, CORE)?;
        assert_hidden(&quoted, CORE)?;
    }

    #[test]
    fn a_password_that_breaks_the_url_or_string_is_not_in_the_error(password in password()) {
        assert_hidden(&format!("mssql://sa:{password}@db:1433/Sales?encrypt=true"), CORE)?;
        assert_hidden(&format!("Server=db;User Id=sa;Password={password}"), CORE)?;
        assert_hidden(&format!("Server=db;User Id=sa;Password=\"{password}"), CORE)?;
    }

    /// Whatever slips of a few keys make of a connection: what is shown of it does not have the password.
    #[test]
    fn slips_of_the_keyboard_show_no_password(
        text in prop::sample::select(WRITTEN),
        slips in prop::collection::vec((0usize..400, slip()), 1..=2),
    ) {
        let mut text: Vec<char> = text.chars().collect();
        for (at, slip) in slips {
            let at = at % text.len();
            match slip {
                Slip::Delete => { text.remove(at); }
                Slip::Insert(c) => text.insert(at, c),
                Slip::Replace(c) => text[at] = c,
                Slip::Swap => { let next = (at + 1) % text.len(); text.swap(at, next); }
            }
        }
        let text: String = text.into_iter().collect();
        assert_hidden(&text, "xQ7z")?;
    }
}

/// Connections in which the password is `hunxQ7zter`. A slip in its middle makes another password of it.
const WRITTEN: &[&str] = &[
    "mssql://sa:hunxQ7zter@db.example:1433/Shop?encrypt=true&trust_server_certificate=true",
    "sqlserver://sa:hunxQ7zter@db.example/Shop?application_name=nightly",
    "sqlserver://db.example;user=sa;password=hunxQ7zter;encrypt=true",
    "sqlserver://db.example:1433;user=sa;password=hunxQ7zter",
    "jdbc:sqlserver://db.example:1433;databaseName=Shop;user=sa;password=hunxQ7zter",
    "sqlserver://db.example/Shop?user=sa&password=hunxQ7zter&certificate=/etc/ca.pem",
    "sqlserver://db.example/Shop?user=sa;password=hunxQ7zter;certificate=/etc/ca.pem",
    "sqlserver://db.example?certificate=/etc/ca.pem;pwd=hunxQ7zter",
    "Server=db.example,1433;Database=Shop;User Id=sa;Password=hunxQ7zter;Encrypt=true",
    "Server=tcp:db.example,1433;Initial Catalog='Shop';User Id=sa;Pwd=\"hunxQ7zter\";Application Name=x",
    "Server=db.example Database=Shop User Id=sa Password=hunxQ7zter",
    "Server=db.example;Database=Shop User Id=sa Password=hunxQ7zter",
    "Server=db.example;Database=Shop;User Id=sa Password hunxQ7zter",
    "Server=db.example;Database=Shop,User Id=sa,Password=hunxQ7zter",
    "Server=db.example;Certificate=ca.pem Password=hunxQ7zter;User Id=sa",
    "Server=db.example;User Id=sa;AccessToken=hunxQ7zter",
];

#[derive(Debug, Clone)]
enum Slip {
    Delete,
    Insert(char),
    Replace(char),
    Swap,
}

fn slip() -> impl Strategy<Value = Slip> {
    let key = || prop::sample::select(";=@:/?&#%'\", x\n\u{202e}".chars().collect::<Vec<char>>());
    prop_oneof![
        Just(Slip::Delete),
        key().prop_map(Slip::Insert),
        key().prop_map(Slip::Replace),
        Just(Slip::Swap),
    ]
}

//! Logins, encryption and broken connections, on the development server, which can be told to misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use icehost_devserver::{DevServer, RunningServer, Tls, When};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, Endpoint, ErrorKind, SqlServerError, TableName,
};

const PASSWORD: &str = "p:a/ss@w?rd#1";

async fn start(tls: Tls) -> RunningServer {
    DevServer::builder()
        .password(PASSWORD)
        .tls(tls)
        .database("Test")
        .start()
        .await
        .unwrap()
}

/// The server's endpoint with these options in its URL.
fn endpoint(server: &RunningServer, options: &str) -> Endpoint {
    let port = server.addr().port();
    Endpoint::parse(&format!("mssql://sa@127.0.0.1:{port}/Test?{options}"))
        .unwrap()
        .with_password(PASSWORD)
}

async fn open(endpoint: &Endpoint) -> Result<Connection, SqlServerError> {
    Connection::open(endpoint, &ConnectOptions::default()).await
}

async fn refusal(endpoint: &Endpoint) -> SqlServerError {
    match open(endpoint).await {
        Ok(_) => panic!("{endpoint:?} was let in"),
        Err(error) => {
            let all = format!("{error} {error:?} {:?}", error.hint());
            assert!(!all.contains(PASSWORD), "{all}");
            error
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_verified_unless_it_is_trusted_by_name_or_blindly() {
    verifies(&start(Tls::Required).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_a_certificate_that_is_its_own_authority() {
    let server = DevServer::builder()
        .password(PASSWORD)
        .tls(Tls::Required)
        .own_authority()
        .database("Test");
    verifies(&server.start().await.unwrap()).await;
}

async fn verifies(server: &RunningServer) {
    let file = std::env::temp_dir().join(format!("icehost-ca-{}.pem", server.addr().port()));
    std::fs::write(&file, server.certificate_pem()).unwrap();
    let named = format!("certificate={}", file.display());
    for options in [
        "trust_server_certificate=true",
        "encrypt=yes&trust_server_certificate=true",
        &named,
        &format!("encrypt=strict&{named}"),
        &format!("{named}&hostname_in_certificate=localhost"),
    ] {
        let connection = open(&endpoint(server, options)).await;
        assert_eq!(connection.unwrap().server().database, "Test", "{options}");
    }
    for options in [
        "",
        "encrypt=mandatory",
        "encrypt=strict",
        &format!("{named}&hostname_in_certificate=other"),
    ] {
        let error = refusal(&endpoint(server, options)).await;
        assert_eq!(error.kind(), &ErrorKind::Tls, "{options}: {error}");
        assert!(error.hint().unwrap().contains("certificate="), "{options}");
        assert!(!error.is_transient());
    }
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn encryption_is_what_the_url_asks_for_or_nothing() {
    let without = start(Tls::None).await;
    for options in ["encrypt=disable", "encrypt=false"] {
        open(&endpoint(&without, options)).await.unwrap();
    }
    let error = refusal(&endpoint(
        &without,
        "encrypt=true&trust_server_certificate=true",
    ))
    .await;
    assert_eq!(error.kind(), &ErrorKind::Tls, "{error}");
    let offered = start(Tls::Offered).await;
    for options in [
        "encrypt=disable",
        "encrypt=optional",
        "encrypt=true&trust_server_certificate=true",
    ] {
        open(&endpoint(&offered, options)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_says_so_without_the_password() {
    let server = start(Tls::Offered).await;
    let wrong = endpoint(&server, "encrypt=false").with_password("not-the-password-9");
    let error = refusal(&wrong).await;
    assert_eq!(error.kind(), &ErrorKind::Login);
    assert!(!format!("{error:?}").contains("not-the-password-9"));
    assert!(!error.is_transient());

    let port = server.addr().port();
    let nowhere = Endpoint::parse(&format!(
        "mssql://sa@127.0.0.1:{port}/Nowhere?encrypt=false"
    ))
    .unwrap();
    let error = refusal(&nowhere.clone().with_password(PASSWORD)).await;
    assert_eq!(error.kind(), &ErrorKind::Login);
    assert!(error.to_string().contains("Nowhere"), "{error}");

    let error = refusal(&nowhere).await;
    assert!(
        error.to_string().contains("there is no password for "),
        "{error}"
    );
    let nobody = Endpoint::parse(&format!("mssql://127.0.0.1:{port}/x?encrypt=false")).unwrap();
    let error = refusal(&nobody).await.to_string();
    assert!(error.contains("no user and no password"), "{error}");
    let error = refusal(&nobody.with_password("x")).await.to_string();
    assert!(error.contains("there is no user for "), "{error}");

    // Azure SQL, busy: the same login may succeed in a moment.
    server.faults().refuse_logins_with(1, 40613);
    let error = refusal(&endpoint(&server, "encrypt=false")).await;
    assert!(error.is_transient(), "{error:?}");
    open(&endpoint(&server, "encrypt=false")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_or_silent_is_an_error_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent =
        Endpoint::parse(&format!("mssql://sa:x@127.0.0.1:{port}?connect_timeout=1")).unwrap();
    let error = refusal(&silent).await;
    assert_eq!(error.kind(), &ErrorKind::Timeout);
    // It may pass, but what has never spoken is not tried again.
    assert!(!error.is_transient() && error.may_pass() && error.hint().is_some());
    drop(listener);
    let error = refusal(&silent).await;
    assert_eq!(error.kind(), &ErrorKind::Connect, "{error}");
    let unknown = Endpoint::parse("mssql://sa:x@no-such-host.invalid").unwrap();
    assert_eq!(refusal(&unknown).await.kind(), &ErrorKind::Connect);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_a_session_are_told_apart() {
    let server = start(Tls::Offered).await;
    let endpoint = endpoint(&server, "encrypt=false");
    let mut connection = open(&endpoint).await.unwrap();
    let name = TableName::parse("dbo.T").unwrap();
    for (number, transient) in [(1205, true), (1222, true), (3960, true), (229, false)] {
        server.faults().fail_next("sys.objects", number);
        let error = connection
            .introspect(&name, &ColumnSelection::default())
            .await
            .unwrap_err();
        assert_eq!(error.number(), Some(number), "{error}");
        assert_eq!(error.is_transient(), transient, "{error}");
    }
    server
        .faults()
        .drop_connection_on("sys.objects", When::BeforeExecution);
    let error = connection
        .introspect(&name, &ColumnSelection::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{error:?}");
    assert!(error.is_transient());
    // And stays so: what was under way cannot be told from what comes.
    let error = connection
        .introspect(&name, &ColumnSelection::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_request_closes_the_connection() {
    let server = start(Tls::Offered).await;
    let endpoint = endpoint(&server, "encrypt=false");
    let mut connection = open(&endpoint).await.unwrap();
    let name = TableName::parse("dbo.T").unwrap();
    server
        .faults()
        .delay("sys.objects", Duration::from_secs(30));
    let selection = ColumnSelection::default();
    let slow = connection.introspect(&name, &selection);
    assert!(
        tokio::time::timeout(Duration::from_millis(200), slow)
            .await
            .is_err()
    );
    let error = connection
        .introspect(&name, &ColumnSelection::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost);
    server.faults().clear();
}

//! Logins, in the clear and encrypted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{builder, config, connect_with, number, server};
use icehost_devserver::{DevServer, Tls};
use tiberius::{AuthMethod, EncryptionLevel};

#[tokio::test]
async fn every_agreement_on_encryption_that_can_be_leads_to_a_session() {
    let levels = [
        EncryptionLevel::NotSupported,
        EncryptionLevel::Off,
        EncryptionLevel::On,
        EncryptionLevel::Required,
    ];
    for (tls, possible) in [
        (Tls::Offered, [true; 4]),
        (Tls::Required, [false, true, true, true]),
        // tiberius asks for a login in TLS even where the server has answered that it has none.
        (Tls::None, [true, false, false, false]),
    ] {
        let server = builder().tls(tls).start().await.unwrap();
        for (level, possible) in levels.into_iter().zip(possible) {
            let mut config = config(&server);
            config.encryption(level);
            let login = connect_with(config).await;
            assert_eq!(
                login.is_ok(),
                possible,
                "server {tls:?}, client {level:?}: {:?}",
                login.err()
            );
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn the_certificate_verifies_for_clients_that_have_it() {
    let server = server().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.pem");
    std::fs::write(&path, server.certificate_pem()).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let mut trusting = tiberius::Config::new();
        trusting.host(host);
        trusting.port(server.addr().port());
        trusting.authentication(AuthMethod::sql_server("sa", common::PASSWORD));
        trusting.encryption(EncryptionLevel::Required);
        let mut strange = trusting.clone();
        trusting.trust_cert_ca(path.to_string_lossy());
        connect_with(trusting)
            .await
            .unwrap_or_else(|error| panic!("{host}: {error}"));
        strange.encryption(EncryptionLevel::Required);
        assert!(
            connect_with(strange).await.is_err(),
            "a client that does not know the certificate connected to {host}"
        );
    }
}

#[tokio::test]
async fn tds_8_encrypts_from_the_first_byte() {
    let server = builder().tls(Tls::Required).start().await.unwrap();
    let mut config = config(&server);
    config.encryption(EncryptionLevel::Strict);
    connect_with(config).await.unwrap();
    assert_eq!(server.statistics().logins(), 1);
}

#[tokio::test]
async fn a_wrong_user_and_a_wrong_password_are_refused_alike() {
    let server = server().await;
    for (user, password) in [("sa", "wrong"), ("sa", ""), ("nobody", common::PASSWORD)] {
        let mut config = config(&server);
        config.authentication(AuthMethod::sql_server(user, password));
        let error = connect_with(config).await.err().unwrap();
        assert_eq!(number(&error), Some(18456), "{error}");
        assert!(
            error
                .to_string()
                .contains(&format!("Login failed for user '{user}'.")),
            "{error}"
        );
    }
    assert_eq!(server.statistics().logins(), 0);
}

#[tokio::test]
async fn an_unknown_database_is_refused_by_name() {
    let server = server().await;
    let mut config = config(&server);
    config.database("Nowhere");
    let error = connect_with(config).await.err().unwrap();
    assert_eq!(number(&error), Some(4060), "{error}");
    assert!(error.to_string().contains("Nowhere"), "{error}");
}

#[tokio::test]
async fn an_address_in_use_says_so_and_what_to_do() {
    let server = server().await;
    let error = builder()
        .listen(server.addr().to_string())
        .start()
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&server.addr().to_string()),
        "{error}"
    );
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn the_url_carries_the_password_safely() {
    let server = DevServer::builder()
        .password("p@ss/w:rd?#")
        .start()
        .await
        .unwrap();
    let url = server.url("My DB");
    assert_eq!(
        url,
        format!(
            "mssql://sa:p%40ss%2Fw%3Ard%3F%23@{}/My%20DB?encrypt=true&trust_server_certificate=true",
            server.addr()
        )
    );
}

#[tokio::test]
async fn stopping_closes_connections() {
    let server = server().await;
    let mut client = connect_with(config(&server)).await.unwrap();
    let address = server.addr();
    server.stop().await;
    assert!(client.simple_query("SELECT 1").await.is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_second_login_reads_and_nothing_else() {
    let server = builder().reader("reader").start().await.unwrap();
    let mut owner = common::connect(&server).await;
    owner
        .simple_query("CREATE TABLE dbo.T (a int NOT NULL); INSERT INTO dbo.T VALUES (1);")
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    let mut config = config(&server);
    config.authentication(AuthMethod::sql_server("Reader", common::PASSWORD));
    let mut reader = connect_with(config).await.unwrap();
    let mut run = async |sql: &str| match reader.simple_query(sql).await {
        Ok(answer) => answer.into_results().await.map(drop),
        Err(error) => Err(error),
    };
    for allowed in [
        "SELECT a FROM dbo.T",
        "CREATE TABLE #own (a int); INSERT INTO #own SELECT a FROM dbo.T; DROP TABLE #own",
        "DECLARE @t TABLE (a int); INSERT INTO @t VALUES (1)",
    ] {
        run(allowed)
            .await
            .unwrap_or_else(|e| panic!("{allowed}: {e}"));
    }
    for (refused, with) in [
        ("INSERT INTO dbo.T VALUES (2)", 229),
        ("UPDATE dbo.T SET a = 2", 229),
        ("DELETE FROM dbo.T", 229),
        (
            "MERGE dbo.T AS t USING (SELECT 1 AS a) AS s ON t.a = s.a WHEN MATCHED THEN DELETE;",
            229,
        ),
        ("TRUNCATE TABLE dbo.T", 1088),
        ("ALTER TABLE dbo.T ADD b int", 1088),
        ("DROP TABLE dbo.T", 1088),
        ("CREATE TABLE dbo.U (a int)", 262),
        ("CREATE DATABASE d", 262),
    ] {
        let error = run(refused).await.expect_err(refused);
        assert_eq!(number(&error), Some(with), "{refused}: {error}");
    }
    let permissions = "SELECT HAS_PERMS_BY_NAME(N'[dbo].[T]', N'OBJECT', N'SELECT'),
        HAS_PERMS_BY_NAME(N'[dbo].[T]', N'OBJECT', N'INSERT'),
        HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE'), HAS_PERMS_BY_NAME(N'T', N'NONE', N'SELECT')";
    let answers = async |client: &mut common::TestClient| {
        let rows = client.simple_query(permissions).await.unwrap();
        let row = rows.into_row().await.unwrap().unwrap();
        (0..4).map(|i| row.get::<i32, _>(i)).collect::<Vec<_>>()
    };
    assert_eq!(
        answers(&mut reader).await,
        [Some(1), Some(0), Some(0), None]
    );
    assert_eq!(answers(&mut owner).await, [Some(1), Some(1), Some(1), None]);
}

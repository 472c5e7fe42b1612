//! The distinct statements that a server was sent, in a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

#[tokio::test]
async fn each_distinct_statement_is_recorded_with_its_declarations() {
    let directory = tempfile::tempdir().unwrap();
    let records = directory.path().join("statements");
    let server = common::builder()
        .record_statements(&records)
        .start()
        .await
        .unwrap();
    let mut client = common::connect(&server).await;
    for _ in 0..2 {
        client.simple_query("SELECT N'ä\n1'").await.unwrap();
        client
            .query("SELECT @P1 + @P2", &[&1i32, &2i32])
            .await
            .unwrap();
        // What the server refuses was sent, too.
        assert!(client.simple_query("SELECT FROM").await.is_err());
    }
    let files: Vec<_> = std::fs::read_dir(&records).unwrap().collect();
    assert_eq!(files.len(), 1);
    let recorded = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    let declared = "@P1 int,@P2 int";
    assert_eq!(
        recorded,
        format!(
            "0 14\nSELECT N'ä\n1'{} 16\n{declared}SELECT @P1 + @P20 11\nSELECT FROM",
            declared.len()
        )
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_written_to_is_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = common::builder()
        .record_statements(file.path())
        .start()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("creating a file for statements in")
    );
    assert!(error.hint().is_some());
}

//! Bulk loads by tiberius.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod common;

use common::{TestClient, connect, number, server};
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime2, Time};
use tiberius::{ColumnData, IntoSql, TokenRow, Uuid};

async fn run(client: &mut TestClient, sql: &str) {
    client
        .simple_query(sql)
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
}

async fn count(client: &mut TestClient, sql: &str) -> i32 {
    client
        .simple_query(sql)
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap()
        .get(0)
        .unwrap()
}

#[tokio::test]
async fn many_rows_of_many_types_are_loaded() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(
        &mut client,
        "CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY, big bigint NULL, flag bit NULL, ratio float NULL, name \
         nvarchar(50) NULL, note nvarchar(max) NULL, bytes varbinary(max) NULL, at datetime2(7) NULL, amount \
         decimal(18, 4) NULL, guid uniqueidentifier NULL)",
    )
    .await;
    let rows = 20_000;
    let mut load = client.bulk_insert("dbo.t").await.unwrap();
    for id in 0..rows {
        let mut row = TokenRow::new();
        let null = id % 7 == 0;
        row.push(id.into_sql());
        row.push((!null).then_some(i64::from(id) << 32).into_sql());
        row.push((!null).then_some(id % 2 == 0).into_sql());
        row.push((!null).then_some(f64::from(id) / 8.0).into_sql());
        row.push((!null).then(|| format!("name {id} \u{1f980}")).into_sql());
        row.push((!null).then(|| "note ".repeat(id as usize % 50)).into_sql());
        row.push(
            (!null)
                .then(|| vec![id as u8; id as usize % 300])
                .into_sql(),
        );
        let at = DateTime2::new(Date::new(738_000), Time::new(id as u64, 7));
        row.push(ColumnData::DateTime2((!null).then_some(at)));
        row.push(ColumnData::Numeric(
            (!null).then(|| Numeric::new_with_scale(id.into(), 4)),
        ));
        row.push((!null).then_some(Uuid::from_u128(id as u128)).into_sql());
        load.send(row).await.unwrap();
    }
    assert_eq!(load.finalize().await.unwrap().total(), rows as u64);

    assert_eq!(count(&mut client, "SELECT COUNT(*) FROM dbo.t").await, rows);
    let row = client
        .simple_query("SELECT * FROM dbo.t WHERE id = 12345")
        .await
        .unwrap()
        .into_row()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.get::<i64, _>("big"), Some(12_345 << 32));
    assert_eq!(row.get::<bool, _>("flag"), Some(false));
    assert_eq!(row.get::<f64, _>("ratio"), Some(12_345.0 / 8.0));
    assert_eq!(row.get::<&str, _>("name"), Some("name 12345 \u{1f980}"));
    assert_eq!(
        row.get::<&str, _>("note"),
        Some("note ".repeat(45).as_str())
    );
    assert_eq!(row.get::<&[u8], _>("bytes"), Some(&[57u8; 45][..]));
    assert_eq!(row.get::<Uuid, _>("guid"), Some(Uuid::from_u128(12_345)));
    assert_eq!(
        count(
            &mut client,
            "SELECT COUNT(*) FROM dbo.t WHERE amount = 1.2345"
        )
        .await,
        1
    );
    assert_eq!(
        count(
            &mut client,
            "SELECT COUNT(*) FROM dbo.t WHERE big IS NULL AND note IS NULL"
        )
        .await,
        2858
    );

    let loads = server.statistics().bulk_loads();
    assert_eq!(loads.len(), 1);
    assert_eq!(loads[0].rows, rows as u64);
    assert!(
        loads[0].statement.contains("dbo.t"),
        "{}",
        loads[0].statement
    );
}

#[tokio::test]
async fn a_load_that_breaks_a_constraint_leaves_nothing_and_the_session_goes_on() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(
        &mut client,
        "CREATE TABLE dbo.t (id int NOT NULL PRIMARY KEY)",
    )
    .await;
    let mut load = client.bulk_insert("dbo.t").await.unwrap();
    for id in [1, 2, 1] {
        let mut row = TokenRow::new();
        row.push(id.into_sql());
        load.send(row).await.unwrap();
    }
    let error = load.finalize().await.unwrap_err();
    assert_eq!(number(&error), Some(2627), "{error}");
    assert_eq!(count(&mut client, "SELECT COUNT(*) FROM dbo.t").await, 0);
    assert_eq!(server.statistics().bulk_loads(), []);
}

#[tokio::test]
async fn a_client_that_leaves_within_a_load_leaves_nothing() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(
        &mut client,
        "CREATE TABLE dbo.t (id int NOT NULL, filler nvarchar(4000) NULL)",
    )
    .await;
    let mut leaving = connect(&server).await;
    let mut load = leaving.bulk_insert("dbo.t").await.unwrap();
    for id in 0..100 {
        let mut row = TokenRow::new();
        row.push(id.into_sql());
        row.push("x".repeat(3000).into_sql());
        load.send(row).await.unwrap();
    }
    drop(load);
    drop(leaving);
    while server.statistics().open_connections() > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(count(&mut client, "SELECT COUNT(*) FROM dbo.t").await, 0);
}

#[tokio::test]
async fn a_load_into_a_temporary_table_is_the_sessions_own() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(&mut client, "CREATE TABLE #stage (id int NOT NULL)").await;
    let mut load = client.bulk_insert("#stage").await.unwrap();
    for id in 0..10 {
        let mut row = TokenRow::new();
        row.push(id.into_sql());
        load.send(row).await.unwrap();
    }
    load.finalize().await.unwrap();
    assert_eq!(count(&mut client, "SELECT COUNT(*) FROM #stage").await, 10);
}

/// Microsoft's driver finds out about a target in one batch like this.
#[tokio::test]
async fn a_target_is_described_without_its_rows() {
    let server = server().await;
    let mut client = connect(&server).await;
    run(
        &mut client,
        "CREATE TABLE dbo.t (b int NOT NULL, a nvarchar(10) NULL); INSERT INTO dbo.t VALUES (1, N'x')",
    )
    .await;
    let results = client
        .simple_query(
            "DECLARE @names nvarchar(max) = NULL; \
             DECLARE @sql nvarchar(max) = N'SELECT @n = COALESCE(@n + N'', '', N'''') + QUOTENAME(name) FROM \
             sys.all_columns WHERE object_id = @id ORDER BY column_id'; \
             DECLARE @object int = OBJECT_ID(N'dbo.t'); \
             EXEC sp_executesql @sql, N'@n nvarchar(max) OUTPUT, @id int', @n = @names OUTPUT, @id = @object; \
             SET FMTONLY ON; EXEC(N'SELECT ' + @names + N' FROM dbo.t'); SET FMTONLY OFF; \
             SELECT @names AS names; \
             EXEC sp_tablecollations_100 N'.[dbo].[t]'",
        )
        .await
        .unwrap()
        .into_results()
        .await
        .unwrap();
    let [described, names, collations] = &results[..] else {
        panic!("{results:?}");
    };
    assert!(described.is_empty(), "rows came with the description");
    assert_eq!(names[0].get::<&str, _>("names"), Some("[b], [a]"));
    assert_eq!(collations.len(), 2);
    assert_eq!(
        collations[1].get::<&[u8], _>("tds_collation_100"),
        Some(&[0x09, 0x04, 0xD0, 0x00, 0x34][..])
    );
}

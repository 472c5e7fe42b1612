//! Tables described, probed and extracted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use icehost_plan::{
    Aggregate, AggregateFunction, Comparison, Expression, Extreme, Node, Probe, Side,
    ValidExtractionPlan, Value,
};
use icehost_sqlserver::{
    ColumnSelection, ErrorKind, ExtractOptions, ReadConsistency, SqlTable, TableName, TimePrecision,
};
use support::{Server, extract, introspect, plan};

/// `after < column AND column <= through`
fn window(column: u32, after: &Value, through: &Value) -> Expression {
    Expression {
        nodes: vec![
            Node::Literal(after.clone()),
            Node::Column {
                side: Side::Source,
                column,
            },
            Node::Compare {
                op: Comparison::Lt,
                left: 0,
                right: 1,
            },
            Node::Literal(through.clone()),
            Node::Compare {
                op: Comparison::Le,
                left: 1,
                right: 3,
            },
            Node::AllOf(vec![2, 4]),
        ],
        root: 5,
    }
}

fn max(column: u32) -> Probe {
    Probe::from(Aggregate {
        function: AggregateFunction::Max,
        column,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_any_type_reads_each_row_once() {
    let mut server = Server::start().await;
    let cursors: &[(&str, &[&str])] = &[
        ("int", &["1", "2", "3"]),
        (
            "bigint",
            &["-5", "9223372036854775806", "9223372036854775807"],
        ),
        (
            "decimal(38,10)",
            &[
                "1.0000000001",
                "1.0000000002",
                "9999999999999999999999999999.9999999999",
            ],
        ),
        ("money", &["1.0001", "1.0002", "922337203685477.5807"]),
        ("date", &["'2026-01-30'", "'2026-01-31'", "'2026-02-01'"]),
        (
            "time(7)",
            &[
                "'12:00:00.0000001'",
                "'12:00:00.0000011'",
                "'23:59:59.9999999'",
            ],
        ),
        (
            "datetime",
            &[
                "'2026-01-31T12:00:00.003'",
                "'2026-01-31T12:00:00.007'",
                "'2026-01-31T12:00:00.010'",
            ],
        ),
        (
            "smalldatetime",
            &[
                "'2026-01-31T12:00:00'",
                "'2026-01-31T12:01:00'",
                "'2026-01-31T12:02:00'",
            ],
        ),
        (
            "datetime2(7)",
            &[
                "'2026-01-31T12:00:00.0000010'",
                "'2026-01-31T12:00:00.0000021'",
                "'2026-01-31T12:00:00.0000032'",
            ],
        ),
        (
            "datetimeoffset(7)",
            &[
                "'2026-01-31T12:00:00.0000010+02:00'",
                "'2026-01-31T11:00:00.0000011+01:00'",
                "'2026-01-31T13:00:00.0000022+03:00'",
            ],
        ),
        (
            "uniqueidentifier",
            &[
                "'FFFFFFFF-0000-0000-0000-000000000001'",
                "'00000000-0000-0000-0000-000000000002'",
                "'00000000-0000-0000-0000-010000000000'",
            ],
        ),
        ("varbinary(8)", &["0x01", "0x0102", "0xFF"]),
        ("varchar(10)", &["'a'", "'b'", "'c'"]),
        ("nvarchar(10)", &["N'a'", "N'b'", "N'\u{e9}'"]),
    ];
    for (sql_type, values) in cursors {
        // Babelfish takes time parameters in milliseconds at best.
        if server.is_babelfish && *sql_type == "time(7)" {
            continue;
        }
        let name = server.table("cursor").await;
        server
            .execute(&format!(
                "CREATE TABLE {} (Id int NOT NULL PRIMARY KEY, C {sql_type} NULL)",
                name.sql()
            ))
            .await;
        let insert = format!("INSERT INTO {} (Id, C) VALUES", name.sql());
        server
            .execute(&format!("{insert} (0, {}), (9, NULL)", values[0]))
            .await;
        let mut connection = server.connect().await;
        let table = introspect(&mut connection, &name).await;
        let mut bound = connection.probe(&table, &[max(1)]).await.unwrap().remove(0);
        for (i, value) in values.iter().enumerate().skip(1) {
            server.execute(&format!("{insert} ({i}, {value})")).await;
            let upper = connection.probe(&table, &[max(1)]).await.unwrap().remove(0);
            let plan = plan(&table.table, Some(window(1, &bound, &upper)));
            let ids = ids(&mut connection, &table, &plan).await;
            assert_eq!(ids, [i as i32], "{sql_type} from {bound} to {upper}");
            bound = upper;
        }
        server.execute(&format!("DROP TABLE {}", name.sql())).await;
    }
}

async fn ids(
    connection: &mut icehost_sqlserver::Connection,
    table: &SqlTable,
    plan: &ValidExtractionPlan,
) -> Vec<i32> {
    let (batches, _) = extract(connection, table, plan, ExtractOptions::default())
        .await
        .unwrap();
    let ids = batches.iter().flat_map(|batch| {
        batch
            .column(0)
            .as_primitive::<Int32Type>()
            .values()
            .to_vec()
    });
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rowversion_cursor_stays_below_open_transactions() {
    let mut server = Server::start().await;
    if server.is_babelfish {
        // Babelfish has rowversion only behind a switch of its own.
        return;
    }
    let name = server.table("rowversion").await;
    server
        .execute(&format!(
            "CREATE TABLE {} (Id int NOT NULL PRIMARY KEY, V rowversion)",
            name.sql()
        ))
        .await;
    server
        .execute(&format!("INSERT INTO {} (Id) VALUES (1), (2)", name.sql()))
        .await;
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    assert!(table.table.features.rowversion && table.table.columns[1].read_only);
    let readings = connection
        .probe(&table, &[max(1), Probe::MinActiveRowversion])
        .await
        .unwrap();
    let [Value::Binary(newest), Value::Binary(active)] = readings.as_slice() else {
        panic!("{readings:?}");
    };
    assert!(newest.len() == 8 && newest < active);
    let plan = plan(
        &table.table,
        Some(window(1, &Value::Binary(vec![0; 8]), &readings[0])),
    );
    assert_eq!(ids(&mut connection, &table, &plan).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_count_and_tell_the_time() {
    let mut server = Server::start().await;
    let name = server.table("probes").await;
    server
        .execute(&format!(
            "CREATE TABLE {0} (Id int NOT NULL PRIMARY KEY, T nvarchar(10) NULL);
             INSERT INTO {0} VALUES (1, N'a'), (2, N'A'), (3, NULL), (4, N'b')",
            name.sql()
        ))
        .await;
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    let aggregate = |function, column| Probe::from(Aggregate { function, column });
    let probes = [
        aggregate(AggregateFunction::Min, 0),
        aggregate(AggregateFunction::Count, 1),
        aggregate(AggregateFunction::CountNull, 1),
        aggregate(AggregateFunction::CountDistinct, 1),
        Probe::SourceTime,
    ];
    let readings = connection.probe(&table, &probes).await.unwrap();
    assert_eq!(readings[..4], [1, 3, 1, 2].map(Value::Integer));
    assert!(matches!(readings[4], Value::Timestamp(_)));
    assert_eq!(connection.probe(&table, &[]).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_look_at_some_rows_and_at_the_last_one_by_several_columns() {
    let mut server = Server::start().await;
    let name = server.table("rows").await;
    server
        .execute(&format!(
            "CREATE TABLE {0} (Id int NOT NULL PRIMARY KEY, A datetime2(3) NULL, B int NULL, T int NOT NULL);
             INSERT INTO {0} VALUES (1, '2026-01-31', 9, 1), (2, '2026-02-01', 3, 1), (3, '2026-02-01', 5, 2),
                (4, '2026-03-01', NULL, 1), (5, NULL, 99, 1)",
            name.sql()
        ))
        .await;
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    let of = |tenant| {
        Some(Expression {
            nodes: vec![
                Node::Column {
                    side: Side::Source,
                    column: 3,
                },
                Node::Literal(Value::Integer(tenant)),
                Node::Compare {
                    op: Comparison::Eq,
                    left: 0,
                    right: 1,
                },
            ],
            root: 2,
        })
    };
    let row = |columns: &[u32], filter| Extreme {
        columns: columns.to_vec(),
        filter,
    };
    let largest = Aggregate {
        function: AggregateFunction::Max,
        column: 2,
    };
    let nulls = Aggregate {
        function: AggregateFunction::CountNull,
        column: 2,
    };
    let probes = [
        // Rows without a value in one of the columns are not looked at.
        Probe::Greatest(row(&[1, 2], None)),
        Probe::Aggregate {
            of: largest,
            filter: of(1),
        },
        Probe::Greatest(row(&[1, 2], of(1))),
        Probe::Least(row(&[2, 1, 0], None)),
        Probe::Aggregate {
            of: nulls,
            filter: of(1),
        },
        // There is no such row.
        Probe::Greatest(row(&[1, 2], of(7))),
        Probe::Aggregate {
            of: largest,
            filter: of(7),
        },
        Probe::SourceTime,
    ];
    let readings = connection.probe(&table, &probes).await.unwrap();
    let shown: Vec<String> = readings.iter().take(12).map(Value::text).collect();
    let february = "2026-02-01T00:00:00.0000000";
    assert_eq!(
        shown,
        [
            february, "5", "99", february, "3", "3", february, "2", "1", "null", "null", "null"
        ]
    );
    assert_eq!(readings.len(), 13);
    assert!(matches!(readings[12], Value::Timestamp(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_100_ns_digit_is_cut_with_a_name_or_refused_with_a_key() {
    let mut server = Server::start().await;
    if server.is_babelfish {
        // Babelfish itself keeps microseconds only.
        return;
    }
    let name = server.table("fine").await;
    server
        .execute(&format!(
            "CREATE TABLE {0} (Id int NOT NULL PRIMARY KEY, A datetime2(7) NULL, B datetime2(7) NULL, O datetimeoffset(0) NULL);
             INSERT INTO {0} VALUES (1, '2026-01-31T12:00:00.1234560', '2026-01-31T12:00:00', '2026-01-31T12:00:00+01:00'),
                (2, '1969-12-31T23:59:59.9999999', NULL, NULL)",
            name.sql()
        ))
        .await;
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    let plan = plan(&table.table, None);
    let (batches, extracted) = extract(&mut connection, &table, &plan, ExtractOptions::default())
        .await
        .unwrap();
    assert_eq!(extracted.truncated, ["A"]);
    assert_eq!(extracted.offsets_lost, ["O"]);
    let moments = batches[0]
        .column(1)
        .as_primitive::<TimestampMicrosecondType>();
    assert_eq!(
        moments.values()[1],
        -1,
        "cut towards the past, as the text is"
    );

    let strict = ExtractOptions {
        time_precision: TimePrecision::Error,
        ..ExtractOptions::default()
    };
    let error = extract(&mut connection, &table, &plan, strict)
        .await
        .unwrap_err();
    let ErrorKind::Data(place) = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!((place.column.as_str(), place.row.as_str()), ("A", "Id = 2"));
    assert!(error.hint().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_observed_is_exact_and_of_the_rows_read() {
    let mut server = Server::start().await;
    let name = server.table("observe").await;
    server
        .execute(&format!(
            "CREATE TABLE {0} (Id int NOT NULL PRIMARY KEY, T varchar(5) NULL, D datetime NULL);
             INSERT INTO {0} VALUES (1, 'b', '2026-01-31T12:00:00.003'), (2, 'C', '2026-01-31T12:00:00.007'), (3, NULL, NULL),
                (4, 'zzz', '2027-01-01')",
            name.sql()
        ))
        .await;
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    let mut chosen = (*plan(
        &table.table,
        Some(window(0, &Value::Integer(0), &Value::Integer(3))),
    ))
    .clone();
    let aggregate = |function, column| Aggregate { function, column };
    chosen.observe = vec![
        aggregate(AggregateFunction::Max, 2),
        aggregate(AggregateFunction::Max, 1),
        aggregate(AggregateFunction::CountDistinct, 1),
        aggregate(AggregateFunction::CountNull, 2),
        aggregate(AggregateFunction::Count, 0),
    ];
    let plan = chosen.validate(&table.table).unwrap();
    let (_, extracted) = extract(&mut connection, &table, &plan, ExtractOptions::default())
        .await
        .unwrap();
    assert_eq!(
        extracted.observed,
        [
            "timestamp:2026-01-31T12:00:00.007".parse().unwrap(),
            Value::Text("C".to_owned()),
            Value::Integer(2),
            Value::Integer(1),
            Value::Integer(3),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_end_at_their_bounds_and_wide_rows_do_not_add_up() {
    let mut server = Server::start().await;
    let name = server.table("wide").await;
    server
        .execute(&format!(
            "CREATE TABLE {} (Id int NOT NULL PRIMARY KEY, V varchar(max) NULL)",
            name.sql()
        ))
        .await;
    for id in 0..10 {
        server
            .execute(&format!(
                "INSERT INTO {} VALUES ({id}, REPLICATE(CAST('x' AS varchar(max)), 100000))",
                name.sql()
            ))
            .await;
    }
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    let plan = plan(&table.table, None);
    let by_bytes = ExtractOptions {
        batch_bytes: 250_000,
        ..ExtractOptions::default()
    };
    let (batches, extracted) = extract(&mut connection, &table, &plan, by_bytes)
        .await
        .unwrap();
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.num_rows()).collect();
    assert_eq!(sizes, [3, 3, 3, 1]);
    assert_eq!(extracted.rows, 10);
    assert!(extracted.bytes > 1_000_000);
    let by_rows = ExtractOptions {
        batch_rows: 4,
        ..ExtractOptions::default()
    };
    let (batches, _) = extract(&mut connection, &table, &plan, by_rows)
        .await
        .unwrap();
    let sizes: Vec<usize> = batches.iter().map(|batch| batch.num_rows()).collect();
    assert_eq!(sizes, [4, 4, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_extraction_ends_on_the_server() {
    let mut server = Server::start().await;
    let name = server.table("abandoned").await;
    server
        .execute(&format!(
            "CREATE TABLE {} (Id int NOT NULL PRIMARY KEY, V char(2000) NULL)",
            name.sql()
        ))
        .await;
    for first in (0..10_000).step_by(1000) {
        let values: Vec<String> = (first..first + 1000)
            .map(|id| format!("({id}, 'x')"))
            .collect();
        server
            .execute(&format!(
                "INSERT INTO {} VALUES {}",
                name.sql(),
                values.join(", ")
            ))
            .await;
    }
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    let plan = plan(&table.table, None);
    let few = ExtractOptions {
        batch_rows: 10,
        ..ExtractOptions::default()
    };
    let mut extraction = connection.extract(&table, &plan, few).await.unwrap();
    assert_eq!(
        extraction.next_batch().await.unwrap().unwrap().num_rows(),
        10
    );
    drop(extraction);
    let error = connection.probe(&table, &[max(0)]).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::ConnectionLost);
    assert!(error.is_transient());
    // No lock is left behind: the table can be dropped at once.
    let drop_table = format!("DROP TABLE {}", name.sql());
    let dropped = server.execute(&drop_table);
    tokio::time::timeout(Duration::from_secs(20), dropped)
        .await
        .expect("the query still holds its locks");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_read_sees_one_state() {
    let mut server = Server::start().await;
    let name = server.table("snapshot").await;
    server
        .execute(&format!(
            "CREATE TABLE {0} (Id int NOT NULL PRIMARY KEY); INSERT INTO {0} VALUES (1)",
            name.sql()
        ))
        .await;
    let database = server.query("SELECT DB_NAME()").await[0][0].clone();
    let mut connection = server.connect().await;
    let table = introspect(&mut connection, &name).await;
    if !server.is_babelfish {
        match connection.begin_read(&table).await.unwrap() {
            ReadConsistency::ReadCommitted { reason } => {
                assert!(reason.contains("ALLOW_SNAPSHOT_ISOLATION"))
            }
            ReadConsistency::Snapshot => connection.end_read().await.unwrap(),
        }
        server
            .execute(&format!(
                "ALTER DATABASE [{database}] SET ALLOW_SNAPSHOT_ISOLATION ON"
            ))
            .await;
    }
    let count = [Probe::from(Aggregate {
        function: AggregateFunction::Count,
        column: 0,
    })];
    let consistency = connection.begin_read(&table).await.unwrap();
    if consistency != ReadConsistency::Snapshot {
        assert!(server.is_babelfish, "{consistency:?}");
        return;
    }
    assert_eq!(
        connection.probe(&table, &count).await.unwrap(),
        [Value::Integer(1)]
    );
    server
        .execute(&format!("INSERT INTO {} VALUES (2)", name.sql()))
        .await;
    assert_eq!(
        connection.probe(&table, &count).await.unwrap(),
        [Value::Integer(1)]
    );
    connection.end_read().await.unwrap();
    assert_eq!(
        connection.probe(&table, &count).await.unwrap(),
        [Value::Integer(2)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_described_by_the_catalog() {
    let mut server = Server::start().await;
    let odd = if server.is_babelfish {
        "weird"
    } else {
        "we]ird, \"name\""
    };
    let name = server.table(odd).await;
    server
        .execute(&format!(
            "CREATE TABLE {} (
                B int NOT NULL, A nvarchar(10) COLLATE Latin1_General_CS_AS NOT NULL DEFAULT N'x',
                C decimal(20,5) NULL, D AS (B + 1), X sql_variant NULL,
                PRIMARY KEY (A, B), UNIQUE (C))",
            name.sql()
        ))
        .await;
    let mut connection = server.connect().await;
    let all = connection
        .introspect(&name, &ColumnSelection::default())
        .await
        .unwrap_err();
    assert_eq!(all.kind(), &ErrorKind::Unsupported);
    assert!(
        all.to_string().to_lowercase().contains("column 'x'")
            && all.to_string().contains("sql_variant"),
        "{all}"
    );
    assert!(all.hint().unwrap().contains("--exclude-columns"));

    let without = ColumnSelection {
        exclude: vec!["x".to_owned()],
        ..ColumnSelection::default()
    };
    let table = connection.introspect(&name, &without).await.unwrap();
    assert!(table.name.table().eq_ignore_ascii_case(name.table()));
    assert_eq!(table.table.key(), [1, 0]);
    let types: Vec<String> = table
        .columns
        .iter()
        .map(|c| c.sql_type.to_string())
        .collect();
    assert_eq!(types, ["int", "nvarchar(10)", "decimal(20,5)", "int"]);
    assert!(table.columns[3].computed && table.table.columns[3].read_only);
    assert!(table.columns[2].nullable && !table.columns[1].nullable);
    assert!(table.columns[1].default.as_deref().unwrap().contains('x'));
    if !server.is_babelfish {
        assert_eq!(
            table.columns[1].collation.as_deref(),
            Some("Latin1_General_CS_AS")
        );
    }
    let skipping = ColumnSelection {
        skip_unsupported: true,
        ..ColumnSelection::default()
    };
    let table = connection.introspect(&name, &skipping).await.unwrap();
    assert_eq!(table.skipped.len(), 1);

    let some = ColumnSelection {
        include: Some(vec!["b".to_owned()]),
        ..ColumnSelection::default()
    };
    let table = connection.introspect(&name, &some).await.unwrap();
    assert_eq!(table.columns.len(), 1);
    assert_eq!(
        table.table.key(),
        [] as [u32; 0],
        "half a key identifies nothing"
    );

    let wrong = ColumnSelection {
        exclude: vec!["nobody".to_owned()],
        ..ColumnSelection::default()
    };
    let error = connection.introspect(&name, &wrong).await.unwrap_err();
    assert!(error.to_string().contains("no column 'nobody'"), "{error}");
    server.execute(&format!("DROP TABLE {}", name.sql())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_brings_names_that_are() {
    let mut server = Server::start().await;
    let name = server.table("Customers").await;
    server
        .execute(&format!("CREATE TABLE {} (Id int NOT NULL)", name.sql()))
        .await;
    let mut connection = server.connect().await;
    let misspelled = TableName::new("dbo", name.table().replace("Customers", "Cutomers"));
    let error = connection
        .introspect(&misspelled, &ColumnSelection::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotFound);
    assert!(
        error.hint().unwrap().to_lowercase().contains("customers"),
        "{:?}",
        error.hint()
    );
    // The connection has not suffered.
    introspect(&mut connection, &name).await;
    server.execute(&format!("DROP TABLE {}", name.sql())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_through_every_encryption_and_packet_size() {
    let certificate = std::env::temp_dir().join(format!("icehost-read-{}.pem", std::process::id()));
    for tls in [
        icehost_devserver::Tls::None,
        icehost_devserver::Tls::Offered,
        icehost_devserver::Tls::Required,
    ] {
        let server = icehost_devserver::DevServer::builder()
            .tls(tls)
            .database("Test")
            .start()
            .await
            .unwrap();
        let (port, password) = (server.addr().port(), server.password().to_owned());
        let mut options = vec!["encrypt=false", "encrypt=false&packet_size=512"];
        if tls != icehost_devserver::Tls::Required {
            options.push("encrypt=disable");
        }
        let trusted = format!("encrypt=strict&certificate={}", certificate.display());
        if tls != icehost_devserver::Tls::None {
            std::fs::write(&certificate, server.certificate_pem()).unwrap();
            options.extend([
                "trust_server_certificate=true",
                "trust_server_certificate=true&packet_size=512",
                "trust_server_certificate=true&packet_size=32767",
                &trusted,
            ]);
        }
        for (number, option) in options.into_iter().enumerate() {
            let url = format!("mssql://sa@127.0.0.1:{port}/Test?{option}");
            let endpoint = icehost_sqlserver::Endpoint::parse(&url)
                .unwrap()
                .with_password(&password);
            let mut connection =
                icehost_sqlserver::Connection::open(&endpoint, &Default::default())
                    .await
                    .unwrap_or_else(|error| panic!("{option}: {error}"));
            let name = TableName::new("dbo", format!("T{number}"));
            let columns = [icehost_sqlserver::lower::NewColumn {
                name: "Id".to_owned(),
                sql_type: icehost_plan::SqlType::Int,
                nullable: false,
                collation: None,
            }];
            connection
                .create_table(&name, &columns, &["Id".to_owned()])
                .await
                .unwrap();
            let table = introspect(&mut connection, &name).await;
            let plan = plan(&table.table, None);
            let (batches, extracted) =
                extract(&mut connection, &table, &plan, ExtractOptions::default())
                    .await
                    .unwrap_or_else(|error| panic!("{option}: {error}"));
            assert_eq!((batches.len(), extracted.rows), (0, 0), "{option}");
            // The connection goes on with the next statement.
            assert_eq!(
                connection.probe(&table, &[max(0)]).await.unwrap(),
                [Value::Null],
                "{option}"
            );
        }
    }
    let _gone = std::fs::remove_file(&certificate);
}

//! Every type, from the server into Arrow and back into the server, unchanged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use icehost_plan::{
    Action, Clause, Contents, Delta, KeyPair, MergePlan, Occasion, SqlType, WriteMode,
};
use icehost_sqlserver::{
    Blanks, Checksum, ColumnSelection, ExtractOptions, Loader, NewColumn, Position, RowForm,
};
use support::{Server, extract, introspect, plan};
use uuid::Uuid;

/// Of the keys' hashes.
const BUCKETS: u32 = 1 << 15;

/// A type, the form in which two of its values are compared, and literals: the boundaries and what lies
/// between.
const TYPES: &[(&str, &str, &[&str])] = &[
    ("bit", "CAST(CAST(v AS int) AS nvarchar(4000))", &["0", "1"]),
    ("tinyint", "CAST(v AS nvarchar(4000))", &["0", "1", "255"]),
    (
        "smallint",
        "CAST(v AS nvarchar(4000))",
        &["-32768", "0", "32767"],
    ),
    (
        "int",
        "CAST(v AS nvarchar(4000))",
        &["-2147483648", "0", "2147483647"],
    ),
    (
        "bigint",
        "CAST(v AS nvarchar(4000))",
        &["-9223372036854775808", "0", "9223372036854775807"],
    ),
    (
        "decimal(38,0)",
        "CAST(v AS nvarchar(4000))",
        &[
            "99999999999999999999999999999999999999",
            "-99999999999999999999999999999999999999",
            "0",
            "-1",
        ],
    ),
    (
        "decimal(38,38)",
        "CAST(v AS nvarchar(4000))",
        &[
            "0.99999999999999999999999999999999999999",
            "-0.00000000000000000000000000000000000001",
        ],
    ),
    (
        "decimal(19,4)",
        "CAST(v AS nvarchar(4000))",
        &["922337203685477.5807", "-0.0001", "0"],
    ),
    (
        "decimal(9,2)",
        "CAST(v AS nvarchar(4000))",
        &["9999999.99", "-9999999.99", "0.01"],
    ),
    (
        "numeric(5,5)",
        "CAST(v AS nvarchar(4000))",
        &["0.99999", "-0.00001"],
    ),
    (
        "money",
        "CAST(CAST(v AS decimal(19,4)) AS nvarchar(4000))",
        &[
            "CAST('922337203685477.5807' AS money)",
            "CAST('-922337203685477.5808' AS money)",
            "CAST('0.0001' AS money)",
            "CAST('90071992547409.9301' AS money)",
        ],
    ),
    (
        "smallmoney",
        "CAST(CAST(v AS decimal(19,4)) AS nvarchar(4000))",
        &[
            "CAST('214748.3647' AS smallmoney)",
            "CAST('-214748.3648' AS smallmoney)",
        ],
    ),
    (
        "real",
        "CONVERT(nvarchar(4000), CAST(v AS float), 2)",
        &[
            "CAST(3.4028235E38 AS real)",
            "CAST(-1.17549435E-38 AS real)",
            "CAST(0.1 AS real)",
        ],
    ),
    (
        "float",
        "CONVERT(nvarchar(4000), v, 2)",
        &[
            "1.7976931348623157E308",
            "-2.2250738585072014E-308",
            "CAST(0.1 AS float)",
        ],
    ),
    (
        "char(5)",
        "v",
        &["'abc'", "'abcde'", "''", "'\u{e9}\u{20ac}'"],
    ),
    (
        "varchar(20)",
        "v",
        &["''", "'abc  '", "'\u{e9}\u{20ac}\u{fc}'"],
    ),
    (
        "varchar(8000)",
        "CAST(v AS varchar(max))",
        &["REPLICATE('x', 8000)", "''"],
    ),
    (
        "varchar(max)",
        "v",
        &["REPLICATE(CAST('y' AS varchar(max)), 100000)", "''"],
    ),
    ("nchar(5)", "v", &["N'abc'", "N'\u{65e5}\u{672c}\u{8a9e}'"]),
    (
        "nvarchar(20)",
        "v",
        &["N''", "N'a\u{1f600}b'", "N'trailing   '"],
    ),
    ("nvarchar(2001)", "v", &["REPLICATE(N'\u{3b1}', 2001)"]),
    ("nvarchar(4000)", "v", &["REPLICATE(N'\u{3b1}', 4000)"]),
    (
        "nvarchar(max)",
        "v",
        &["REPLICATE(CAST(N'\u{3b2}' AS nvarchar(max)), 70000)", "N''"],
    ),
    ("binary(4)", "v", &["0x00000000", "0x01020304"]),
    ("varbinary(10)", "v", &["0x", "0x00", "0xFF00FF"]),
    (
        "varbinary(max)",
        "v",
        &[
            "CAST(REPLICATE(CAST('z' AS varchar(max)), 9000) AS varbinary(max))",
            "0x",
        ],
    ),
    (
        "date",
        "CONVERT(nvarchar(4000), v, 23)",
        &["'0001-01-01'", "'9999-12-31'", "'1970-01-01'"],
    ),
    (
        "time(0)",
        "CAST(v AS nvarchar(4000))",
        &["'00:00:00'", "'23:59:59'"],
    ),
    (
        "time(6)",
        "CAST(v AS nvarchar(4000))",
        &["'23:59:59.999999'", "'12:34:56.000001'"],
    ),
    (
        "datetime",
        "CONVERT(nvarchar(4000), v, 121)",
        &[
            "'1753-01-01T00:00:00.000'",
            "'9999-12-31T23:59:59.997'",
            "'2026-01-31T12:34:56.003'",
            "'1899-12-31T23:59:59.997'",
        ],
    ),
    (
        "smalldatetime",
        "CONVERT(nvarchar(4000), v, 120)",
        &["'1900-01-01T00:00:00'", "'2079-06-06T23:59:00'"],
    ),
    (
        "datetime2(0)",
        "CAST(v AS nvarchar(4000))",
        &["'0001-01-01T00:00:00'", "'9999-12-31T23:59:59'"],
    ),
    (
        "datetime2(3)",
        "CAST(v AS nvarchar(4000))",
        &["'1969-12-31T23:59:59.999'"],
    ),
    (
        "datetime2(6)",
        "CAST(v AS nvarchar(4000))",
        &[
            "'0001-01-01T00:00:00.000001'",
            "'9999-12-31T23:59:59.999999'",
        ],
    ),
    (
        "datetimeoffset(6)",
        "CAST(v AS nvarchar(4000))",
        &[
            "'0001-01-02T00:00:00.000001+00:00'",
            "'9999-12-30T23:59:59.999999+00:00'",
        ],
    ),
    (
        "uniqueidentifier",
        "UPPER(CAST(v AS nvarchar(36)))",
        &[
            "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
            "'00000000-0000-0000-0000-000000000000'",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_type_survives_the_way_into_arrow_and_back() {
    let mut server = Server::start().await;
    for (sql_type, shown, literals) in TYPES {
        let source = server.table("types source").await;
        let target = server.table("types target").await;
        server
            .execute(&format!(
                "CREATE TABLE {} (k int NOT NULL PRIMARY KEY, v {sql_type} NULL)",
                source.sql()
            ))
            .await;
        for (k, literal) in literals.iter().copied().chain(["NULL"]).enumerate() {
            let literal = match literal.starts_with('\'') {
                true => format!("N{literal}"),
                false => literal.to_owned(),
            };
            server
                .execute(&format!(
                    "INSERT INTO {} (k, v) VALUES ({k}, {literal})",
                    source.sql()
                ))
                .await;
        }

        let mut connection = server.connect().await;
        let described = introspect(&mut connection, &source).await;
        let declared: SqlType = sql_type.replace("numeric", "decimal").parse().unwrap();
        assert_eq!(described.columns[1].sql_type, declared);
        let (batches, extracted) = extract(
            &mut connection,
            &described,
            &plan(&described.table, None),
            ExtractOptions::default(),
        )
        .await
        .unwrap_or_else(|error| panic!("{sql_type}: {error}"));
        assert_eq!(extracted.rows as usize, literals.len() + 1, "{sql_type}");

        // What the server makes of its rows is what is made of them here.
        for blanks in [Blanks::Kept, Blanks::Cut] {
            let there = connection
                .checksums(&described, &[0, 1], &[0], BUCKETS, blanks)
                .await
                .unwrap_or_else(|error| panic!("{sql_type}: {error}"));
            let there: BTreeMap<usize, Checksum> = there.into_iter().collect();
            let types = described.columns.iter().map(|column| column.sql_type);
            let here = checksums(RowForm::new(types.collect(), vec![0], blanks), &batches);
            assert_eq!(here, there, "{sql_type}, {blanks:?}");
        }

        let columns: Vec<NewColumn> = described
            .columns
            .iter()
            .map(|column| NewColumn {
                name: column.name.clone(),
                sql_type: column.sql_type,
                nullable: column.nullable,
                collation: column.collation.clone(),
            })
            .collect();
        connection
            .create_table(&target, &columns, &["k".to_owned()])
            .await
            .unwrap();
        connection.ensure_positions().await.unwrap();
        let landed = connection
            .introspect(&target, &ColumnSelection::default())
            .await
            .unwrap();
        let delta = Delta {
            columns: described.table.columns.clone(),
            contents: Contents::Upserts,
            operation: None,
            rows: extracted.rows,
            run_time: 0,
        };
        let upsert = upsert_by_first_column(&landed.table, &delta);
        let mut loader = Loader::begin(&mut connection, &landed, &delta.columns)
            .await
            .unwrap();
        for batch in &batches {
            loader
                .stage(batch)
                .await
                .unwrap_or_else(|error| panic!("{sql_type}: {error}"));
        }
        let counts = loader
            .merge(&upsert, &delta, &first_position())
            .await
            .unwrap_or_else(|error| panic!("{sql_type}: {error}"));
        assert_eq!(counts.inserted, extracted.rows, "{sql_type}");

        let all = |name: &str| format!("SELECT k, {shown} FROM {name} ORDER BY k");
        let (before, after) = (
            server.query(&all(&source.sql())).await,
            server.query(&all(&target.sql())).await,
        );
        assert_eq!(before, after, "{sql_type}");
        server
            .execute(&format!(
                "DROP TABLE {}; DROP TABLE {}",
                source.sql(),
                target.sql()
            ))
            .await;
    }
}

/// The rows added up by the buckets of their first column.
fn checksums(form: RowForm, batches: &[RecordBatch]) -> BTreeMap<usize, Checksum> {
    let mut sums: BTreeMap<usize, Checksum> = BTreeMap::new();
    for batch in batches {
        for (key, row) in form.hash(batch.columns()) {
            sums.entry(RowForm::bucket(key, BUCKETS))
                .or_default()
                .add(row);
        }
    }
    sums
}

fn upsert_by_first_column(
    table: &icehost_plan::Table,
    delta: &Delta,
) -> icehost_plan::ValidMergePlan {
    let clause = |occasion| Clause {
        occasion,
        condition: None,
        action: Action::WriteAll,
    };
    let plan = MergePlan {
        keys: vec![KeyPair {
            source: 0,
            target: 0,
        }],
        among: None,
        deduplicate: Vec::new(),
        clauses: vec![clause(Occasion::Matched), clause(Occasion::NotMatched)],
        mode: WriteMode::MergeOnRead,
    };
    plan.validate(table, delta).unwrap()
}

fn first_position() -> Position {
    Position {
        lake_table: "demo.types".to_owned(),
        lake_uuid: Uuid::new_v4(),
        lake_location: None,
        previous: None,
        snapshot_id: 1,
        sequence_number: 1,
        run_id: "run".to_owned(),
        merge: None,
    }
}

//! Loads rows of twelve columns into a new table, and prints time and processor time of staging and merging.
//!
//! `cargo run --release -p icehost-sqlserver --example load_million -- mssql://USER:PASSWORD@HOST/DATABASE [ROWS]`
//! (default 1,000,000)
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use icehost_plan::{
    Action, Clause, Column, ColumnType, Contents, Delta, LakeType, MergePlan, Occasion, WriteMode,
};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, Endpoint, Loader, NewColumn, Position, TableName,
};
use uuid::Uuid;

const BATCH: i64 = 8192;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("the server's URL is missing")?;
    let rows: i64 = arguments.next().as_deref().unwrap_or("1000000").parse()?;
    let mut connection =
        Connection::open(&Endpoint::parse(&url)?, &ConnectOptions::default()).await?;
    let name = TableName::new("dbo", format!("load_million_{}", std::process::id()));
    let columns = columns();
    let new: Vec<NewColumn> = columns
        .iter()
        .map(|column| NewColumn {
            name: column.name.clone(),
            sql_type: match column.column_type {
                ColumnType::Sql(sql_type) => sql_type,
                ColumnType::Lake(lake) => lake.default_sql(false),
            },
            nullable: true,
            collation: None,
        })
        .collect();
    connection.create_table(&name, &new, &[]).await?;
    connection.ensure_positions().await?;
    let target = connection
        .introspect(&name, &ColumnSelection::default())
        .await?;
    let delta = Delta {
        columns,
        contents: Contents::Upserts,
        operation: None,
        rows: rows as u64,
        run_time: 0,
    };
    let plan = MergePlan {
        keys: Vec::new(),
        among: None,
        deduplicate: Vec::new(),
        clauses: vec![Clause {
            occasion: Occasion::NotMatched,
            condition: None,
            action: Action::WriteAll,
        }],
        mode: WriteMode::Append,
    };
    let plan = plan.validate(&target.table, &delta)?;
    let batches: Vec<RecordBatch> = (0..rows)
        .step_by(BATCH as usize)
        .map(|first| batch(&delta.columns, first..rows.min(first + BATCH)))
        .collect::<Result<_, _>>()?;

    let (started, processor) = (Instant::now(), processor_seconds());
    let mut loader = Loader::begin(&mut connection, &target, &delta.columns).await?;
    for batch in &batches {
        loader.stage(batch).await?;
    }
    let staged = started.elapsed();
    let processor = processor_seconds() - processor;
    let position = Position {
        lake_table: "bench.load".to_owned(),
        lake_uuid: Uuid::new_v4(),
        lake_location: None,
        previous: None,
        snapshot_id: 1,
        sequence_number: 1,
        run_id: "run".to_owned(),
        merge: None,
    };
    let counts = loader.merge(&plan, &delta, &position).await?;
    println!(
        "{} rows: staged in {staged:.2?} with {processor:.2} s of processor time; merged after {:.2?}",
        counts.inserted,
        started.elapsed()
    );
    println!("the table {name} stays");
    Ok(())
}

/// User and system time of this process so far.
fn processor_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name, which may have blanks in it.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2);
    ticks
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS_PER_SECOND
}

fn columns() -> Vec<Column> {
    let lake = |name: &str, lake: LakeType| Column::new(name, ColumnType::Lake(lake), true);
    let sql = |name: &str, sql: &str| {
        let sql_type = sql
            .parse()
            .map_or(LakeType::String.default_sql(true), |t| t);
        Column::new(name, ColumnType::Sql(sql_type), true)
    };
    vec![
        lake("Id", LakeType::Long),
        sql("Name", "nvarchar(60)"),
        sql("Code", "varchar(12)"),
        lake("Quantity", LakeType::Int),
        sql("Price", "decimal(18,4)"),
        sql("Balance", "money"),
        lake("Ratio", LakeType::Double),
        lake("Active", LakeType::Boolean),
        lake("Born", LakeType::Date),
        sql("Changed", "datetime2(3)"),
        lake("Reference", LakeType::Uuid),
        sql("Note", "nvarchar(max)"),
    ]
}

fn batch(
    columns: &[Column],
    rows: std::ops::Range<i64>,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let ids = || rows.clone();
    let decimals = |scale: i128| {
        Decimal128Array::from_iter_values(ids().map(move |id| i128::from(id) * scale))
    };
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids())),
        Arc::new(StringArray::from_iter_values(
            ids().map(|id| format!("Customer number {id}")),
        )),
        Arc::new(StringArray::from_iter_values(
            ids().map(|id| format!("C-{:06}", id % 1_000_000)),
        )),
        Arc::new(Int32Array::from_iter(
            ids().map(|id| (id % 7 != 0).then_some(id as i32)),
        )),
        Arc::new(decimals(12_345).with_precision_and_scale(18, 4)?),
        Arc::new(decimals(99).with_precision_and_scale(19, 4)?),
        Arc::new(Float64Array::from_iter_values(
            ids().map(|id| id as f64 / 8.0),
        )),
        Arc::new(BooleanArray::from_iter(ids().map(|id| Some(id % 2 == 0)))),
        Arc::new(Date32Array::from_iter_values(
            ids().map(|id| (id % 20_000) as i32),
        )),
        Arc::new(TimestampMicrosecondArray::from_iter_values(
            ids().map(|id| 1_700_000_000_000_000 + id * 1000),
        )),
        Arc::new(FixedSizeBinaryArray::try_from_iter(
            ids().map(|id| (id as u128).to_be_bytes()),
        )?),
        Arc::new(StringArray::from_iter(ids().map(|id| {
            (id % 3 != 0).then(|| format!("notes on customer {id}, in a sentence of some length"))
        }))),
    ];
    let names = columns.iter().map(|column| column.name.as_str());
    RecordBatch::try_from_iter(names.zip(arrays))
}

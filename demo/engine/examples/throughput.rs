//! Prints how fast the engine loads, scans, merges and streams; run it with `--release`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use icehost_devengine::session::{
    EnvChange, Parameter, ResultColumn, ResultSink, SqlError, StatementDone, Stop,
};
use icehost_devengine::types::{Datum, SqlType};
use icehost_devengine::{Server, Session};

#[derive(Default)]
struct Count(u64);

impl ResultSink for Count {
    fn columns(&mut self, _: &[ResultColumn]) -> Result<(), Stop> {
        Ok(())
    }

    fn row(&mut self, row: &[Datum]) -> Result<(), Stop> {
        self.0 += row.len().min(1) as u64;
        Ok(())
    }

    fn done(&mut self, _: StatementDone) -> Result<(), Stop> {
        Ok(())
    }

    fn message(&mut self, _: SqlError) -> Result<(), Stop> {
        Ok(())
    }

    fn error(&mut self, error: SqlError) -> Result<(), Stop> {
        println!("{error}");
        Err(Stop)
    }

    fn env_change(&mut self, _: EnvChange) -> Result<(), Stop> {
        Ok(())
    }
}

fn timed(what: &str, session: &mut Session, sql: &str, parameters: Vec<Parameter>) {
    let start = Instant::now();
    let mut sink = Count::default();
    session.execute(
        sql,
        parameters,
        &Arc::new(AtomicBool::new(false)),
        &mut sink,
    );
    println!(
        "{what:<60} {:>8.3} s  {:>9} rows",
        start.elapsed().as_secs_f64(),
        sink.0
    );
}

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or("");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

const COLUMNS: &str = "Id int NOT NULL PRIMARY KEY, Name nvarchar(50) NOT NULL, Email nvarchar(80), Token uniqueidentifier, \
    Balance decimal(18,4), Score float, Active bit NOT NULL, Born date, Seen datetime2(7) NOT NULL, A int, B bigint, C smallint";

const ROW: &str = "CAST(value AS int) AS Id, CONCAT(N'customer ', value) AS Name, CONCAT(N'c', value, N'@example.com') AS Email, \
    NEWID() AS Token, CAST(value % 100000 AS decimal(18,4)) / 7 AS Balance, value * 1.5e0 AS Score, CAST(value % 2 AS bit) AS Active, \
    DATEADD(day, value % 20000, CAST('1960-01-01' AS date)) AS Born, DATEADD(second, value, CAST('2024-01-01' AS datetime2(7))) AS Seen, \
    value % 1000 AS A, CAST(value AS bigint) * 1000003 AS B, CAST(value % 30000 AS smallint) AS C";

fn main() {
    let server = Server::new();
    server.create_database("bench").unwrap();
    let mut session = Session::open(&server, Some("bench"), "sa").unwrap();
    let s = &mut session;
    timed(
        "create",
        s,
        &format!("CREATE TABLE big ({COLUMNS})"),
        vec![],
    );
    timed(
        "generate 1M x 12",
        s,
        &format!("INSERT INTO big SELECT {ROW} FROM GENERATE_SERIES(1, 1000000)"),
        vec![],
    );
    println!("resident after 1M x 12: {} MiB", memory());
    timed("stream 1M x 12", s, "SELECT * FROM big", vec![]);
    timed("MAX(Seen)", s, "SELECT MAX(Seen) FROM big", vec![]);
    let bound = |name: &str, seconds: u64| Parameter {
        name: name.to_owned(),
        sql_type: SqlType::DateTime2 { scale: 7 },
        value: Datum::DateTime2 {
            days: 738_885,
            ticks: seconds * 10_000_000,
            scale: 7,
        },
        output: false,
    };
    timed(
        "range of 10k by parameters",
        s,
        "SELECT * FROM big WHERE @a < Seen AND Seen <= @b",
        vec![bound("@a", 1000), bound("@b", 11_000)],
    );
    timed(
        "COUNT(*) GROUP BY A",
        s,
        "SELECT A, COUNT(*) FROM big GROUP BY A",
        vec![],
    );
    timed(
        "ORDER BY Seen DESC",
        s,
        "SELECT Id FROM big ORDER BY Seen DESC",
        vec![],
    );
    timed(
        "create target",
        s,
        &format!("CREATE TABLE target ({COLUMNS}); CREATE TABLE #stage ({COLUMNS})"),
        vec![],
    );
    timed(
        "200k into target",
        s,
        "INSERT INTO target SELECT * FROM big WHERE Id <= 200000",
        vec![],
    );
    timed(
        "200k into stage",
        s,
        "INSERT INTO #stage SELECT * FROM big WHERE Id > 100000 AND Id <= 300000",
        vec![],
    );
    let merge = "MERGE INTO target WITH (HOLDLOCK) AS T USING #stage AS S ON T.Id = S.Id \
        WHEN MATCHED THEN UPDATE SET Name = S.Name, Email = S.Email, Balance = S.Balance, Score = 1 \
        WHEN NOT MATCHED THEN INSERT (Id, Name, Email, Token, Balance, Score, Active, Born, Seen, A, B, C) \
        VALUES (S.Id, S.Name, S.Email, S.Token, S.Balance, S.Score, S.Active, S.Born, S.Seen, S.A, S.B, S.C) OUTPUT $action;";
    timed("MERGE 200k into 200k", s, merge, vec![]);
    timed(
        "UPDATE FROM 200k",
        s,
        "UPDATE T SET A = S.A + 1 FROM target T JOIN #stage S ON S.Id = T.Id",
        vec![],
    );
    timed("DELETE all stage", s, "DELETE #stage", vec![]);
    let start = Instant::now();
    for id in 0..2000 {
        let sql = format!("UPDATE big SET A = 1 WHERE Id = {}", id * 7 + 1);
        s.execute(
            &sql,
            vec![],
            &Arc::new(AtomicBool::new(false)),
            &mut Count::default(),
        );
    }
    println!(
        "{:<60} {:>8.3} s",
        "2000 single-row updates of the 1M table",
        start.elapsed().as_secs_f64()
    );
    let cancel = Arc::new(AtomicBool::new(false));
    s.execute(
        "CREATE TABLE loaded (Id int NOT NULL, Name nvarchar(50), V bigint)",
        vec![],
        &cancel,
        &mut Count::default(),
    );
    let start = Instant::now();
    let mut target = s
        .begin_bulk(
            "INSERT BULK loaded (Id int, Name nvarchar(50), V bigint)",
            &cancel,
        )
        .unwrap();
    for id in 0..1_000_000 {
        let name = Datum::Text {
            value: format!("name {id}").into(),
            national: true,
        };
        target
            .push(vec![Datum::Int(id), name, Datum::BigInt(i64::from(id))])
            .unwrap();
    }
    let rows = target.finish(s, &cancel).unwrap();
    println!(
        "{:<60} {:>8.3} s  {rows:>9} rows",
        "bulk load 1M x 3",
        start.elapsed().as_secs_f64()
    );
    println!("resident at the end: {} MiB", memory());
}

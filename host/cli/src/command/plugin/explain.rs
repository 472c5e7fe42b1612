//! `icehost plugin explain`: what a strategy plans for a table, the SQL that this becomes, and what was checked of it.

use icehost_conformance::{DetectorRun, Explanation, Landing};
use icehost_plan::{ColumnType, Table};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, SqlColumn, SqlTable, TableName, Traits, lower,
};
use icehost_strategy::{Limits, Options, Strategy, StrategyError};
use serde_json::{Value as Json, json};

use super::component;
use crate::args::{CacheArguments, ExplainArguments, Output};
use crate::command::address;
use crate::failure::Failure;
use crate::render::{line, print_explanation};

/// A table that most strategies can do something with.
const EXAMPLE: [&str; 5] = [
    "Id int key",
    "Email nvarchar(100) null",
    "Amount decimal(18,4)",
    "ModifiedDate datetime2(7)",
    "Version rowversion",
];
const EXAMPLE_NAME: &str = "dbo.Orders";

/// Asks the strategy and shows its answers.
///
/// # Errors
/// What the strategy, its options or the table are refused for.
pub(super) async fn run(
    cache: &CacheArguments,
    arguments: &ExplainArguments,
    output: Output,
) -> Result<(), Failure> {
    let table = table(arguments).await?;
    let (name, bytes) = component(&arguments.path).await?;
    let runtime = cache.caches()?.runtime(Limits::default())?;
    let strategy = runtime.load(&name, &bytes).await?;
    let options = Options::from_pairs(&strategy, &arguments.option)?;
    let explained =
        icehost_conformance::explain(&strategy, &table.table, &arguments.target_only, &options)
            .await
            .map_err(of_another_table)?;
    let object = object(&strategy, &table, &explained)?;
    match output {
        Output::Json => line(object),
        Output::Text => print_explanation(&object),
    }
    Ok(())
}

/// What a strategy has against the example need not be against another table.
fn of_another_table(error: StrategyError) -> Failure {
    let failure = Failure::from(error);
    let other = "describe another table with --column, or name one with --source and --table";
    let hint = match failure.hint() {
        Some(hint) => hint.clone().and(&format!("or {other}")),
        None => other.into(),
    };
    failure.with_hint(hint)
}

/// The table that the arguments name or describe.
async fn table(arguments: &ExplainArguments) -> Result<SqlTable, Failure> {
    if let (Some(source), Some(name)) = (&arguments.source, &arguments.table) {
        let endpoint = address(source, "source")?;
        let name = TableName::parse(name)?;
        let mut connection = Connection::open(&endpoint, &ConnectOptions::default()).await?;
        return Ok(connection
            .introspect(&name, &ColumnSelection::default())
            .await?);
    }
    let columns = match arguments.column.is_empty() {
        true => EXAMPLE.map(str::to_owned).to_vec(),
        false => arguments.column.clone(),
    };
    let table = icehost_conformance::table(EXAMPLE_NAME, &columns)?;
    described(table)
}

/// A table of which nothing else is known.
fn described(table: Table) -> Result<SqlTable, Failure> {
    let column = |column: &icehost_plan::Column| match column.column_type {
        ColumnType::Sql(sql_type) => Ok(SqlColumn {
            id: 0,
            name: column.name.clone(),
            sql_type,
            nullable: column.nullable,
            identity: column.identity,
            computed: false,
            collation: None,
            default: None,
            masked: false,
        }),
        ColumnType::Lake(other) => Err(Failure::config(
            format!(
                "column '{}' is {other}, which is no type of SQL Server",
                column.name
            ),
            "describe a table of SQL Server, such as --column 'Id int key' --column 'Name nvarchar(50) null'",
        )),
    };
    let columns: Vec<SqlColumn> = table.columns.iter().map(column).collect::<Result<_, _>>()?;
    let key = table.key().into_iter();
    let key = key.filter_map(|at| Some(table.columns.get(at as usize)?.name.clone()));
    let key: Vec<String> = key.collect();
    Ok(SqlTable {
        name: TableName::parse(&table.name)?,
        object_id: 0,
        created: None,
        database: String::new(),
        is_view: false,
        has_triggers: false,
        snapshot_isolation: false,
        columns,
        unique_keys: if key.is_empty() {
            Vec::new()
        } else {
            vec![key.clone()]
        },
        clustered_key: key,
        traits: Traits::default(),
        skipped: Vec::new(),
        table,
    })
}

fn object(strategy: &Strategy, table: &SqlTable, explained: &Explanation) -> Result<Json, Failure> {
    let columns = table.table.columns.iter().map(|column| {
        json!({
            "name": column.name,
            "type": column.column_type.to_string(),
            "nullable": column.nullable,
            "key": column.key_position,
        })
    });
    let mut object = json!({
        "strategy": strategy.description().name,
        "kind": strategy.kind().world(),
        "table": table.name.to_string(),
        "columns": columns.collect::<Vec<_>>(),
    });
    if !explained.runs.is_empty() {
        let runs = explained.runs.iter().map(|run| run_object(table, run));
        object["runs"] = runs.collect::<Result<Vec<_>, _>>()?.into();
    }
    if !explained.landings.is_empty() {
        let landings = explained.landings.iter();
        let landings = landings.map(|landing| landing_object(table, landing));
        object["deltas"] = landings.collect::<Result<Vec<_>, _>>()?.into();
    }
    if let Some((inputs, outputs)) = &explained.transformation {
        object["reads"] = json!(inputs);
        object["writes"] = json!(outputs);
    }
    let checks = explained.checks.iter().map(|check| {
        json!({
            "name": check.name,
            "holds": check.failure.is_none(),
            "failure": check.failure,
        })
    });
    object["checks"] = checks.collect::<Vec<_>>().into();
    Ok(object)
}

fn run_object(table: &SqlTable, run: &DetectorRun) -> Result<Json, Failure> {
    let probes = match run.probes.is_empty() {
        true => None,
        false => Some(lower::probes(table, &run.probes)?.to_string()),
    };
    let readings = run.readings.iter();
    let readings = readings.map(|(probe, read)| {
        let read: Vec<String> = read.iter().map(ToString::to_string).collect();
        json!({ "probe": probe, "reading": read.join(", ") })
    });
    Ok(json!({
        "run": run.name,
        "probes": readings.collect::<Vec<_>>(),
        "probe_sql": probes,
        "plan": run.text,
        "sql": lower::extraction(table, &run.plan)?.to_string(),
        "watermark": run.watermark,
    }))
}

fn landing_object(table: &SqlTable, landing: &Landing) -> Result<Json, Failure> {
    let target = statements(table, landing);
    Ok(json!({
        "delta": landing.contents,
        "plan": landing.text,
        "lake": landing.lake.as_ref().ok(),
        "lake_refuses": landing.lake.as_ref().err(),
        "sql": target.as_ref().ok(),
        "target_refuses": target.as_ref().err(),
    }))
}

/// What a target is sent once the delta is staged, in order; or why it takes no such plan.
fn statements(table: &SqlTable, landing: &Landing) -> Result<Vec<String>, String> {
    let merge = lower::merge(table, &landing.delta, &landing.plan, true);
    let merge = merge.map_err(|error| error.to_string())?;
    let mut statements = Vec::new();
    statements.extend(merge.deduplicate.map(|statement| statement.to_string()));
    let successions = &merge.successions;
    statements.extend(successions.iter().map(|of| of.note.to_string()));
    statements.push(merge.apply.to_string());
    statements.extend(successions.iter().map(|of| of.add.to_string()));
    Ok(statements)
}

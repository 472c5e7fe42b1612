//! `icehost plugin explain`: what a strategy plans for a table, the SQL that this becomes, and what was checked of it.

use icehost_config::{
    Component, DEFAULT_STRATEGY_MEMORY, DEFAULT_STRATEGY_TIMEOUT, GivenOptions, Use,
};
use icehost_conformance::{DetectorRun, Explanation, Landing};
use icehost_plan::{ColumnType, Table};
use icehost_sqlserver::{
    ColumnSelection, ConnectOptions, Connection, SqlColumn, SqlTable, TableName, Traits, lower,
};
use icehost_strategy::{Kind, Limits, Options, Strategy, StrategyError};
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
/// What a merger may want beside it: a mark for rows that are gone, or the time in which a version of a row counts. The
/// delta has none of these.
const BESIDE: [&[&str]; 3] = [
    &[],
    &["IsDeleted bit", "DeletedAt datetime2(3) null"],
    &[
        "ValidFrom datetime2(3) key",
        "ValidTo datetime2(3) null",
        "IsCurrent bit",
    ],
];

/// Asks the strategy and shows its answers.
///
/// # Errors
/// What the strategy, its options or the table are refused for.
pub(super) async fn run(
    cache: &CacheArguments,
    arguments: &ExplainArguments,
    output: Output,
) -> Result<(), Failure> {
    let mut tables = tables(arguments).await?;
    let (name, bytes) = component(&arguments.path).await?;
    let runtime = cache.caches()?.runtime(Limits::default())?;
    let strategy = runtime.load(&name, &bytes).await?;
    if strategy.kind() != Kind::Merger {
        tables.truncate(1);
    }
    if !arguments.target_only.is_empty() && strategy.kind() != Kind::Merger {
        return Err(Failure::config(
            format!(
                "--target-only names columns that a merger's delta lacks, and '{name}' is a {}",
                strategy.kind().world()
            ),
            "leave --target-only out",
        ));
    }
    let used = Use {
        component: Component::named(&name, DEFAULT_STRATEGY_TIMEOUT, DEFAULT_STRATEGY_MEMORY),
        options: GivenOptions::Pairs(arguments.option.clone()),
        place: None,
    };
    let options = icehost_run::options(&strategy, &used)?;
    let (table, explained) = explained(&strategy, tables, &options).await?;
    let object = object(&strategy, &table, &explained)?;
    match output {
        Output::Json => line(object),
        Output::Text => print_explanation(&object),
    }
    Ok(())
}

/// A table, and which of its columns a merger's delta lacks.
type Shown = (SqlTable, Vec<String>);

/// What the strategy makes of the first of the tables that it takes; what it has against the very first, where it takes
/// none.
async fn explained(
    strategy: &Strategy,
    tables: Vec<Shown>,
    options: &Options,
) -> Result<(SqlTable, Explanation), Failure> {
    let mut refused = None;
    for (table, target_only) in tables {
        match icehost_conformance::explain(strategy, &table.table, &target_only, options).await {
            Ok(explained) => return Ok((table, explained)),
            Err(error) => drop(refused.get_or_insert(error)),
        }
    }
    Err(match refused {
        Some(error) => of_another_table(error),
        None => Failure::config("there is no table to show", "describe one with --column"),
    })
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

/// The table that the arguments name or describe, or else the examples.
async fn tables(arguments: &ExplainArguments) -> Result<Vec<Shown>, Failure> {
    let target_only = || arguments.target_only.clone();
    if let (Some(source), Some(name)) = (&arguments.source, &arguments.table) {
        let endpoint = address(source, "source")?;
        let name = TableName::parse(name)?;
        let mut connection = Connection::open(&endpoint, &ConnectOptions::default()).await?;
        let selection = ColumnSelection::default();
        let table = connection.introspect(&name, &selection).await?;
        return Ok(vec![(table, target_only())]);
    }
    if !arguments.column.is_empty() {
        let table = icehost_conformance::table(EXAMPLE_NAME, &arguments.column)?;
        return Ok(vec![(described(table)?, target_only())]);
    }
    // A column that is named is one of the first.
    let count = if arguments.target_only.is_empty() {
        BESIDE.len()
    } else {
        1
    };
    let examples = BESIDE.iter().take(count).map(|beside| {
        let columns = EXAMPLE.iter().chain(*beside);
        let columns: Vec<String> = columns.map(|column| (*column).to_owned()).collect();
        let table = icehost_conformance::table(EXAMPLE_NAME, &columns)?;
        let names = beside.iter().filter_map(|column| column.split(' ').next());
        let target_only = names.map(str::to_owned).chain(target_only());
        Ok((described(table)?, target_only.collect()))
    });
    examples.collect()
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

//! `icehost table`: which lake tables there are, and what one is made of.

use std::path::PathBuf;

use icehost_lake::Warehouse;

use super::{Place, configuration, required};
use crate::args::{LakeArguments, Output, TableCommand, WarehouseArguments};
use crate::failure::Failure;
use crate::render::{Listed, print_description, print_tables};

pub(crate) async fn run(command: TableCommand, output: Output) -> Result<(), Failure> {
    match command {
        TableCommand::List(arguments) => list(&arguments, output).await,
        TableCommand::Describe(arguments) => {
            let described = describe(&arguments, output).await;
            described.map_err(|failure| failure.with_advice(&arguments.advice()))
        }
    }
}

async fn list(arguments: &WarehouseArguments, output: Output) -> Result<(), Failure> {
    let mut listed = Vec::new();
    for warehouse in warehouses(arguments)? {
        let opened = Warehouse::open(&warehouse)?;
        if !opened.exists().await? {
            return Err(Failure::config(
                format!("there is no warehouse {}", opened.address()),
                "check the path; the first sync creates a warehouse",
            ));
        }
        let mut tables = Vec::new();
        for name in opened.list_tables().await? {
            // One that cannot be read is no reason not to show the others.
            let table = opened.load(&name).await.map_err(Failure::from);
            tables.push((name.to_string(), table));
        }
        listed.push(Listed {
            warehouse: opened.address(),
            tables,
        });
    }
    print_tables(listed, output)
}

/// Each once, in the file's order.
fn warehouses(arguments: &WarehouseArguments) -> Result<Vec<PathBuf>, Failure> {
    let Some(file) = &arguments.config else {
        return Ok(vec![required(arguments.warehouse.clone(), "warehouse")?]);
    };
    let mut warehouses = Vec::new();
    for pipeline in configuration(file)?.pipelines() {
        if !warehouses.contains(&pipeline.lake.warehouse) {
            warehouses.push(pipeline.lake.warehouse.clone());
        }
    }
    Ok(warehouses)
}

async fn describe(arguments: &LakeArguments, output: Output) -> Result<(), Failure> {
    let table = Place::of(arguments)?.open().await?;
    let contents = table.contents().await?;
    print_description(&table, &contents, output);
    Ok(())
}

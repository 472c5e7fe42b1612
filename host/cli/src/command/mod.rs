//! One module per subcommand.

pub(crate) mod check;
pub(crate) mod load;
pub(crate) mod manual;
mod marks;
pub(crate) mod pipelines;
pub(crate) mod plugin;
pub(crate) mod snapshots;
pub(crate) mod sync;
pub(crate) mod table;
pub(crate) mod verify;
pub(crate) mod watermark;

use std::path::{Path, PathBuf};

use icehost_config::{Config, Lake, Pipeline};
use icehost_lake::{LakeTable, LakeTableName, Warehouse};
use icehost_run::{RunError, shipped_names};
use icehost_sqlserver::Endpoint;

use crate::args::LakeArguments;
use crate::failure::Failure;
use crate::render::problems;

/// An Iceberg table as arguments name it.
struct Place {
    warehouse: PathBuf,
    table: LakeTableName,
    /// Where the file says that watermarks are copied to.
    watermark_dir: Option<PathBuf>,
}

impl Place {
    fn of(arguments: &LakeArguments) -> Result<Place, Failure> {
        if let (Some(config), Some(name)) = (&arguments.config, &arguments.pipeline) {
            let (_, pipeline) = pipeline(config, name)?;
            return Ok(Place {
                warehouse: pipeline.lake.warehouse,
                table: pipeline.lake.table,
                watermark_dir: pipeline.lake.watermark_dir,
            });
        }
        let table = required(arguments.place.lake_table.as_deref(), "lake-table")?;
        Ok(Place {
            warehouse: required(arguments.place.warehouse.clone(), "warehouse")?,
            table: table.parse()?,
            watermark_dir: None,
        })
    }

    /// As a run is told of it.
    fn lake(self) -> Lake {
        Lake {
            warehouse: self.warehouse,
            table: self.table,
            merge: None,
            watermark_dir: self.watermark_dir,
        }
    }

    /// Opens the table, which must exist.
    async fn open(&self) -> Result<LakeTable, Failure> {
        let opened = Warehouse::open(&self.warehouse)?.load(&self.table).await;
        opened.map_err(|error| meant_table(error.into(), &self.warehouse, &self.table))
    }
}

/// Most lake tables whose names are compared with one that is not there.
const MOST_TABLES: usize = 1000;

/// The failure, with the lake table that was probably meant where it is that there is none of this name.
fn meant_table(failure: Failure, warehouse: &Path, table: &LakeTableName) -> Failure {
    let table = table.to_string();
    if !failure
        .message()
        .contains(&format!("there is no lake table {table}"))
    {
        return failure;
    }
    let Ok(warehouse) = icehost_lake::local_directory(warehouse) else {
        return failure;
    };
    let mut known = Vec::new();
    for namespace in directories(&warehouse) {
        for table in directories(&namespace) {
            if let (Some(namespace), Some(name)) = (namespace.file_name(), table.file_name())
                && table.join("metadata").is_dir()
                && known.len() < MOST_TABLES
            {
                known.push(format!("{}.{}", namespace.display(), name.display()));
            }
        }
    }
    match icehost_config::nearest(&table, known.iter().map(String::as_str)) {
        Some(near) => failure.with_guess(near),
        None => failure,
    }
}

/// Directories in a directory; none where it cannot be read.
fn directories(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let paths = entries.take(MOST_TABLES).map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

/// What a configuration file says.
fn configuration(file: &Path) -> Result<Config, Failure> {
    Config::read(file, &shipped_names()).map_err(|found| {
        let found: Vec<RunError> = found.into_iter().map(RunError::from).collect();
        problems(file, &found)
    })
}

/// The one pipeline that a name stands for, and the file that it is in.
fn pipeline(config: &Path, name: &str) -> Result<(Config, Pipeline), Failure> {
    let file = configuration(config)?;
    let mut pipelines = file.select(&[name.to_owned()])?;
    match (pipelines.pop(), pipelines.is_empty()) {
        (Some(pipeline), true) => Ok((file, pipeline)),
        (last, _) => {
            let names: Vec<String> = pipelines
                .into_iter()
                .chain(last)
                .map(|pipeline| pipeline.name)
                .collect();
            Err(Failure::config(
                format!("'{name}' stands for {} pipelines", names.len()),
                format!("name one of {}", names.join(", ")),
            ))
        }
    }
}

/// A flag that clap has asked for already.
fn required<T>(value: Option<T>, flag: &str) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::config(format!("--{flag} is missing"), format!("pass --{flag}")))
}

/// The server that a flag names, or its environment variable.
fn address(text: &str, flag: &str) -> Result<Endpoint, Failure> {
    Endpoint::parse(text).map_err(|error| {
        let variable = flag.to_uppercase();
        let whose = format!("the address of the {flag} (--{flag}, ICEHOST_{variable}): {error}");
        match error.hint() {
            Some(hint) => Failure::config(whose, hint),
            None => Failure::config(
                whose,
                format!("mend what --{flag} or ICEHOST_{variable} says"),
            ),
        }
    })
}

//! One module per subcommand.

pub(crate) mod check;
pub(crate) mod load;
pub(crate) mod pipelines;
pub(crate) mod plugin;
pub(crate) mod snapshots;
pub(crate) mod sync;
pub(crate) mod watermark;

use icehost_lake::{LakeTable, LakeTableName, Warehouse};

use crate::args::LakeArguments;
use crate::failure::Failure;

/// Opens the table that the arguments name, which must exist.
async fn open(arguments: &LakeArguments) -> Result<LakeTable, Failure> {
    let name: LakeTableName = arguments.lake_table.parse()?;
    Ok(Warehouse::open(&arguments.warehouse)?.load(&name).await?)
}

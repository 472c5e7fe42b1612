//! `icehost snapshots`

use super::Place;
use crate::args::{LakeArguments, Output};
use crate::failure::Failure;
use crate::render::print_snapshots;

pub(crate) async fn run(arguments: LakeArguments, output: Output) -> Result<(), Failure> {
    let table = Place::of(&arguments)?.open().await?;
    print_snapshots(&table, output);
    Ok(())
}

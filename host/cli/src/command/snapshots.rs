//! `icehost snapshots`

use super::Place;
use crate::args::{LakeArguments, Output};
use crate::failure::Failure;
use crate::render::print_snapshots;

pub(crate) async fn run(arguments: LakeArguments, output: Output) -> Result<(), Failure> {
    let opened = Place::of(&arguments)?.open().await;
    let table = opened.map_err(|failure| failure.with_advice(&arguments.advice()))?;
    print_snapshots(&table, output);
    Ok(())
}
